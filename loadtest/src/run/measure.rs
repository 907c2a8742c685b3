//! One plan, sent and measured: the users line up, the watchers begin, the plan is sent, and what
//! all of them saw becomes the facts.
//!
//! Never here: what the facts are worth (`verdict`), or printing them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;

use super::args::{HowArgs, JudgedArgs, Traceparent};
use super::facts::{Facts, Failures, KindRow};
use super::objective::Objectives;
use super::work::Work;
use crate::engine::attack::Outcome;
use crate::engine::ledger::Row;
use crate::engine::machine::{Second, Watch};
use crate::engine::{Attack, Intervals, Ledger, Pacer, Source};
use crate::exit::Failure;
use crate::inside::{Inside, Observed};
use crate::interrupt::Interrupt;
use crate::plan::Plan;
use crate::progress::{Status, Step};
use crate::report::outside::offered;
use crate::report::slow::SlowRow;
use crate::report::units::{clock, count, rate};

/// From the users' line-up to the first intended start: the watchers begin meanwhile.
pub(crate) const HEAD_START: Duration = Duration::from_millis(200);
/// Between two looks at the books for the progress line.
const LOOK: Duration = Duration::from_millis(250);
/// Between two looks at the service.
const LOOK_INSIDE: Duration = Duration::from_secs(1);

/// How a plan is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// `host:port` of each process of the service.
    pub(crate) targets: &'a [String],
    /// What each kind must keep.
    pub(crate) objectives: &'a Objectives,
    /// Headers, connections, time-outs.
    pub(crate) how: &'a HowArgs,
    /// Which answers are good, what spoils a second.
    pub(crate) judged: &'a JudgedArgs,
    /// Which traces requests begin.
    pub(crate) traceparent: Traceparent,
    /// Where the logs are put.
    pub(crate) dir: &'a Path,
    /// What the progress line is called.
    pub(crate) progress: &'static str,
}

/// A run, as it was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What was measured.
    pub(crate) facts: Facts,
    /// False where an interval log or goose's report could not be written.
    pub(crate) is_whole: bool,
}

impl Setup<'_> {
    /// Sends the plan and gathers what was measured.
    ///
    /// # Errors
    /// When a log can't be made, or nothing was sent.
    pub(crate) async fn measure(
        &self,
        plan: Arc<Plan>,
        inside: Inside,
        interrupt: &Interrupt,
    ) -> Result<Taken, Failure> {
        let unavailable = |error: std::io::Error| Failure::Unavailable(error.to_string());
        let (headers, ok) = (self.how.headers(), self.judged.ok.clone());
        let work = Work::new(plan.clone(), self.objectives, &headers, ok, self.traceparent);
        let work = Arc::new(work);
        let pacer = Pacer::at_rate(plan.busiest_second() as f64).map_err(unavailable)?;
        let pacer_name = pacer.name();
        let lined = self.attack(pacer).line_up(work.clone(), interrupt.stop.clone()).await?;
        // The first intended start, by both clocks: all that is written counts from it.
        let (start, began) = (Instant::now() + HEAD_START, SystemTime::now() + HEAD_START);
        let started_at = Timestamp::try_from(began);
        let started_at = started_at.map_err(|e| Failure::Unavailable(e.to_string()))?;
        let lined = lined.logged(
            Intervals::create(self.dir, plan.hash(), work.labels(), began)
                .map_err(|e| Failure::Usage(format!("{}: {e}", self.dir.display())))?,
        );
        let ledger = lined.ledger();
        let tolerance = self.judged.thresholds().tolerance;
        let watch =
            Watch::begin(ledger.clone(), start.into_std(), tolerance).map_err(unavailable)?;
        let over = CancellationToken::new();
        let step = Step::begin(self.progress, "requests", plan.arrivals().len() as u64);
        let showing = tokio::spawn(show(ledger.clone(), step, start, plan.span(), over.clone()));
        let looking = look_inside(inside, ledger, work.clone(), start, over.clone());
        let looking = tokio::spawn(looking);
        let outcome = lined.go(start).await;
        over.cancel();
        let _shown = showing.await;
        let observed = looking.await.unwrap_or_default();
        // It has a thread of its own, which ends within a look at /proc.
        let seconds = watch.end();
        if let Some(failed) = &outcome.failed {
            // It writes its report last; a disk that is full must not cost the numbers.
            complain!("loadtest: {failed}");
        }
        let is_whole = outcome.failed.is_none() && outcome.is_logged;
        let interrupted = interrupt.stopped();
        let measured = Measured { plan: &plan, work: &work, outcome, seconds, observed };
        let facts = measured.facts(self, pacer_name, started_at, interrupted);
        Ok(Taken { facts, is_whole })
    }

    fn attack(&self, pacer: Pacer) -> Attack {
        Attack {
            dashboard_port: self.how.dashboard,
            answer_wait: self.how.timeout,
            pacer,
            grace: Some(self.how.timeout),
            settled: true,
            ..Attack::new(self.how.connections, self.targets.to_vec(), self.dir.join("goose"))
        }
    }
}

