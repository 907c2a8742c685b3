//! The flight of one request or one text: a small fixed array of spans (waits for connections and
//! for the group commit, named statements, the provider's answer), written as it goes, at the cost
//! of two stores a span, and read only if it turns out to be worth keeping (`kept`).
//!
//! Belongs here: writing and reading spans. Never here: which flights are kept, how they are shown.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use contract::{Pool, Query, QueryOutcome, Stage};

use super::exemplar::TraceId;
use super::registered::{IS_MEASURED, Lap};

/// Spans of one flight; what comes after them is only counted. A request has about five, the
/// largest batch's transaction eleven.
pub(crate) const SPANS_MAX: usize = if IS_MEASURED { 24 } else { 0 };

/// What a span of time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Waiting for a connection of a pool.
    Pool(Pool),
    /// A named statement.
    Query(Query),
    /// Waiting for a stage to take it up.
    Wait(Stage),
    /// A stage's batch, of which it was a part.
    Batch(Stage),
    /// The provider, from the first byte to the answer's last.
    Provider,
}

impl What {
    /// The row's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pool(pool) => pool.name(),
            Self::Query(query) => query.name(),
            Self::Wait(stage) | Self::Batch(stage) => stage.name(),
            Self::Provider => "provider",
        }
    }

    /// What kind of thing the row is.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Pool(_) => "pool",
            Self::Query(_) => "query",
            Self::Wait(_) => "wait",
            Self::Batch(_) => "batch",
            Self::Provider => "call",
        }
    }

    /// Kind and place in the table, for a slot.
    const fn code(self) -> u64 {
        let (kind, index) = match self {
            Self::Pool(pool) => (1, pool.index()),
            Self::Query(query) => (2, query.index()),
            Self::Wait(stage) => (3, stage.index()),
            Self::Batch(stage) => (4, stage.index()),
            Self::Provider => (5, 0),
        };
        (kind << 16) | index as u64
    }

    fn from_code(code: u64) -> Option<Self> {
        let index = (code & 0xffff) as usize;
        match code >> 16 {
            1 => Pool::ALL.get(index).copied().map(Self::Pool),
            2 => Query::ALL.get(index).copied().map(Self::Query),
            3 => Stage::ALL.get(index).copied().map(Self::Wait),
            4 => Stage::ALL.get(index).copied().map(Self::Batch),
            5 => Some(Self::Provider),
            _ => None,
        }
    }
}

/// A stretch of a flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// What the time was spent on.
    pub(crate) what: What,
    /// From the flight's beginning to its own.
    pub(crate) start: Duration,
    /// How long it took.
    pub(crate) took: Duration,
    /// Rows that it returned or touched.
    pub(crate) rows: u32,
    /// For statements: on which pool, and how it ended.
    pub(crate) how: Option<(Pool, QueryOutcome)>,
}

/// How many bits of a slot say what kind of thing it is; those above say how it went.
const KIND_BITS: u32 = 4;

/// What is left of a head's upper half without how it went.
const WHAT_MASK: u64 = (1 << (16 + KIND_BITS)) - 1;

/// Zero is nothing.
const fn code_of(how: Option<(Pool, QueryOutcome)>) -> u64 {
    match how {
        Some((pool, outcome)) => (1 + pool.index() * QueryOutcome::COUNT + outcome.index()) as u64,
        None => 0,
    }
}

fn how_of(code: u64) -> Option<(Pool, QueryOutcome)> {
    let place = usize::try_from(code).ok()?.checked_sub(1)?;
    let outcome = QueryOutcome::ALL[place % QueryOutcome::COUNT];
    Some((*Pool::ALL.get(place / QueryOutcome::COUNT)?, outcome))
}

/// How, what and rows; start and length in microseconds. Zero is an empty slot.
#[derive(Debug)]
struct Slot {
    what_and_rows: AtomicU64,
    start_and_took: AtomicU64,
}

