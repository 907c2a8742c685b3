//! The absolute objectives: the share of requests that miss theirs, with its exact interval. A
//! point estimate of a p99 from a few hundred requests says little; this says how little.
//!
//! Never here: changes from base to head (`figures`).

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::ledger::CleanRow;
use crate::gate::play::Played;
use crate::gate::stats::{Interval, exact};
use crate::report::units::{count, latency, share};

/// Whether an objective is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// With the whole interval.
    Kept,
    /// Head misses it, with the whole interval.
    Missed,
    /// So does base: that says nothing of the change.
    MissedByBoth,
    /// The sample doesn't tell.
    Unknown,
}

/// A kind's objective.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Objective {
    /// The kind.
    pub kind: &'static str,
    /// From the intended start, in seconds.
    pub seconds: f64,
    /// The share that may miss it.
    pub allowed: f64,
    /// Of base and of head.
    pub sides: [Misses; 2],
    /// Requests that it takes, all of them good, to say that it is kept.
    pub needed: u64,
    /// Whether it is.
    pub kept: Keeps,
    /// Whether that is told from what the sides were asked, and from their own time: a head that
    /// hangs holds the harness up, which then has nothing left to send to either.
    pub of_asked: bool,
    /// Head misses it and base doesn't, by what each was asked: what held the harness up then was
    /// head.
    #[serde(skip)]
    pub is_alone: bool,
}

/// Requests of clean seconds that missed it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Misses {
    /// How many.
    pub missed: u64,
    /// Of how many.
    pub all: u64,
    /// The share, with its exact interval.
    pub interval: Interval,
}

impl Misses {
    fn of(row: &CleanRow, confidence: f64) -> Self {
        let missed = row.total.saturating_sub(row.good);
        let interval = exact::fraction(missed, row.total, confidence);
        Self { missed, all: row.total, interval }
    }

    /// Of what the side was asked, by its own time alone; how the young would have ended isn't
    /// known.
    fn of_asked(row: &CleanRow, confidence: f64) -> Self {
        let missed = row.missed_by_service.saturating_sub(row.young);
        let all = row.asked.saturating_sub(row.young);
        Self { missed, all, interval: exact::fraction(missed, all, confidence) }
    }
}

impl Objective {
    /// Head's share in words.
    pub(super) fn said_of_head(&self) -> String {
        let Misses { missed, all, interval } = self.sides[1];
        format!(
            "{} of {} requests{} missed {} (at least {}; {} may)",
            count(missed),
            count(all),
            if self.of_asked { " that it was asked" } else { "" },
            latency(self.seconds),
            share(interval.low),
            share(self.allowed)
        )
    }
}

pub(super) fn all(played: &Played, confidence: f64) -> Vec<Objective> {
    let [base, head] = &played.clean;
    let rows = played.kinds.iter().zip(base.iter().zip(head));
    rows.map(|(label, (base, head))| {
        // Rounded, as 1 − 0.99 is a hair above 0.01.
        let allowed = ((1.0 - label.share) * 1e9).round() / 1e9;
        let sides = [base, head].map(|row| Misses::of(row, confidence));
        let is_missed = |side: &Misses| side.interval.low > allowed;
        let kept = match (is_missed(&sides[0]), is_missed(&sides[1])) {
            (true, true) => Keeps::MissedByBoth,
            (false, true) => Keeps::Missed,
            (_, false) if sides[1].interval.high <= allowed => Keeps::Kept,
            (_, false) => Keeps::Unknown,
        };
        let asked = [base, head].map(|row| Misses::of_asked(row, confidence));
        let is_alone = asked[0].all > 0 && !is_missed(&asked[0]) && is_missed(&asked[1]);
        let of_asked = is_alone && kept != Keeps::Missed;
        let (sides, kept) = if of_asked { (asked, Keeps::Missed) } else { (sides, kept) };
        Objective {
            kind: label.name,
            seconds: label.objective.as_secs_f64(),
            allowed,
            sides,
            needed: exact::sample_needed(allowed, confidence),
            kept,
            of_asked,
            is_alone,
        }
    })
    .collect()
}
