//! `loadtest run`: a plan sent to any service at its intended instants, measured from them, and
//! judged: PASS, FAIL or INVALID.
//!
//! Belongs here: the order of a run. Never here: what is sent (`plan`), sending (`engine`), or the
//! reminder service's own day with its laws (`replay`).

pub mod args;
pub mod facts;
pub mod measure;
pub mod objective;
pub mod sheet;
pub mod text;
pub mod verdict;

pub(crate) mod work;

#[cfg(test)]
pub(crate) mod sample;

use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::exit::{Exit, Failure};
use crate::inside::Inside;
use crate::interrupt::Interrupt;
use crate::plan::summary;
use crate::report::files::{ReportDir, unkept};
use crate::{open_files, stdout};
use args::RunArgs;
use facts::{Document, SCHEMA};
use measure::{Setup, Taken};
use objective::Objectives;

/// A target that doesn't take a connection within this time is away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Runs it.
///
/// # Errors
/// When a flag or a file can't be used, the target is away, or the engine fails.
pub async fn run(args: RunArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let plan = Arc::new(args.work.plan_apart().await?);
    let objectives = Objectives::asked_of(&args.judged.objective, &plan)?;
    let mut inside = Inside::new(args.inside.places(), args.inside.metric.clone())?;
    let reaching = async {
        for target in &args.target {
            reach(target).await?;
        }
        inside.reach().await
    };
    tokio::select! {
        reached = reaching => reached?,
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    }
    let reports = ReportDir::make(args.how.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let setup = Setup {
        targets: &args.target,
        objectives: &objectives,
        how: &args.how,
        judged: &args.judged,
        traceparent: args.inside.traceparent,
        dir: reports.path(),
        progress: "run",
    };
    let taken = setup.measure(plan, inside, interrupt).await?;
    Ok(tell(&taken, &args, &reports))
}

/// Says at once that nobody is there, rather than after a run of failures.
pub(crate) async fn reach(target: &str) -> Result<(), Failure> {
    let away = |what: &str| {
        Err(Failure::Unavailable(format!(
            "http://{target}: {what}; is the service up, and is --target right?"
        )))
    };
    match timeout(CONNECT_WITHIN, TcpStream::connect(target)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => away(&error.to_string()),
        Err(_) => away(&format!("no connection within {CONNECT_WITHIN:?}")),
    }
}

/// Prints and writes the report; the exit status follows from the verdict.
fn tell(taken: &Taken, args: &RunArgs, reports: &ReportDir) -> Exit {
    let Taken { facts, is_whole } = taken;
    let thresholds = args.judged.thresholds();
    let verdict = verdict::judge(facts, &thresholds);
    let text = text::render(facts, &verdict, &thresholds);
    let sheet = sheet::sheet(facts, &verdict, &thresholds);
    let exit = verdict.value.exit();
    let document =
        Document { schema: SCHEMA, verdict: &verdict, thresholds: &thresholds, run: facts };
    let exit = reports.tell("run", &document, &text, &sheet, exit);
    if *is_whole { exit } else { unkept(exit) }
}

/// Prints what a run would send.
///
/// # Errors
/// When a flag or a file can't be used.
pub fn plan(args: &crate::plan::args::WorkArgs) -> Result<Exit, Failure> {
    let plan = args.plan().map_err(|error| Failure::Usage(error.to_string()))?;
    stdout::result(&summary::render(&plan))
}
