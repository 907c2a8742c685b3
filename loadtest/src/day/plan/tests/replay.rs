//! A service in sixty lines that does what it is told, each thing as late as the margin allows:
//! whatever it sends on a plan's day must lie within what the plan promises.
//!
//! It reads the plan as the wire has it (instants, practices' settings) and counts wall times with
//! jiff, so that it shares no arithmetic with `model.rs`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::*;

type Key = (u32, u32);
/// Practice, phone, local day, rule, grouping window.
type GroupKey = (u32, u64, i32, usize, i32);

/// What happens next, in order of time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(usize),
    Due(Key, usize, i64),
    Leaves(GroupKey),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    None,
    Planned { group: GroupKey, due: i64 },
    Queued(GroupKey),
    Left,
}

struct Known {
    newest: Appointment,
    states: [State; 2],
}

/// What came of a day.
#[derive(Debug, Default)]
pub(super) struct Day {
    pub(super) texts: u64,
    pub(super) by_hour: [u64; 24],
    pub(super) family_texts: u64,
    pub(super) stopped_in_time: u64,
    /// Of these, by upsert.
    pub(super) stopped_by_upsert: u64,
    pub(super) too_late: u64,
    pub(super) earliest: i64,
    pub(super) latest: i64,
}

struct Service<'a> {
    plan: &'a Plan,
    zones: Vec<TimeZone>,
    known: HashMap<Key, Known>,
    /// Who is in the text that has not left yet.
    queued: HashMap<GroupKey, Vec<(Key, usize)>>,
    events: BinaryHeap<Reverse<(i64, Event)>>,
    lateness: Box<dyn Fn(u64) -> i64>,
    day: Day,
}

/// Replays a plan; `lateness` gives seconds for a number that differs from event to event.
pub(super) fn replay(plan: &Plan, lateness: impl Fn(u64) -> i64 + 'static) -> Day {
    let zones = plan.practices().iter().map(|p| TimeZone::get(&p.timezone).unwrap()).collect();
    let mut service = Service {
        plan,
        zones,
        known: HashMap::new(),
        queued: HashMap::new(),
        events: BinaryHeap::new(),
        lateness: Box::new(lateness),
        day: Day { earliest: i64::MAX, ..Day::default() },
    };
    let origin = plan.origin().as_second();
    for appointment in plan.import() {
        service.upsert(origin, *appointment);
    }
    for (index, arrival) in plan.arrivals().iter().enumerate() {
        let at = origin + (arrival.intended_domain_ns / 1_000_000_000) as i64;
        let at = at + (service.lateness)(index as u64);
        service.events.push(Reverse((at, Event::Arrives(index))));
    }
    let end = origin + (plan.window_ns() / 1_000_000_000) as i64;
    while let Some(Reverse((now, event))) = service.events.pop() {
        match event {
            Event::Arrives(index) => service.arrive(now, index),
            Event::Due(key, rule, due) if due <= end => service.release(now, key, rule, due),
            Event::Due(..) => {}
            Event::Leaves(group) => service.leave(now, group),
        }
    }
    service.day
}