/// Asks the service every second until the run is over, and once more then.
async fn look_inside(
    mut inside: Inside,
    ledger: Arc<Ledger>,
    work: Arc<Work>,
    start: Instant,
    over: CancellationToken,
) -> Observed {
    let mut looks = interval_at(start, LOOK_INSIDE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let at_seconds = || start.elapsed().as_secs_f64();
    while inside.is_asked() {
        tokio::select! {
            _ = looks.tick() => {}
            () = over.cancelled() => break,
        }
        inside.look(at_seconds).await;
        inside.resolve(&ledger, &*work).await;
    }
    over.cancelled().await;
    inside.look(at_seconds).await;
    inside.resolve_rest(&ledger, &*work).await;
    inside.observed()
}

/// Shows how far a run is until it is over.
pub(crate) async fn show(
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
        step.show(&Status { done, per_second, left: Some(left), ..Status::default() });
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
    observed: Observed,
}

impl Measured<'_> {
    fn facts(
        self,
        setup: &Setup<'_>,
        pacer: &'static str,
        started_at: Timestamp,
        interrupted: bool,
    ) -> Facts {
        let Self { plan, work, outcome, mut seconds, observed } = self;
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
            targets: setup.targets.to_vec(),
            plan_hash: plan.hash().to_owned(),
            source: about.source.clone(),
            notes: about.notes.clone(),
            seed: about.seed,
            planned,
            span_seconds: span,
            sent,
            achieved_ratio: sent as f64 / planned.max(1) as f64 * stretched,
            connections: setup.how.connections as u64,
            timeout_seconds: setup.how.timeout.as_secs_f64(),
            ok: [*setup.judged.ok.start(), *setup.judged.ok.end()],
            pacer,
            interrupted,
            kinds: kinds(ledger, work),
            seconds,
            offered: offered(work),
            sent_by_second: ledger.sent_by_second(),
            slowest: slowest(ledger, work, &observed),
            inside: observed.told,
            windows: outcome.windows,
        }
    }
}

fn kinds(ledger: &Ledger, work: &Work) -> Vec<KindRow> {
    let first = work.first_failures();
    let first_of = |reason| first.get(reason).copied().unwrap_or_default().as_secs_f64();
    let kind = |(row, clean)| {
        let Row { label, counts, response, service, service_mean, lag, reasons } = row;
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
            service_mean_seconds: service_mean,
            clean,
            reasons: reasons.into_iter().map(failures).collect(),
        }
    };
    ledger.rows().into_iter().zip(ledger.clean()).map(kind).collect()
}

fn slowest(ledger: &Ledger, work: &Work, observed: &Observed) -> Vec<SlowRow> {
    let row = |slow: &crate::engine::Slow| {
        let label = &work.labels()[slow.label];
        SlowRow::new(slow, label, work.trace(slow.index), &observed.found)
    };
    ledger.slowest().all().iter().map(row).collect()
}
