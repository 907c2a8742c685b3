//! PASS, FAIL or INVALID, from the figures of a run alone.
//!
//! INVALID says that the run can't tell: the work that was asked for was not done, the harness
//! itself was late, or the machine spoilt too much of it. It is never a pass. Nor does it excuse
//! the service: where its own time alone, in seconds that nothing spoilt, misses the objective, the
//! run fails whatever the harness did besides, also by what little it was sent. Only too many
//! spoilt seconds leave nothing proven: a machine that spoils those is not trusted in the others.
//! Never here: measuring.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, KindRow};
use crate::engine::machine::{Spoilt, Tolerance};
use crate::exit::Exit;
use crate::report::sheet::Outcome;
use crate::report::units::{count, latency, share};

/// What a run is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Every kind of request met its objective, and the run can tell.
    Pass,
    /// One did not.
    Fail,
    /// The run can't tell.
    Invalid,
    /// It was stopped before its end, so it isn't judged.
    Interrupted,
}

impl Value {
    /// As people read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Invalid => "INVALID",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    /// How a program ends with it.
    #[must_use]
    pub(crate) const fn exit(self) -> Exit {
        match self {
            Self::Pass => Exit::Passed,
            Self::Fail => Exit::Failed,
            Self::Invalid => Exit::Invalid,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// What it is in a report.
    #[must_use]
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Pass => Outcome::Passed,
            Self::Fail => Outcome::Failed,
            Self::Invalid => Outcome::Invalid,
            Self::Interrupted => Outcome::Skipped,
        }
    }
}

/// When a run can't tell. All are ratios but those of [`Tolerance`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Thresholds {
    /// Achieved rate over offered rate, at least.
    pub achieved_min: f64,
    /// The harness's own lag at p99 over the objective, at most.
    pub lag_max: f64,
    /// Spoilt seconds over all seconds, at most.
    pub spoilt_max: f64,
    /// What spoils a second.
    pub tolerance: Tolerance,
}

/// What a run is worth, and why.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Verdict {
    /// The value.
    pub value: Value,
    /// One sentence for each thing that decided it.
    pub reasons: Vec<String>,
}

/// Judges.
#[must_use]
pub fn judge(facts: &Facts, thresholds: &Thresholds) -> Verdict {
    if facts.interrupted {
        let reasons = vec!["stopped before its end; what was done so far is not judged".into()];
        return Verdict { value: Value::Interrupted, reasons };
    }
    let too_spoilt = spoilt(facts, thresholds);
    let proven: Vec<String> = facts.kinds.iter().filter_map(proven).collect();
    // What the machine spoilt proves nothing against anybody.
    if too_spoilt.is_none() && !proven.is_empty() {
        return Verdict { value: Value::Fail, reasons: proven };
    }
    let mut invalid: Vec<String> = too_spoilt.into_iter().collect();
    invalid.extend(achieved(facts, thresholds));
    invalid.extend(facts.kinds.iter().filter_map(|kind| lagged(kind, thresholds)));
    invalid.extend(facts.kinds.iter().filter_map(unseen));
    if facts.kinds.iter().all(|kind| kind.counts.total == 0) {
        invalid.push("no request was to be sent: there is nothing to judge".to_owned());
    }
    if !invalid.is_empty() {
        return Verdict { value: Value::Invalid, reasons: invalid };
    }
    let missed: Vec<String> = facts.kinds.iter().filter_map(missed).collect();
    if !missed.is_empty() {
        return Verdict { value: Value::Fail, reasons: missed };
    }
    Verdict { value: Value::Pass, reasons: vec!["every objective was met".to_owned()] }
}

/// Why the machine spoilt a run, if it did.
pub(crate) fn spoilt(facts: &Facts, thresholds: &Thresholds) -> Option<String> {
    let all = facts.seconds.len();
    let of = |why| facts.seconds.iter().filter(|second| second.spoilt == Some(why)).count();
    let (steal, starved) = (of(Spoilt::Steal), of(Spoilt::Starved));
    let ratio = (steal + starved) as f64 / all.max(1) as f64;
    (ratio > thresholds.spoilt_max).then(|| {
        format!(
            "{} of {all} seconds were spoilt ({steal} by steal, {starved} by a harness out of \
             processor time), {} at most; use a quieter machine, or a lower rate",
            steal + starved,
            share(thresholds.spoilt_max)
        )
    })
}

fn achieved(facts: &Facts, thresholds: &Thresholds) -> Option<String> {
    // Where the service took no connection the harness was not too slow.
    let tried = facts.tried_ratio();
    (tried < thresholds.achieved_min).then(|| {
        format!(
            "only {} of the offered rate was achieved, {} at least; the harness was too slow, or \
             all {} connections waited for the service: try more --connections",
            share(tried),
            share(thresholds.achieved_min),
            count(facts.connections)
        )
    })
}

/// How late the harness itself may send a kind, in seconds.
pub(crate) fn lag_limit(kind: &KindRow, thresholds: &Thresholds) -> f64 {
    kind.objective_seconds * thresholds.lag_max
}

/// Why the harness itself was too late for a kind, if it was.
pub(crate) fn lagged(kind: &KindRow, thresholds: &Thresholds) -> Option<String> {
    let limit = lag_limit(kind, thresholds);
    (kind.clean.own_lag.p99 > limit).then(|| {
        format!(
            "{}: the harness itself sent {} late at p99, {} at most ({} of the objective)",
            kind.name,
            latency(kind.clean.own_lag.p99),
            latency(limit),
            share(thresholds.lag_max)
        )
    })
}

/// A kind of which nothing is left to judge.
fn unseen(kind: &KindRow) -> Option<String> {
    (kind.clean.total == 0 && kind.counts.total > 0)
        .then(|| format!("{}: all of its requests fell into spoilt seconds", kind.name))
}

/// A kind that misses its objective by the service's time alone.
fn proven(kind: &KindRow) -> Option<String> {
    let KindRow { name, clean, .. } = kind;
    // Of what is open at the end, and young, it isn't known how it would have ended: against all
    // that was due it counts, as every answer that did not come; against the few that were sent,
    // it would prove the harness's own lack.
    let against = [
        (clean.missed_by_service, clean.total, "requests"),
        (
            clean.missed_by_service.saturating_sub(clean.young),
            clean.asked.saturating_sub(clean.young),
            "requests that it was asked",
        ),
    ];
    against.into_iter().find_map(|(missed, all, what)| {
        let good = 1.0 - missed as f64 / all.max(1) as f64;
        (all > 0 && good < kind.objective_share).then(|| {
            format!(
                "{name}: {} of {} {what} failed, had no answer at the end, or took the service \
                 itself longer than {}; {} good, {} asked for",
                count(missed),
                count(all),
                latency(kind.objective_seconds),
                share(good),
                share(kind.objective_share)
            )
        })
    })
}

fn missed(kind: &KindRow) -> Option<String> {
    let KindRow { name, clean, .. } = kind;
    (clean.total > 0 && !kind.met()).then(|| {
        format!(
            "{name}: {} of {} requests were good within {} of their intended start; {}, {} asked \
             for",
            count(clean.good),
            count(clean.total),
            latency(kind.objective_seconds),
            share(kind.good_share()),
            share(kind.objective_share)
        )
    })
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
