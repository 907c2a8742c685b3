//! Where a module's handles wait from their registration on. A build with the feature `unmeasured`
//! never has any, and its compiler knows: what would record is not there. That build is for telling
//! what measuring costs, and for nothing else.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Whether this build measures anything.
pub(crate) const IS_MEASURED: bool = !cfg!(feature = "unmeasured");

/// Handles of series, registered once.
pub(super) struct Registered<T>(OnceLock<T>);

impl<T> Registered<T> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Registers what is not registered yet.
    pub(super) fn register(&self, handles: impl FnOnce() -> T) {
        if IS_MEASURED {
            self.0.get_or_init(handles);
        }
    }

    /// The handles; none before they are registered.
    #[inline]
    pub(super) fn get(&self) -> Option<&T> {
        if IS_MEASURED { self.0.get() } else { None }
    }
}

/// How long something takes that is only measured: nobody acts on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Option<Instant>);

impl Stopwatch {
    /// Begins now.
    #[inline]
    pub(crate) fn start() -> Self {
        Self(IS_MEASURED.then(Instant::now))
    }

    /// Ends now.
    #[inline]
    pub(crate) fn stop(self) -> Lap {
        let Some(began) = self.0 else { return Lap { ended: None, took: Duration::ZERO } };
        let ended = Instant::now();
        Lap { ended: Some(ended), took: ended.duration_since(began) }
    }
}

/// How long something took, and when it ended: whoever needs both reads the clock once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lap {
    pub(super) ended: Option<Instant>,
    pub(super) took: Duration,
}

impl Lap {
    /// A stopwatch for what begins where this ends.
    #[inline]
    pub(crate) const fn next(self) -> Stopwatch {
        Stopwatch(self.ended)
    }

    /// One that took so long and ends now.
    #[cfg(test)]
    pub(crate) fn of(took: Duration) -> Self {
        Self { ended: Some(Instant::now()), took }
    }
}
