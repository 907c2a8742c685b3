//! A made-up day, the same every time: practices over all shards, recipients with one appointment
//! and families with two, each told of a day before and two hours before, and each booking one more
//! for later: about as many bookings for a text as a replayed day has (1.05; `loadtest day` says
//! 1.07). Pure.
//!
//! Every text of a rule falls due in the same ten minutes, as far as the clock is concerned that
//! stands still for each step. Numbers come from country code +999, which nobody has.

use std::collections::VecDeque;
use std::sync::Arc;

use contract::shard_of;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::ingest::Appointment;
use crate::practice::{Practice, Revision};
use crate::text::default_rules;

/// Practices of a country with half a million texts a day: two thousand.
const TEXTS_PER_PRACTICE: usize = 250;
/// Enough that every shard has several.
const PRACTICES_MIN: usize = 64;
/// Every so many recipients are families of two.
const FAMILY_EVERY: u64 = 10;
/// Every so many appointments carry instructions.
const INSTRUCTED_EVERY: u64 = 5;
/// Appointments begin within so many minutes, in one grouping window of both rules.
const MINUTES: u64 = 110;

/// The day on which rule 1's texts leave; rule 2's leave on the next, that of the appointments.
const DAY: Date = date(2026, 3, 2);

/// When everything is booked.
pub(super) fn booked_at() -> Timestamp {
    at(0, 7, 0)
}

/// When the texts of the first rule are all due, and when those of the second are.
pub(super) fn due_by() -> [Timestamp; 2] {
    [at(0, 8, 30), at(1, 8, 30)]
}

fn at(days: i64, hour: i8, minute: i8) -> Timestamp {
    let midnight = DAY.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC);
    let there = midnight.expect("UTC has every wall time").timestamp();
    there + SignedDuration::from_hours(24 * days)
}

/// How big the day is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    recipients: usize,
    practices: usize,
}

impl Day {
    /// A day of so many texts: each recipient has two.
    pub(super) fn of_texts(texts: usize) -> Self {
        let practices = (texts / TEXTS_PER_PRACTICE).max(PRACTICES_MIN);
        Self { recipients: texts.div_ceil(2), practices }
    }

    /// Texts of each rule.
    pub(super) const fn texts_of_a_rule(self) -> usize {
        self.recipients
    }

    /// The practices, ready to be put.
    pub(super) fn practices(self) -> impl Iterator<Item = Practice> {
        (0..self.practices).map(|n| Practice {
            name: format!("Practice {n}"),
            sender: 999_100_000_000 + practice_id(n),
            newest: Arc::new(Revision {
                practice_id: practice_id(n),
                revision: 1,
                timezone: TimeZone::UTC,
                timezone_name: "UTC".to_owned(),
                send_from: jiff::civil::time(8, 0, 0, 0),
                send_until: jiff::civil::time(20, 0, 0, 0),
                rules: default_rules(),
            }),
        })
    }

    /// Each shard's requests: a practice and the appointments of one recipient.
    pub(super) fn requests(self, shard_count: i16) -> Vec<VecDeque<(i64, Vec<Appointment>)>> {
        let mut shards: Vec<VecDeque<_>> = (0..shard_count).map(|_| VecDeque::new()).collect();
        for recipient in 0..self.recipients {
            let practice = practice_id(recipient % self.practices);
            let shard = usize::try_from(shard_of(practice, shard_count));
            let shard = shard.expect("shards are counted from 0");
            let (today, later) = appointments(recipient as u64);
            shards[shard].extend([(practice, today), (practice, vec![later])]);
        }
        shards
    }
}

fn practice_id(n: usize) -> i64 {
    i64::try_from(n).expect("there are not that many practices") + 1
}

/// A recipient's appointments of the day, and the one of a week later.
fn appointments(recipient: u64) -> (Vec<Appointment>, Appointment) {
    let random = mix(recipient);
    let members = if recipient.is_multiple_of(FAMILY_EVERY) { 2 } else { 1 };
    let begins = at(1, 10, 0) + SignedDuration::from_mins((random % MINUTES).cast_signed());
    let today: Vec<Appointment> = (0..members)
        .map(|member| Appointment {
            // Clients' names for appointments are in no order.
            appointment_id: format!("{random:016x}-{member}"),
            version: 1,
            starts_at: begins + SignedDuration::from_mins(5 * member),
            phone: 999_200_000_000 + recipient.cast_signed(),
            patient_name: format!("Patient {recipient}"),
            instructions: if recipient.is_multiple_of(INSTRUCTED_EVERY) {
                "Please bring your insurance card.".to_owned()
            } else {
                String::new()
            },
            cancelled: false,
        })
        .collect();
    let later = Appointment {
        appointment_id: format!("{random:016x}-later"),
        starts_at: begins + SignedDuration::from_hours(7 * 24),
        ..today[0].clone()
    };
    (today, later)
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
const fn mix(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::plan::{Since, plan};

    #[test]
    fn every_recipient_has_one_text_of_each_rule_due_at_its_instant_and_not_expired() {
        let day = Day::of_texts(2_000);
        let revision = day.practices().next().unwrap().newest;
        let shards = day.requests(16);
        assert!(shards.iter().all(|shard| !shard.is_empty()), "a shard has no work");
        let requests: Vec<_> = shards.into_iter().flatten().collect();
        assert_eq!(requests.len(), 2 * day.texts_of_a_rule());
        let mut ids = HashSet::new();
        let (mut today, mut later) = (0, 0);
        for (_, appointments) in requests {
            if let [a] = &appointments[..]
                && a.appointment_id.ends_with("later")
            {
                assert!(ids.insert(a.appointment_id.clone()), "an appointment twice");
                let plan: Vec<_> =
                    plan(&revision, a.phone, a.starts_at, Since::new(booked_at())).collect();
                assert!(plan.iter().all(|due| due.due_at > due_by()[1]), "it falls due");
                assert_eq!(plan.len(), 2);
                later += 1;
                continue;
            }
            today += 1;
            let mut texts = HashSet::new();
            for a in &appointments {
                assert!(ids.insert(a.appointment_id.clone()), "an appointment twice");
                assert!(a.starts_at > due_by()[1], "it expires");
                for due in plan(&revision, a.phone, a.starts_at, Since::new(booked_at())) {
                    let by = due_by()[usize::try_from(due.rule_id - 1).unwrap()];
                    assert!(due.due_at <= by && due.due_at > booked_at());
                    assert!(due.rule_id == 1 || due.due_at > due_by()[0]);
                    texts.insert((due.rule_id, due.local_day, due.group_slot));
                }
            }
            assert_eq!(texts.len(), 2, "{appointments:?}");
        }
        assert_eq!((today, later), (day.texts_of_a_rule(), day.texts_of_a_rule()));
    }
}
