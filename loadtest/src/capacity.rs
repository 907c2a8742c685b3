//! `loadtest capacity`: the highest rate at which a service still meets its objectives, as a
//! bracket with repeats, and what that means for whoever plans.
//!
//! Belongs here: the order of the steps. Never here: which rate comes next (`search`), what passing
//! means (`step`), the sweep of pools that follows (`pools`), sending (`run::measure`), or one rate
//! judged by itself (`run`).

pub mod args;

mod answer;
mod any_service;
mod binomial;
mod enough;
mod load;
mod own_stack;
mod planner;
mod pools;
mod report;
mod resources;
mod search;
mod sentences;
mod step;
mod trend;
mod usl;

use std::time::Duration;

use jiff::{Timestamp, Zoned};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::open_files;
use crate::report::files::{ReportDir, kept, say, unkept};
use crate::report::plain;
use crate::report::units::rate;
use answer::{Answer, Ending, Verdict, bracket_of};
use args::CapacityArgs;
use load::{Load, search_and_scale};
use report::{Document, SCHEMA};
use search::{Search, Tried};
use step::{Ended, Step};

/// A step that was spoilt is tried once more; more would only take time.
const TRIES: u32 = 2;
/// Between two steps: connections close, queues run empty.
const REST: Duration = Duration::from_secs(1);

/// Searches.
///
/// # Errors
/// When a flag or a file can't be used, the target is away, or the engine fails.
pub async fn run(args: CapacityArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let reports = ReportDir::make(args.how.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let (search, scale) = search_and_scale(&args)?;
    let load = Load::new(&args, reports.path()).await?;
    let began = Timestamp::now();
    let (steps, broke_off) = match args.sweep.pools_at {
        Some(_) => (Vec::new(), None),
        None => steps(&args, &search, &load, interrupt).await,
    };
    let broke_off = match broke_off {
        Some(failure) if steps.is_empty() => return Err(failure),
        broke_off => broke_off.map(|failure| failure.to_string()),
    };
    let sweep = match &broke_off {
        Some(_) => None,
        None => load.sweep(&args, &bracket_of(&steps), interrupt).await,
    };
    let ended = Ending { interrupted: interrupt.stopped(), broke_off };
    let answer = Answer::new(&steps, &args, &scale, ended, sweep);
    let exit = tell(&Document::new(SCHEMA, began, &args, &steps, &answer), &args, &reports);
    Ok(if load.is_whole() { exit } else { unkept(exit) })
}

/// Tries rates until all is known that is to be known, or until told to stop, or until a step fails
/// to be measured: what was tried before is known nevertheless.
async fn steps(
    args: &CapacityArgs,
    search: &Search,
    load: &Load<'_>,
    interrupt: &Interrupt,
) -> (Vec<Step>, Option<Failure>) {
    let limits = args.search.limits(&args.judged);
    let mut steps: Vec<Step> = Vec::new();
    let mut tried: Vec<Tried> = Vec::new();
    while let Some((at, phase)) = search.next(&tried) {
        for again in 1..=TRIES {
            let measured = load.measure(steps.len(), at, interrupt).await;
            if interrupt.stopped() {
                // What fails because it is being stopped is no failure of its own.
                return (steps, None);
            }
            let measured = match measured {
                Ok(measured) => measured,
                Err(failure) => return (steps, Some(failure)),
            };
            let step = Step::judge(at, phase, measured, &limits);
            complain!("{:<8} {}: {}", "step", rate(at), said(&step));
            let told = step.ended != Ended::Untold || step.has_too_few() || again == TRIES;
            if told {
                tried.push(step.tried());
            }
            steps.push(step);
            let rested = tokio::time::timeout(REST, interrupt.stop.cancelled()).await;
            if rested.is_ok() {
                return (steps, None);
            }
            if told {
                break;
            }
        }
    }
    (steps, None)
}

fn said(step: &Step) -> String {
    match step.ended {
        Ended::Passed => "passed".to_owned(),
        Ended::Failed => format!("failed: {}", step.reasons.join("; ")),
        Ended::Untold => format!("can't tell: {}", step.reasons.join("; ")),
    }
}

/// Prints and writes the report; the exit status follows from the answer.
fn tell(document: &Document<'_>, args: &CapacityArgs, reports: &ReportDir) -> Exit {
    let sheet = report::sheet(document, args);
    let text = plain::render(&sheet);
    let said = say(&format!("\n{}\n", text.trim_end()));
    let exit = match document.answer.verdict {
        Verdict::Pass => Exit::Passed,
        Verdict::Fail => Exit::Failed,
        Verdict::Invalid => Exit::Invalid,
        Verdict::Interrupted => Exit::Interrupted,
    };
    let json = serde_json::to_string_pretty(document).expect("numbers and strings only");
    kept(reports.write_faces("capacity", &json, &text, &sheet), said, exit)
}
