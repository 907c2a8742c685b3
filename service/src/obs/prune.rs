//! What was dropped because it is older than it is to be kept, and what should have been.

use std::time::Duration;

use contract::Family;

use super::readable::{Count, Level};
use super::registered::Registered;

/// A table of which old weeks are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// Promises.
    Intent,
    /// Tries, with what came of them.
    Attempt,
}

impl Table {
    /// Every one of them.
    pub(crate) const ALL: [Self; 2] = [Self::Intent, Self::Attempt];

    /// As the database calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Attempt => "attempt",
        }
    }
}

struct Handles {
    dropped: [Count; Table::ALL.len()],
    lag: [Level; Table::ALL.len()],
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    let label = |table: Table| [("table", table.name())];
    HANDLES.register(|| Handles {
        dropped: Table::ALL.map(|table| Count::register(Family::PrunedWeeks, label(table))),
        lag: Table::ALL.map(|table| Level::register(Family::PruneLag, label(table))),
    });
}

/// States whether a week of a table was dropped, and by how much its oldest one is overdue.
pub(crate) fn seen(table: Table, is_dropped: bool, overdue: Duration) {
    if let Some(handles) = HANDLES.get() {
        handles.dropped[table as usize].increment(u64::from(is_dropped));
        handles.lag[table as usize].set(overdue.as_secs_f64());
    }
}
