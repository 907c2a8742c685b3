//! What a run is reported as: one value, shown as text, as a page and as JSON.
//!
//! Belongs here: the facts and their shape. Never here: how they came about (`replay`, `laws`),
//! or a judgement that is not in the facts.

pub mod chart;
pub mod files;
pub mod junit;
pub(crate) mod lines;
pub mod markdown;
pub mod of_day;
pub mod outside;
pub mod page;
pub mod plain;
#[cfg(test)]
pub(crate) mod schema;
pub mod sheet;
pub mod slow;
pub mod terminal;
pub mod units;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::Window;
use crate::engine::ledger::{Counts, Quantiles};
use crate::engine::machine::Second;
use crate::inside::Told;
use crate::laws::Verdict;
use slow::SlowRow;

/// The JSON's shape; the number rises when a reader of the old one would go wrong.
pub const SCHEMA: &str = "punctual-loadtest-report/2";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Every law held, with enough cases.
    Passed,
    /// A law was broken, or had too few cases.
    Failed,
    /// Stopped before its end: nothing is judged.
    Interrupted,
}

/// A run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Report {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// How it ended.
    pub ended: Ended,
    /// What was run.
    pub run: Run,
    /// What was booked before the day.
    pub import: Import,
    /// The day itself.
    pub day: Day,
    /// What the harness measured of each endpoint, from the intended start.
    pub endpoints: Vec<EndpointRow>,
    /// What the service measured of the critical paths and of the callbacks.
    pub journeys: Vec<ServerRow>,
    /// What the service measured of its stages.
    pub stages: Vec<StageRow>,
    /// How long was waited for connections, as the service measured it.
    pub pools: Vec<PoolRow>,
    /// The laws.
    pub laws: Vec<Verdict>,
    /// Faults that the provider made, and what else went wrong on purpose.
    pub faults: BTreeMap<String, u64>,
    /// What each process used.
    pub processes: Vec<ProcessRow>,
    /// The run second by second.
    pub series: Series,
    /// What the service said of itself.
    pub inside: Told,
    /// The slowest requests of each endpoint.
    pub slowest: Vec<SlowRow>,
    /// Whether the interval logs and goose's report could be written.
    #[serde(skip)]
    pub is_whole: bool,
}

/// What was run.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Run {
    /// When the replay began, RFC 3339.
    pub started_at: String,
    /// The plan's hash: two runs with the same one did the same.
    pub plan_hash: String,
    /// The seed.
    pub seed: u64,
    /// Where clinics and patients come from.
    pub source: String,
    /// Rows of the source that were left out, with the reason.
    pub left_out: Vec<String>,
    /// The replayed day.
    pub day: String,
    /// Practices.
    pub practices: u64,
    /// Texts that the plan promises for the day.
    pub messages_planned: u64,
    /// Requests of the day, callbacks apart.
    pub arrivals_planned: u64,
    /// Domain seconds a real second.
    pub speed: f64,
    /// Who chose the speed, and why.
    pub speed_reason: String,
    /// Connections of the harness.
    pub users: u64,
    /// Processes of the service.
    pub processes: u64,
    /// Logical processors of the machine.
    pub processors: u64,
}

/// What was booked before the day.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
pub struct Import {
    /// Appointments stored.
    pub appointments: u64,
    /// Appointments that the service refused.
    pub rejected: u64,
    /// Requests.
    pub requests: u64,
    /// Requests that were sent again after 503 or a broken connection.
    pub again: u64,
    /// How long it took.
    pub seconds: f64,
}

/// The day itself.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
pub struct Day {
    /// Texts that the provider accepted.
    pub accepted: u64,
    /// From the first arrival to the last text accepted, callbacks answered and counts folded.
    pub seconds: f64,
    /// Of these, from the last arrival's intended start on.
    pub drain_seconds: f64,
    /// True when something was still to be done at the deadline.
    pub undrained: bool,
}

