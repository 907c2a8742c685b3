//! What is put under load: any service by its address, or the reminder service on a stack of one's
//! own.
//!
//! Never here: how either is done (`any_service`, `own_stack`), or what it is worth (`step`).

use std::path::Path;

use super::any_service::AnyService;
use super::args::CapacityArgs;
use super::own_stack::OwnStack;
use super::planner::Hours;
use super::pools::{self, PoolSweep};
use super::search::{Bracket, Search};
use super::step::Measured;
use crate::day::{Options, Plan, Profile, Source};
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
    /// The hours of a day, by when its texts are due.
    pub(super) due: Hours,
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
        return Ok((search, Scale { messages_a_day, why: why.to_owned(), due: due_hours()? }));
    }
    let per_message = args.planner.requests_per_message;
    let scale = Scale {
        messages_a_day: hours.messages_at(1.0 / per_message),
        why: format!("the busiest hour has {peak:.1} % of a day; {per_message} requests a message"),
        due: due_hours()?,
    };
    Ok((search, scale))
}

/// Texts that a day is drawn with to see when they are due: its shape is that of any other day.
pub(super) const DRAWN: u64 = 5_000;

/// When the texts of the built-in day are due, hour by hour: within their practices' hours, a day
/// or two hours before the appointments, and so at other times than people book at.
fn due_hours() -> Result<Hours, Failure> {
    let options = Options { messages: DRAWN, ..Options::default() };
    let source = Source::from_profile(Profile::builtin(), options.seed);
    let plan = Plan::build(&options, &source).map_err(|error| Failure::Usage(error.to_string()))?;
    let by_hour = plan.promise().messages_by_hour_min.map(|texts| texts as f64);
    Hours::new(&by_hour).ok_or_else(|| Failure::Unavailable("no text of the day is due".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// They are what the plan of another seed has as well, within the day's window alone.
    #[test]
    fn windows_are_those_in_which_texts_are_due() {
        let due = due_hours().unwrap();
        assert_ne!(due, Hours::new(&Profile::builtin().booked_by_hour()).unwrap());
        let options = Options { messages: 2_000, seed: 7, ..Options::default() };
        let source = Source::from_profile(Profile::builtin(), options.seed);
        let texts = Plan::build(&options, &source).unwrap().promise().messages_by_hour_min;
        let hours = (options.window_from.duration_until(options.window_until)).as_hours() as usize;
        assert_eq!(texts[hours + 1..].iter().sum::<u64>(), 0, "{texts:?}");
        let other = Hours::new(&texts.map(|texts| texts as f64)).unwrap();
        assert!((due.peak() - other.peak()).abs() < 0.05, "{due:?} and {other:?}");
    }
}
