//! `loadtest gate`: two builds of a service at the same time, the same requests to both, and a
//! verdict on whether the newer one is slower: PASS, FAIL or INVALID.
//!
//! A *duet*: each pair of requests goes to both sides within milliseconds, so what the machine does
//! it does to both, and what differs is the build. Both share the processors at half the load each:
//! this sees what a request costs, not what a machine carries. Belongs here: the order of it.
//! Never here: sending at intended instants (`engine`), counts (`counts`), capacity.

pub mod args;
pub mod judge;

mod build;
mod pairs;
mod play;
mod sheet;
mod side;
mod stats;
mod trials;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::exit::{Exit, Failure};
use crate::history;
use crate::interrupt::Interrupt;
use crate::open_files;
use crate::report::files::ReportDir;
use crate::report::plain;
use crate::report::units::clock;
use crate::run::verdict::{Value, Verdict};
use args::GateArgs;
pub(crate) use args::variable;
pub(crate) use build::git;
use judge::{Duet, Figure, Rules, judge};
use play::How;
pub(crate) use side::stack_args;
use side::{Contest, Round};

/// The JSON's shape; the number rises when a reader of the old one would go wrong.
pub const SCHEMA: &str = "punctual-loadtest-gate/1";

/// The text for `--help`.
pub const GATE_EXIT_HELP: &str = "\
Exit status:
  0    PASS: head is not slower than base by more than it may, and the duets can tell
  1    FAIL: it is, in two duets independent of each other
  2    usage: a wrong flag or file, or a revision that doesn't build
  3    INVALID: the duets can't tell, a side is away, or the report of a PASS could not be written
       (one retry, then a person)
  130  interrupted: Ctrl-C; the report has the duets that were played, and nothing is judged";

/// Duets before a verdict: what one says alone is not believed.
const DUETS: usize = 2;

/// A gate's whole outcome.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Outcome {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// What was compared: base, head.
    pub sides: [String; 2],
    /// What was sent.
    pub source: String,
    /// How long each duet was.
    pub length_seconds: f64,
    /// How long all of it might take, building apart.
    pub budget_seconds: f64,
    /// How long it took, building apart.
    pub took_seconds: f64,
    /// What it is worth.
    pub verdict: Verdict,
    /// By which rules.
    pub rules: Rules,
    /// What was played.
    pub duets: Vec<Duet>,
}