impl Slot {
    fn read(&self) -> Option<Span> {
        let head = self.what_and_rows.load(Ordering::Acquire);
        let times = self.start_and_took.load(Ordering::Relaxed);
        Some(Span {
            what: What::from_code((head >> 32) & WHAT_MASK)?,
            how: how_of(head >> (48 + KIND_BITS)),
            start: Duration::from_micros(times >> 32),
            took: Duration::from_micros(times & 0xffff_ffff),
            rows: (head & 0xffff_ffff) as u32,
        })
    }
}

/// A request's or a text's flight.
#[derive(Debug)]
pub(crate) struct Flight {
    trace: TraceId,
    began: Instant,
    next: AtomicU32,
    slots: [Slot; SPANS_MAX],
}

impl Flight {
    /// One that began then.
    pub(crate) fn new(trace: TraceId, began: Instant) -> Self {
        let slot = || Slot { what_and_rows: AtomicU64::new(0), start_and_took: AtomicU64::new(0) };
        Self { trace, began, next: AtomicU32::new(0), slots: std::array::from_fn(|_| slot()) }
    }

    /// Which trace it belongs to.
    pub(crate) const fn trace(&self) -> TraceId {
        self.trace
    }

    /// When it began.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    /// Notes a stretch that has ended.
    pub(crate) fn ended(&self, what: What, lap: Lap, rows: u64) {
        let Some(ended) = lap.ended else { return };
        let elapsed = ended.saturating_duration_since(self.began);
        self.write(what, None, (elapsed.saturating_sub(lap.took), lap.took), rows);
    }

    /// Notes a statement that has ended.
    pub(crate) fn ran(&self, query: Query, how: (Pool, QueryOutcome), lap: Lap, rows: u64) {
        let Some(ended) = lap.ended else { return };
        let elapsed = ended.saturating_duration_since(self.began);
        let times = (elapsed.saturating_sub(lap.took), lap.took);
        self.write(What::Query(query), Some(how), times, rows);
    }

    /// Notes a stretch between two instants.
    pub(crate) fn between(&self, what: What, from: Instant, to: Instant, rows: u64) {
        self.write(what, None, self.times(from, to), rows);
    }

    /// Its start and its length, as far as it lies after the flight's beginning.
    fn times(&self, from: Instant, to: Instant) -> (Duration, Duration) {
        let start = from.saturating_duration_since(self.began);
        (start, to.saturating_duration_since(from.max(self.began)))
    }

    /// Takes over spans of another flight that began then: of the batch that it was a part of.
    pub(crate) fn absorb(&self, began: Instant, spans: &[Span]) {
        for span in spans {
            let from = began + span.start;
            let times = self.times(from, from + span.took);
            self.write(span.what, span.how, times, u64::from(span.rows));
        }
    }

    fn write(
        &self,
        what: What,
        how: Option<(Pool, QueryOutcome)>,
        (start, took): (Duration, Duration),
        rows: u64,
    ) {
        if !IS_MEASURED {
            return;
        }
        let place = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        let Some(slot) = self.slots.get(place) else { return };
        let micros = |d: Duration| u64::from(u32::try_from(d.as_micros()).unwrap_or(u32::MAX));
        let rows = u64::from(u32::try_from(rows).unwrap_or(u32::MAX));
        slot.start_and_took.store(micros(start) << 32 | micros(took), Ordering::Relaxed);
        let head = code_of(how) << (48 + KIND_BITS) | what.code() << 32 | rows;
        slot.what_and_rows.store(head, Ordering::Release);
    }

