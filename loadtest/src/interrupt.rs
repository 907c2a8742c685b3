//! Ctrl-C (and SIGTERM): the first ends the replay in order (a report is made of what was done so
//! far), the second gives that up too. Either way everything that was started is stopped.
//!
//! goose installs a handler of its own whose second Ctrl-C ends the process with status 1; ours is
//! installed first, by the same crate, so that goose's is refused.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// What follows the first within this time is the same wish come twice: `timeout` signals its child
/// and then the group that it is in, and so do terminals whose window is closed.
const SAME: Duration = Duration::from_secs(1);

/// What the signals mean to the run.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    /// Stop sending; drain nothing; report.
    pub stop: CancellationToken,
    /// Give up the report as well.
    pub abandon: CancellationToken,
}

impl Interrupt {
    /// Installs the handler, once a process. It says this at the first signal.
    #[must_use]
    pub fn install(said: &'static str) -> Self {
        let interrupt = Self::default();
        let told = interrupt.clone();
        let mut first: Option<Instant> = None;
        let installed = ctrlc::set_handler(move || match wish(first.map(|at| at.elapsed())) {
            Wish::Stop => {
                first = Some(Instant::now());
                complain!("\n{said}");
                told.stop.cancel();
            }
            Wish::Same => {}
            Wish::Abandon => told.abandon.cancel(),
        });
        if let Err(error) = installed {
            // Without it Ctrl-C ends the process at once; the watchdog still ends the children.
            tracing::warn!(%error, "no handler for Ctrl-C");
        }
        interrupt
    }

    /// True when the run was asked to stop.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Stop,
    Same,
    Abandon,
}

/// What a signal asks for that comes so long after the first, if there was one.
fn wish(since_first: Option<Duration>) -> Wish {
    match since_first {
        None => Wish::Stop,
        Some(since) if since < SAME => Wish::Same,
        Some(_) => Wish::Abandon,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_twice_at_once_is_one() {
        let wishes =
            [None, Some(0), Some(999), Some(1_000)].map(|ms| ms.map(Duration::from_millis));
        let expected = [Wish::Stop, Wish::Same, Wish::Same, Wish::Abandon];
        assert_eq!(wishes.map(wish), expected);
    }
}
