//! Joins the cancellations that were answered with what the plan knows of their appointments: whom
//! a text would have gone to, how it would have spoken of them, and whether they were booked again.
//!
//! Never here: whether the law holds (`laws::cancelled`).

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use serde::Deserialize;

use crate::day::request::Appointment;
use crate::day::schedule::real_offset;
use crate::day::{Plan, Request};
use crate::laws::cancelled::{By, Cancellation, Entry, Reads, Stopped};
use crate::laws::wire::{DayInWords, Mention};

/// An appointment of a practice.
type Key = (u32, u32);

/// The appointments that were cancelled, once each.
pub(crate) fn cancelled_appointments(plan: &Plan, stopped: &[Stopped]) -> Vec<Request> {
    let keys: HashSet<Key> = stopped.iter().filter_map(|s| key(plan, s)).collect();
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_unstable();
    let read = |(practice_id, serial)| Request::ReadAppointment { practice_id, serial };
    keys.into_iter().map(read).collect()
}

/// What was cancelled, joined.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// All cancellations with what is known of them.
    pub(crate) cancellations: Vec<Cancellation>,
    /// Those whose appointment, or whose practice, the plan doesn't have.
    pub(crate) unknown: Vec<String>,
}

/// Joins every cancellation that was answered. `start_ns` is the replay's start on the machine's
/// monotonic clock.
pub(crate) fn join(
    plan: &Plan,
    stopped: &[Stopped],
    reads: &Reads,
    (start_ns, speed): (u64, f64),
) -> Joined {
    let known = Known::of(plan, stopped);
    let senders: HashMap<i64, u64> =
        plan.practices().iter().map(|p| (p.practice_id, p.sender)).collect();
    let instant = |at: usize| {
        let intended = plan.arrivals()[at].intended_domain_ns;
        start_ns + real_offset(intended, speed).as_nanos() as u64
    };
    let mut joined = Joined::default();
    for stopped in stopped {
        match known.cancellation(&senders, reads, stopped, instant) {
            Some(cancellation) => joined.cancellations.push(cancellation),
            None => joined.unknown.push(format!("arrival {}", stopped.arrival)),
        }
    }
    joined
}

/// The phones that a cancelled appointment had: whose texts must be read whole.
pub(crate) fn phones(plan: &Plan, stopped: &[Stopped]) -> HashSet<u64> {
    let known = Known::of(plan, stopped);
    known.versions.values().flatten().map(|(_, appointment)| appointment.phone()).collect()
}

/// What a read shows as stopped by a cancellation.
fn stopped_by_read(reads: &Reads, practice_id: i64, appointment_id: &str) -> Vec<Entry> {
    let fates = reads.get(&(practice_id, appointment_id.to_owned()));
    let stopped = contract::Fate::SuppressedCancelled.name();
    fates
        .into_iter()
        .flatten()
        .filter(|fate| fate.fate == stopped)
        .map(|fate| Entry { rule_id: fate.rule_id, message_id: fate.message_id, in_time: true })
        .collect()
}

fn key(plan: &Plan, stopped: &Stopped) -> Option<Key> {
    match plan.arrivals()[stopped.arrival].request {
        Request::Cancel { practice_id, serial, version: _ } => Some((practice_id, serial)),
        Request::UpsertAppointment(appointment) => {
            Some((appointment.practice_id, appointment.serial))
        }
        Request::ReadAppointment { .. }
        | Request::ListMessages { .. }
        | Request::DailyCounts { .. } => None,
    }
}

/// Versions of the appointments that were cancelled, and how all appointments of their phones are
/// spoken of.
struct Known<'a> {
    plan: &'a Plan,
    /// In the order in which they came; imported ones have no arrival.
    versions: HashMap<Key, Vec<(Option<usize>, &'a Appointment)>>,
    /// How many different appointments of a recipient are spoken of so.
    speakers: HashMap<((i64, u64), Mention), usize>,
}

