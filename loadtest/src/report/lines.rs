//! Lines for a terminal.
//!
//! Never here: what stands in them (`terminal`, `run::text`, `hlog::compare`), numbers (`units`).

use super::units::latency;
use crate::engine::ledger::Quantiles;

/// Cells under `p50 p90 p99 p99.9 max`.
pub(crate) fn quantiles(q: &Quantiles) -> String {
    let text = |seconds| format!("{:>9}", latency(seconds));
    [q.p50, q.p90, q.p99, q.p999, q.max].map(text).join(" ")
}

/// Adds a line, without the spaces that a last column leaves.
pub(crate) fn put(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}
