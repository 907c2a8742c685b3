//! Signals to process groups, and waiting for their effect.
//!
//! What belongs here: the few lines that stop, end and await processes by number. What never
//! does: knowing which signal suits which program; who starts it says so.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::table;

/// Between two looks at a process that is not our child, for which the kernel offers no wait.
const LOOK: Duration = Duration::from_millis(5);

/// Sends a signal to a whole process group, and wakes those in it that were stopped: a stopped
/// process takes no signal but SIGKILL.
pub(crate) fn signal_group(leader: u32, signal: Signal) {
    let group = pid(leader);
    // It may be gone already, which is what a signal is sent for.
    let _ = killpg(group, signal);
    if signal != Signal::SIGSTOP {
        let _ = killpg(group, Signal::SIGCONT);
    }
}

/// Sends a signal to one process; one that is gone is no error.
pub(crate) fn signal_one(process: u32, signal: Signal) {
    let _ = kill(pid(process), signal);
}

/// Waits, blocking, until the process is gone; false when the bound came first.
pub(crate) fn gone_within(process: u32, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while table::is_running(process) {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).expect("the kernel gives numbers below 2^22"))
}
