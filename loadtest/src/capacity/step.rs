//! One rate, tried: what was measured of it, and whether it passed. It passes when every kind of
//! request is shown to meet its objective, errors stay within their budget, what was offered was
//! achieved, and no backlog grows.
//!
//! A step that the machine or the harness spoilt tells nothing. Pure: figures in, a judgement out.
//! Never here: sending (`load`), or which rate comes next (`search`).

use schemars::JsonSchema;
use serde::Serialize;

use super::binomial::{Shown, cases_min, shown};
use super::resources::Used;
use super::search::{Phase, Tried};
use super::trend;
use super::usl::Point;
use crate::report::units::{count, latency, share};

/// By what steps are judged. Ratios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Limits {
    /// How sure an objective must be met.
    pub(crate) confidence: f64,
    /// Requests that may fail.
    pub(crate) errors_max: f64,
    /// Achieved over offered, at least.
    pub(crate) achieved_min: f64,
}

/// What was measured of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Kind {
    pub(crate) name: String,
    /// Cases that count, and those of them that met the objective.
    pub(crate) total: u64,
    pub(crate) good: u64,
    /// All cases, and those of them that failed or were never answered.
    pub(crate) all: u64,
    pub(crate) failed: u64,
    pub(crate) objective_seconds: f64,
    pub(crate) objective_share: f64,
    pub(crate) p99_seconds: f64,
}

/// What was measured of a rate.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Measured {
    /// What was sent.
    pub(crate) plan: Sent,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) achieved_ratio: f64,
    /// What stood waiting: seconds and how much, where it is known.
    pub(crate) backlog: Vec<(f64, f64)>,
    /// What a message left on the database's disks.
    pub(crate) written: Written,
    /// Something that says that the service did not keep up, whatever the figures.
    pub(crate) undone: Option<String>,
    /// Why nothing can be told.
    pub(crate) spoilt: Option<String>,
    /// Concurrency and throughput within the service, by Little's law.
    pub(crate) point: Option<Point>,
    /// How much of each resource was used.
    pub(crate) used: Vec<Used>,
    /// Connections that were held in the mean, by pool.
    pub(crate) held: Vec<(String, f64)>,
    /// Connections that were checked out a second, by pool.
    pub(crate) checkouts: Vec<(String, f64)>,
}

/// The plan of a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Sent {
    /// Its hash: two steps with the same one had the same work.
    pub(crate) hash: String,
    /// Where it comes from, in words.
    pub(crate) source: String,
    /// The seed, where anything was left to chance.
    pub(crate) seed: Option<u64>,
}

/// What a message leaves on the database's disks, in bytes, where that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Written {
    /// Log, by the statements that wrote it.
    pub(crate) log_bytes: Option<f64>,
    /// Growth of the database.
    pub(crate) disk_bytes: Option<f64>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// All was met.
    Passed,
    /// Something was not.
    Failed,
    /// It can't be told: the machine or the harness spoilt it, or there were too few cases.
    Untold,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Step {
    pub(crate) rate: f64,
    pub(crate) phase: Phase,
    pub(crate) ended: Ended,
    /// What decided it.
    pub(crate) reasons: Vec<String>,
    pub(crate) measured: Measured,
}

impl Step {
    /// Judges what was measured of a rate.
    pub(crate) fn judge(rate: f64, phase: Phase, measured: Measured, limits: &Limits) -> Self {
        let mut failed: Vec<String> = measured.undone.iter().cloned().collect();
        failed.extend(measured.kinds.iter().filter_map(|kind| missed(kind, limits)));
        failed.extend(errors(&measured, limits));
        failed.extend(fell_short(&measured, limits));
        failed.extend(grows(&measured));
        let few: Vec<String> = measured.kinds.iter().filter_map(|k| few_cases(k, limits)).collect();
        let (ended, reasons) = match &measured.spoilt {
            Some(spoilt) => (Ended::Untold, vec![spoilt.clone()]),
            None if !failed.is_empty() => (Ended::Failed, failed),
            None if !few.is_empty() => (Ended::Untold, few),
            None => (Ended::Passed, Vec::new()),
        };
        Self { rate, phase, ended, reasons, measured }
    }

    /// As the search sees it.
    pub(crate) fn tried(&self) -> Tried {
        let passed = (!self.has_too_few()).then_some(self.ended == Ended::Passed);
        Tried { rate: self.rate, phase: self.phase, passed }
    }

    /// Nothing can be told for want of cases alone: at a lower rate there are fewer still.
    pub(crate) fn has_too_few(&self) -> bool {
        self.ended == Ended::Untold && self.measured.spoilt.is_none()
    }
}

/// Too few cases to show that a kind meets its objective, whatever became of them. Of an objective
/// of all of them no number is enough.
fn few_cases(kind: &Kind, limits: &Limits) -> Option<String> {
    let Kind { name, total, good, objective_share, .. } = kind;
    let allowed = 1.0 - objective_share;
    let least = cases_min(allowed, limits.confidence);
    let open = shown(total - good, *total, allowed, limits.confidence) == Shown::Open;
    (open && least < u64::MAX && *total < least)
        .then(|| format!("{name}: {} cases of {}", count(*total), count(least)))
}

