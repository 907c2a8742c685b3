//! Messages by what became of them: the business rate beside the technical ones.

use contract::{Family, Fate};

use super::family;
use super::readable::Count;
use super::registered::Registered;

static HANDLES: Registered<[Count; Fate::COUNT]> = Registered::new();
static DUE: Registered<Count> = Registered::new();

pub(super) fn register() {
    DUE.register(|| Count::register(Family::MessagesDue, family::NONE));
    HANDLES.register(|| {
        std::array::from_fn(|i| Count::register(Family::Messages, [("fate", Fate::ALL[i].name())]))
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

/// Reminders by what became of them, in the order of the table, and those whose due time came:
/// since the process started.
pub(crate) fn read() -> ([u64; Fate::COUNT], u64) {
    let fates = HANDLES.get().map(|handles| std::array::from_fn(|i| handles[i].get()));
    (fates.unwrap_or_default(), DUE.get().map_or(0, Count::get))
}