/// An endpoint as the harness saw it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EndpointRow {
    /// Its name in the contract.
    pub name: &'static str,
    /// How much it matters.
    pub tier: &'static str,
    /// The objective in seconds, from the intended start.
    pub objective_seconds: f64,
    /// The share that must meet it.
    pub objective_share: f64,
    /// The share that met it.
    pub good_share: f64,
    /// Whether that is enough.
    pub met: bool,
    /// Exact counts.
    pub counts: Counts,
    /// From the intended start to the last byte.
    pub response: Quantiles,
    /// From the first byte sent to the last byte.
    pub service: Quantiles,
    /// From the intended start to the first byte sent.
    pub lag: Quantiles,
    /// Failures by reason.
    pub reasons: BTreeMap<&'static str, u64>,
}

/// Something that the service measured against an objective.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ServerRow {
    /// The journey's or endpoint's name in the contract.
    pub name: &'static str,
    /// The objective in seconds.
    pub objective_seconds: f64,
    /// The share that must meet it.
    pub objective_share: f64,
    /// The share that met it, if there was any.
    pub good_share: Option<f64>,
    /// How many there were.
    pub count: u64,
    /// Median in seconds, interpolated within a bucket.
    pub p50_seconds: Option<f64>,
    /// 99th percentile in seconds, interpolated within a bucket.
    pub p99_seconds: Option<f64>,
}

/// A stage as the service measured it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StageRow {
    /// Its name in the contract.
    pub name: &'static str,
    /// Batches.
    pub batches: u64,
    /// Items.
    pub items: u64,
    /// Failures.
    pub failures: u64,
    /// 99th percentile of a batch's duration in seconds.
    pub duration_p99_seconds: Option<f64>,
    /// 99th percentile of the lateness in seconds.
    pub lateness_p99_seconds: Option<f64>,
    /// The lateness objective in seconds.
    pub lateness_objective_seconds: f64,
}

/// Waits for a pool's connections as the service measured them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PoolRow {
    /// Its name in the contract.
    pub name: &'static str,
    /// Waits, also those that ended without a connection.
    pub waits: u64,
    /// 99th percentile of a wait in seconds.
    pub wait_p99_seconds: Option<f64>,
    /// The share of them that took longer than a millisecond: what is free is had in less.
    pub waited_share: Option<f64>,
}

/// What a process used from the replay's start to its end.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProcessRow {
    /// Which.
    pub name: String,
    /// Processor seconds, its own and the kernel's for it.
    pub cpu_seconds: f64,
    /// The most memory that it held.
    pub memory_max_bytes: u64,
    /// Its memory's mean in each quarter of the replay.
    pub memory_quarters_bytes: [u64; 4],
}

impl ProcessRow {
    /// Mean memory of the last quarter over that of the second: above 1 it grows.
    #[must_use]
    pub fn growth(&self) -> Option<f64> {
        let [_, second, _, last] = self.memory_quarters_bytes;
        (second > 0).then(|| last as f64 / second as f64)
    }
}

/// The run second by second, for the charts.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Series {
    /// Seconds since the replay's start, and texts accepted until then.
    pub accepted: Vec<(f64, u64)>,
    /// What the harness measured; rows are in the order of the endpoints.
    pub windows: Vec<Window>,
    /// Requests that were to leave in each second.
    pub offered: Vec<u64>,
    /// Requests that left in each second.
    pub sent: Vec<u64>,
    /// What the harness's machine did in each second.
    pub seconds: Vec<Second>,
    /// For each process: seconds since the start, and bytes.
    pub memory: BTreeMap<String, Vec<(f64, u64)>>,
}

impl Report {
    /// Texts accepted a second, import apart.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.day.seconds > 0.0 { self.day.accepted as f64 / self.day.seconds } else { 0.0 }
    }
}

#[cfg(test)]
#[path = "report_sample.rs"]
pub(crate) mod sample;

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::{sample, schema};

    #[test]
    fn the_json_is_as_it_is_written_down() {
        schema::check(expect_file!["../../docs/report.schema.json"], &[sample::report()]);
    }
}