impl Service<'_> {
    fn arrive(&mut self, now: i64, index: usize) {
        match self.plan.arrivals()[index].request {
            Request::UpsertAppointment(a) => {
                let before = self.day.stopped_in_time;
                self.upsert(now, a);
                self.day.stopped_by_upsert += self.day.stopped_in_time - before;
            }
            Request::Cancel { practice_id, serial, version } => {
                let newest = self.known[&(practice_id, serial)].newest;
                if !newest.cancelled {
                    let version = version.unwrap_or(newest.version + 1);
                    self.upsert(now, Appointment { version, cancelled: true, ..newest });
                }
            }
            Request::ReadAppointment { practice_id, serial } => {
                assert!(self.known.contains_key(&(practice_id, serial)), "{practice_id} {serial}");
            }
            Request::ListMessages { .. } | Request::DailyCounts { .. } => {}
        }
    }

    fn upsert(&mut self, now: i64, new: Appointment) {
        let key = (new.practice_id, new.serial);
        let old = self.known.remove(&key);
        if let Some(known) = &old
            && known.newest.version >= new.version
        {
            self.known.insert(key, old.unwrap());
            return;
        }
        let mut states = [State::None; 2];
        if let Some(known) = old {
            let same = known.newest.starts_minute == new.starts_minute && !new.cancelled;
            if same && !known.newest.cancelled {
                // Nothing moved: what was promised stands.
                states = known.states;
                self.known.insert(key, Known { newest: new, states });
                return;
            }
            self.stop(key, &known, new.cancelled);
        }
        if !new.cancelled {
            for (rule, state) in states.iter_mut().enumerate() {
                if let Some((group, due)) = self.due(now, &new, rule) {
                    *state = State::Planned { group, due };
                    let released = due + (self.lateness)(new.phone ^ due as u64) / 2;
                    self.events.push(Reverse((released.max(now), Event::Due(key, rule, due))));
                }
            }
        }
        self.known.insert(key, Known { newest: new, states });
    }

    /// Takes an appointment out of the texts that have not left.
    fn stop(&mut self, key: Key, known: &Known, cancelled: bool) {
        let (mut stopped, mut left) = (0, 0);
        for (rule, state) in known.states.iter().enumerate() {
            match state {
                State::None => {}
                State::Planned { .. } => stopped += 1,
                State::Queued(group) => {
                    stopped += 1;
                    let members = self.queued.get_mut(group).unwrap();
                    members.retain(|member| *member != (key, rule));
                }
                State::Left => left += 1,
            }
        }
        if cancelled {
            self.day.stopped_in_time += u64::from(stopped > 0 && left == 0);
            self.day.too_late += u64::from(left > 0);
        }
    }

    fn due(&self, now: i64, a: &Appointment, rule: usize) -> Option<(GroupKey, i64)> {
        let index = (a.practice_id - 1_001) as usize;
        let (practice, zone) = (&self.plan.practices()[index], &self.zones[index]);
        let rule_of = &practice.rules[rule];
        let starts = i64::from(a.starts_minute) * 60;
        let instant = Timestamp::from_second(starts).unwrap();
        let exact = zone.to_datetime(instant)
            - i64::from(rule_of.before_days).days()
            - i64::from(rule_of.before_minutes).minutes();
        if zone.to_timestamp(exact).unwrap().as_second() < now {
            return None;
        }
        let minute_of = |t: Time| i32::from(t.hour()) * 60 + i32::from(t.minute());
        let from = i32::from(practice.send_from);
        let minute = minute_of(exact.time()).max(from);
        assert!(minute < i32::from(practice.send_until), "no plan's text is due after hours");
        let grouping = i32::from(rule_of.grouping_minutes);
        let slot = minute / grouping;
        let opens = (slot * grouping).max(from);
        let day =
            (exact.date().duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24) as i32;
        let scatter =
            contract::scatter(practice.practice_id, a.phone as i64, day, rule_of.scatter_seconds);
        let wall = exact.date().at((opens / 60) as i8, (opens % 60) as i8, 0, 0)
            + i64::from(scatter).seconds();
        let due = zone.to_timestamp(wall).unwrap().as_second().max(now);
        let spread_ends = exact.date().at((opens / 60) as i8, (opens % 60) as i8, 0, 0)
            + i64::from(rule_of.scatter_seconds).seconds();
        let latest = zone.to_timestamp(spread_ends).unwrap().as_second();
        (due < starts && latest < starts)
            .then_some(((a.practice_id, a.phone, day, rule, slot), due))
    }

    fn release(&mut self, now: i64, key: Key, rule: usize, due: i64) {
        let known = self.known.get_mut(&key).unwrap();
        let State::Planned { group, due: planned } = known.states[rule] else { return };
        if planned != due {
            return;
        }
        known.states[rule] = State::Queued(group);
        let members = self.queued.entry(group).or_default();
        if members.is_empty() {
            let leaves = now.max(due + (self.lateness)(group.1 ^ due as u64));
            self.events.push(Reverse((leaves, Event::Leaves(group))));
        }
        members.push((key, rule));
        self.day.earliest = self.day.earliest.min(due);
        self.day.latest = self.day.latest.max(due);
    }

    fn leave(&mut self, now: i64, group: GroupKey) {
        let Some(members) = self.queued.remove(&group) else { return };
        if members.is_empty() {
            return;
        }
        self.day.texts += 1;
        self.day.family_texts += u64::from(members.len() > 1);
        let origin = self.plan.origin().as_second();
        self.day.by_hour[((now - origin) / 3600).clamp(0, 23) as usize] += 1;
        for (key, rule) in members {
            self.known.get_mut(&key).unwrap().states[rule] = State::Left;
        }
    }
}
