//! What the laws say at run time: numbers that must be zero, or small and explained.

use std::sync::OnceLock;

use metrics::{Counter, Gauge};

struct Handles {
    ambiguous: Gauge,
    stranded: Gauge,
    residual: Gauge,
    fold_lag: Gauge,
    stale: Counter,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

pub(super) fn register() {
    let gauge = |name: &'static str, help: &'static str| {
        metrics::describe_gauge!(name, help);
        let gauge = metrics::gauge!(name);
        gauge.set(0.0);
        gauge
    };
    HANDLES.get_or_init(|| Handles {
        ambiguous: gauge(
            "ambiguous_messages",
            "Messages whose delivery's answer was lost and is not yet known.",
        ),
        stranded: gauge("stranded_rows", "Rows found below a floor; must be zero."),
        residual: gauge(
            "conservation_residual_messages",
            "Expected messages less all of their fates, as last counted; must be zero.",
        ),
        fold_lag: gauge("fold_lag_seconds", "Age of the oldest change of a count not yet folded."),
        stale: {
            let name = "stale_completions_total";
            metrics::describe_counter!(name, "Completions that came after their lease was lost.");
            let counter = metrics::counter!(name);
            counter.increment(0);
            counter
        },
    });
}

/// States how many messages are ambiguous now.
pub(crate) fn ambiguous(messages: u64) {
    set(|handles| &handles.ambiguous, messages as f64);
}

/// States how many rows the last sweep found below a floor.
pub(crate) fn stranded(rows: u64) {
    set(|handles| &handles.stranded, rows as f64);
}

/// States what the last check of conservation left over.
pub(crate) fn residual(messages: i64) {
    set(|handles| &handles.residual, messages as f64);
}

/// States how old the oldest unfolded change of a count is.
pub(crate) fn fold_lag(age: std::time::Duration) {
    set(|handles| &handles.fold_lag, age.as_secs_f64());
}

/// Counts completions that a lost lease made void.
pub(crate) fn stale(n: u64) {
    if let Some(handles) = HANDLES.get() {
        handles.stale.increment(n);
    }
}

fn set(which: impl Fn(&Handles) -> &Gauge, value: f64) {
    if let Some(handles) = HANDLES.get() {
        which(handles).set(value);
    }
}