impl<'a> Known<'a> {
    fn of(plan: &'a Plan, stopped: &[Stopped]) -> Self {
        let wanted: HashSet<Key> = stopped.iter().filter_map(|s| key(plan, s)).collect();
        let mut versions: HashMap<Key, Vec<_>> = HashMap::new();
        for (at, appointment) in every_version(plan) {
            let key = (appointment.practice_id, appointment.serial);
            if wanted.contains(&key) {
                versions.entry(key).or_default().push((at, appointment));
            }
        }
        let recipients: HashSet<_> =
            versions.values().flatten().map(|(_, a)| (a.practice_id(), a.phone())).collect();
        let mut speakers: HashMap<_, HashSet<u32>> = HashMap::new();
        for (_, appointment) in every_version(plan) {
            let recipient = (appointment.practice_id(), appointment.phone());
            if recipients.contains(&recipient) {
                let spoken = (recipient, spoken(plan.day(), appointment));
                speakers.entry(spoken).or_default().insert(appointment.serial);
            }
        }
        let speakers = speakers.into_iter().map(|(spoken, who)| (spoken, who.len())).collect();
        Self { plan, versions, speakers }
    }

    fn cancellation(
        &self,
        senders: &HashMap<i64, u64>,
        reads: &Reads,
        stopped: &Stopped,
        instant: impl Fn(usize) -> u64,
    ) -> Option<Cancellation> {
        let key = key(self.plan, stopped)?;
        let appointment = self.before(key, stopped.arrival)?;
        let practice_id = appointment.practice_id();
        let appointment_id = appointment.appointment_id();
        let mention = spoken(self.plan.day(), appointment);
        let recipient = (practice_id, appointment.phone());
        let speakers = self.speakers.get(&(recipient, mention.clone())).copied().unwrap_or(0);
        let (by, entries) = match &stopped.entries {
            Some(entries) => (By::Call, entries.clone()),
            None => (By::Upsert, stopped_by_read(reads, practice_id, &appointment_id)),
        };
        Some(Cancellation {
            practice_id,
            by,
            from: senders.get(&practice_id).copied()?,
            to: appointment.phone(),
            mention,
            // It is one of them itself.
            namesakes: speakers.saturating_sub(1),
            answered_ns: stopped.answered_ns,
            booked_again_ns: self.booked_again(key, stopped.arrival).map(instant),
            entries,
            appointment_id,
        })
    }

    /// The highest version that came before an arrival.
    fn before(&self, key: Key, arrival: usize) -> Option<&'a Appointment> {
        let versions = self.versions.get(&key)?.iter();
        let came = versions.filter(|(at, a)| !a.cancelled() && at.is_none_or(|at| at < arrival));
        came.map(|(_, appointment)| *appointment).max_by_key(|a| a.version())
    }

    /// The first higher version that came after an arrival and books it again.
    fn booked_again(&self, key: Key, arrival: usize) -> Option<usize> {
        let known = self.before(key, arrival)?.version();
        let versions = self.versions.get(&key)?.iter();
        versions
            .filter(|(_, a)| !a.cancelled() && a.version() > known)
            .filter_map(|(at, _)| at.filter(|at| *at > arrival))
            .min()
    }
}

fn every_version(plan: &Plan) -> impl Iterator<Item = (Option<usize>, &Appointment)> {
    let imported = plan.import().iter().map(|appointment| (None, appointment));
    let arrived =
        plan.arrivals().iter().enumerate().filter_map(|(at, arrival)| match &arrival.request {
            Request::UpsertAppointment(appointment) => Some((Some(at), appointment)),
            Request::Cancel { .. }
            | Request::ReadAppointment { .. }
            | Request::ListMessages { .. }
            | Request::DailyCounts { .. } => None,
        });
    imported.chain(arrived)
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    patient_name: std::borrow::Cow<'a, str>,
    starts_at: &'a str,
}

