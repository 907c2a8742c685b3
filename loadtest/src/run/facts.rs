//! What a run was and what was measured: one value, shown as text and as JSON.
//!
//! Never here: how it looks (`text`), or what it is worth (`verdict`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::{Thresholds, Verdict};
use crate::engine::Window;
use crate::engine::ledger::{CleanRow, Counts, Quantiles};
use crate::engine::machine::Second;
use crate::inside::Told;
use crate::report::slow::SlowRow;

/// The JSON's shape; the number rises when a reader of the old one would go wrong.
pub const SCHEMA: &str = "punctual-loadtest-run/1";

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Facts {
    /// When it began, RFC 3339.
    pub started_at: String,
    /// Where it was sent.
    pub targets: Vec<String>,
    /// The plan's hash: two runs with the same one had the same work.
    pub plan_hash: String,
    /// Where the plan comes from.
    pub source: String,
    /// What of its source was left out or changed.
    pub notes: Vec<String>,
    /// The seed, where anything was left to chance.
    pub seed: Option<u64>,
    /// Requests of the plan.
    pub planned: u64,
    /// The schedule's length.
    pub span_seconds: f64,
    /// Requests that were sent.
    pub sent: u64,
    /// Achieved rate over offered rate.
    pub achieved_ratio: f64,
    /// Connections of the harness.
    pub connections: u64,
    /// An answer was waited for so long.
    pub timeout_seconds: f64,
    /// Statuses of good answers, from and to.
    pub ok: [u16; 2],
    /// How intended starts were waited for.
    pub pacer: &'static str,
    /// True when it was stopped before its end.
    pub interrupted: bool,
    /// Each kind of request.
    pub kinds: Vec<KindRow>,
    /// What the machine did, second by second.
    pub seconds: Vec<Second>,
    /// What was measured, second by second; rows are in the order of the kinds.
    pub windows: Vec<Window>,
    /// Requests that were to leave in each second.
    pub offered: Vec<u64>,
    /// Requests that left in each second.
    pub sent_by_second: Vec<u64>,
    /// What the service said of itself.
    pub inside: Told,
    /// The slowest requests of each kind.
    pub slowest: Vec<SlowRow>,
}

/// A kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KindRow {
    /// Its name.
    pub name: &'static str,
    /// The objective in seconds, from the intended start.
    pub objective_seconds: f64,
    /// The share that must meet it.
    pub objective_share: f64,
    /// Exact counts of all requests.
    pub counts: Counts,
    /// From the intended start to the last byte.
    pub response: Quantiles,
    /// From the first byte sent to the last byte.
    pub service: Quantiles,
    /// From the intended start to the first byte sent.
    pub lag: Quantiles,
    /// Mean of the service's time, in seconds: with the throughput it gives the requests at work.
    pub service_mean_seconds: f64,
    /// The requests of seconds that nothing spoilt: what is judged.
    pub clean: CleanRow,
    /// Failures by reason.
    pub reasons: BTreeMap<&'static str, Failures>,
}

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Failures {
    /// How often.
    pub count: u64,
    /// The first intended start at which it was seen.
    pub first_seconds: f64,
}

/// All that is written as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Document<'a> {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// What it is worth.
    pub verdict: &'a Verdict,
    /// By which thresholds.
    pub thresholds: &'a Thresholds,
    /// What was measured.
    pub run: &'a Facts,
}

impl Facts {
    /// Requests to which no connection was made.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.counts.refused).sum()
    }

    /// The rate at which the harness sent or found no connection, over the offered one: its own
    /// part of the achieved rate.
    #[must_use]
    pub fn tried_ratio(&self) -> f64 {
        let refused = self.refused() as f64;
        if self.sent == 0 {
            return refused / self.planned.max(1) as f64;
        }
        self.achieved_ratio * (1.0 + refused / self.sent as f64)
    }

    /// The share of seconds that the machine spoilt.
    #[must_use]
    pub fn spoilt_share(&self) -> f64 {
        let spoilt = self.seconds.iter().filter(|second| second.spoilt.is_some()).count();
        spoilt as f64 / self.seconds.len().max(1) as f64
    }
}

impl KindRow {
    /// The share of clean requests that met the objective.
    #[must_use]
    pub fn good_share(&self) -> f64 {
        if self.clean.total == 0 {
            return 1.0;
        }
        self.clean.good as f64 / self.clean.total as f64
    }

    /// Whether that is enough.
    #[must_use]
    pub fn met(&self) -> bool {
        self.good_share() >= self.objective_share
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::sample;
    use super::*;
    use crate::report::schema;
    use crate::run::verdict;

    /// Whoever reads the JSON reads it by this.
    #[test]
    fn the_json_is_as_it_is_written_down() {
        let (run, thresholds) = (sample::facts(), sample::THRESHOLDS);
        let verdict = verdict::judge(&run, &thresholds);
        let (verdict, thresholds) = (&verdict, &thresholds);
        let sample = Document { schema: SCHEMA, verdict, thresholds, run: &run };
        schema::check(expect_file!["../../../docs/run.schema.json"], &[sample]);
    }
}
