//! How full each bounded thing is, and how often it was found full.

use contract::{Family, Limit};

use super::readable::{Count, Level};
use super::registered::Registered;

struct Handles {
    used: [Level; Limit::COUNT],
    reached: [Count; Limit::COUNT],
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| Handles {
        used: std::array::from_fn(|i| Level::register(Family::LimitUsed, [label(i)])),
        reached: std::array::from_fn(|i| Count::register(Family::LimitReached, [label(i)])),
    });
}

fn label(i: usize) -> (&'static str, &'static str) {
    ("limit", Limit::ALL[i].name())
}

/// States which share of a bound is in use, `0.0 ..= 1.0`.
pub(crate) fn used(limit: Limit, ratio: f64) {
    if let Some(handles) = HANDLES.get() {
        handles.used[limit.index()].set(ratio);
    }
}

/// The same from two counts.
pub(crate) fn used_of(limit: Limit, used_count: u64, max: u64) {
    // Precise far beyond any bound in the table.
    used(limit, used_count as f64 / max.max(1) as f64);
}

/// Counts that something was turned away because a bound was reached.
pub(crate) fn reached(limit: Limit) {
    if let Some(handles) = HANDLES.get() {
        handles.reached[limit.index()].increment(1);
    }
}

/// Which share of a bound is in use, and how often it was reached since the process started.
pub(crate) fn read(limit: Limit) -> (f64, u64) {
    HANDLES.get().map_or((0.0, 0), |handles| {
        (handles.used[limit.index()].get(), handles.reached[limit.index()].get())
    })
}
