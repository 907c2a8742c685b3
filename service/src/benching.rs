//! What `benches/` may see of the crate: they are programs of their own. Not an interface for
//! anybody else.

use std::sync::Arc;
use std::time::Duration;

use crate::db::router::look::{Feed, Look, Role};
use crate::db::router::token::History;
use crate::db::router::{After, Class, Reader, Token};
use crate::db::{Db, Settings};
use crate::obs::Format;
use crate::obs::buckets;
use crate::obs::exemplar::{self, TraceId};
use crate::obs::histogram::Histogram;
use crate::obs::stripe::Counter;

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

/// A counter, as objectives have two of.
#[derive(Debug)]
pub struct Counting(Counter);

impl Default for Counting {
    fn default() -> Self {
        Self::new()
    }
}

impl Counting {
    /// At zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(Counter::new())
    }

    /// Counts one.
    #[inline]
    pub fn count(&self) {
        self.0.add(1);
    }
}

/// The router over made-up servers, all of which keep up.
#[expect(missing_debug_implementations, reason = "it holds pools")]
pub struct Route(Reader);

impl Route {
    /// A primary with so many replicas; reads show a token that all of them have.
    ///
    /// # Panics
    /// Never: the servers are made up here.
    #[must_use]
    pub fn new(replicas: usize) -> Self {
        crate::obs::install().expect("nobody else has installed a recorder");
        let url = |n: usize| format!("postgres://127.0.0.1:{}/x?sslmode=disable", 1 + n);
        let replica_urls = (1..=replicas).map(url).collect();
        let db = Db::new(&Settings { replica_urls, ..Settings::of_url(url(0)) });
        let db = db.expect("the settings are good");
        let history = History { system: 1, timeline: 1 };
        for server in 0..=replicas {
            let role = match server {
                0 => Role::Primary,
                _ => Role::Replica { feed: Feed::Heard(Duration::ZERO) },
            };
            let (at, clock) = (tokio::time::Instant::now(), jiff::Timestamp::now());
            let (lsn, beat, started) = (100, Some(clock), clock);
            db.saw(server, Some(Look { at, started, history, lsn, clock, beat, role }));
        }
        Self(db.reader_after(Class::Read, After::At(Token { history, lsn: 90 })))
    }

    /// Decides where a read goes, and counts it there until it is over. True for a replica.
    #[inline]
    #[must_use]
    pub fn decide(&self) -> bool {
        let read = contract::Read::AppointmentRead;
        let found = self.0.decide(read);
        crate::obs::route::decided(read, contract::RouteReason::CaughtUp);
        found.is_ok()
    }
}

/// Everything that is measured, as a scrape has it on a busy day.
#[derive(Debug)]
pub struct Scrape;

impl Scrape {
    /// Registers every series and counts something in every cell of all histograms; the rings of
    /// kept flights are full, and their traces are examples.
    ///
    /// # Panics
    /// When another recorder is installed.
    #[must_use]
    pub fn new() -> Self {
        crate::obs::install().expect("nobody else has installed a recorder");
        crate::obs::busy::fill();
        Self
    }

    /// A scrape as it is.
    #[must_use]
    pub fn plain(&self, is_open_metrics: bool) -> Vec<u8> {
        crate::endpoints::read_metrics::plain(format(is_open_metrics))
    }

    /// A scrape as it is printed, piece by piece.
    pub fn print(&self, is_open_metrics: bool, mut each: impl FnMut(&str)) {
        crate::obs::render(format(is_open_metrics), |piece| each(piece.text));
    }

    /// A scrape as it is sent to a scraper that takes it packed.
    #[must_use]
    pub fn packed(&self, is_open_metrics: bool) -> Vec<u8> {
        crate::endpoints::read_metrics::packed(format(is_open_metrics))
    }
}

const fn format(is_open_metrics: bool) -> Format {
    if is_open_metrics { Format::OpenMetrics } else { Format::Text }
}

impl Default for Scrape {
    fn default() -> Self {
        Self::new()
    }
}
