//! The books: for each kind of request, three histograms and exact counts.
//!
//! - *response*: from the intended start to the last byte of the answer, what a person waits;
//! - *service*: from the first byte sent to the last byte of the answer;
//! - *lag*: from the intended start to the first byte sent, what the harness and a full set of
//!   connections add.
//!
//! A request without an answer counts as a miss at the age that it had at the end. Nothing is
//! corrected afterwards: what was intended is recorded, so nothing is omitted.
//!
//! Never here: percentiles of percentiles, or an average over different requests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use super::source::Label;
use super::windows::WindowRow;

/// Longest latency told apart, in microseconds: ten minutes, beyond any deadline.
const MICROS_MAX: u64 = 600_000_000;
/// Significant digits kept: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Answered as it should be.
    Good,
    /// Answered wrongly, or given up, for this reason.
    Failed(&'static str),
    /// Sent, and not answered when the run ended.
    Unanswered,
    /// Due, and not sent when the run ended.
    Unsent,
}

/// The instants of one request.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When it was to leave.
    pub intended: Instant,
    /// When it left, unless it never did.
    pub sent: Option<Instant>,
    /// When its last byte came, or the run ended.
    pub ended: Instant,
    /// How often it was sent beyond the first time.
    pub again: u64,
}

/// Exact counts of one kind of request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All that were due.
    pub total: u64,
    /// Answered as they should be and within the objective.
    pub good: u64,
    /// Answered wrongly or given up.
    pub failed: u64,
    /// Sent, not answered at the end.
    pub unanswered: u64,
    /// Due, not sent at the end.
    pub unsent: u64,
    /// Sendings beyond the first.
    pub again: u64,
}

/// The usual points of a distribution, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half are below.
    pub p50: f64,
    /// Nine in ten are below.
    pub p90: f64,
    /// Ninety-nine in a hundred are below.
    pub p99: f64,
    /// 999 in a thousand are below.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// What is known of one kind of request.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The kind.
    pub label: Label,
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

/// The books of a run.
#[derive(Debug)]
pub struct Ledger {
    labels: Vec<Label>,
    cells: Vec<Mutex<Cell>>,
}

#[derive(Debug)]
struct Cell {
    counts: Counts,
    response: Histogram<u64>,
    service: Histogram<u64>,
    lag: Histogram<u64>,
    /// Responses since the last window was closed.
    window: Histogram<u64>,
    window_good: u64,
    reasons: BTreeMap<&'static str, u64>,
}

impl Ledger {
    /// Empty books for these kinds of requests.
    #[must_use]
    pub fn new(labels: &[Label]) -> Self {
        let cells = labels.iter().map(|_| Mutex::new(Cell::new())).collect();
        Self { labels: labels.to_vec(), cells }
    }

    /// Enters one request.
    pub fn record(&self, label: usize, times: &Times, ending: Ending) {
        let objective = self.labels[label].objective;
        self.cell(label).record(times, ending, objective);
    }

