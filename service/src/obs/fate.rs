//! Messages by what became of them: the business rate beside the technical ones. And the same
//! reminders by when they were due: what fell due by the plan, and what of that came to an end.

use contract::{Family, Fate, Stage};
use jiff::{SignedDuration, Timestamp};

use super::family;
use super::readable::Count;
use super::registered::Registered;
use crate::clock::{Clock, Pace};

/// How long after its due time a reminder's end still counts against what fell due. One that comes
/// later was missed when it should have come, and would hide another that is missing now.
pub(crate) const ENDS_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// How far ahead of now `observe` has counted what falls due: one to two of its periods.
const COUNTED_AHEAD: SignedDuration =
    SignedDuration::from_millis(Stage::Observe.spec().period_ms as i64 * 3 / 2);

static HANDLES: Registered<[Count; Fate::COUNT]> = Registered::new();
static DUE: Registered<[Count; 2]> = Registered::new();

pub(super) fn register() {
    DUE.register(|| {
        [Family::MessagesDue, Family::MessagesDueEnded]
            .map(|family| Count::register(family, family::NONE))
    });
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
    if let Some([due, _]) = DUE.get() {
        due.increment(n);
    }
}

/// The due times, in domain time, of the reminders that both sides of the rate are about at an
/// instant. What is cancelled or moved ahead of them never fell due, so that its end says nothing
/// of what is due now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DueNow {
    since: Timestamp,
    until: Timestamp,
}

impl DueNow {
    /// By a clock.
    pub(crate) fn by(clock: &Clock) -> Self {
        Self::at(clock.pace(), clock.real_now())
    }

    fn at(pace: Pace, real_now: Timestamp) -> Self {
        Self {
            since: pace.domain_at(real_now - ENDS_WITHIN),
            until: pace.domain_at(real_now + COUNTED_AHEAD),
        }
    }

    fn has(self, due_at: Timestamp) -> bool {
        self.since <= due_at && due_at <= self.until
    }

    /// Counts reminders that were planned so late that `observe` had looked past their due times.
    pub(crate) fn planned(self, due_at: impl Iterator<Item = Timestamp>) {
        due(due_at.filter(|due_at| self.has(*due_at)).count() as u64);
    }

    /// Counts reminders that were due and came to an end, each once; after the commit that made it
    /// true.
    pub(crate) fn ended(self, due_at: Timestamp, n: u64) {
        if let (Some([_, ended]), true) = (DUE.get(), self.has(due_at)) {
            ended.increment(n);
        }
    }
}

/// Reminders by what became of them, in the order of the table, and those whose due time came:
/// since the process started.
pub(crate) fn read() -> ([u64; Fate::COUNT], u64) {
    let fates = HANDLES.get().map(|handles| std::array::from_fn(|i| handles[i].get()));
    (fates.unwrap_or_default(), DUE.get().map_or(0, |[due, _]| due.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_end_counts_from_when_it_was_due_for_a_quarter_of_an_hour() {
        let now = at("2026-05-05T12:00:00Z");
        let is_due = |due_at| DueNow::at(Pace::REAL, now).has(at(due_at));
        assert!(is_due("2026-05-05T12:00:00Z") && is_due("2026-05-05T11:45:00Z"));
        // Observe has counted it already, a turn ahead.
        assert!(is_due("2026-05-05T12:00:07.5Z"));
        assert!(!is_due("2026-05-05T12:00:08Z"), "it is cancelled ahead of its time");
        assert!(!is_due("2026-05-05T11:44:59Z"), "it was missed already");
    }

    #[test]
    fn at_scaled_speed_the_quarter_is_of_real_time() {
        let now = at("2026-05-05T12:00:00Z");
        let pace =
            Pace { real_origin: at("2026-05-05T11:00:00Z"), domain_origin: now, speed: 60.0 };
        let due = DueNow::at(pace, now);
        assert_eq!(due.since, pace.domain_at(at("2026-05-05T11:45:00Z")));
        assert_eq!(due.until, pace.domain_at(at("2026-05-05T12:00:07.5Z")));
    }
}
