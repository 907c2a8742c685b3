//! The exact counters behind every objective: how many events counted, how many were good, and
//! the numbers they are held against. Exact whatever the buckets of the histograms are.

use contract::Family;
use metrics::Counter;

use super::family;

/// What is to be counted and against which numbers.
pub(super) struct Objective {
    /// Counts all events.
    pub(super) all: Family,
    /// Counts the good ones.
    pub(super) good: Family,
    /// The label that says which row it is.
    pub(super) label: &'static str,
    /// The row's name.
    pub(super) value: &'static str,
    /// Which of the row's objectives.
    pub(super) slo: &'static str,
    /// Good below this, for latencies.
    pub(super) threshold_ms: Option<u32>,
    /// The share that must be good.
    pub(super) ratio: f64,
}

/// The two counters of one objective.
pub(super) struct Slo {
    all: Counter,
    good: Counter,
}

impl Slo {
    /// Registers the counters at zero and states the objective.
    pub(super) fn register(objective: &Objective) -> Self {
        let &Objective { all, good, label, value, slo, threshold_ms, ratio } = objective;
        let labels = [(label, value), ("slo", slo)];
        family::gauge(Family::SloObjective, labels).set(ratio);
        if let Some(ms) = threshold_ms {
            family::gauge(Family::SloLatencyThreshold, labels).set(f64::from(ms) / 1e3);
        }
        Self { all: family::counter(all, labels), good: family::counter(good, labels) }
    }

    /// Counts events that were all good or all not.
    pub(super) fn count(&self, n: u64, are_good: bool) {
        self.all.increment(n);
        if are_good {
            self.good.increment(n);
        }
    }
}
