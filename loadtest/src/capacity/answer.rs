//! What all steps together say: the bracket, the law, and the planner's sentences.
//!
//! Never here: one step (`step`), or how it looks (`report`).

use schemars::JsonSchema;
use serde::Serialize;

use super::args::CapacityArgs;
use super::load::Scale;
use super::planner::pool_size;
use super::pools::PoolSweep;
use super::resources::first_to_give_out;
use super::search::{Bracket, Tally, Tried, bracket};
use super::sentences::sentences;
use super::step::{Ended, Step, Written};
use super::usl::{self, Fitted};
use crate::report::units::rate;

/// What a search is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The capacity is known, and is enough where that was asked.
    Pass,
    /// Nothing passed, or less than was asked for.
    Fail,
    /// It can't be told.
    Invalid,
    /// It was stopped before its end.
    Interrupted,
}

/// How a search ended, apart from what it found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ending {
    /// It was told to stop.
    pub(super) interrupted: bool,
    /// Why it broke off, where it did.
    pub(super) broke_off: Option<String>,
}

/// What a pool needs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PoolSize {
    pub(crate) pool: String,
    /// Connections checked out a second.
    pub(crate) rate: f64,
    /// How long each was held in the mean.
    pub(crate) hold_seconds: f64,
    /// Connections held in the mean, by Little's law: the product of both.
    pub(crate) held: f64,
    /// Connections of which at most a hundredth of checkouts finds none free.
    pub(crate) size: u32,
}

/// Checkouts that may find no connection free.
const WAIT_SHARE: f64 = 0.01;

/// The size of a pool of which so many connections are checked out a second and so many are held.
pub(super) fn sized(pool: &str, rate: f64, held: f64) -> PoolSize {
    let hold_seconds = if rate > 0.0 { held / rate } else { 0.0 };
    PoolSize { pool: pool.to_owned(), rate, hold_seconds, held, size: pool_size(held, WAIT_SHARE) }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) reasons: Vec<String>,
    pub(crate) bracket: Bracket,
    /// Why the search ended before its end, where it did: a step could not be measured.
    pub(crate) broke_off: Option<String>,
    /// What gives out first, in words.
    pub(crate) gives_out: String,
    /// The fitted law, where the steps carry it.
    pub(crate) law: Option<Fitted>,
    /// Pools of connections at the highest rate that passes.
    pub(crate) pools: Vec<PoolSize>,
    /// What their sweep says, where there was one.
    pub(crate) sweep: Option<PoolSweep>,
    /// For the planner, a sentence each.
    pub(crate) sentences: Vec<String>,
}

impl Answer {
    pub(super) fn new(
        steps: &[Step],
        args: &CapacityArgs,
        scale: &Scale,
        ended: Ending,
        sweep: Option<PoolSweep>,
    ) -> Self {
        let Ending { interrupted, broke_off } = ended;
        let bracket = bracket_of(steps);
        let (verdict, reasons) = match &sweep {
            Some(sweep) if steps.is_empty() && !interrupted => sweep.verdict(),
            Some(_) | None => {
                let judged = verdict(&bracket, steps, args.search.at_least, interrupted);
                let judged = broken_off(judged, steps.len(), broke_off.as_deref());
                with_sweep(judged, sweep.as_ref())
            }
        };
        let failed: Vec<_> = steps
            .iter()
            .filter(|step| step.ended == Ended::Failed)
            .map(|step| step.measured.used.as_slice())
            .collect();
        let points: Vec<_> = steps.iter().filter_map(|step| step.measured.point).collect();
        Self {
            verdict,
            reasons,
            broke_off,
            gives_out: first_to_give_out(&failed),
            law: usl::fit(&points, args.work.seed),
            pools: pools(steps, bracket.passes.as_ref()),
            sweep,
            sentences: sentences(
                &bracket,
                &args.planner,
                scale,
                &written(steps, bracket.passes.as_ref()),
            ),
            bracket,
        }
    }
}

/// The bracket that the steps make.
pub(super) fn bracket_of(steps: &[Step]) -> Bracket {
    // What the machine spoilt counts as tried where nothing else is known of its rate.
    let known = |step: &&Step| {
        step.ended != Ended::Untold
            || !steps.iter().any(|s| s.rate == step.rate && s.ended != Ended::Untold)
    };
    let tried: Vec<Tried> = steps.iter().filter(known).map(Step::tried).collect();
    bracket(&tried)
}

/// A search that was judged, where it broke off: whatever its steps say so far, the rest is not
/// known.
fn broken_off(
    (verdict, mut reasons): (Verdict, Vec<String>),
    steps: usize,
    broke_off: Option<&str>,
) -> (Verdict, Vec<String>) {
    match (verdict, broke_off) {
        (Verdict::Interrupted, _) | (_, None) => (verdict, reasons),
        (Verdict::Pass | Verdict::Fail | Verdict::Invalid, Some(why)) => {
            reasons.insert(0, format!("the search broke off after {steps} steps: {why}"));
            (Verdict::Invalid, reasons)
        }
    }
}