    /// What is known of every kind so far.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        (0..self.labels.len()).map(|i| self.cell(i).row(self.labels[i])).collect()
    }

    /// Closes the window that is open and opens the next.
    pub fn close_window(&self) -> Vec<WindowRow> {
        (0..self.labels.len()).map(|i| self.cell(i).close_window()).collect()
    }

    /// The worst of the critical kinds so far: its p99 in seconds as a share of its objective.
    #[must_use]
    pub fn worst_critical(&self) -> Option<(Label, f64)> {
        let p99 = |i: usize| seconds(self.cell(i).response.value_at_quantile(0.99));
        let share = |(label, p99): &(Label, f64)| p99 / label.objective.as_secs_f64();
        (0..self.labels.len())
            .filter(|&i| self.labels[i].critical && self.cell(i).counts.total > 0)
            .map(|i| (self.labels[i], p99(i)))
            .max_by(|a, b| share(a).total_cmp(&share(b)))
    }

    fn cell(&self, label: usize) -> MutexGuard<'_, Cell> {
        // A panic elsewhere can't leave a cell half written: recording does not panic.
        self.cells[label].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cell {
    fn new() -> Self {
        Self {
            counts: Counts::default(),
            response: histogram(),
            service: histogram(),
            lag: histogram(),
            window: histogram(),
            window_good: 0,
            reasons: BTreeMap::new(),
        }
    }

    fn record(&mut self, times: &Times, ending: Ending, objective: Duration) {
        let response = times.ended.saturating_duration_since(times.intended);
        self.response.saturating_record(micros(response));
        self.window.saturating_record(micros(response));
        // What was never sent has waited all its life, and has no service time.
        let sent = times.sent.unwrap_or(times.ended);
        self.lag.saturating_record(micros(sent.saturating_duration_since(times.intended)));
        if let Some(sent) = times.sent {
            self.service.saturating_record(micros(times.ended.saturating_duration_since(sent)));
        }
        self.counts.total += 1;
        self.counts.again += times.again;
        match ending {
            Ending::Good if response <= objective => {
                self.counts.good += 1;
                self.window_good += 1;
            }
            Ending::Good => {}
            Ending::Failed(reason) => {
                self.counts.failed += 1;
                *self.reasons.entry(reason).or_default() += 1;
            }
            Ending::Unanswered => self.counts.unanswered += 1,
            Ending::Unsent => self.counts.unsent += 1,
        }
    }

    fn row(&self, label: Label) -> Row {
        Row {
            label,
            counts: self.counts,
            response: quantiles(&self.response),
            service: quantiles(&self.service),
            lag: quantiles(&self.lag),
            reasons: self.reasons.clone(),
        }
    }

    fn close_window(&mut self) -> WindowRow {
        let row = WindowRow {
            count: self.window.len(),
            good: self.window_good,
            p50_seconds: seconds(self.window.value_at_quantile(0.5)),
            p99_seconds: seconds(self.window.value_at_quantile(0.99)),
            max_seconds: seconds(self.window.max()),
        };
        self.window.reset();
        self.window_good = 0;
        row
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("the bounds are constants that fit")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let at = |q| seconds(histogram.value_at_quantile(q));
    Quantiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: seconds(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> Label {
        Label {
            name: "read_appointment",
            method: "GET",
            objective: Duration::from_millis(250),
            share: 0.99,
            critical: true,
        }
    }

    fn times(start: Instant, sent_ms: Option<u64>, ended_ms: u64) -> Times {
        let at = |ms| start + Duration::from_millis(ms);
        Times { intended: start, sent: sent_ms.map(at), ended: at(ended_ms), again: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_is_in_the_books_once() {
        let start = Instant::now();
        let ledger = Ledger::new(&[label()]);
        ledger.record(0, &times(start, Some(10), 110), Ending::Good);
        ledger.record(0, &times(start, Some(200), 300), Ending::Good);
        ledger.record(0, &times(start, Some(0), 20), Ending::Failed("503"));
        ledger.record(0, &times(start, Some(0), 1_000), Ending::Unanswered);
        ledger.record(0, &times(start, None, 2_000), Ending::Unsent);
        let row = ledger.rows().remove(0);
        let expected = Counts { total: 5, good: 1, failed: 1, unanswered: 1, unsent: 1, again: 0 };
        assert_eq!(row.counts, expected);
        assert_eq!(row.reasons, BTreeMap::from([("503", 1)]));
        let near = |a: f64, b: f64| (a - b).abs() <= b * 0.001 + 1e-6;
        assert!(near(row.response.max, 2.0), "{:?}", row.response);
        assert!(near(row.response.p50, 0.3), "{:?}", row.response);
        // The one that never left waited its whole life and had no service.
        assert!(near(row.lag.max, 2.0) && near(row.service.max, 1.0), "{row:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_holds_what_came_since_the_last() {
        let start = Instant::now();
        let ledger = Ledger::new(&[label()]);
        ledger.record(0, &times(start, Some(0), 100), Ending::Good);
        let first = ledger.close_window().remove(0);
        assert_eq!((first.count, first.good), (1, 1));
        let second = ledger.close_window().remove(0);
        assert_eq!((second.count, second.good, second.max_seconds), (0, 0, 0.0));
        assert_eq!(ledger.rows()[0].counts.total, 1);
    }
}
