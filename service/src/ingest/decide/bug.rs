//! A planner with a bug, for the tests that must find it: of every so many reminders one isn't
//! planned, or is planned for the day before as well. It is in no release: only builds that check
//! their assertions have it.
//!
//! `TEST_PLANNER_BUG=DROP,TWICE`: every how many reminders which of the two happens; 0 for never.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::ToSpan;

use crate::plan::Due;

struct Bug {
    drop: u64,
    twice: u64,
    planned: AtomicU64,
}

static BUG: LazyLock<Option<Bug>> = LazyLock::new(|| {
    let text = std::env::var("TEST_PLANNER_BUG").ok()?;
    let (drop, twice) = text.split_once(',')?;
    Some(Bug { drop: drop.parse().ok()?, twice: twice.parse().ok()?, planned: AtomicU64::new(0) })
});

/// Does to reminders what the environment asks for; nothing without it.
pub(super) fn spoil(dues: &mut Vec<Due>) {
    let Some(bug) = BUG.as_ref() else { return };
    let mut spoilt = Vec::with_capacity(dues.len() + 1);
    for due in dues.drain(..) {
        let n = bug.planned.fetch_add(1, Ordering::Relaxed) + 1;
        let is_each = |every: u64| every > 0 && n.is_multiple_of(every);
        if is_each(bug.drop) {
            continue;
        }
        spoilt.push(due);
        if let (true, Ok(local_day)) = (is_each(bug.twice), due.local_day.checked_sub(1.day())) {
            spoilt.push(Due { local_day, ..due });
        }
    }
    *dues = spoilt;
}
