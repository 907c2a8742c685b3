//! The slowest requests of each kind, from the intended start, with what is needed to say what
//! their time went on.
//!
//! Never here: what the service says of them (`inside`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;

use super::ledger::{Ending, Times};

/// How many of each kind are kept.
pub const KEPT: usize = 5;

/// What came back with a request's last answer.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// `Server-Timing`, where the service says it.
    pub server_timing: Option<HeaderValue>,
}

/// A slow request.
#[derive(Debug, Clone)]
pub struct Slow {
    /// Its place in the schedule.
    pub index: usize,
    /// Its kind.
    pub label: usize,
    /// From the intended start to the last byte.
    pub response: Duration,
    /// When it was to leave, when it left, when it ended.
    pub times: Times,
    /// How it ended.
    pub ending: Ending,
    /// What came back.
    pub seen: Seen,
}

/// The slowest so far.
#[derive(Debug)]
pub struct Slowest(Vec<OfKind>);

#[derive(Debug, Default)]
struct OfKind {
    /// Nothing faster can get in, in nanoseconds: most requests need no lock.
    bar: AtomicU64,
    kept: Mutex<Vec<Slow>>,
}

impl Slowest {
    /// None yet, of so many kinds.
    #[must_use]
    pub fn new(kinds: usize) -> Self {
        Self((0..kinds).map(|_| OfKind::default()).collect())
    }

    /// Offers a request. `seen` is asked for only where it is kept.
    pub fn offer(
        &self,
        (index, label): (usize, usize),
        times: &Times,
        ending: Ending,
        seen: impl FnOnce() -> Seen,
    ) {
        let response = times.ended.saturating_duration_since(times.due.intended);
        let nanos = u64::try_from(response.as_nanos()).unwrap_or(u64::MAX);
        let of = &self.0[label];
        if nanos < of.bar.load(Ordering::Relaxed) {
            return;
        }
        let mut kept = of.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.partition_point(|slow| slow.response >= response);
        kept.insert(place, Slow { index, label, response, times: *times, ending, seen: seen() });
        kept.truncate(KEPT);
        if kept.len() == KEPT {
            let last = kept[KEPT - 1].response.as_nanos();
            // What is as slow as the last one comes too late.
            of.bar.store(
                u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1),
                Ordering::Relaxed,
            );
        }
    }

    /// Those of all kinds, the slowest of each kind first.
    #[must_use]
    pub fn all(&self) -> Vec<Slow> {
        let of = |of: &OfKind| of.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::engine::ledger::Due;

    #[test]
    fn the_slowest_of_each_kind_are_kept_in_order() {
        let slowest = Slowest::new(2);
        let start = Instant::now();
        for (index, millis) in [3, 9, 1, 7, 2, 8, 5, 5, 4, 6].into_iter().enumerate() {
            let due = Due { offset: Duration::ZERO, intended: start, free: start };
            let ended = start + Duration::from_millis(millis);
            let times = Times { due, sent: Some(start), refused: false, ended, again: 0 };
            slowest.offer((index, 1), &times, Ending::Good, Seen::default);
        }
        let all = slowest.all();
        let millis: Vec<u128> = all.iter().map(|slow| slow.response.as_millis()).collect();
        assert_eq!(millis, [9, 8, 7, 6, 5]);
        assert_eq!((all[0].index, all[4].index, all[0].label), (1, 6, 1));
    }
}
