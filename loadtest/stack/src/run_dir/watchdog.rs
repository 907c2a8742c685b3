//! The watchdog: a `sh` that outlives us by as long as it takes to clean up after us.
//!
//! What belongs here: starting it and telling it that there is nothing left to do. What it does
//! is in `watchdog.sh`. What never belongs here: the clean-up of a run that ends well.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

use crate::StackError;

const SCRIPT: &str = include_str!("watchdog.sh");

#[derive(Debug)]
pub(super) struct Watchdog {
    /// Its standard input is the pipe: closed by the kernel when we die. `std` opens it
    /// close-on-exec, so no child of ours holds a copy.
    process: Mutex<Option<(Child, ChildStdin)>>,
}

impl Watchdog {
    pub(super) fn start(run: &Path) -> Result<Self, StackError> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "punctual-watchdog"])
            .arg(run)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to a terminal's whole foreground group; it must outlive that.
            .process_group(0)
            .spawn()
            .map_err(StackError::file("run", Path::new("/bin/sh")))?;
        let pipe = child.stdin.take().expect("stdin was asked to be a pipe");
        Ok(Self { process: Mutex::new(Some((child, pipe))) })
    }

    /// Everything is removed: the watchdog ends without doing anything.
    pub(super) fn stand_down(&self) {
        let mut held = self.process.lock().expect("no panic happens under this lock");
        if let Some((mut child, mut pipe)) = held.take() {
            // A watchdog that somebody has ended needs no word.
            let _ = pipe.write_all(b"done\n");
            drop(pipe);
            let _ = child.wait();
        }
    }
}