fn missed(kind: &Kind, limits: &Limits) -> Option<String> {
    let Kind { name, total, good, objective_seconds, objective_share, .. } = kind;
    let said = match shown(total - good, *total, 1.0 - objective_share, limits.confidence) {
        Shown::Within => return None,
        Shown::Beyond => "missed",
        Shown::Open if few_cases(kind, limits).is_some() => return None,
        Shown::Open => "not shown to be met",
    };
    Some(format!(
        "{name}: {} for {} {said}: {} of {} good",
        latency(*objective_seconds),
        share(*objective_share),
        count(*good),
        count(*total)
    ))
}

fn errors(measured: &Measured, limits: &Limits) -> Option<String> {
    let sum = |of: fn(&Kind) -> u64| measured.kinds.iter().map(of).sum::<u64>();
    let (failed, all) = (sum(|kind| kind.failed), sum(|kind| kind.all));
    let ratio = failed as f64 / all.max(1) as f64;
    (ratio > limits.errors_max).then(|| {
        let (failed, all) = (count(failed), count(all));
        format!("{failed} of {all} failed, {} at most", share(limits.errors_max))
    })
}

fn fell_short(measured: &Measured, limits: &Limits) -> Option<String> {
    (measured.achieved_ratio < limits.achieved_min).then(|| {
        format!(
            "only {} of the offered rate was achieved, {} at least",
            share(measured.achieved_ratio),
            share(limits.achieved_min)
        )
    })
}

/// A backlog that rises by more than could be chance.
fn grows(measured: &Measured) -> Option<String> {
    let slope = trend::slope(&measured.backlog)?;
    (slope.at_least > 0.0).then(|| format!("the backlog grows by {:.1} a second", slope.per_second))
}

#[cfg(test)]
pub(crate) fn sample(good: u64) -> Measured {
    Measured {
        plan: Sent::default(),
        kinds: vec![Kind {
            name: "read_user".into(),
            total: 10_000,
            good,
            all: 10_000,
            failed: 0,
            objective_seconds: 0.1,
            objective_share: 0.99,
            p99_seconds: 0.05,
        }],
        achieved_ratio: 1.0,
        backlog: Vec::new(),
        undone: None,
        written: Written::default(),
        spoilt: None,
        point: Some((4.0, 100.0)),
        used: Vec::new(),
        held: Vec::new(),
        checkouts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { confidence: 0.95, errors_max: 0.001, achieved_min: 0.99 };

    fn check(measured: Measured, ended: Ended, says: &str) {
        let step = Step::judge(100.0, Phase::Probe, measured, &LIMITS);
        assert_eq!(step.ended, ended, "{:?}", step.reasons);
        assert!(step.reasons.iter().any(|r| r.contains(says)) || says.is_empty(), "{step:?}");
    }

    #[test]
    fn an_objective_must_be_shown_to_be_met() {
        check(sample(9_950), Ended::Passed, "");
        check(sample(9_900), Ended::Failed, "not shown to be met: 9,900 of 10,000");
        check(sample(9_800), Ended::Failed, "100 ms for 99.00 % missed: 9,800 of 10,000");
    }

    #[test]
    fn everything_else_can_fail_a_step_too() {
        let good = || sample(10_000);
        let mut failing = good();
        failing.kinds[0].failed = 11;
        check(failing, Ended::Failed, "11 of 10,000 failed, 0.10 % at most");
        check(Measured { achieved_ratio: 0.98, ..good() }, Ended::Failed, "only 98.00 %");
        let rising = |by: f64| (0..30).map(|s| (f64::from(s), f64::from(s) * by)).collect();
        check(Measured { backlog: rising(5.0), ..good() }, Ended::Failed, "grows by 5.0 a second");
        check(Measured { backlog: rising(0.5), ..good() }, Ended::Failed, "grows by 0.5 a second");
        check(Measured { backlog: rising(0.0), ..good() }, Ended::Passed, "");
        check(Measured { backlog: rising(-5.0), ..good() }, Ended::Passed, "");
        let undone = Some("not drained".to_owned());
        check(Measured { undone, ..good() }, Ended::Failed, "not drained");
    }

    #[test]
    fn too_few_cases_tell_nothing() {
        let of = |total, good| {
            let mut measured = sample(0);
            let kind = &mut measured.kinds[0];
            (kind.total, kind.good, kind.all) = (total, good, total);
            measured
        };
        check(of(288, 288), Ended::Untold, "read_user: 288 cases of 299");
        check(of(298, 297), Ended::Untold, "298 cases of 299");
        check(of(299, 299), Ended::Passed, "");
        // With one bad one 473 are needed: enough cases, of which too many were bad.
        check(of(299, 298), Ended::Failed, "not shown to be met");
        // What is missed is missed, however few they are, and so is all else.
        check(of(20, 10), Ended::Failed, "missed: 10 of 20 good");
        check(Measured { achieved_ratio: 0.5, ..of(288, 288) }, Ended::Failed, "only 50.00 %");
        let spoilt = Some("too much steal".to_owned());
        let step = |measured| Step::judge(1.0, Phase::Probe, measured, &LIMITS);
        assert!(step(of(288, 288)).has_too_few());
        assert!(!step(Measured { spoilt, ..of(288, 288) }).has_too_few());
        // An objective of all of them is shown by no number of cases.
        let mut all = of(288, 288);
        all.kinds[0].objective_share = 1.0;
        check(all, Ended::Failed, "not shown to be met");
    }

    #[test]
    fn what_is_spoilt_tells_nothing() {
        let spoilt = Some("too much steal".to_owned());
        check(Measured { spoilt, ..sample(0) }, Ended::Untold, "too much steal");
    }
}
