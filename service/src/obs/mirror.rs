//! Counters that a server of the database keeps, as counters of ours: what it has counted since
//! the look before is added. What it had counted before this process looked is no event of now, and
//! a total that is lower than before is a new beginning: its statistics were reset, or it is
//! another server.
//!
//! Never here: what this process counts itself (`readable`).

use std::sync::{Mutex, PoisonError};

use metrics::Counter;

/// One such counter.
pub(super) struct Mirror {
    ours: Counter,
    /// The server's, as of the last look.
    theirs: Mutex<Option<u64>>,
}

impl Mirror {
    /// Of a server that hasn't been looked at.
    pub(super) const fn new(ours: Counter) -> Self {
        Self { ours, theirs: Mutex::new(None) }
    }

    /// Takes a look's total.
    pub(super) fn reads(&self, total: i64) {
        let total = u64::try_from(total).unwrap_or(0);
        let before = self.theirs.lock().unwrap_or_else(PoisonError::into_inner).replace(total);
        self.ours.increment(more(before, total));
    }
}

/// What came to be between two looks.
const fn more(before: Option<u64>, total: u64) -> u64 {
    match before {
        None => 0,
        Some(before) if total < before => total,
        Some(before) => total - before,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_is_more_is_added_and_less_is_a_new_beginning() {
        let cell = Arc::new(AtomicU64::new(0));
        let mirror = Mirror::new(Counter::from_arc(Arc::clone(&cell)));
        let after = |total| {
            mirror.reads(total);
            cell.load(Ordering::Relaxed)
        };
        assert_eq!(after(7_000), 0, "the server's past is none of this process's");
        assert_eq!([after(7_000), after(7_003)], [0, 3]);
        // Its statistics are reset, and it counts on.
        assert_eq!([after(2), after(2), after(5)], [5, 5, 8]);
        assert_eq!(after(0), 8);
    }
}
