//! Named statements: how long each took on which pool, how it ended, how many rows it gave.

use std::sync::{Arc, OnceLock};

use contract::{Family, Pool, Query, QueryOutcome};

use super::flight::{Flight, Span, What};
use super::given_up::{self, Why};
use super::histogram::{self, Histogram, Snapshot};
use super::holder::Holder;
use super::registered::{Lap, Registered, Stopwatch};
use super::{matrix, registry};

/// One histogram an outcome.
type Outcomes = [OnceLock<Arc<Histogram>>; QueryOutcome::COUNT];

struct Handles {
    /// By pool and outcome. At start only those that are to be expected are there: all of them
    /// would be five times as many series, most of which can never be counted on.
    duration: [Outcomes; Pool::COUNT],
    rows: Arc<Histogram>,
}

static HANDLES: Registered<[Handles; Query::COUNT]> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| {
        std::array::from_fn(|i| {
            let query = Query::ALL[i];
            let handles = Handles {
                duration: [const { [const { OnceLock::new() }; QueryOutcome::COUNT] }; Pool::COUNT],
                rows: registry::of(
                    Family::DbClientResponseReturnedRows,
                    [("db_query_name", query.name())],
                ),
            };
            for pool in query.pools() {
                for &outcome in QueryOutcome::ALL.iter().filter(|row| pool.can_see(**row)) {
                    handles.series(query, pool, outcome);
                }
            }
            handles
        })
    });
}

impl Handles {
    fn series(&self, query: Query, pool: Pool, outcome: QueryOutcome) -> &Histogram {
        self.duration[pool.index()][outcome.index()].get_or_init(|| {
            let labels = [
                ("db_query_name", query.name()),
                ("pool", pool.name()),
                ("outcome", outcome.name()),
            ];
            registry::of(Family::DbClientOperationDuration, labels)
        })
    }
}

/// Records one statement, and charges it to the request on whose behalf this task runs.
pub(crate) fn record(query: Query, pool: Pool, outcome: QueryOutcome, lap: Lap, rows: u64) {
    if let Some(scope) = super::request::current() {
        scope.ran(query, (pool, outcome), lap, rows);
    }
    let Some(handles) = HANDLES.get().map(|handles| &handles[query.index()]) else {
        return;
    };
    handles.series(query, pool, outcome).record(histogram::nanos_of(lap.took), None);
    handles.rows.record(rows, None);
}

/// A statement under way. Dropped before it has ended, it was given up, and is recorded as that.
#[derive(Debug)]
#[must_use]
pub(crate) struct Running {
    query: Query,
    pool: Pool,
    holder: Holder,
    started: Stopwatch,
    has_ended: bool,
}

impl Running {
    /// One that is about to be sent for somebody.
    #[inline]
    pub(crate) fn begin(query: Query, pool: Pool, holder: Holder) -> Self {
        Self { query, pool, holder, started: Stopwatch::start(), has_ended: false }
    }

    /// It was answered or failed.
    #[inline]
    pub(crate) fn ended(mut self, outcome: QueryOutcome, rows: u64) {
        self.has_ended = true;
        self.record(outcome, rows);
    }

    fn record(&self, outcome: QueryOutcome, rows: u64) {
        record(self.query, self.pool, outcome, self.started.stop(), rows);
        matrix::ran(self.holder, self.query, rows);
    }
}

impl Drop for Running {
    #[inline]
    fn drop(&mut self) {
        if !self.has_ended {
            let outcome = match given_up::why() {
                Why::Left if self.pool.can_see(QueryOutcome::Cancelled) => QueryOutcome::Cancelled,
                // Where nobody leaves, it was given up with the one beside it, at that one's.
                Why::Left | Why::Deadline => QueryOutcome::Timeout,
            };
            self.record(outcome, 0);
        }
    }
}

/// Makes a flight that is kept the example of the statements that it shows: while it is under way
/// nobody knows yet whether it will be.
pub(super) fn examples(flight: &Flight) {
    let Some(handles) = HANDLES.get() else { return };
    for Span { what, how, took, .. } in flight.spans() {
        let (What::Query(query), Some((pool, outcome))) = (what, how) else { continue };
        let of_pool = &handles[query.index()].duration[pool.index()];
        if let Some(histogram) = of_pool[outcome.index()].get() {
            histogram.shows(histogram::nanos_of(took), flight.trace());
        }
    }
}

/// How long a statement took over all pools and outcomes since the process started, and how often
/// it did not end well.
pub(crate) fn read(query: Query) -> (Snapshot, u64) {
    let mut all = (Snapshot::default(), 0);
    let Some(handles) = HANDLES.get().map(|handles| &handles[query.index()]) else { return all };
    for of_pool in &handles.duration {
        for (outcome, histogram) in QueryOutcome::ALL.iter().zip(of_pool) {
            let Some(snapshot) = histogram.get().map(|histogram| histogram.snapshot()) else {
                continue;
            };
            match outcome {
                QueryOutcome::Ok => {}
                QueryOutcome::Error
                | QueryOutcome::Timeout
                | QueryOutcome::Disconnected
                | QueryOutcome::Cancelled => all.1 += snapshot.count(),
            }
            all.0.add(&snapshot);
        }
    }
    all
}

/// What was recorded of a statement on all pools.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// How often it ran to an answer or not.
    pub(crate) calls: u64,
    /// How often it did not succeed.
    pub(crate) failed: u64,
    /// Time of all its calls.
    pub(crate) seconds: f64,
    /// Half of the calls took no longer; none without calls.
    pub(crate) p50_seconds: Option<f64>,
    /// All but a hundredth of the calls took no longer.
    pub(crate) p99_seconds: Option<f64>,
}

/// Reads what was recorded of a statement.
pub(crate) fn seen(query: Query) -> Seen {
    let (all, failed) = read(query);
    Seen {
        calls: all.count(),
        failed,
        seconds: all.sum,
        p50_seconds: all.quantile(0.5),
        p99_seconds: all.quantile(0.99),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::{Duration, Instant};

    use super::super::exemplar::TraceId;
    use super::super::request::{Scope, within};
    use super::*;

    /// Of no other test.
    const QUERY: Query = Query::ReviewSequences;
    const POOL: Pool = Pool::Reporting;

    fn counted(outcome: QueryOutcome) -> u64 {
        let handles = &HANDLES.get().unwrap()[QUERY.index()];
        handles.series(QUERY, POOL, outcome).snapshot().count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_is_recorded_with_the_reason() {
        crate::obs::install().unwrap();
        let scope = Arc::new(Scope::new(TraceId::from_random(1), Instant::now()));
        let endless = || async {
            let running = Running::begin(QUERY, POOL, Holder::Process);
            std::future::pending::<()>().await;
            running.ended(QueryOutcome::Ok, 1);
        };
        within(Arc::clone(&scope), async {
            assert!(
                given_up::in_time(Duration::from_millis(1), pin!(Some(endless()))).await.is_err()
            );
        })
        .await;
        tokio::select! {
            biased;
            () = within(Arc::clone(&scope), endless()) => unreachable!("it never ends"),
            () = tokio::task::yield_now() => {}
        }
        let [timeout, cancelled] = [QueryOutcome::Timeout, QueryOutcome::Cancelled];
        assert_eq!((counted(timeout), counted(cancelled), counted(QueryOutcome::Ok)), (1, 1, 0));
        let how: Vec<_> = scope.flight().spans().iter().map(|span| span.how).collect();
        assert_eq!(how, [Some((POOL, timeout)), Some((POOL, cancelled))]);
        assert_eq!(read(QUERY).1, 2, "neither went well");
    }
}
