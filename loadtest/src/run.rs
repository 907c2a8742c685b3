//! `loadtest run`: a plan sent to any service at its intended instants, measured from them, and
//! judged: PASS, FAIL or INVALID.
//!
//! Belongs here: the order of a run. Never here: what is sent (`plan`), sending (`engine`), or the
//! reminder service's own day with its laws (`replay`).

pub mod args;
pub mod facts;
pub mod objective;
pub mod text;
pub mod verdict;

mod work;

#[cfg(test)]
mod sample;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Zoned};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::engine::attack::Outcome;
use crate::engine::ledger::Row;
use crate::engine::machine::{Second, Watch};
use crate::engine::{Attack, EngineError, Intervals, Ledger, Pacer};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::open_files;
use crate::plan::{Plan, summary};
use crate::progress::{Status, Step};
use crate::report::files::ReportDir;
use crate::report::units::{clock, count, rate};
use args::RunArgs;
use facts::{Document, Facts, Failures, KindRow, SCHEMA};
use objective::Objectives;
use verdict::Value;
use work::Work;

/// A target that doesn't take a connection within this time is away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// From the users' line-up to the first intended start: the watchers begin meanwhile.
const HEAD_START: Duration = Duration::from_millis(200);
/// Between two looks at the books for the progress line.
const LOOK: Duration = Duration::from_millis(250);

/// Runs it.
///
/// # Errors
/// When a flag or a file can't be used, the target is away, or the engine fails.
pub async fn run(args: RunArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let work = args.work.clone();
    // Reading a long trace takes some seconds of one core.
    let plan = tokio::task::spawn_blocking(move || work.plan()).await;
    let plan = plan.map_err(|e| Failure::Unavailable(e.to_string()))?;
    let plan = Arc::new(plan.map_err(|error| Failure::Usage(error.to_string()))?);
    let objectives = Objectives::new(&args.judged.objective);
    let kinds: Vec<&str> = plan.kinds().iter().map(|kind| kind.name.as_str()).collect();
    if let Some(unknown) = objectives.unknown(&kinds) {
        let kinds = kinds.join(", ");
        return Err(Failure::Usage(format!("--objective {unknown}: the plan has {kinds}")));
    }
    for target in &args.target {
        reach(target).await?;
    }
    let reports = ReportDir::make(args.how.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let facts = measure(plan, &objectives, &args, reports.path(), interrupt).await?;
    tell(&facts, &args, &reports)
}

/// Says at once that nobody is there, rather than after a run of failures.
async fn reach(target: &str) -> Result<(), Failure> {
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

/// Sends the plan and gathers what was measured.
async fn measure(
    plan: Arc<Plan>,
    objectives: &Objectives,
    args: &RunArgs,
    dir: &Path,
    interrupt: &Interrupt,
) -> Result<Facts, Failure> {
    let unavailable = |error: std::io::Error| Failure::Unavailable(error.to_string());
    let engine = |error: EngineError| Failure::Unavailable(error.to_string());
    let headers = args.how.headers();
    let work = Arc::new(Work::new(plan.clone(), objectives, &headers, args.judged.ok.clone()));
    let pacer = Pacer::at_rate(plan.busiest_second() as f64).map_err(unavailable)?;
    let at = SystemTime::now();
    let about = format!("plan {}", plan.hash());
    let labels = crate::engine::Source::labels(&*work);
    let intervals = Intervals::create(dir, &about, labels, at)
        .map_err(|e| Failure::Usage(format!("{}: {e}", dir.display())))?;
    let pacer_name = pacer.name();
    let attack = Attack {
        dashboard_port: args.how.dashboard,
        answer_wait: args.how.timeout,
        pacer,
        grace: Some(args.how.timeout),
        settled: true,
        intervals: Some(intervals),
        ..Attack::new(args.how.connections, args.target.clone(), dir.join("goose"))
    };
    let lined = attack.line_up(work.clone(), interrupt.stop.clone()).await.map_err(engine)?;
    let start = Instant::now() + HEAD_START;
    let started_at = Timestamp::now();
    let ledger = lined.ledger();
    let tolerance = args.judged.thresholds().tolerance;
    let watch = Watch::begin(ledger.clone(), start.into_std(), tolerance).map_err(unavailable)?;
    let over = CancellationToken::new();
    let step = Step::begin("run", "requests", plan.arrivals().len() as u64);
    let showing = tokio::spawn(show(ledger, step, start, plan.span(), over.clone()));
    let outcome = lined.go(start).await;
    over.cancel();
    let _shown = showing.await;
    // It has a thread of its own, which ends within a look at /proc.
    let seconds = watch.end();
    if let Some(failed) = &outcome.failed {
        // It writes its report last; a disk that is full must not cost the numbers.
        eprintln!("loadtest: {failed}");
    }
    let measured = Measured { plan: &plan, work: &work, outcome, seconds };
    Ok(measured.facts(args, pacer_name, started_at, interrupt.stopped()))
}

async fn show(
    ledger: Arc<Ledger>,
    mut step: Step,
    start: Instant,
    span: Duration,
    over: CancellationToken,
) {
    let mut looks = interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = over.cancelled() => break,
        }
        let (done, _) = ledger.progress();
        let per_second = step.rate(done);
        let left = span.saturating_sub(start.elapsed());
        step.show(&Status { done, per_second, note: String::new(), left: Some(left) });
    }
    let (done, _) = ledger.progress();
    let seconds = start.elapsed();
    let per_second = rate(done as f64 / seconds.as_secs_f64().max(1e-9));
    step.end(&format!("{} requests in {} ({per_second})", count(done), clock(seconds)));
}

