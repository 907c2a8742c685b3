//! What is put under load: any service by its address, or the reminder service on a stack of one's
//! own.
//!
//! Never here: how either is done (`any_service`, `own_stack`), or what it is worth (`step`).

use std::path::Path;

use jiff::tz::TimeZone;

use super::any_service::AnyService;
use super::args::CapacityArgs;
use super::own_stack::OwnStack;
use super::planner::{Due, Group, Hours};
use super::pools::{self, PoolSweep};
use super::search::{Bracket, Search};
use super::step::Measured;
use crate::day::{Options, Plan, Practice, Profile};
use crate::dev;
use crate::exit::Failure;
use crate::interrupt::Interrupt;

/// What is put under load.
pub(super) enum Load<'a> {
    /// Requests to any service.
    Any(Box<AnyService<'a>>),
    /// Days of texts.
    Own(OwnStack<'a>),
}

/// What a rate is in messages.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    /// Messages a day for each of it a second.
    pub(super) messages_a_day: f64,
    /// How that comes about, in words.
    pub(super) why: String,
    /// The texts of a day, by when they are due and when their practices close.
    pub(super) due: Due,
}

impl<'a> Load<'a> {
    /// Gets ready.
    pub(super) async fn new(args: &'a CapacityArgs, dir: &'a Path) -> Result<Self, Failure> {
        if args.target.is_empty() {
            return Ok(Self::Own(OwnStack::new(args, dir)?));
        }
        let any = AnyService::new(args, dir)?;
        any.reach().await?;
        Ok(Self::Any(Box::new(any)))
    }

    /// Whether all that the steps leave behind could be written.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Any(any) => any.is_whole(),
            Self::Own(own) => own.is_whole(),
        }
    }

    /// Sends a rate.
    pub(super) async fn measure(
        &self,
        number: usize,
        rate: f64,
        interrupt: &Interrupt,
    ) -> Result<Measured, Failure> {
        match self {
            Self::Any(any) => any.measure(number, rate, interrupt).await,
            Self::Own(own) => own.measure(number, rate, interrupt).await,
        }
    }

    /// Sweeps the pools, where they are ours and something is known of the rate.
    pub(super) async fn sweep(
        &self,
        args: &CapacityArgs,
        bracket: &Bracket,
        interrupt: &Interrupt,
    ) -> Option<PoolSweep> {
        let Self::Own(own) = self else { return None };
        let rate = pools::rate(args, bracket).filter(|_| !interrupt.stopped())?;
        Some(pools::sweep(args, own, rate, interrupt).await)
    }
}

/// The search and the scale of what is put under load.
pub(super) fn search_and_scale(args: &CapacityArgs) -> Result<(Search, Scale), Failure> {
    let hours = Hours::new(&Profile::builtin().booked_by_hour());
    let hours = hours.ok_or_else(|| Failure::Unavailable("the profile has no hours".to_owned()))?;
    let peak = hours.peak() * 100.0;
    let search = args.search.search(args.work.seed);
    if args.target.is_empty() {
        let search = Search { most: args.search.most.min(super::own_stack::RATE_MAX), ..search };
        let why = "each step is such a day in a minute, its busiest hour and all";
        let messages_a_day = super::own_stack::window_seconds();
        return Ok((search, Scale { messages_a_day, why: why.to_owned(), due: due(&drawn()?)? }));
    }
    let per_message = args.planner.requests_per_message;
    let scale = Scale {
        messages_a_day: hours.messages_at(1.0 / per_message),
        why: format!("the busiest hour has {peak:.1} % of a day; {per_message} requests a message"),
        due: due(&drawn()?)?,
    };
    Ok((search, scale))
}

/// Texts that a day is drawn with to see when they are due: its shape is that of any other day.
pub(super) const DRAWN: u64 = 5_000;

/// A built-in day.
fn drawn() -> Result<Plan, Failure> {
    dev::plan(&Options { messages: DRAWN, ..Options::default() })
}

/// When the texts of a day are due, hour by hour, and until when their practices send: a day or two
/// hours before the appointments, and so at other times than people book at.
fn due(plan: &Plan) -> Result<Due, Failure> {
    let mut groups: Vec<Group> = Vec::new();
    for practice in plan.practices() {
        let closes = closes(plan, practice);
        for (hour, texts) in (0..).zip(practice.texts_by_hour).filter(|(_, texts)| *texts > 0) {
            let same = |group: &&mut Group| group.hour == hour && group.closes == closes;
            match groups.iter_mut().find(same) {
                Some(group) => group.share += f64::from(texts),
                None => groups.push(Group { hour, closes, share: f64::from(texts) }),
            }
        }
    }
    Due::new(groups).ok_or_else(|| Failure::Unavailable("no text of the day is due".to_owned()))
}

/// Hours from a day's beginning until a practice stops sending.
fn closes(plan: &Plan, practice: &Practice) -> f64 {
    let zone = TimeZone::get(&practice.timezone).expect("the plan was made with it");
    let midnight = plan.day().to_zoned(zone).expect("the plan was made with this day");
    // The day's clocks don't change: the plan counts from its noon.
    let until = midnight.timestamp().as_second() + i64::from(practice.send_until) * 60;
    (until - plan.origin().as_second()) as f64 / 3_600.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// They are what the plan of another seed has as well, within the day's window alone.
    /// Of two practices each has its own hours, by the clock of its own zone.
    #[test]
    fn what_is_due_may_leave_until_its_own_practice_closes() {
        let plan = drawn().unwrap();
        let of = |name: &str| {
            let mut all = plan.practices().iter().filter(|p| &*p.timezone == name);
            all.next().unwrap_or_else(|| panic!("a practice in {name}"))
        };
        for (zone, hours_west) in [("America/New_York", 0.0), ("America/Chicago", 1.0)] {
            let practice = of(zone);
            // The day begins at six by New York's clock.
            let wall = f64::from(practice.send_until) / 60.0 - 6.0;
            assert_eq!(closes(&plan, practice), wall + hours_west, "{practice:?}");
        }
        let texts: u32 = plan.practices().iter().flat_map(|p| p.texts_by_hour).sum();
        assert_eq!(u64::from(texts), plan.promise().messages_min);
        let due = due(&plan).unwrap();
        // A provider that takes all takes it in time; none takes none.
        assert_eq!(due.missed(1e6, 1e6, None), 0.0);
        assert!((due.missed(1e6, 0.0, None) - 1e6).abs() < 1e-3);
        // Texts of the day wait until the evening, not two hours alone.
        let slow = 1e6 / 16.0 / 3_600.0;
        assert!(due.missed(1e6, slow, None) < due.missed(1e6, slow, Some(2)), "{due:?}");
    }

    #[test]
    fn windows_are_those_in_which_texts_are_due() {
        let by_hour = |plan: &Plan| {
            let texts = plan.promise().messages_by_hour_min;
            Hours::new(&texts.map(|texts| texts as f64)).unwrap()
        };
        let due = by_hour(&drawn().unwrap());
        assert_ne!(due, Hours::new(&Profile::builtin().booked_by_hour()).unwrap());
        let options = Options { messages: 2_000, seed: 7, ..Options::default() };
        let plan = dev::plan(&options).unwrap();
        let texts = plan.promise().messages_by_hour_min;
        let hours = (options.window_from.duration_until(options.window_until)).as_hours() as usize;
        assert_eq!(texts[hours + 1..].iter().sum::<u64>(), 0, "{texts:?}");
        let other = by_hour(&plan);
        assert!((due.peak() - other.peak()).abs() < 0.05, "{due:?} and {other:?}");
    }
}
