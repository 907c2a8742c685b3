//! Standard output, and whether anybody reads it: lines of what goes on, results that are all a
//! command has to say, and noticing that the reader has left.
//!
//! Never here: the numbers of a run, which go to standard error rather than be lost
//! (`report::files`), or progress (`progress`).

use std::fmt::Display;
use std::future::pending;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use crate::exit::{Exit, Failure};

/// Prints a line of what goes on; that it can't be is no reason to stop.
pub(crate) fn line(text: impl Display) {
    let _nobody_reads = writeln!(io::stdout(), "{text}");
}

/// Prints what a command was run for. The reader of a closed pipe has seen enough.
pub(crate) fn result(text: &str) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Unavailable(format!("standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(Exit::Passed),
    }
}

/// Waits until nobody reads standard output any more: for ever where it is a file or a terminal.
pub(crate) async fn unread() {
    // Unchecked, as checking also makes it non-blocking, for whoever else writes to it as well.
    // What can't be waited for has no reader who could leave.
    let out = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    let Ok(out) = out else { return pending().await };
    if out.ready(Interest::ERROR).await.is_err() {
        // The runtime is going away, and this with it.
        pending::<()>().await;
    }
}
