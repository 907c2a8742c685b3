//! Puts a plan together, practice by practice, until the texts that must come of it are enough.
//!
//! Texts never cross practices or phones, so each household adds its own, and the last practice is
//! cut after the household that reaches the number: no scaling, no guess. Never here: what a
//! household is (`households.rs`) or what comes of it (`model.rs`).

use super::curve::Curve;
use super::households::Households;
use super::model::Terms;
use super::output::{Desk, Output};
use super::zones::Zones;
use super::{Options, Plan, PlanError, Practice, check, digest};
use crate::day::draw::{Draw, Purpose};
use crate::day::source::Source;

/// Phones have room for this many practices (`people::own_phone`).
const PRACTICES_MAX: u32 = 90_000;
/// Drawings in a row that find nobody before a practice's book is given up.
const NOBODY_MAX: u32 = 32;
const NANOS: u64 = 1_000_000_000;

/// Makes a plan.
pub(super) fn build(options: &Options, source: &Source) -> Result<Plan, PlanError> {
    check::options(options)?;
    let zones = Zones::new(options)?;
    check::window(options, &zones)?;
    let curve = Curve::new(&source.profile, options.seed);
    let setting = Setting { options, source, zones, curve };
    let mut output = Output::default();
    let next = setting.add_day(&mut output)?;
    setting.add_book(&mut output, &next);
    output.sort();
    Ok(setting.finish(output))
}

/// What is fixed while a plan grows.
struct Setting<'a> {
    options: &'a Options,
    source: &'a Source,
    zones: Zones,
    curve: Curve,
}

/// Where a practice's numbers go on after its day.
struct Next {
    household: u32,
    serial: u32,
}

impl Setting<'_> {
    /// Practices with their day until the texts are enough.
    fn add_day(&self, output: &mut Output) -> Result<Vec<Next>, PlanError> {
        let messages = self.options.messages;
        let wanted = messages + (messages as f64 * self.options.reserve).ceil() as u64;
        let population = &self.source.population;
        // Patients that a visit of the day stands for: one on the day, one on the next day if it
        // is booked ahead, one booked today for later if it is booked further ahead.
        let parts = 1.0 + population.share_booked_ahead(1) + population.share_booked_ahead(2);
        let mut next = Vec::new();
        while output.promise.messages_min < wanted {
            let index = next.len() as u32;
            if index == PRACTICES_MAX || population.clinics() == 0 {
                let planned = output.promise.messages_min;
                return Err(PlanError::TooFew { messages, planned, practices: index });
            }
            let practice = Practice::draw(self.options, index, population.clinics());
            let visits = population.visits_a_day(practice.clinic) * self.options.growth();
            let patients = (visits * parts).ceil() as u32;
            next.push(self.add_practice(output, practice, patients, wanted));
        }
        Ok(next)
    }

    fn add_practice(
        &self,
        output: &mut Output,
        practice: Practice,
        patients: u32,
        wanted: u64,
    ) -> Next {
        let mut desk = Desk::default();
        let mut households = self.households(&practice, Purpose::Patients, 0);
        let mut outlooks = Vec::new();
        let mut drawn = 0;
        while drawn < patients && output.promise.messages_min < wanted {
            let mut household = households.next_household();
            households.change(&mut household, &mut outlooks);
            output.add(&households.terms, &household, &mut desk);
            drawn += household.patients;
        }
        let next = Next { household: households.next, serial: desk.serial };
        let mut staff = self.households(&practice, Purpose::Lookups, 0);
        staff.look_up(self.options.day, &desk.known, desk.booked, &mut output.arrivals);
        output.add_outlooks(&outlooks);
        output.add_practice(practice, &desk);
        next
    }

    /// Patients of later days, in each practice by its share of the day, until the book is deep
    /// enough.
    fn add_book(&self, output: &mut Output, next: &[Next]) {
        let practices = output.practices.clone();
        let weight = |practice: &Practice| u128::from(practice.texts.0) + 1;
        let total: u128 = practices.iter().map(weight).sum();
        let start = output.counts.book;
        let missing = self.options.book().saturating_sub(start);
        let mut share = 0;
        for (practice, next) in practices.iter().zip(next) {
            share += weight(practice);
            // Cumulative, so that roundings don't add up, and what one practice can't give the
            // next ones do. At most `missing`, so it fits.
            let until = start + (u128::from(missing) * share).div_ceil(total) as u64;
            self.add_practice_book(output, practice, next, until);
        }
    }

    fn add_practice_book(&self, output: &mut Output, practice: &Practice, next: &Next, until: u64) {
        let lead = self.source.profile.lead_days.last().copied().unwrap_or(0);
        // The reader leaves out leads over two years.
        let longest = lead as u16;
        let mut desk = Desk { serial: next.serial, ..Desk::default() };
        let mut households = self.households(practice, Purpose::Book, next.household);
        let mut nobody = 0;
        while output.counts.book < until && nobody < NOBODY_MAX {
            let household = households.next_of_book(longest);
            if household.drafts.is_empty() {
                nobody += 1;
                continue;
            }
            nobody = 0;
            output.add(&households.terms, &household, &mut desk);
        }
    }

    fn households<'b>(
        &'b self,
        practice: &'b Practice,
        purpose: Purpose,
        next: u32,
    ) -> Households<'b> {
        Households {
            population: &self.source.population,
            curve: &self.curve,
            terms: Terms {
                practice,
                zone: &self.zones.zones[practice.zone],
                zones: &self.zones,
                // At most two hours.
                margin: self.options.margin_seconds as i32,
            },
            made_up: &self.options.made_up,
            draw: Draw::new(self.options.seed, purpose, practice.index),
            next,
        }
    }

    fn finish(self, output: Output) -> Plan {
        let Output { practices, import, arrivals, promise, counts } = output;
        Plan {
            hash: digest::hash(&practices, &import, &arrivals),
            practices,
            import,
            arrivals,
            promise,
            counts,
            origin: self.zones.origin,
            window_ns: u64::from(self.zones.window_seconds.unsigned_abs()) * NANOS,
            day: self.options.day,
            seed: self.options.seed,
        }
    }
}
