//! A practice's households: patients resampled whole, with their histories moved so that a visit
//! touches the replayed day, and families behind one phone.
//!
//! A patient is drawn through one of its visits, in one of three parts: the visit is on the day, on
//! the next day, or booked on the day for later. Its other visits keep their distance, so that
//! patients with several stay what they are. What had been booked by the day exists, what would be
//! booked later doesn't yet. Nobody is copied: each drawing makes a new person with a phone, times
//! and calls of its own. Never here: when they call and are seen (`times.rs`), or what happens to
//! an appointment once it is booked (`changes.rs`).

use super::curve::Curve;
use super::draft::{Draft, Household, How, Version};
use super::model::Terms;
use super::options::MadeUp;
use super::zones::LAST_DAY;
use crate::day::calendar::weekday;
use crate::day::draw::Draw;
use crate::day::people;
use crate::day::population::{Population, Visit};

/// A clinic may have no patient for a part (all its visits booked on their own day): after so many
/// drawings the visit is on the day.
const DRAWINGS_MAX: u32 = 64;
/// Calls for one patient are moved together by up to this much, so that a visit drawn twice isn't
/// booked twice at one instant; the bursts are put back by the curve.
const CALL_SHIFT_SECONDS: i32 = 900;
const NANOS: u64 = 1_000_000_000;

/// What a drawn visit is on the replayed day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Today,
    Tomorrow,
    BookedToday,
    /// Booked before, for a day this many days ahead.
    Book(u16),
}

/// What households are drawn from.
#[derive(Debug)]
pub(crate) struct Households<'a> {
    pub(crate) population: &'a Population,
    pub(crate) curve: &'a Curve,
    pub(crate) terms: Terms<'a>,
    pub(crate) made_up: &'a MadeUp,
    pub(crate) draw: Draw,
    pub(crate) next: u32,
}

