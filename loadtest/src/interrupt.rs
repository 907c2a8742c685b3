//! Ctrl-C (and SIGTERM): the first ends the replay in order (a report is made of what was done so
//! far), the second gives that up too. Either way everything that was started is stopped.
//!
//! goose installs a handler of its own whose second Ctrl-C ends the process with status 1; ours is
//! installed first, by the same crate, so that goose's is refused.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_util::sync::CancellationToken;

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
        let count = AtomicU32::new(0);
        let installed = ctrlc::set_handler(move || match count.fetch_add(1, Ordering::Relaxed) {
            0 => {
                complain!("\n{said}");
                told.stop.cancel();
            }
            _ => {
                told.stop.cancel();
                told.abandon.cancel();
            }
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