    /// What was noted, in the order of their beginnings.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.slots.iter().filter_map(Slot::read).collect();
        spans.sort_by_key(|span| span.start);
        spans
    }

    /// Time that was spent on one kind of thing, added up: on whatever is of the given one's kind.
    pub(crate) fn total(&self, like: What) -> Duration {
        let kind = like.code() >> 16;
        let head = |slot: &Slot| slot.what_and_rows.load(Ordering::Acquire);
        let heads = self.slots.iter().map(|slot| (slot, head(slot)));
        let written = heads.take_while(|(_, head)| *head != 0);
        let micros = written
            .filter(|(_, head)| (head >> 32 & WHAT_MASK) >> 16 == kind)
            .map(|(slot, _)| slot.start_and_took.load(Ordering::Relaxed) & 0xffff_ffff);
        Duration::from_micros(micros.sum())
    }

    /// Spans for which there was no room.
    pub(crate) fn dropped(&self) -> u32 {
        self.next.load(Ordering::Relaxed).saturating_sub(SPANS_MAX as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight() -> Flight {
        Flight::new(TraceId::from_random(7), Instant::now())
    }

    #[test]
    fn every_row_survives_its_code() {
        let all = Pool::ALL.iter().map(|&row| What::Pool(row));
        let all = all.chain(Query::ALL.iter().map(|&row| What::Query(row)));
        let all = all.chain(Stage::ALL.iter().flat_map(|&row| [What::Wait(row), What::Batch(row)]));
        for what in all.chain([What::Provider]) {
            assert_eq!(What::from_code(what.code()), Some(what));
        }
        assert_eq!(What::from_code(0), None);
        assert_eq!(What::from_code(2 << 16 | 0xffff), None);
    }

    #[test]
    fn a_statement_says_how_it_went_and_is_one_of_its_kind() {
        let flight = flight();
        for &pool in Pool::ALL {
            for &outcome in QueryOutcome::ALL {
                assert_eq!(how_of(code_of(Some((pool, outcome)))), Some((pool, outcome)));
            }
        }
        assert_eq!((how_of(0), how_of(u64::MAX)), (None, None));
        let how = (*Pool::ALL.last().unwrap(), *QueryOutcome::ALL.last().unwrap());
        let query = *Query::ALL.last().unwrap();
        flight.ran(query, how, Lap::of(Duration::from_micros(5)), u64::MAX);
        let spans = flight.spans();
        assert_eq!((spans[0].what, spans[0].how), (What::Query(query), Some(how)));
        assert_eq!((spans[0].took, spans[0].rows), (Duration::from_micros(5), u32::MAX));
        assert_eq!(flight.total(What::Query(Query::ALL[0])), Duration::from_micros(5));
        let whole = super::tests::flight();
        whole.absorb(flight.began(), &spans);
        assert_eq!(whole.spans()[0].how, Some(how));
    }

    #[test]
    fn spans_come_back_in_order_and_the_rest_is_counted() {
        let flight = flight();
        let at = |ms| flight.began() + Duration::from_millis(ms);
        flight.between(What::Query(Query::ApiKeyRead), at(5), at(8), 3);
        flight.between(What::Pool(Pool::Interactive), at(1), at(5), 0);
        let spans = flight.spans();
        assert_eq!(spans[0].what, What::Pool(Pool::Interactive));
        assert_eq!(
            spans[1],
            Span {
                what: What::Query(Query::ApiKeyRead),
                start: Duration::from_millis(5),
                took: Duration::from_millis(3),
                rows: 3,
                how: None,
            }
        );
        for _ in 0..SPANS_MAX {
            flight.ended(What::Provider, Lap::of(Duration::ZERO), u64::MAX);
        }
        assert_eq!(flight.spans().len(), SPANS_MAX);
        assert_eq!(flight.dropped(), 2);
        let total = |what| flight.total(what);
        assert_eq!(total(What::Query(Query::ClaimLanes)), Duration::from_millis(3));
        assert_eq!(total(What::Pool(Pool::Upkeep)), Duration::from_millis(4));
        assert_eq!(total(What::Wait(Stage::Plan)), Duration::ZERO);
    }

    #[test]
    fn a_batch_is_a_part_of_each_of_its_requests() {
        let (request, batch) = (flight(), flight());
        let at = |ms| batch.began() + Duration::from_millis(ms);
        batch.between(What::Query(Query::AppointmentLock), at(2), at(4), 10);
        request.absorb(batch.began(), &batch.spans());
        let spans = request.spans();
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].took, spans[0].rows), (Duration::from_millis(2), 10));
    }
}