impl Households<'_> {
    /// The next household of the day.
    pub(crate) fn next_household(&mut self) -> Household {
        let parts = [Part::Today, Part::Tomorrow, Part::BookedToday];
        self.household(|households| {
            for _ in 0..DRAWINGS_MAX {
                let visit = households.draw_visit();
                let part = parts[households.draw.below(3) as usize];
                if part.can_be(households.lead(&visit)) {
                    return (visit, part);
                }
            }
            (households.draw_visit(), Part::Today)
        })
    }

    /// The next household that matters only after the next day, for `Purpose::Book` streams.
    pub(crate) fn next_of_book(&mut self, longest: u16) -> Household {
        let mut household = self.household(|households| {
            // Each day ahead equally likely, then a visit booked longer ahead than that: what a
            // steady stream of bookings leaves standing.
            for _ in 0..DRAWINGS_MAX * 16 {
                let ahead = 2 + households.draw.below(u32::from(longest.max(3)) - 2) as u16;
                let visit = households.draw_visit();
                if households.lead(&visit) > ahead {
                    return (visit, Part::Book(ahead));
                }
            }
            (households.draw_visit(), Part::Book(2))
        });
        // The clinic may have no such visit: then there is nobody.
        household.drafts.retain(|draft| draft.versions[0].arrives_ns.is_none());
        household
    }

    fn household(&mut self, mut pick: impl FnMut(&mut Self) -> (Visit, Part)) -> Household {
        let (visit, part) = pick(self);
        let name = self.draw.below(u32::from(people::NAMES)) as u16;
        let patients = self.family_size();
        let mut drafts = Vec::new();
        let mut together = Vec::new();
        for member in 1..patients {
            let relative = people::relative(name, member as u16);
            if self.draw.chance(self.made_up.come_along) {
                together.push(relative);
            } else {
                let (visit, part) = pick(self);
                self.push_history(&visit, part, relative, &[], &mut drafts);
            }
        }
        self.push_history(&visit, part, name, &together, &mut drafts);
        let household = self.next;
        self.next += 1;
        let phone = self.terms.practice.phone(self.made_up, household, &mut self.draw);
        self.set_times(phone, &mut drafts);
        let drafts = drafts.into_iter().flat_map(|visit| visit.drafts).collect();
        Household { phone, patients, drafts }
    }

    fn family_size(&mut self) -> u32 {
        if self.draw.chance(self.made_up.shared_phone) {
            2 + self.draw.weighted(&self.made_up.family_sizes) as u32
        } else {
            1
        }
    }

    fn draw_visit(&mut self) -> Visit {
        let visits = self.population.visits_of(self.terms.practice.clinic);
        *self.population.visit(visits.start + self.draw.below(visits.end - visits.start))
    }

    fn lead(&self, visit: &Visit) -> u16 {
        self.population.booked(visit)[0].lead_days
    }

    /// The visits of this patient from the day on, and who comes along to the drawn one.
    fn push_history(
        &mut self,
        drawn: &Visit,
        part: Part,
        name: u16,
        along: &[u16],
        out: &mut Vec<DraftVisit>,
    ) {
        let base = part.day(self.lead(drawn));
        let shift = self.draw.between(-CALL_SHIFT_SECONDS, CALL_SHIFT_SECONDS);
        let history = self.population.history(drawn);
        for visit in history {
            let is_drawn = visit.day == drawn.day;
            let day = i32::from(base) + visit.day - drawn.day;
            // Patients of the book matter only after the next day.
            let wanted = is_drawn || (day >= 0 && !matches!(part, Part::Book(_)));
            if wanted && day < i32::from(LAST_DAY) - 3 {
                let along = if is_drawn { along } else { &[] };
                self.push_visit(visit, day as i16, shift, name, along, out);
            }
        }
    }

    fn push_visit(
        &mut self,
        visit: &Visit,
        day: i16,
        shift: i32,
        name: u16,
        along: &[u16],
        out: &mut Vec<DraftVisit>,
    ) {
        let population = self.population;
        let open = self.open_day(day);
        let mut drafts = Vec::new();
        for booked in population.booked(visit) {
            // Lead 0 … 730 against day 0 … 800.
            let arrives = match day - booked.lead_days as i16 {
                ..0 => None,
                0 => Some(self.call(booked.second, shift)),
                1.. => continue,
            };
            drafts.push(self.draft(arrives, open, name));
        }
        let Some(first) = drafts.first().and_then(|d: &Draft| d.versions.first().copied()) else {
            return;
        };
        for (nth, relative) in along.iter().enumerate() {
            // Booked in the same call, half a minute to a minute apart.
            let later = (nth as u64 + 1) * (30 * NANOS + u64::from(self.draw.below(30)) * NANOS);
            let arrives = first.arrives_ns.map(|ns| self.inside(ns + later));
            drafts.push(self.draft(arrives, open, *relative));
        }
        out.push(DraftVisit { day: open, drafts });
    }

    fn draft(&mut self, arrives_ns: Option<u64>, day: i16, name: u16) -> Draft {
        let instructions = if self.draw.chance(self.made_up.instructions) {
            1 + self.draw.below(people::INSTRUCTIONS.len() as u32 - 1) as u8
        } else {
            0
        };
        let how = How::Booked;
        let version = Version { arrives_ns, day, minute: 0, name, instructions, how };
        Draft { versions: vec![version], again: Vec::new() }
    }

    /// Clinics are shut at weekends: later days move to the Monday. The replayed day and the next
    /// are as they are.
    pub(crate) fn open_day(&self, day: i16) -> i16 {
        if day < 2 {
            return day;
        }
        match weekday(self.terms.zones.first_day + i32::from(day)) {
            5 => day + 2,
            6 => day + 1,
            _weekday => day,
        }
    }
}

/// A day's appointments of those who come together.
#[derive(Debug)]
pub(crate) struct DraftVisit {
    pub(crate) day: i16,
    pub(crate) drafts: Vec<Draft>,
}

impl Part {
    /// Whether a visit booked so far ahead can be this.
    fn can_be(self, lead: u16) -> bool {
        match self {
            Self::Today => true,
            Self::Tomorrow => lead >= 1,
            Self::BookedToday => lead >= 2,
            Self::Book(ahead) => lead > ahead,
        }
    }

    /// The day of the drawn visit.
    fn day(self, lead: u16) -> i16 {
        match self {
            Self::Today => 0,
            Self::Tomorrow => 1,
            Self::BookedToday => lead as i16,
            Self::Book(ahead) => ahead as i16,
        }
    }
}
