//! How full each bounded thing is, and how often it was found full.

use contract::{Family, Limit};

use super::readable::{Count, Level};
use super::registered::Registered;

struct Handles {
    /// For those of which something can be in use.
    used: [Option<Level>; Limit::COUNT],
    reached: [Count; Limit::COUNT],
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| Handles {
        used: std::array::from_fn(|i| {
            let has_level = Limit::ALL[i].spec().has_level;
            has_level.then(|| Level::register(Family::LimitUsed, [label(i)]))
        }),
        reached: std::array::from_fn(|i| Count::register(Family::LimitReached, [label(i)])),
    });
}

fn label(i: usize) -> (&'static str, &'static str) {
    ("limit", Limit::ALL[i].name())
}

/// States which share of a bound is in use, `0.0 ..= 1.0`.
pub(crate) fn used(limit: Limit, ratio: f64) {
    debug_assert!(limit.spec().has_level, "{} has no level, says its row", limit.name());
    if let Some(level) = HANDLES.get().and_then(|handles| handles.used[limit.index()].as_ref()) {
        level.set(ratio);
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

/// Which share of a bound is in use, where it has one, and how often it was reached since the
/// process started.
pub(crate) fn read(limit: Limit) -> (Option<f64>, u64) {
    HANDLES.get().map_or((None, 0), |handles| {
        let i = limit.index();
        (handles.used[i].as_ref().map(Level::get), handles.reached[i].get())
    })
}
