//! Households as the plan keeps them: imported appointments, arrivals, counts and promises.
//!
//! Never here: chance, or a rule of planning (`model.rs`).

use super::changes::Outlook;
use super::draft::{Draft, Household, How, Version};
use super::lookups::Known;
use super::model::{Member, Terms, Texts};
use super::practice::RULES;
use super::{Counts, Practice, Promise};
use crate::day::profile::HOURS;
use crate::day::request::{Appointment, Arrival, Request};

/// What a plan becomes.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) practices: Vec<Practice>,
    pub(super) import: Vec<Appointment>,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) promise: Promise,
    pub(super) counts: Counts,
}

/// A practice's desk while its households are added.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// The next appointment's number.
    pub(super) serial: u32,
    /// Appointments that can be looked at.
    pub(super) known: Vec<Known>,
    /// Booked on the day.
    pub(super) booked: u32,
    /// The day's texts, at least and at most.
    pub(super) texts: (u32, u32),
    /// By the hour in which they are due, texts at least.
    pub(super) by_hour: [u32; HOURS],
    /// By rule, texts at least.
    pub(super) by_rule: [u32; RULES],
    /// Reused for every household.
    pub(super) members: Vec<Member>,
}

impl Output {
    /// Adds a household.
    pub(super) fn add(&mut self, terms: &Terms<'_>, household: &Household, desk: &mut Desk) {
        desk.members.clear();
        for draft in &household.drafts {
            self.add_draft(terms, household.phone, draft, desk);
        }
        let texts = terms.texts(&mut desk.members);
        self.promise.add_texts(&texts);
        let Texts { min, max, families: _, by_rule, by_hour } = texts;
        desk.texts.0 += min;
        desk.texts.1 += max;
        for (sum, n) in desk.by_rule.iter_mut().zip(by_rule) {
            *sum += n;
        }
        for (sum, n) in desk.by_hour.iter_mut().zip(by_hour) {
            *sum += n;
        }
        self.counts.households += 1;
        self.counts.shared_phones += u64::from(household.patients > 1);
        self.counts.patients += u64::from(household.patients);
    }

    /// Adds what the cancellations of a practice come to.
    pub(super) fn add_outlooks(&mut self, outlooks: &[Outlook]) {
        outlooks.iter().for_each(|outlook| self.promise.add_cancellation(*outlook));
    }

    /// Adds a practice after its day.
    pub(super) fn add_practice(&mut self, practice: Practice, desk: &Desk) {
        let rules = desk.by_rule.iter().filter(|texts| **texts > 0).count();
        self.promise.practice_rules_min += rules as u64;
        let (texts, texts_by_hour) = (desk.texts, desk.by_hour);
        self.practices.push(Practice { texts, texts_by_hour, ..practice });
    }

    fn add_draft(&mut self, terms: &Terms<'_>, phone: u64, draft: &Draft, desk: &mut Desk) {
        let serial = desk.serial;
        desk.serial += 1;
        for (index, version) in draft.versions.iter().enumerate() {
            let ended = draft.versions.get(index + 1).and_then(Version::arrives);
            self.promise_of(terms, phone, version, ended, desk);
            let request = request(terms, phone, serial, index, version);
            match (version.arrives_ns, request) {
                (Some(intended_domain_ns), _) => {
                    self.count(index, version.how, desk);
                    self.arrivals.push(Arrival { intended_domain_ns, request });
                }
                (None, Request::UpsertAppointment(appointment)) => self.import.push(appointment),
                (None, _) => {}
            }
        }
        for (index, intended_domain_ns) in &draft.again {
            let index = usize::from(*index);
            let request = request(terms, phone, serial, index, &draft.versions[index]);
            self.arrivals.push(Arrival { intended_domain_ns: *intended_domain_ns, request });
            self.counts.again += 1;
        }
        if let Some(first) = draft.versions.first() {
            let from = first.arrives().map_or(0, |at| at + terms.margin);
            desk.known.push(Known { serial, from });
        }
    }

    fn promise_of(
        &mut self,
        terms: &Terms<'_>,
        phone: u64,
        version: &Version,
        ended: Option<i32>,
        desk: &mut Desk,
    ) {
        if version.cancelled() {
            return;
        }
        let at = (version.day, version.minute);
        for intent in terms.intents(phone, at, version.accepted(terms)) {
            let later = !terms.today(&intent);
            self.counts.book += u64::from(later && version.arrives_ns.is_none());
            desk.members.push(Member { intent, ended });
        }
    }

    fn count(&mut self, index: usize, how: How, desk: &mut Desk) {
        match how {
            How::Booked if index == 0 => {
                desk.booked += 1;
                self.counts.booked += 1;
            }
            How::Booked => self.counts.changed += 1,
            How::CancelledByUpsert => self.counts.cancelled_by_upsert += 1,
            How::CancelledByCall { .. } => self.counts.cancelled_by_call += 1,
        }
    }

    /// Puts everything in its order and counts what is left to count.
    pub(super) fn sort(&mut self) {
        self.import.sort_unstable_by_key(|a| (a.practice_id, a.serial));
        self.arrivals.sort_unstable_by_key(|a| (a.intended_domain_ns, a.request.practice_id()));
        for arrival in &self.arrivals {
            match arrival.request {
                Request::UpsertAppointment(_) | Request::Cancel { .. } => {}
                Request::ReadAppointment { .. } => self.counts.appointment_reads += 1,
                Request::ListMessages { .. } => self.counts.message_lists += 1,
                Request::DailyCounts { .. } => self.counts.daily_counts += 1,
            }
        }
        self.counts.practices = self.practices.len() as u64;
        self.counts.imported = self.import.len() as u64;
        self.counts.arrivals = self.arrivals.len() as u64;
    }
}

/// A version on the wire. The first has number 1; a cancellation takes one as well.
fn request(terms: &Terms<'_>, phone: u64, serial: u32, index: usize, version: &Version) -> Request {
    // Practices are numbered within 32 bits, and an appointment has three versions at most.
    let practice_id = terms.practice.practice_id as u32;
    let number = index as u16 + 1;
    match version.how {
        How::CancelledByCall { versioned } => {
            Request::Cancel { practice_id, serial, version: versioned.then_some(number) }
        }
        How::Booked | How::CancelledByUpsert => Request::UpsertAppointment(Appointment {
            phone,
            practice_id,
            serial,
            starts_minute: terms.zones.epoch_minute(terms.zone, version.day, version.minute),
            offset_minutes: terms.zone.offset_minutes(version.day),
            version: number,
            name: version.name,
            instructions: version.instructions,
            cancelled: version.cancelled(),
        }),
    }
}
