//! When people call, and when they are seen: instants on the day's curve, times of day in the
//! practice's slots.
//!
//! Never here: who they are (`households.rs`).

use super::draft::Draft;
use super::households::{DraftVisit, Households};
use super::options::{CLINIC_CLOSES_HOUR, CLINIC_HOURS, CLINIC_OPENS_HOUR};

/// Times of day that are tried until the margins leave nothing open.
const TIMES_TRIED_MAX: u32 = 12;
/// Who comes at once sits down at least this much after the call.
const WALK_IN_MINUTES: u16 = 10;
/// No appointment begins later than this, walk-ins of a late evening included.
const LAST_MINUTE: u16 = 23 * 60;
/// Walk-ins of one call are all seen within this much, so that no rule looks back past the call.
const WALK_INS_MINUTES: u16 = 60;
const NANOS: u64 = 1_000_000_000;
impl Households<'_> {
    /// When a call of the data comes on the replayed day.
    pub(crate) fn call(&mut self, second: u32, shift: i32) -> u64 {
        let hour = second / 3600;
        let within = (second as i32 % 3600 + shift).rem_euclid(3600);
        let local = self.curve.place(f64::from(hour * 3600 + within as u32) + self.draw.unit());
        self.at_local(local)
    }

    /// An instant at which someone of this practice calls about something.
    pub(crate) fn some_call(&mut self) -> u64 {
        let local = self.curve.draw(&mut self.draw);
        self.at_local(local)
    }

    fn at_local(&mut self, local_ns: u64) -> u64 {
        let midnight = i64::from(self.terms.zone.midnight(0)) * NANOS as i64;
        let offset = midnight + local_ns as i64;
        if offset < 0 {
            // Before the window: in its first half hour.
            return u64::from(self.draw.below(1800)) * NANOS + offset.unsigned_abs() % NANOS;
        }
        self.inside(offset.unsigned_abs())
    }

    /// After the window: in its last half hour.
    pub(crate) fn inside(&mut self, offset_ns: u64) -> u64 {
        let end = u64::from(self.terms.zones.window_seconds.unsigned_abs()) * NANOS;
        if offset_ns < end {
            offset_ns
        } else {
            end - u64::from(1 + self.draw.below(1800)) * NANOS + offset_ns % NANOS
        }
    }

    pub(crate) fn set_times(&mut self, phone: u64, visits: &mut [DraftVisit]) {
        for visit in visits {
            for tried in 1..=TIMES_TRIED_MAX {
                self.set_visit_times(visit, tried == TIMES_TRIED_MAX);
                if visit.drafts.iter().all(|draft| self.is_sure(phone, draft)) {
                    break;
                }
            }
        }
    }

    fn is_sure(&self, phone: u64, draft: &Draft) -> bool {
        draft.versions.iter().all(|version| {
            let at = (version.day, version.minute);
            self.terms.intents(phone, at, version.accepted(&self.terms)).all(|i| i.sure)
        })
    }

    /// One after the other, from a time of day after the last call about this day.
    fn set_visit_times(&mut self, visit: &mut DraftVisit, at_once: bool) {
        let slot = self.terms.practice.slot_minutes;
        let called = visit.drafts.iter().filter_map(|d| d.versions[0].arrives()).max();
        let open_from = match called {
            Some(at) if visit.day == 0 => {
                let local = (at - self.terms.zone.midnight(0)) / 60;
                (local.clamp(0, i32::from(LAST_MINUTE - WALK_INS_MINUTES)) as u16 + WALK_IN_MINUTES)
                    .next_multiple_of(slot)
            }
            Some(_) | None => 0,
        };
        let at_once = at_once.then_some(open_from);
        let drawn = (0..TIMES_TRIED_MAX).map(|_| self.time_of_day()).find(|t| *t >= open_from);
        // Nothing later is left, or nothing later is clear: at once, or as the clinic opens.
        let opens = CLINIC_OPENS_HOUR * 60;
        let mut minute = at_once.or(drawn).unwrap_or(open_from).max(opens);
        // Who comes with many shares the last slots.
        let closes = CLINIC_CLOSES_HOUR * 60 - slot;
        let last = closes.max(open_from + WALK_INS_MINUTES).min(LAST_MINUTE);
        for draft in &mut visit.drafts {
            draft.versions[0].minute = minute.min(last);
            minute += slot * (1 + self.draw.below(2) as u16);
        }
    }

    /// A slot of the clinic's hours.
    pub(crate) fn time_of_day(&mut self) -> u16 {
        let slot = self.terms.practice.slot_minutes;
        let hour = CLINIC_OPENS_HOUR + self.draw.weighted(&CLINIC_HOURS) as u16;
        hour * 60 + self.draw.below(u32::from(60 / slot)) as u16 * slot
    }
}
