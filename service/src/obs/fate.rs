//! Messages by what became of them: the business rate beside the technical ones.

use std::sync::OnceLock;

use contract::Fate;
use metrics::Counter;

static HANDLES: OnceLock<[Counter; Fate::COUNT]> = OnceLock::new();

pub(super) fn register() {
    metrics::describe_counter!("messages_total", "Reminders by what became of them.");
    HANDLES.get_or_init(|| {
        std::array::from_fn(|i| {
            let counter = metrics::counter!("messages_total", "fate" => Fate::ALL[i].name());
            counter.increment(0);
            counter
        })
    });
}

/// Counts reminders that came to a fate; after the commit that made it true.
pub(crate) fn add(fate: Fate, n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles[fate.index()].increment(n);
    }
}