struct Measured<'a> {
    plan: &'a Plan,
    work: &'a Work,
    outcome: Outcome,
    seconds: Vec<Second>,
}

impl Measured<'_> {
    fn facts(
        self,
        args: &RunArgs,
        pacer: &'static str,
        started_at: Timestamp,
        interrupted: bool,
    ) -> Facts {
        let Self { plan, work, outcome, mut seconds } = self;
        // To the seconds after the last intended start no request belongs.
        let last = plan.arrivals().last().map_or(0, |arrival| arrival.intended_ns);
        seconds.truncate((last / 1_000_000_000) as usize + 1);
        let ledger = &outcome.ledger;
        let (_, sent) = ledger.progress();
        let (planned, span) = (plan.arrivals().len() as u64, plan.span().as_secs_f64());
        // The rate at which requests left, over the one at which they were to.
        let stretched = span / ledger.last_sent().as_secs_f64().max(span).max(1e-9);
        let about = plan.about();
        Facts {
            started_at: started_at.to_string(),
            targets: args.target.clone(),
            plan_hash: plan.hash().to_owned(),
            source: about.source.clone(),
            notes: about.notes.clone(),
            seed: about.seed,
            planned,
            span_seconds: span,
            sent,
            achieved_ratio: sent as f64 / planned.max(1) as f64 * stretched,
            connections: args.how.connections as u64,
            pacer,
            interrupted,
            kinds: kinds(ledger, work),
            seconds,
            windows: outcome.windows,
        }
    }
}

fn kinds(ledger: &Ledger, work: &Work) -> Vec<KindRow> {
    let first = work.first_failures();
    let first_of = |reason| first.get(reason).copied().unwrap_or_default().as_secs_f64();
    let kind = |(row, clean)| {
        let Row { label, counts, response, service, lag, reasons } = row;
        let failures =
            |(reason, count)| (reason, Failures { count, first_seconds: first_of(reason) });
        KindRow {
            name: label.name,
            objective_seconds: label.objective.as_secs_f64(),
            objective_share: label.share,
            counts,
            response,
            service,
            lag,
            clean,
            reasons: reasons.into_iter().map(failures).collect(),
        }
    };
    ledger.rows().into_iter().zip(ledger.clean()).map(kind).collect()
}

/// Prints and writes the report; the exit status follows from the verdict.
fn tell(facts: &Facts, args: &RunArgs, reports: &ReportDir) -> Result<Exit, Failure> {
    let thresholds = args.judged.thresholds();
    let verdict = verdict::judge(facts, &thresholds);
    let text = text::render(facts, &verdict, &thresholds);
    // First of all: a disk that is full must not cost the numbers.
    println!("\n{}", text.trim_end());
    let document =
        Document { schema: SCHEMA, verdict: &verdict, thresholds: &thresholds, run: facts };
    let json = serde_json::to_string_pretty(&document).expect("numbers and strings only");
    let written = reports.put("run.json", &json).and_then(|_| reports.put("run.txt", &text));
    match written {
        Ok(_) => println!("report: {}", reports.path().display()),
        Err(error) => eprintln!("loadtest: {error}"),
    }
    Ok(match verdict.value {
        Value::Pass => Exit::Passed,
        Value::Fail => Exit::Failed,
        Value::Invalid => Exit::Invalid,
        Value::Interrupted => Exit::Interrupted,
    })
}

/// Prints what a run would send.
///
/// # Errors
/// When a flag or a file can't be used.
pub fn plan(args: &crate::plan::args::WorkArgs) -> Result<Exit, Failure> {
    let plan = args.plan().map_err(|error| Failure::Usage(error.to_string()))?;
    print!("{}", summary::render(&plan));
    Ok(Exit::Passed)
}
