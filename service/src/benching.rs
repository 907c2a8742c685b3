//! What `benches/` may see of the crate: they are programs of their own. Not an interface for
//! anybody else.

use std::sync::Arc;

use crate::obs::Format;
use crate::obs::buckets;
use crate::obs::exemplar::{self, TraceId};
use crate::obs::histogram::Histogram;

/// A histogram of durations, as requests and statements have it.
#[derive(Debug)]
pub struct Recording {
    histogram: Arc<Histogram>,
    facade: metrics::Histogram,
    trace: TraceId,
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

impl Recording {
    /// Its bounds, in seconds.
    pub const BOUNDS: &'static [f64] = buckets::SECONDS;

    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        // Without the time, each call would take its cell's example for an old one.
        exemplar::tick();
        let histogram = Arc::new(Histogram::new(buckets::Grid::Seconds));
        let facade = metrics::Histogram::from_arc(Arc::clone(&histogram));
        Self { histogram, facade, trace: TraceId::from_random(0x5eed) }
    }

    /// Records a duration.
    #[inline]
    pub fn record(&self, nanos: u64) {
        self.histogram.record(nanos, None);
    }

    /// Records a duration of a request, whose trace may become an example.
    #[inline]
    pub fn record_traced(&self, nanos: u64) {
        self.histogram.record(nanos, Some(self.trace));
    }

    /// Records a duration as the `metrics` facade does.
    #[inline]
    pub fn record_by_facade(&self, nanos: u64) {
        self.facade.record(nanos as f64 / 1e9);
    }
}

/// Everything that is measured, as a scrape has it.
#[derive(Debug)]
pub struct Scrape;

impl Scrape {
    /// Registers every series.
    ///
    /// # Panics
    /// When another recorder is installed.
    #[must_use]
    pub fn new() -> Self {
        crate::obs::install().expect("nobody else has installed a recorder");
        Self
    }

    /// The text of a scrape.
    #[must_use]
    pub fn text(&self, is_open_metrics: bool) -> String {
        let format = if is_open_metrics { Format::OpenMetrics } else { Format::Text };
        crate::obs::render(format)
    }
}

impl Default for Scrape {
    fn default() -> Self {
        Self::new()
    }
}
