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
use crate::day::Profile;
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
    /// The hours of a day.
    pub(super) hours: Hours,
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
            Self::Own(_) => true,
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
        return Ok((search, Scale { messages_a_day, why: why.to_owned(), hours }));
    }
    let per_message = args.planner.requests_per_message;
    let scale = Scale {
        messages_a_day: hours.messages_at(1.0 / per_message),
        why: format!("the busiest hour has {peak:.1} % of a day; {per_message} requests a message"),
        hours,
    };
    Ok((search, scale))
}
