//! Messages by what became of them: the business rate beside the technical ones.

use std::sync::OnceLock;

use contract::{Family, Fate};
use metrics::Counter;

use super::family;

static HANDLES: OnceLock<[Counter; Fate::COUNT]> = OnceLock::new();
static DUE: OnceLock<Counter> = OnceLock::new();

pub(super) fn register() {
    DUE.get_or_init(|| family::counter(Family::MessagesDue, family::NONE));
    HANDLES.get_or_init(|| {
        std::array::from_fn(|i| family::counter(Family::Messages, [("fate", Fate::ALL[i].name())]))
    });
}

/// Counts reminders that came to a fate; after the commit that made it true.
pub(crate) fn add(fate: Fate, n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles[fate.index()].increment(n);
    }
}

/// Counts reminders whose due time comes now, by the plan.
pub(crate) fn due(n: u64) {
    if let Some(counter) = DUE.get() {
        counter.increment(n);
    }
}
