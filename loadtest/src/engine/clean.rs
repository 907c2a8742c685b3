//! The requests of *clean* seconds, kept apart from all requests: whoever watches the machine says
//! of each second, once it is over, whether it was spoilt, and a request belongs to the second of
//! its intended start. So whether it is left out has nothing to do with how long it took.
//!
//! Never here: what spoils a second (`machine`).

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

use super::distribution::{Quantiles, histogram};

/// What the clean seconds hold of one kind of request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct CleanRow {
    /// Requests.
    pub total: u64,
    /// Answered as they should be and within the objective, from the intended start.
    pub good: u64,
    /// Those that miss the objective by the service's time alone, failed, or had no answer at the
    /// end.
    pub missed_by_service: u64,
    /// Those that the service was asked: sent, or refused a connection.
    pub asked: u64,
    /// Of those without an answer at the end, the ones that the service had no longer than the
    /// objective.
    pub young: u64,
    /// From the intended start to the last byte.
    pub response: Quantiles,
    /// The harness's own part of the lag.
    pub own_lag: Quantiles,
}

#[derive(Debug)]
pub(super) struct Clean {
    /// Whether each second was spoilt, as far as that is known.
    spoilt: Vec<bool>,
    /// Requests of seconds of which it isn't known yet.
    waiting: Vec<Entry>,
    total: u64,
    good: u64,
    missed_by_service: u64,
    asked: u64,
    young: u64,
    response: Histogram<u64>,
    own_lag: Histogram<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) second: u64,
    pub(super) response: u64,
    pub(super) own_lag: u64,
    pub(super) good: bool,
    pub(super) missed_by_service: bool,
    pub(super) asked: bool,
    pub(super) young: bool,
}

impl Clean {
    pub(super) fn new() -> Self {
        Self {
            spoilt: Vec::new(),
            waiting: Vec::new(),
            total: 0,
            good: 0,
            missed_by_service: 0,
            asked: 0,
            young: 0,
            response: histogram(),
            own_lag: histogram(),
        }
    }

    pub(super) fn record(&mut self, entry: Entry) {
        match self.spoilt.get(entry.second as usize) {
            None => self.waiting.push(entry),
            Some(true) => {}
            Some(false) => self.enter(entry),
        }
    }

    pub(super) fn settle(&mut self, spoilt: bool) {
        let second = self.spoilt.len() as u64;
        self.spoilt.push(spoilt);
        let waiting = std::mem::take(&mut self.waiting);
        let (known, unknown): (Vec<_>, _) =
            waiting.into_iter().partition(|entry| entry.second <= second);
        self.waiting = unknown;
        if !spoilt {
            known.into_iter().for_each(|entry| self.enter(entry));
        }
    }

    fn enter(&mut self, entry: Entry) {
        self.response.saturating_record(entry.response);
        self.own_lag.saturating_record(entry.own_lag);
        self.total += 1;
        self.good += u64::from(entry.good);
        self.missed_by_service += u64::from(entry.missed_by_service);
        self.asked += u64::from(entry.asked);
        self.young += u64::from(entry.young);
    }

    pub(super) fn row(&self) -> CleanRow {
        CleanRow {
            total: self.total,
            good: self.good,
            missed_by_service: self.missed_by_service,
            asked: self.asked,
            young: self.young,
            response: Quantiles::of(&self.response),
            own_lag: Quantiles::of(&self.own_lag),
        }
    }
}
