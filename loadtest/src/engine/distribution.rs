//! The three distributions of a kind of request, and the points of them that people read.
//!
//! - *response*: from the intended start to the last byte of the answer, what a person waits;
//! - *service*: from the first byte sent to the last byte of the answer;
//! - *lag*: from the intended start to the first byte sent, what the harness and a full set of
//!   connections add.
//!
//! Nothing is corrected afterwards: what was intended is recorded, so nothing is omitted. Never
//! here: percentiles of percentiles, or an average over different requests.

use std::time::Duration;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

/// Longest latency told apart, in microseconds: ten minutes, beyond any deadline.
const MICROS_MAX: u64 = 600_000_000;
/// Significant digits kept: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// What a [`Triple`] holds, in its order; also the names of the logs.
pub const MEASURES: [&str; 3] = ["response", "service", "lag"];

/// Response, service and lag.
#[derive(Debug, Clone)]
pub struct Triple {
    /// From the intended start to the last byte.
    pub response: Histogram<u64>,
    /// From the first byte sent to the last byte.
    pub service: Histogram<u64>,
    /// From the intended start to the first byte sent.
    pub lag: Histogram<u64>,
}

impl Triple {
    /// Three empty ones.
    #[must_use]
    pub fn new() -> Self {
        Self { response: histogram(), service: histogram(), lag: histogram() }
    }

    /// Each, in the order of [`MEASURES`].
    #[must_use]
    pub fn each(&self) -> [&Histogram<u64>; 3] {
        [&self.response, &self.service, &self.lag]
    }

    /// Empties all three.
    pub fn reset(&mut self) {
        self.response.reset();
        self.service.reset();
        self.lag.reset();
    }
}

impl Default for Triple {
    fn default() -> Self {
        Self::new()
    }
}

/// The usual points of a distribution, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
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

impl Quantiles {
    /// Those of a histogram of microseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |q| seconds(histogram.value_at_quantile(q));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: seconds(histogram.max()),
        }
    }
}

/// An empty histogram of microseconds.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MICROS_MAX, DIGITS).expect("the bounds are constants that fit")
}

/// A duration as histograms take it.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What histograms hold as people read it.
#[must_use]
pub fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