/// How a text of this day speaks of an appointment, from what was sent of it: its local day and
/// time stand in its RFC 3339 instant.
fn spoken(today: Date, appointment: &Appointment) -> Mention {
    let mut json = Vec::with_capacity(256);
    appointment.write_json(&mut json);
    let said: Said<'_> = serde_json::from_slice(&json).expect("a plan writes JSON");
    let starts = said.starts_at.get(..10).and_then(|day| day.parse::<Date>().ok());
    let day = match starts {
        Some(day) if day == today => DayInWords::Today,
        Some(day) if Some(day) == today.tomorrow().ok() => DayInWords::Tomorrow,
        Some(_) | None => DayInWords::Other,
    };
    let time = said.starts_at.get(11..16).unwrap_or_default().to_owned();
    // Texts call patients by their first name alone.
    let name = said.patient_name.split_whitespace().next().unwrap_or_default().to_owned();
    Mention { name, day, time }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::day::{self, Profile};
    use crate::laws::cancelled::Fate;

    fn plan() -> Plan {
        let source = day::Source::from_profile(Profile::builtin(), 1);
        let options = day::Options { messages: 3_000, ..day::Options::default() };
        Plan::build(&options, &source).unwrap()
    }

    /// Every cancellation of a plan, answered half a second after it was due.
    fn all_stopped(plan: &Plan) -> Vec<Stopped> {
        let cancels = |request: &Request| match request {
            Request::Cancel { .. } => true,
            Request::UpsertAppointment(appointment) => appointment.cancelled(),
            Request::ReadAppointment { .. }
            | Request::ListMessages { .. }
            | Request::DailyCounts { .. } => false,
        };
        let arrivals = plan.arrivals().iter().enumerate();
        arrivals
            .filter(|(_, arrival)| cancels(&arrival.request))
            .map(|(at, _)| Stopped { arrival: at, answered_ns: 1, entries: Some(Vec::new()) })
            .collect()
    }

    #[test]
    fn every_cancellation_of_a_plan_finds_its_appointment() {
        let plan = plan();
        let stopped = all_stopped(&plan);
        let Joined { cancellations: joined, unknown } =
            join(&plan, &stopped, &Reads::new(), (0, 600.0));
        assert_eq!((joined.len(), unknown.len()), (stopped.len(), 0));
        // Hardly anybody has a namesake on the same phone at the same time of the same day.
        let namesakes = joined.iter().filter(|c| c.namesakes > 0).count();
        assert!(namesakes * 100 < joined.len(), "{namesakes} of {}", joined.len());
        let days = [DayInWords::Today, DayInWords::Tomorrow, DayInWords::Other];
        for day in days {
            assert!(joined.iter().any(|c| c.mention.day == day), "{day:?}");
        }
        let again = joined.iter().filter(|c| c.booked_again_ns.is_some()).count();
        assert!(again > 0 && again < joined.len() / 5, "{again} of {}", joined.len());
        let phones = phones(&plan, &stopped);
        assert!(joined.iter().all(|c| phones.contains(&c.to)));
        assert!(cancelled_appointments(&plan, &stopped).len() <= stopped.len());
    }

    #[test]
    fn one_of_which_the_plan_knows_nothing_is_told() {
        let plan = plan();
        let is_read = |request: &Request| matches!(request, Request::ListMessages { .. });
        let at = plan.arrivals().iter().position(|a| is_read(&a.request)).unwrap();
        let stopped = Stopped { arrival: at, answered_ns: 1, entries: Some(Vec::new()) };
        let joined = join(&plan, &[stopped], &Reads::new(), (0, 600.0));
        assert_eq!((joined.cancellations.len(), joined.unknown.len()), (0, 1));
    }

    #[test]
    fn an_upserts_cancellation_is_known_by_the_read() {
        let key = (7, "a1".to_owned());
        let fate = |fate: &str| Fate { rule_id: 1, fate: fate.into(), message_id: None };
        let reads =
            Reads::from([(key, vec![fate("suppressed_cancelled"), fate("suppressed_moved")])]);
        assert_eq!(stopped_by_read(&reads, 7, "a1").len(), 1);
        assert!(stopped_by_read(&reads, 7, "a2").is_empty());
    }
}
