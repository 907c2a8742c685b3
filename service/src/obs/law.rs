//! What the laws say at run time: numbers that must be zero, or small and explained.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::Family;

use super::family;
use super::readable::{Count, Level};
use super::registered::Registered;

struct Handles {
    ambiguous: Level,
    stranded: Level,
    residual: Level,
    /// When that was found, in seconds since the epoch; 0 for never.
    audited_at: AtomicU64,
    fold_lag: Level,
    stale: Count,
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| Handles {
        ambiguous: Level::register(Family::AmbiguousMessages, family::NONE),
        stranded: Level::register(Family::StrandedRows, family::NONE),
        residual: Level::register(Family::ConservationResidual, family::NONE),
        audited_at: AtomicU64::new(0),
        fold_lag: Level::register(Family::FoldLag, family::NONE),
        stale: Count::register(Family::StaleCompletions, family::NONE),
    });
}

/// States how many messages are ambiguous now.
pub(crate) fn ambiguous(messages: u64) {
    set(|handles| &handles.ambiguous, messages as f64);
}

/// States how many rows the last sweep found below a floor.
pub(crate) fn stranded(rows: u64) {
    set(|handles| &handles.stranded, rows as f64);
}

/// States what the last check of conservation left over.
pub(crate) fn residual(messages: i64) {
    set(|handles| &handles.residual, messages as f64);
    if let Some(handles) = HANDLES.get() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        handles.audited_at.store(now.as_secs(), Ordering::Relaxed);
    }
}

/// States how old the oldest unfolded change of a count is.
pub(crate) fn fold_lag(age: Duration) {
    set(|handles| &handles.fold_lag, age.as_secs_f64());
}

/// Counts completions that a lost lease made void.
pub(crate) fn stale(n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles.stale.increment(n);
    }
}

/// The numbers as they are now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reading {
    /// Messages whose delivery's answer is not known.
    pub(crate) ambiguous: u64,
    /// Rows below a floor.
    pub(crate) stranded: u64,
    /// What the last audit by this process left over, and when that was; none if it made none.
    pub(crate) residual: Option<(f64, SystemTime)>,
    /// How far folding is behind.
    pub(crate) fold_lag: Duration,
    /// Completions that a lost lease made void.
    pub(crate) stale: u64,
}

/// Reads them.
pub(crate) fn read() -> Reading {
    let Some(handles) = HANDLES.get() else { return Reading::default() };
    let audited_at = handles.audited_at.load(Ordering::Relaxed);
    let at = UNIX_EPOCH + Duration::from_secs(audited_at);
    Reading {
        ambiguous: handles.ambiguous.get() as u64,
        stranded: handles.stranded.get() as u64,
        residual: (audited_at > 0).then(|| (handles.residual.get(), at)),
        fold_lag: Duration::try_from_secs_f64(handles.fold_lag.get()).unwrap_or_default(),
        stale: handles.stale.get(),
    }
}

fn set(which: impl Fn(&Handles) -> &Level, value: f64) {
    if let Some(handles) = HANDLES.get() {
        which(handles).set(value);
    }
}
