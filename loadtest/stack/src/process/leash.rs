//! The kernel's own tie between a child and the thread that started it.
//!
//! What belongs here: the wrapper program that asks the kernel for it, as `std` offers no safe
//! way. What never does: the other ties (see `process.rs`), which hold where this one is missing
//! (macOS, busybox).

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::Signal;

/// The command for a program, through `setpriv --pdeathsig` where that works. `setpriv` becomes
/// the program by exec, so that the process id is the program's.
pub(super) fn command(program: &Path, ending: Signal) -> Command {
    if !setpriv_works() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .arg("--pdeathsig")
        .arg(ending.as_str().trim_start_matches("SIG"))
        .arg("--")
        .arg(program);
    command
}

/// busybox has a setpriv that knows no `--pdeathsig`, so it is tried once, not looked up.
fn setpriv_works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}