/// A search that was judged, once the sweep that followed it is known: one that broke off leaves a
/// part of the answer open.
fn with_sweep(
    (verdict, mut reasons): (Verdict, Vec<String>),
    sweep: Option<&PoolSweep>,
) -> (Verdict, Vec<String>) {
    let broken = sweep.and_then(|sweep| Some(sweep.broken(sweep.broke_off.as_ref()?)));
    match (verdict, broken) {
        (Verdict::Pass, Some(broken)) => {
            reasons.push(broken);
            (Verdict::Invalid, reasons)
        }
        (verdict, _) => (verdict, reasons),
    }
}

fn verdict(
    bracket: &Bracket,
    steps: &[Step],
    at_least: Option<f64>,
    interrupted: bool,
) -> (Verdict, Vec<String>) {
    let tally = |t: &Tally| format!("{} ({} of {} times)", rate(t.rate), t.passed, t.tried);
    let untold = |t: &Tally| {
        steps.iter().filter(|step| step.rate == t.rate).all(|step| step.ended == Ended::Untold)
    };
    // The highest rate that has too few cases, as every lower one.
    let few = steps.iter().filter(|step| step.has_too_few());
    let few = few.max_by(|a, b| a.rate.total_cmp(&b.rate));
    let mut reasons = Vec::new();
    let verdict = match (&bracket.passes, &bracket.fails) {
        _ if interrupted => {
            reasons.push("stopped before its end; what is known so far is not judged".to_owned());
            Verdict::Interrupted
        }
        (None, Some(fails)) if untold(fails) => Verdict::Invalid,
        (None, _) if few.is_some() => {
            reasons.extend(few.map(too_few));
            Verdict::Invalid
        }
        (None, _) => {
            reasons.push("no rate passes".to_owned());
            Verdict::Fail
        }
        (Some(passes), Some(fails)) if untold(fails) => {
            reasons.push(format!("up to {} passes", tally(passes)));
            Verdict::Invalid
        }
        (Some(passes), fails) => {
            reasons.push(match fails {
                Some(fails) => format!("{} passes, {} does not", tally(passes), tally(fails)),
                None => format!(
                    "{} passes, so it is at least that: nothing above was to be tried (--most)",
                    tally(passes)
                ),
            });
            Verdict::Pass
        }
    };
    if let (Verdict::Invalid, Some(fails)) = (verdict, bracket.fails.filter(untold)) {
        let why = steps.iter().rev().find(|s| s.rate == fails.rate).map(|s| s.reasons.join("; "));
        let why = why.unwrap_or_default();
        reasons.push(format!("at {} nothing can be told: {why}", rate(fails.rate)));
    }
    match (verdict, at_least, &bracket.passes) {
        (Verdict::Pass, Some(wanted), Some(passes)) if passes.rate < wanted => {
            reasons.push(format!("{} was asked for", rate(wanted)));
            (Verdict::Fail, reasons)
        }
        _ => (verdict, reasons),
    }
}

fn too_few(step: &Step) -> String {
    format!(
        "at {} and below there are too few cases to tell ({}): give a longer --step, or a lower \
         --confidence",
        rate(step.rate),
        step.reasons.join("; ")
    )
}

/// The pools' needs at a rate, each the most of its steps.
fn pools(steps: &[Step], at: Option<&Tally>) -> Vec<PoolSize> {
    let mut all: Vec<PoolSize> = Vec::new();
    let of_rate = steps.iter().filter(|step| at.is_some_and(|at| at.rate == step.rate));
    for measured in of_rate.map(|step| &step.measured) {
        for (pool, held) in &measured.held {
            let rate = measured.checkouts.iter().find(|(name, _)| name == pool);
            let size = sized(pool, rate.map_or(0.0, |(_, rate)| *rate), *held);
            match all.iter_mut().find(|other| other.pool == *pool) {
                Some(other) if other.held < size.held => *other = size,
                Some(_) => {}
                None => all.push(size),
            }
        }
    }
    all
}

/// What a message left on the disks, in the mean of the steps at a rate: the fuller a step was, the
/// less of it is what an empty table takes.
fn written(steps: &[Step], at: Option<&Tally>) -> Written {
    let passed = || steps.iter().filter(|step| at.is_some_and(|at| at.rate == step.rate));
    let mean = |of: fn(&Written) -> Option<f64>| {
        let all: Vec<f64> = passed().filter_map(|step| of(&step.measured.written)).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    };
    Written { log_bytes: mean(|w| w.log_bytes), disk_bytes: mean(|w| w.disk_bytes) }
}

