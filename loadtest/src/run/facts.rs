//! What a run was and what was measured: one value, shown as text and as JSON.
//!
//! Never here: how it looks (`text`), or what it is worth (`verdict`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::verdict::{Thresholds, Verdict};
use crate::engine::Window;
use crate::engine::ledger::{CleanRow, Counts, Quantiles};
use crate::engine::machine::Second;

/// The JSON's shape; the number rises when a reader of the old one would go wrong.
pub const SCHEMA: &str = "punctual-loadtest-run/1";

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

/// A kind of request.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// The requests of seconds that nothing spoilt: what is judged.
    pub clean: CleanRow,
    /// Failures by reason.
    pub reasons: BTreeMap<&'static str, Failures>,
}

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Failures {
    /// How often.
    pub count: u64,
    /// The first intended start at which it was seen.
    pub first_seconds: f64,
}

/// All that is written as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document<'a> {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What it is worth.
    pub verdict: &'a Verdict,
    /// By which thresholds.
    pub thresholds: &'a Thresholds,
    /// What was measured.
    pub run: &'a Facts,
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
