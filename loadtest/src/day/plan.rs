//! The plan of a replayed day: immutable, made from a source and options alone, with a hash of all
//! that it sends and the least that must come of it.
//!
//! Belongs here: what a plan is and the ways to ask it. How it is made is in the modules below, in
//! the order in which a practice comes about. Never here: real time or the service's answers.

pub mod options;
pub mod practice;
pub mod promise;

mod build;
mod changes;
mod check;
mod curve;
mod digest;
mod draft;
mod households;
mod lookups;
mod model;
mod output;
mod times;
mod zones;

use jiff::Timestamp;
use jiff::civil::{Date, Time};

pub use options::{MadeUp, Options, ZoneShare};
pub use practice::{Practice, Rule};
pub use promise::{Counts, Promise};

use super::request::{Appointment, Arrival};
use super::source::Source;

/// A day, ready to be replayed.
#[derive(Debug)]
pub struct Plan {
    practices: Vec<Practice>,
    import: Vec<Appointment>,
    arrivals: Vec<Arrival>,
    promise: Promise,
    counts: Counts,
    hash: String,
    origin: Timestamp,
    window_ns: u64,
    day: Date,
    seed: u64,
}

/// Options or a source that give no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Out of range.
    #[error("messages: {0} is out of range, use 1 to {MESSAGES_MAX}")]
    Messages(u64),
    /// Out of range.
    #[error("book: {0} is out of range, use 0 to {BOOK_MAX}")]
    Book(u64),
    /// No zone given.
    #[error("time zones: at least one is needed")]
    NoZone,
    /// Not in the time zone database.
    #[error("time zone: {0:?} is unknown, use an IANA name such as Europe/Berlin")]
    Zone(String),
    /// Not a share.
    #[error("{0}: not a share, use a number from 0 to 1")]
    Share(&'static str),
    /// Out of range.
    #[error("day: {0} is out of range, use a date from 1970 to 9000")]
    Day(Date),
    /// It ends before it begins.
    #[error("window: {from} to {until} is empty, use an earlier start or a later end")]
    EmptyWindow {
        /// Its start.
        from: Time,
        /// Its end.
        until: Time,
    },
    /// A window that some practice's day doesn't fit into.
    #[error(
        "window: {from} to {until} is too short: practices in {zone} have texts due from {first} \
         to {last}, by the window's clock; use 06:00 to 19:30, or zones closer together"
    )]
    Window {
        /// Its start.
        from: Time,
        /// Its end.
        until: Time,
        /// The zone.
        zone: String,
        /// The zone's first text.
        first: Time,
        /// The zone's last text.
        last: Time,
    },
    /// Out of range.
    #[error("margin: {0} s is out of range, use 0 to {MARGIN_SECONDS_MAX}")]
    Margin(u32),
    /// Out of range.
    #[error("growth: not a positive number")]
    Growth,
    /// So many practices and still too few texts.
    #[error(
        "the source gives only {planned} of {messages} messages from {practices} practices; use \
         another source, fewer messages or a larger growth"
    )]
    TooFew {
        /// Asked for.
        messages: u64,
        /// Found.
        planned: u64,
        /// Tried.
        practices: u32,
    },
}

/// Twenty times the largest day that the project speaks of.
const MESSAGES_MAX: u64 = 10_000_000;
/// Half as many appointments of 32 bytes: 1.6 GB.
const BOOK_MAX: u64 = 100_000_000;
/// Longer, and hardly any instant is clear of the others.
const MARGIN_SECONDS_MAX: u32 = 7_200;

impl Plan {
    /// Makes the plan of a day.
    ///
    /// # Errors
    /// When an option is out of range, the window doesn't hold the day, or the source has too
    /// little to give.
    pub fn build(options: &Options, source: &Source) -> Result<Self, PlanError> {
        build::build(options, source)
    }

    /// Who is put before the import.
    #[must_use]
    pub fn practices(&self) -> &[Practice] {
        &self.practices
    }

    /// What was booked before the day, by practice.
    #[must_use]
    pub fn import(&self) -> &[Appointment] {
        &self.import
    }

    /// The import in batches of one practice and at most `largest` appointments each.
    pub fn import_batches(&self, largest: usize) -> impl Iterator<Item = &[Appointment]> {
        self.import
            .chunk_by(|a, b| a.practice_id == b.practice_id)
            .flat_map(move |of_practice| of_practice.chunks(largest.max(1)))
    }

    /// What arrives during the day, in order of its intended start.
    #[must_use]
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// The least that the laws must find.
    #[must_use]
    pub fn promise(&self) -> &Promise {
        &self.promise
    }

    /// How much there is of everything.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// SHA-256 over all that is sent, in hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The domain instant of offset 0. The service's domain clock must stand here during the
    /// import: what is planned then, is planned at this instant.
    #[must_use]
    pub fn origin(&self) -> Timestamp {
        self.origin
    }

    /// The replay's length in domain nanoseconds: nothing arrives and nothing is due later.
    #[must_use]
    pub fn window_ns(&self) -> u64 {
        self.window_ns
    }

    /// The replayed local day.
    #[must_use]
    pub fn day(&self) -> Date {
        self.day
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

#[cfg(test)]
mod tests;
