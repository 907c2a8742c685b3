//! What a replay found out so far, and the report made of it, also when it was cut short.
//!
//! Never here: how the report looks (`report`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use contract::{Endpoint, Journey, Pool, Stage};
use jiff::Timestamp;
use stack::provider::State;

use super::Settings;
use super::calibrate::Speed;
use super::live::Live;
use super::target::Target;
use super::watch::{Seen, journey_of};
use crate::day::Plan;
use crate::engine::attack::Outcome;
use crate::engine::{Ledger, Row, Source, Window};
use crate::laws::{Check, verdicts};
use crate::report::outside::offered;
use crate::report::slow::SlowRow;
use crate::report::{
    Day, Ended, EndpointRow, Import, PoolRow, Report, Run, SCHEMA, Series, ServerRow, StageRow,
};
use crate::scrape::{Buckets, Metrics};

/// Everything that a report is made of.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) speed: Speed,
    pub(super) import: Import,
    pub(super) day: Day,
    pub(super) began: Option<Timestamp>,
    pub(super) ledger: Option<Arc<Ledger>>,
    pub(super) live: Option<Arc<Live>>,
    windows: Vec<Window>,
    pub(super) seen: Seen,
    /// Texts that the provider had accepted before the day.
    pub(super) texts_before: u64,
    pub(super) before: Metrics,
    pub(super) after: Metrics,
    pub(super) checks: Vec<Check>,
    pub(super) faults: BTreeMap<String, u64>,
    /// Whether the harness could write all that it was to leave behind.
    is_whole: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            speed: Speed { speed: 0.0, reason: "not chosen yet".to_owned() },
            import: Import::default(),
            day: Day::default(),
            began: None,
            ledger: None,
            live: None,
            windows: Vec::new(),
            seen: Seen::default(),
            texts_before: 0,
            before: Metrics::default(),
            after: Metrics::default(),
            checks: Vec::new(),
            faults: BTreeMap::new(),
            is_whole: true,
        }
    }
}

impl Facts {
    pub(super) fn outcome(&mut self, outcome: Outcome) {
        if let Some(failed) = &outcome.failed {
            // It writes its report last; a disk that is full must not cost the numbers.
            complain!("loadtest: {failed}");
        }
        self.is_whole = outcome.failed.is_none() && outcome.is_logged;
        self.windows = outcome.windows;
        self.ledger = Some(outcome.ledger);
    }

    /// What the provider did wrong on purpose during the day.
    pub(super) fn provider_did(&mut self, before: &State, after: &State) {
        let mut add = |name: &str, before: u64, after: u64| {
            if after > before {
                self.faults.insert(name.to_owned(), after - before);
            }
        };
        for (status, n) in after.answered.iter().filter(|(status, _)| **status >= 400) {
            add(&format!("answered {status}"), before.answered_with(*status), *n);
        }
        add("left hanging", before.hung, after.hung);
        add("connections reset", before.reset, after.reset);
        add("callbacks sent twice", before.callbacks.duplicates, after.callbacks.duplicates);
        add("callbacks given up", before.callbacks.given_up, after.callbacks.given_up);
    }

    /// True when the day was done and every law held.
    pub(super) fn all_held(&self) -> bool {
        !self.day.undrained && verdicts(&self.checks).iter().all(|verdict| verdict.passed)
    }

    pub(super) fn report(
        self,
        plan: &Plan,
        target: &Target,
        settings: &Settings,
        ended: Ended,
    ) -> Report {
        let rows = self.ledger.as_ref().map(|ledger| ledger.rows()).unwrap_or_default();
        let (before, after) = (&self.before, &self.after);
        Report {
            schema: SCHEMA,
            ended,
            run: self.run(plan, target, settings),
            import: self.import,
            day: self.day,
            journeys: journeys(after, before),
            stages: stages(after, before),
            pools: pools(after, before),
            // A run that was cut short is not judged.
            laws: match ended {
                Ended::Passed | Ended::Failed => verdicts(&self.checks),
                Ended::Interrupted => Vec::new(),
            },
            processes: self.seen.processes(),
            series: self.series(),
            slowest: self.slowest(),
            inside: self.seen.observed.told,
            endpoints: rows.into_iter().map(endpoint).collect(),
            faults: self.faults,
            is_whole: self.is_whole,
        }
    }

    fn series(&self) -> Series {
        let of_memory = |(name, samples): (&String, &Vec<(f64, u64, f64)>)| {
            (name.clone(), samples.iter().map(|(at, bytes, _)| (*at, *bytes)).collect())
        };
        Series {
            accepted: every_second(&self.seen.accepted),
            windows: self.windows.clone(),
            offered: self.live.as_ref().map(|live| offered(&**live)).unwrap_or_default(),
            sent: self.ledger.as_ref().map(|ledger| ledger.sent_by_second()).unwrap_or_default(),
            seconds: self.seen.seconds.clone(),
            memory: self.seen.usage.iter().map(of_memory).collect(),
        }
    }

