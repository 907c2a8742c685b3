//! The books: for each kind of request, three histograms (`distribution`) and exact counts.
//!
//! A request without an answer counts as a miss at the age that it had at the end.
//!
//! Never here: which requests are left out (`clean`), or a verdict.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

pub use super::clean::CleanRow;
use super::clean::{Clean, Entry};
pub use super::distribution::Quantiles;
use super::distribution::{Triple, micros, seconds};
use super::slowest::Slowest;
use super::source::Label;

/// A chart of more seconds than a week has would show nothing.
const SECONDS_MAX: usize = 7 * 86_400;

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

/// When a request was to leave.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// Its intended start since the run's.
    pub offset: Duration,
    /// Its intended start.
    pub intended: Instant,
    /// When the connection that took it was free for it.
    pub free: Instant,
}

/// The instants of one request.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When it was to leave.
    pub due: Due,
    /// When it left, or was to when no connection was made; none where it was never its turn.
    pub sent: Option<Instant>,
    /// True where no connection was made, so that nothing of it left.
    pub refused: bool,
    /// When its last byte came, or the run ended.
    pub ended: Instant,
    /// How often it was sent beyond the first time.
    pub again: u64,
}

impl Times {
    fn response(&self) -> Duration {
        self.ended.saturating_duration_since(self.due.intended)
    }

    /// None of what never left.
    pub(crate) fn service(&self) -> Option<Duration> {
        let sent = self.sent.filter(|_| !self.refused)?;
        Some(self.ended.saturating_duration_since(sent))
    }

    /// What never had its turn has waited all its life.
    fn lag(&self) -> Duration {
        self.sent.unwrap_or(self.ended).saturating_duration_since(self.due.intended)
    }

    /// The part of the lag in which a connection was free and the harness did not send: its own
    /// fault, where the rest is the wait for a service that holds all connections.
    fn own_lag(&self) -> Duration {
        let could = self.due.intended.max(self.due.free);
        self.sent.map_or(Duration::ZERO, |sent| sent.saturating_duration_since(could))
    }
}

/// Exact counts of one kind of request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// All that were due.
    pub total: u64,
    /// Answered as they should be and within the objective.
    pub good: u64,
    /// Answered wrongly or given up.
    pub failed: u64,
    /// Those of the failed to which no connection was made: nothing of them left.
    pub refused: u64,
    /// Sent, not answered at the end.
    pub unanswered: u64,
    /// Due, not sent at the end.
    pub unsent: u64,
    /// Sendings beyond the first.
    pub again: u64,
}

/// How the requests of one kind ended that ended in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowCounts {
    /// Within the objective.
    pub good: u64,
    /// Answered wrongly, or not at all.
    pub failed: u64,
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
    /// Mean of the service's time, in seconds.
    pub service_mean: f64,
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
    slowest: Slowest,
    total: AtomicU64,
    sent: AtomicU64,
    /// When the last one was sent, in microseconds since the start.
    last_sent: AtomicU64,
}

#[derive(Debug)]
struct Cell {
    counts: Counts,
    all: Triple,
    /// Since the last window was closed.
    window: Triple,
    window_counts: WindowCounts,
    reasons: BTreeMap<&'static str, u64>,
    sent_by_second: Vec<u32>,
    /// Where somebody says which seconds were spoilt.
    clean: Option<Clean>,
}

impl Ledger {
    /// Empty books for these kinds of requests. Clean seconds are kept apart only where somebody
    /// will settle each.
    #[must_use]
    pub fn new(labels: &[Label], settled: bool) -> Self {
        let cells = labels.iter().map(|_| Mutex::new(Cell::new(settled))).collect();
        let [total, sent, last_sent] = [0; 3].map(AtomicU64::new);
        let slowest = Slowest::new(labels.len());
        Self { labels: labels.to_vec(), cells, slowest, total, sent, last_sent }
    }

    /// The kinds of requests.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The slowest requests of each kind.
    #[must_use]
    pub fn slowest(&self) -> &Slowest {
        &self.slowest
    }

    /// How many requests were sent in each second since the start.
    #[must_use]
    pub fn sent_by_second(&self) -> Vec<u64> {
        let mut all: Vec<u64> = Vec::new();
        for label in 0..self.cells.len() {
            let cell = self.cell(label);
            all.resize(all.len().max(cell.sent_by_second.len()), 0);
            for (all, sent) in all.iter_mut().zip(&cell.sent_by_second) {
                *all += u64::from(*sent);
            }
        }
        all
    }

    /// Enters one request.
    pub fn record(&self, label: usize, times: &Times, ending: Ending) {
        let objective = self.labels[label].objective;
        self.cell(label).record(times, ending, objective);
        self.total.fetch_add(1, Ordering::Relaxed);
        if times.sent.is_some() {
            self.sent.fetch_add(u64::from(!times.refused), Ordering::Relaxed);
            self.last_sent.fetch_max(micros(times.due.offset + times.lag()), Ordering::Relaxed);
        }
    }

