//! `loadtest incidents`: what went wrong elsewhere, made to happen on a private stack on purpose.
//! Each scenario must end well, and says what an operator would have seen of it in the metrics,
//! which alerts a real Prometheus (where one is installed) raised, and after how long.
//!
//! Belongs here: the flags, and which scenario comes next. Never here: what a scenario does
//! (`scenarios`, a file each), the stack (`ground`), looking (`watch`), telling (`sheet`).

mod facts;
mod ground;
mod scenarios;
mod sheet;
mod watch;

use std::path::PathBuf;

use clap::Args;
use jiff::Zoned;
use tokio::time::Instant;

use crate::demo::watcher::ALERTS;
use crate::demo::{OneProcessArgs, program};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::open_files;
use crate::report::files::{ReportDir, say};
use crate::report::plain;
use facts::{Ended, Facts, Outcome};
use ground::Ground;
use scenarios::Scenario;

/// The flags of `loadtest incidents`.
#[derive(Debug, Args)]
pub struct IncidentsArgs {
    /// Which of them; all if none is named.
    #[arg(value_name = "NAME", value_enum)]
    names: Vec<Scenario>,
    /// Says which there are, and does nothing.
    #[arg(long)]
    list: bool,
    /// Texts in each of them, but for above_pool (400 always) and endpoint_creeps (none);
    /// report_beside has half of it twice.
    #[arg(long, value_name = "N", default_value_t = 2_000,
        value_parser = clap::value_parser!(u64).range(100..=100_000))]
    size: u64,
    /// The project's alerts, which Prometheus evaluates meanwhile.
    #[arg(long, value_name = "DIR", default_value = ALERTS)]
    alerts: PathBuf,
    /// Where the report is written; a folder named by the time in reports/ if not given.
    #[arg(long, value_name = "DIR")]
    report_dir: Option<PathBuf>,
    #[command(flatten)]
    prometheus: PrometheusArgs,
    #[command(flatten)]
    stack: OneProcessArgs,
}

/// Who evaluates the alerts.
#[derive(Debug, Clone, Args)]
struct PrometheusArgs {
    /// The Prometheus that evaluates the alerts; where there is none, it does without.
    #[arg(long, value_name = "PROGRAM", default_value = "prometheus")]
    prometheus: PathBuf,
    /// No Prometheus, though there is one.
    #[arg(long, conflicts_with = "prometheus")]
    no_prometheus: bool,
}

/// The text for `--help`.
pub const EXIT_HELP: &str = "\
Exit status:
  0    passed: every incident ended well, and was seen
  1    failed: one did not
  2    usage: a wrong name or flag, or something must be installed first (the message says what)
  3    unavailable: the service or a part of the stack is away or failed, or the report of a run
       that passed could not be written
  130  interrupted: Ctrl-C; the report covers what was done so far";

/// Makes incidents happen, one after the other on one stack.
///
/// # Errors
/// When something is missing, or doesn't start, or fails.
pub async fn run(args: IncidentsArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    if args.list {
        say(&scenarios::list());
        return Ok(Exit::Passed);
    }
    open_files::raise();
    let program = program(args.stack.punctual.as_deref())?;
    let reports = ReportDir::make(args.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let mut ground = tokio::select! {
        ground = Ground::start(&args, &program) => ground?,
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let mut facts = Facts::new(args.size, ground.watched_by());
    let result = all(&args.names, &mut ground, &mut facts, interrupt).await;
    let is_kept = args.stack.keep || !facts.is_well() || result.is_err();
    ground.stop(is_kept.then(|| reports.path().join("logs"))).await;
    match result {
        Ok(()) => {}
        // What became of those before is worth telling all the same.
        Err(Failure::Unavailable(why)) if !facts.outcomes.is_empty() => facts.broken = Some(why),
        Err(failure) => return Err(failure),
    }
    Ok(tell(&facts, &reports))
}

async fn all(
    names: &[Scenario],
    ground: &mut Ground,
    facts: &mut Facts,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let named = |scenario: &&Scenario| names.is_empty() || names.contains(scenario);
    for scenario in scenarios::ALL.iter().filter(named) {
        complain!("{:<8} {}: {}", "incident", scenario.name(), scenario.story());
        let began = Instant::now();
        let found = tokio::select! {
            found = Box::pin(scenario.run(ground)) => found?,
            () = interrupt.stop.cancelled() => {
                facts.interrupted = true;
                return Ok(());
            }
        };
        facts.outcomes.push(Outcome {
            name: scenario.name(),
            story: scenario.story(),
            seconds: began.elapsed().as_secs_f64(),
            found,
        });
    }
    Ok(())
}

/// Prints and writes what was found; the exit status follows from it.
fn tell(facts: &Facts, reports: &ReportDir) -> Exit {
    let exit = match facts.ended() {
        Ended::Passed => Exit::Passed,
        Ended::Failed => Exit::Failed,
        Ended::Invalid => Exit::Unavailable,
        Ended::Interrupted => Exit::Interrupted,
    };
    let sheet = sheet::of(facts);
    reports.tell("incidents", &facts.document(), &plain::render(&sheet), &sheet, exit)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: IncidentsArgs,
    }

    /// One process has the gates and is looked at, and the provider does everything right until an
    /// incident says otherwise.
    #[test]
    fn a_flag_that_would_do_nothing_is_refused() {
        let parsed = |flags: &[&str]| Line::try_parse_from(["incidents"].iter().chain(flags));
        for flags in [&["--processes", "2"][..], &["--no-faults"]] {
            let error = parsed(flags).expect_err("it does nothing").to_string();
            assert!(error.contains("unexpected argument"), "{flags:?}: {error}");
        }
        let line = parsed(&["--no-prometheus", "--shards", "2"]).expect("these do something");
        assert!(line.args.prometheus.no_prometheus);
        assert_eq!(line.args.stack.stack().processes, 1);
        assert!(parsed(&["--prometheus", "a", "--no-prometheus"]).is_err());
    }
}
