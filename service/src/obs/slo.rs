//! The exact counters behind every objective: how many events counted, how many were good, and
//! the numbers they are held against. Exact whatever the buckets of the histograms are.

use contract::Family;

use super::readable::{Count, Level};

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

/// How many events counted for an objective, and how many were good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// All of them.
    pub(crate) all: u64,
    /// Those within the objective.
    pub(crate) good: u64,
}

/// The two counters of one objective.
pub(super) struct Slo {
    all: Count,
    good: Count,
}

impl Slo {
    /// Registers the counters at zero and states the objective.
    pub(super) fn register(objective: &Objective) -> Self {
        let &Objective { all, good, label, value, slo, threshold_ms, ratio } = objective;
        let labels = [(label, value), ("slo", slo)];
        Level::register(Family::SloObjective, labels).set(ratio);
        if let Some(ms) = threshold_ms {
            Level::register(Family::SloLatencyThreshold, labels).set(f64::from(ms) / 1e3);
        }
        Self { all: Count::register(all, labels), good: Count::register(good, labels) }
    }

    /// What was counted since the process started. Of two reads that race with an event, the good
    /// ones are read first, so that they are never more than all.
    pub(super) fn read(&self) -> Judged {
        let good = self.good.get();
        Judged { all: self.all.get(), good }
    }

    /// Counts events that were all good or all not.
    pub(super) fn count(&self, n: u64, are_good: bool) {
        self.all.increment(n);
        if are_good {
            self.good.increment(n);
        }
    }
}