    /// Requests entered so far, and how many of them were sent.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.total.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// When the last request was sent, since the start.
    #[must_use]
    pub fn last_sent(&self) -> Duration {
        Duration::from_micros(self.last_sent.load(Ordering::Relaxed))
    }

    /// Says whether the next second of intended starts was spoilt.
    pub fn settle_second(&self, spoilt: bool) {
        for label in 0..self.cells.len() {
            if let Some(clean) = &mut self.cell(label).clean {
                clean.settle(spoilt);
            }
        }
    }

    /// What is known of every kind so far.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        (0..self.labels.len()).map(|i| self.cell(i).row(self.labels[i])).collect()
    }

    /// What the clean seconds hold of every kind.
    #[must_use]
    pub fn clean(&self) -> Vec<CleanRow> {
        let row = |label| self.cell(label).clean.as_ref().map(Clean::row).unwrap_or_default();
        (0..self.labels.len()).map(row).collect()
    }

    /// The distributions of every kind so far.
    #[must_use]
    pub fn distributions(&self) -> Vec<Triple> {
        (0..self.labels.len()).map(|i| self.cell(i).all.clone()).collect()
    }

    /// Closes the window that is open and opens the next. What the closed one held is put in place
    /// of `spare`, which is emptied for it; the answer is how many were good and failed, for each
    /// kind.
    pub fn close_window(&self, spare: &mut [Triple]) -> Vec<WindowCounts> {
        let close = |(i, spare): (usize, &mut Triple)| {
            spare.reset();
            self.cell(i).close_window(spare)
        };
        spare.iter_mut().enumerate().map(close).collect()
    }

    /// The worst of the critical kinds so far: its p99 in seconds as a share of its objective.
    #[must_use]
    pub fn worst_critical(&self) -> Option<(Label, f64)> {
        let p99 = |i: usize| seconds(self.cell(i).all.response.value_at_quantile(0.99));
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
    fn new(settled: bool) -> Self {
        Self {
            counts: Counts::default(),
            all: Triple::new(),
            window: Triple::new(),
            window_counts: WindowCounts::default(),
            reasons: BTreeMap::new(),
            sent_by_second: Vec::new(),
            clean: settled.then(Clean::new),
        }
    }

    fn record(&mut self, times: &Times, ending: Ending, objective: Duration) {
        let response = times.response();
        for triple in [&mut self.all, &mut self.window] {
            triple.response.saturating_record(micros(response));
            triple.lag.saturating_record(micros(times.lag()));
            if let Some(service) = times.service() {
                triple.service.saturating_record(micros(service));
            }
        }
        self.counts.total += 1;
        self.counts.again += times.again;
        if times.sent.is_some() && !times.refused {
            self.sent_in((times.due.offset + times.lag()).as_secs());
        }
        let mut good = false;
        match ending {
            Ending::Good => good = response <= objective,
            Ending::Failed(reason) => {
                self.counts.failed += 1;
                self.counts.refused += u64::from(times.refused);
                *self.reasons.entry(reason).or_default() += 1;
            }
            Ending::Unanswered => self.counts.unanswered += 1,
            Ending::Unsent => self.counts.unsent += 1,
        }
        self.counts.good += u64::from(good);
        self.window_counts.good += u64::from(good);
        self.window_counts.failed += u64::from(ending != Ending::Good);
        let Some(clean) = &mut self.clean else { return };
        let missed_by_service = match ending {
            Ending::Good => times.service().is_some_and(|service| service > objective),
            // Whatever its age: the service had it, and gave no answer or a wrong one.
            Ending::Failed(_) | Ending::Unanswered => true,
            // The service never had it.
            Ending::Unsent => false,
        };
        clean.record(Entry {
            second: times.due.offset.as_secs(),
            response: micros(response),
            own_lag: micros(times.own_lag()),
            good,
            missed_by_service,
            // The service was asked: it had the request, or did not take the connection.
            asked: times.sent.is_some(),
            young: ending == Ending::Unanswered
                && times.service().is_none_or(|service| service <= objective),
        });
    }

    fn sent_in(&mut self, second: u64) {
        let second = second as usize;
        if second < SECONDS_MAX {
            let seconds = &mut self.sent_by_second;
            seconds.resize(seconds.len().max(second + 1), 0);
            seconds[second] += 1;
        }
    }

    fn row(&self, label: Label) -> Row {
        Row {
            label,
            counts: self.counts,
            response: Quantiles::of(&self.all.response),
            service: Quantiles::of(&self.all.service),
            service_mean: self.all.service.mean() / 1e6,
            lag: Quantiles::of(&self.all.lag),
            reasons: self.reasons.clone(),
        }
    }

    fn close_window(&mut self, spare: &mut Triple) -> WindowCounts {
        std::mem::swap(&mut self.window, spare);
        std::mem::take(&mut self.window_counts)
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