    fn slowest(&self) -> Vec<SlowRow> {
        let (Some(ledger), Some(live)) = (&self.ledger, &self.live) else { return Vec::new() };
        let row = |slow: &crate::engine::Slow| {
            let label = &live.labels()[slow.label];
            SlowRow::new(slow, label, live.trace(slow.index), &self.seen.observed.found)
        };
        ledger.slowest().all().iter().map(row).collect()
    }

    fn run(&self, plan: &Plan, target: &Target, settings: &Settings) -> Run {
        let (counts, promise) = (plan.counts(), plan.promise());
        Run {
            started_at: self.began.unwrap_or_else(Timestamp::now).to_string(),
            plan_hash: plan.hash().to_owned(),
            seed: plan.seed(),
            source: settings.source.clone(),
            left_out: settings.left_out.clone(),
            day: plan.day().to_string(),
            practices: counts.practices,
            messages_planned: promise.messages_min,
            arrivals_planned: counts.arrivals,
            speed: self.speed.speed,
            speed_reason: self.speed.reason.clone(),
            users: settings.users as u64,
            processes: target.public.len() as u64,
            processors: available_parallelism().map_or(0, |n| n.get() as u64),
        }
    }
}

fn endpoint(row: Row) -> EndpointRow {
    let Row { label, counts, response, service, service_mean: _, lag, reasons } = row;
    let tier = Endpoint::from_name(label.name).map_or("", |e| e.spec().tier.name());
    let good_share = if counts.total == 0 { 1.0 } else { counts.good as f64 / counts.total as f64 };
    EndpointRow {
        name: label.name,
        tier,
        objective_seconds: label.objective.as_secs_f64(),
        objective_share: label.share,
        good_share,
        met: good_share >= label.share,
        counts,
        response,
        service,
        lag,
        reasons,
    }
}

/// The critical paths, and the callbacks, whose requests are the provider's.
fn journeys(after: &Metrics, before: &Metrics) -> Vec<ServerRow> {
    let of_journey = |journey: &Journey| {
        let spec = journey.spec();
        let buckets = journey_of(*journey, after, before);
        server_row(journey.name(), spec.latency_ms, spec.objective, &buckets)
    };
    let of_callback = |endpoint: Endpoint| {
        let spec = endpoint.spec();
        let labels = [("http_route", endpoint.name())];
        let family = "http_server_request_duration_seconds";
        let buckets = after.buckets(family, &labels).since(&before.buckets(family, &labels));
        server_row(endpoint.name(), spec.latency_ms, spec.latency_objective, &buckets)
    };
    let callbacks = [Endpoint::ReceiveStatus, Endpoint::ReceiveReply];
    Journey::ALL.iter().map(of_journey).chain(callbacks.map(of_callback)).collect()
}

fn server_row(name: &'static str, latency_ms: u32, share: f64, buckets: &Buckets) -> ServerRow {
    let objective = Duration::from_millis(u64::from(latency_ms)).as_secs_f64();
    ServerRow {
        name,
        objective_seconds: objective,
        objective_share: share,
        good_share: buckets.share_within(objective),
        count: buckets.count(),
        p50_seconds: buckets.quantile(0.5),
        p99_seconds: buckets.quantile(0.99),
    }
}

fn stages(after: &Metrics, before: &Metrics) -> Vec<StageRow> {
    let of_stage = |stage: &Stage| {
        let labels = [("stage", stage.name())];
        let buckets =
            |family| after.buckets(family, &labels).since(&before.buckets(family, &labels));
        let sum = |family| (after.sum(family, &labels) - before.sum(family, &labels)).max(0.0);
        let durations = buckets("stage_duration_seconds");
        StageRow {
            name: stage.name(),
            batches: durations.count(),
            items: sum("stage_items_total") as u64,
            failures: sum("stage_failures_total") as u64,
            duration_p99_seconds: durations.quantile(0.99),
            lateness_p99_seconds: buckets("stage_lateness_seconds").quantile(0.99),
            lateness_objective_seconds: f64::from(stage.spec().lateness_ms) / 1e3,
        }
    };
    Stage::ALL.iter().map(of_stage).collect()
}

/// A connection that is free is had in less.
const FREE_WITHIN_SECONDS: f64 = 0.001;

fn pools(after: &Metrics, before: &Metrics) -> Vec<PoolRow> {
    let of_pool = |pool: &Pool| {
        let labels = [("pool", pool.name())];
        let family = "db_client_connections_wait_time_seconds";
        let waits = after.buckets(family, &labels).since(&before.buckets(family, &labels));
        PoolRow {
            name: pool.name(),
            waits: waits.count(),
            wait_p99_seconds: waits.quantile(0.99),
            waited_share: waits.share_within(FREE_WITHIN_SECONDS).map(|free| 1.0 - free),
        }
    };
    Pool::ALL.iter().map(of_pool).collect()
}

/// One point a second: a finer rate is noise.
fn every_second(points: &[(f64, u64)]) -> Vec<(f64, u64)> {
    let mut kept: Vec<(f64, u64)> = Vec::new();
    for point in points {
        if kept.last().is_none_or(|last| point.0 - last.0 >= 0.99) {
            kept.push(*point);
        }
    }
    kept
}
