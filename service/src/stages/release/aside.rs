//! Practices for which release can do nothing now, for a reason that is their own: left out for a
//! while, so that the others of their shard go on.
//!
//! Never here: who they are found to be (`singly`).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Until when which practices are left out. No more than there are.
#[derive(Debug, Default)]
pub(in crate::stages) struct Aside(Mutex<HashMap<i64, Instant>>);

impl Aside {
    /// Leaves a practice out for so long.
    pub(super) fn put(&self, practice_id: i64, now: Instant, how_long: Duration) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.insert(practice_id, now + how_long);
    }

    /// Those that are left out now.
    pub(super) fn now(&self, now: Instant) -> Vec<i64> {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| *until > now);
        until.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_while_is_over_some_time() {
        let (aside, start) = (Aside::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        aside.put(1, start, Duration::from_secs(20));
        aside.put(2, after(10), Duration::from_secs(20));
        let mut both = aside.now(after(19));
        both.sort_unstable();
        assert_eq!(both, [1, 2]);
        assert_eq!(aside.now(after(20)), [2]);
        assert_eq!(aside.now(after(30)), Vec::<i64>::new());
    }
}
