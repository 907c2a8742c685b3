//! The exact counters behind every objective: how many events counted, how many were good, and
//! the numbers they are held against. Exact whatever the buckets of the histograms are.

use metrics::Counter;

/// What is to be counted and against which numbers.
pub(super) struct Objective {
    /// `slo_<family>_total` and `slo_good_<family>_total`.
    pub(super) family: &'static str,
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
        let &Objective { family, label, value, slo, threshold_ms, ratio } = objective;
        let labels = || vec![metrics::Label::new(label, value), metrics::Label::new("slo", slo)];
        metrics::describe_gauge!("slo_objective_ratio", "The share of events that must be good.");
        metrics::gauge!("slo_objective_ratio", labels()).set(ratio);
        if let Some(ms) = threshold_ms {
            metrics::describe_gauge!(
                "slo_latency_threshold_seconds",
                metrics::Unit::Seconds,
                "An event is good when it took no longer."
            );
            metrics::gauge!("slo_latency_threshold_seconds", labels()).set(f64::from(ms) / 1e3);
        }
        let (all, good) = (format!("slo_{family}_total"), format!("slo_good_{family}_total"));
        metrics::describe_counter!(all.clone(), "Events that count for an objective.");
        metrics::describe_counter!(good.clone(), "Events that were good.");
        let this =
            Self { all: metrics::counter!(all, labels()), good: metrics::counter!(good, labels()) };
        this.all.increment(0);
        this.good.increment(0);
        this
    }

    /// Counts events that were all good or all not.
    pub(super) fn count(&self, n: u64, are_good: bool) {
        self.all.increment(n);
        if are_good {
            self.good.increment(n);
        }
    }
}