#[cfg(test)]
mod tests {
    use super::super::pools;
    use super::super::search::Phase;
    use super::super::step::{Measured, sample};
    use super::*;

    fn step(rate: f64, ended: Ended) -> Step {
        let reasons = vec!["because".to_owned()];
        let spoilt = (ended == Ended::Untold).then(|| "because".to_owned());
        let measured = Measured { spoilt, ..sample(10_000) };
        Step { rate, phase: Phase::Sweep, ended, reasons, measured }
    }

    /// One that had too few cases.
    fn few(rate: f64) -> Step {
        Step { measured: sample(10_000), ..step(rate, Ended::Untold) }
    }

    fn check(steps: &[Step], at_least: Option<f64>, expected: Verdict, says: &str) {
        let tried: Vec<Tried> = steps.iter().map(Step::tried).collect();
        let (verdict, reasons) = verdict(&bracket(&tried), steps, at_least, false);
        assert_eq!(verdict, expected, "{reasons:?}");
        assert!(reasons.join("; ").contains(says), "{reasons:?}");
    }

    #[test]
    fn the_verdict_follows_from_the_bracket() {
        let (pass, fail) = (step(100.0, Ended::Passed), step(110.0, Ended::Failed));
        let edge = [pass.clone(), fail.clone()];
        let says = "100/s (1 of 1 times) passes, 110/s (0 of 1 times) does not";
        check(&edge, None, Verdict::Pass, says);
        check(&edge, Some(100.0), Verdict::Pass, "passes");
        check(&edge, Some(101.0), Verdict::Fail, "101/s was asked for");
        check(&[fail], None, Verdict::Fail, "no rate passes");
        check(std::slice::from_ref(&pass), None, Verdict::Pass, "it is at least that");
        let untold = step(110.0, Ended::Untold);
        check(&[pass, untold.clone()], None, Verdict::Invalid, "at 110/s nothing can be told");
        check(&[untold], None, Verdict::Invalid, "because");
    }

    #[test]
    fn too_few_cases_are_no_failure_of_the_service() {
        let (pass, fail) = (step(100.0, Ended::Passed), step(110.0, Ended::Failed));
        let says = "at 50/s and below there are too few cases to tell (because)";
        check(&[few(25.0), few(50.0)], None, Verdict::Invalid, says);
        // What is above fails, and of what is below nobody knows.
        check(&[few(50.0), fail.clone()], None, Verdict::Invalid, says);
        check(&[few(50.0), pass, fail], None, Verdict::Pass, "100/s (1 of 1 times) passes");
    }

    #[test]
    fn a_search_that_broke_off_tells_its_steps_and_is_not_judged() {
        let of =
            |verdict| broken_off((verdict, vec!["100/s passes".to_owned()]), 4, Some("no service"));
        for judged in [Verdict::Pass, Verdict::Fail, Verdict::Invalid] {
            let (verdict, reasons) = of(judged);
            assert_eq!(verdict, Verdict::Invalid);
            let says = ["the search broke off after 4 steps: no service", "100/s passes"];
            assert_eq!(reasons, says);
        }
        assert_eq!(of(Verdict::Interrupted).0, Verdict::Interrupted);
        let whole = broken_off((Verdict::Pass, Vec::new()), 4, None);
        assert_eq!(whole, (Verdict::Pass, Vec::new()));
    }

    #[test]
    fn a_sweep_that_broke_off_leaves_the_answer_open() {
        let passed = || (Verdict::Pass, vec!["100/s passes".to_owned()]);
        let broken = PoolSweep { broke_off: Some("no service".to_owned()), ..pools::sample() };
        assert_eq!(with_sweep(passed(), Some(&pools::sample())).0, Verdict::Pass);
        let (verdict, reasons) = with_sweep(passed(), Some(&broken));
        assert_eq!((verdict, reasons.len()), (Verdict::Invalid, 2));
        assert_eq!(with_sweep((Verdict::Fail, Vec::new()), Some(&broken)).0, Verdict::Fail);
    }

    #[test]
    fn pools_are_sized_by_the_most_that_was_held_at_the_rate_that_passes() {
        let with = |rate, held: f64| {
            let mut step = step(rate, Ended::Passed);
            step.measured.held = vec![("interactive".to_owned(), held)];
            step.measured.checkouts = vec![("interactive".to_owned(), held * 100.0)];
            step
        };
        let steps = [with(100.0, 3.0), with(100.0, 4.0), with(200.0, 9.0)];
        let at = Tally { rate: 100.0, passed: 2, tried: 2 };
        let pools = pools(&steps, Some(&at));
        assert_eq!((pools.len(), pools[0].held), (1, 4.0));
        assert_eq!((pools[0].rate, pools[0].hold_seconds), (400.0, 0.01));
        assert_eq!(pools[0].size, pool_size(4.0, 0.01));
    }
}
