//! What the laws say at run time: numbers that must be zero, or small and explained.

use std::sync::OnceLock;

use contract::Family;
use metrics::{Counter, Gauge};

use super::family;

struct Handles {
    ambiguous: Gauge,
    stranded: Gauge,
    residual: Gauge,
    fold_lag: Gauge,
    stale: Counter,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

pub(super) fn register() {
    HANDLES.get_or_init(|| Handles {
        ambiguous: family::gauge(Family::AmbiguousMessages, family::NONE),
        stranded: family::gauge(Family::StrandedRows, family::NONE),
        residual: family::gauge(Family::ConservationResidual, family::NONE),
        fold_lag: family::gauge(Family::FoldLag, family::NONE),
        stale: family::counter(Family::StaleCompletions, family::NONE),
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
}

/// States how old the oldest unfolded change of a count is.
pub(crate) fn fold_lag(age: std::time::Duration) {
    set(|handles| &handles.fold_lag, age.as_secs_f64());
}

/// Counts completions that a lost lease made void.
pub(crate) fn stale(n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles.stale.increment(n);
    }
}

fn set(which: impl Fn(&Handles) -> &Gauge, value: f64) {
    if let Some(handles) = HANDLES.get() {
        which(handles).set(value);
    }
}