/// Runs it.
///
/// # Errors
/// When a flag or a file can't be used, a revision doesn't build, or a side doesn't start.
pub async fn run(args: GateArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let contest = Contest::of(&args, interrupt).await?;
    let length = contest.length(&args)?;
    let reports = ReportDir::make(args.told.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if let Some(times) = args.duet.aa {
        return trials::run(&contest, &args, times, &reports, interrupt).await;
    }
    let budget = args.duet.budget;
    complain!(
        "{:<8} {}: two duets of {} at most, the second only if the first is red",
        "budget",
        clock(budget),
        clock(length)
    );
    let started_at = Timestamp::now();
    let began = Instant::now();
    let mut duets = Vec::new();
    let playing = duets_of(&contest, &args, Seeds::first(args.work.seed), &mut duets, interrupt);
    let in_time = timeout_at(began + budget, playing).await;
    let verdict = match in_time {
        Ok(played) => worth(played, &duets, interrupt.stopped())?,
        Err(_) => out_of_time(budget),
    };
    let outcome = Outcome {
        schema: SCHEMA,
        started_at: started_at.to_string(),
        sides: contest.names(),
        source: contest.source(),
        length_seconds: length.as_secs_f64(),
        budget_seconds: budget.as_secs_f64(),
        took_seconds: began.elapsed().as_secs_f64(),
        verdict,
        rules: args.rules(),
        duets,
    };
    let sheet = sheet::of(&outcome);
    let exit = outcome.verdict.value.exit();
    let exit = reports.tell("gate", &outcome, &plain::render(&sheet), &sheet, exit);
    if let Some(file) = &args.told.history {
        let commit = contest.head_commit().unwrap_or_else(|| outcome.sides[1].clone());
        remember(file, started_at, &commit, &outcome);
    }
    Ok(exit)
}

/// What decides one judgement's chances.
#[derive(Debug, Clone, Copy)]
struct Seeds {
    seed: u64,
    /// Which side starts first in the first duet.
    first: usize,
    base_alone: bool,
}

impl Seeds {
    const fn first(seed: u64) -> Self {
        Self { seed, first: 0, base_alone: false }
    }
}

/// Plays a duet and, if it is red, another one.
async fn duets_of(
    contest: &Contest,
    args: &GateArgs,
    seeds: Seeds,
    duets: &mut Vec<Duet>,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let rules = args.rules();
    for n in 0..DUETS {
        let seed = seeds.seed.wrapping_add(n as u64);
        let first = (seeds.first + n) % 2;
        let round = Round { first, seed, base_alone: seeds.base_alone };
        let how = How {
            connections: usize::from(args.duet.connections),
            timeout: args.duet.timeout,
            tolerance: rules.thresholds.tolerance,
            seed,
        };
        // A duet's two stacks are a large future.
        let (played, plan_hash) = Box::pin(contest.play(round, how, interrupt)).await?;
        let origin = judge::Origin { started_first: first, seed, plan_hash };
        // Ten thousand drawings for each figure.
        let duet = tokio::task::spawn_blocking(move || Duet::of(&played, origin, &rules)).await;
        let duet = duet.map_err(|e| Failure::Unavailable(e.to_string()))?;
        let is_red = duet.is_red();
        duets.push(duet);
        if !is_red {
            break;
        }
    }
    Ok(())
}

/// What it is worth. What ended it early costs no duet that was played to its end: only
/// where there is none is it all there is to say.
fn worth(
    played: Result<(), Failure>,
    duets: &[Duet],
    is_stopped: bool,
) -> Result<Verdict, Failure> {
    let full = duets.len();
    match played {
        Ok(()) => Ok(judge(duets)),
        // What fails because it is being stopped is no failure of its own.
        Err(_) if is_stopped => {
            let reason =
                format!("stopped with {full} duets played to their end; nothing is judged");
            Ok(Verdict { value: Value::Interrupted, reasons: vec![reason] })
        }
        Err(Failure::Unavailable(why)) if full > 0 => {
            let reason = format!("duet {} was not played: {why}", full + 1);
            Ok(Verdict { value: Value::Invalid, reasons: vec![reason] })
        }
        Err(failure) => Err(failure),
    }
}

fn out_of_time(budget: Duration) -> Verdict {
    let reason = format!("the budget of {} ran out; give more, or a --length", clock(budget));
    Verdict { value: Value::Invalid, reasons: vec![reason] }
}

/// Appends the first duet's ratios to the history: the second is played only after a red one. What
/// the machine spoilt would be a point at which something changed.
fn remember(file: &std::path::Path, at: Timestamp, commit: &str, outcome: &Outcome) {
    let value = outcome.verdict.value;
    let (Value::Pass | Value::Fail, Some(duet)) = (value, outcome.duets.first()) else {
        complain!("history {}: what is {} is not appended", file.display(), value.name());
        return;
    };
    let named = |figure: &Figure| {
        let name = format!("{}.{}", figure.kind.replace(' ', "_"), figure.quantile);
        Some((name, figure.ratio?))
    };
    let figures: BTreeMap<String, f64> = duet.figures.iter().filter_map(named).collect();
    match history::append(file, at, commit, &figures) {
        Ok(left_out) if left_out.is_empty() => {}
        Ok(left_out) => {
            complain!("history {}: no column for {}", file.display(), left_out.join(", "));
        }
        // The verdict stands whatever becomes of its history.
        Err(error) => complain!("loadtest: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::judge::tests::duet;
    use super::sheet::tests::outcome;
    use super::*;

    #[test]
    fn what_cannot_be_told_has_no_place_in_the_history() {
        let dir = tempfile::tempdir().expect("a folder");
        for (value, lines) in [
            (Value::Pass, Some(2)),
            (Value::Fail, Some(2)),
            (Value::Invalid, None),
            (Value::Interrupted, None),
        ] {
            let (file, mut outcome) = (dir.path().join(value.name()), outcome());
            outcome.verdict.value = value;
            remember(&file, Timestamp::UNIX_EPOCH, "5f0c", &outcome);
            let text = std::fs::read_to_string(&file).ok();
            assert_eq!(text.map(|text| text.lines().count()), lines, "{value:?}");
        }
    }

    #[test]
    fn what_ends_a_gate_early_costs_no_duet_that_was_played() {
        let away = || Err(Failure::Unavailable("head ended".to_owned()));
        let red = [duet(1, 1.2)];
        let told = |played, duets: &[Duet], is_stopped| {
            worth(played, duets, is_stopped).map(|verdict| (verdict.value, verdict.reasons))
        };
        let stopped = told(Err(Failure::Interrupted), &red, true).expect("it is told");
        assert_eq!(stopped.0, Value::Interrupted);
        assert!(stopped.1[0].starts_with("stopped with 1 duets played"), "{stopped:?}");
        assert_eq!(told(away(), &[], true).expect("it is told").0, Value::Interrupted);
        let broken = told(away(), &red, false).expect("it is told");
        assert_eq!(broken, (Value::Invalid, vec!["duet 2 was not played: head ended".to_owned()]));
        assert!(told(away(), &[], false).is_err(), "there is nothing else to say");
        assert!(told(Err(Failure::Usage("x".to_owned())), &red, false).is_err());
    }
}
