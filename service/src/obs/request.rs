//! What one request used: statements, rows, time spent waiting for connections, and the flight that
//! says when. A request's task carries its [`Scope`]; work done elsewhere on its behalf (the group
//! commit) has a scope of its own, and each request takes over what the batch noted in it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use contract::{Consistency, Endpoint, Journey, Pool, Query, QueryOutcome, Stage};

use super::exemplar::TraceId;
use super::flight::{Flight, Span, What};
use super::histogram::nanos_of;
use super::journey;
use super::registered::{IS_MEASURED, Lap};

tokio::task_local! {
    static SCOPE: Arc<Scope>;
}

/// Statements whose repetitions are counted.
const QUERIES: usize = if IS_MEASURED { Query::COUNT } else { 0 };

/// What one request used so far.
#[derive(Debug)]
pub(crate) struct Scope {
    flight: Flight,
    /// The flight was kept: what it shows makes examples.
    is_kept: AtomicBool,
    /// The longest of each journey that ended with it, in nanoseconds.
    journeys: [AtomicU64; Journey::COUNT],
    endpoint: OnceLock<Endpoint>,
    queries: AtomicU32,
    rows: AtomicU64,
    pool_wait_nanos: [AtomicU64; Pool::COUNT],
    /// How often each statement ran on the request's own task, and in batches of which it was a
    /// part.
    times: [AtomicU16; QUERIES],
    /// The highest of them and whose it is, so that a request's end need not look through all.
    most: AtomicU32,
    /// It waits for its batch no more, and has noted itself for how long it did.
    has_left: AtomicBool,
}

impl Scope {
    /// Nothing yet, of something that began then.
    pub(crate) fn new(trace: TraceId, began: Instant) -> Self {
        Self {
            flight: Flight::new(trace, began),
            is_kept: AtomicBool::new(false),
            journeys: [const { AtomicU64::new(0) }; Journey::COUNT],
            endpoint: OnceLock::new(),
            queries: AtomicU32::new(0),
            rows: AtomicU64::new(0),
            pool_wait_nanos: [const { AtomicU64::new(0) }; Pool::COUNT],
            times: [const { AtomicU16::new(0) }; QUERIES],
            most: AtomicU32::new(0),
            has_left: AtomicBool::new(false),
        }
    }

    /// Which trace it belongs to.
    pub(crate) const fn trace(&self) -> TraceId {
        self.flight.trace()
    }

    /// Notes a journey that ended with it. Its caller may have left before, and the flight be kept
    /// since then.
    pub(super) fn travelled(&self, journey: Journey, nanos: u64) {
        self.journeys[journey.index()].fetch_max(nanos, Ordering::SeqCst);
        if self.is_kept.load(Ordering::SeqCst) {
            journey::example(journey, nanos, self.trace());
        }
    }

    /// Notes that its flight was kept, and makes it the example of its journeys.
    pub(super) fn is_kept(&self) {
        self.is_kept.store(true, Ordering::SeqCst);
        for &journey in Journey::ALL {
            let nanos = self.journeys[journey.index()].load(Ordering::SeqCst);
            if nanos > 0 {
                journey::example(journey, nanos, self.trace());
            }
        }
    }

    /// When it spent its time on what.
    pub(crate) const fn flight(&self) -> &Flight {
        &self.flight
    }

    /// Notes what it is for, once that is known.
    pub(crate) fn is_for(&self, endpoint: Endpoint) {
        _ = self.endpoint.set(endpoint); // a request is for one endpoint
    }

    /// What it is for, if that is known.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.get().copied()
    }

    /// Charges statements that ran on the request's behalf.
    pub(crate) fn charge(&self, queries: u32, rows: u64) {
        self.queries.fetch_add(queries, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Charges a statement that the request's own task ran. What a server is asked about itself,
    /// beside a read and in its packet, is noted, and is no statement of the endpoint's.
    pub(crate) fn ran(&self, query: Query, how: (Pool, QueryOutcome), lap: Lap, rows: u64) {
        self.flight.ran(query, how, lap, rows);
        if query.spec().consistency == Consistency::OfServer {
            return;
        }
        self.charge(1, rows);
        self.repeated(query, 1);
    }

    /// Counts how often a statement ran on its behalf.
    fn repeated(&self, query: Query, n: u16) {
        let times = self.times[query.index()].fetch_add(n, Ordering::Relaxed).saturating_add(n);
        // There are some hundred queries.
        let most = u32::from(times) << 16 | query.index() as u32;
        self.most.fetch_max(most, Ordering::Relaxed);
    }

    /// The statements that ran on its behalf, and how often each.
    fn statements(&self) -> Vec<(Query, u16)> {
        let times = self.times.iter().map(|times| times.load(Ordering::Relaxed));
        let all = Query::ALL.iter().copied().zip(times);
        all.filter(|(_, times)| *times > 0).collect()
    }

    /// The statement that ran most often on its behalf.
    pub(crate) fn most_repeated(&self) -> Option<(Query, u16)> {
        let most = self.most.load(Ordering::Relaxed);
        let query = *Query::ALL.get((most & 0xffff) as usize)?;
        let times = u16::try_from(most >> 16).ok().filter(|times| *times > 0)?;
        Some((query, times))
    }

    /// Charges a wait for a connection.
    pub(crate) fn waited(&self, pool: Pool, wait: Lap) {
        let nanos = nanos_of(wait.took);
        self.pool_wait_nanos[pool.index()].fetch_add(nanos, Ordering::Relaxed);
        self.flight.ended(What::Pool(pool), wait, 0);
    }

    /// Statements so far.
    pub(crate) fn queries(&self) -> u32 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Time spent waiting for connections so far.
    pub(crate) fn pool_wait(&self) -> Duration {
        Pool::ALL.iter().map(|&pool| self.pool_wait_of(pool)).sum()
    }

    /// Time spent waiting for connections of one pool so far.
    pub(crate) fn pool_wait_of(&self, pool: Pool) -> Duration {
        Duration::from_nanos(self.pool_wait_nanos[pool.index()].load(Ordering::Relaxed))
    }
}

/// The scope of the request that this task answers, if it answers one.
pub(crate) fn current() -> Option<Arc<Scope>> {
    if IS_MEASURED { SCOPE.try_with(Arc::clone).ok() } else { None }
}

/// Runs a future on behalf of a request.
pub(crate) async fn within<F: Future>(scope: Arc<Scope>, future: F) -> F::Output {
    if IS_MEASURED { SCOPE.scope(scope, future).await } else { future.await }
}

/// Says that this task begins anew what it was at: what it runs again is no loop.
pub(crate) fn begins_again() {
    if let Some(scope) = current() {
        scope.times.iter().for_each(|times| times.store(0, Ordering::Relaxed));
    }
}

/// A batch that works for several requests at once: what it runs is noted once, and then is a part
/// of each of them.
pub(crate) struct BatchScope {
    stage: Stage,
    scope: Arc<Scope>,
}

impl BatchScope {
    /// A batch that begins now. It has a trace of its own, which nobody sees: its spans become
    /// parts of other flights.
    pub(crate) fn begin(stage: Stage) -> Self {
        let trace = TraceId::from_random(rand::random());
        Self { stage, scope: Arc::new(Scope::new(trace, Instant::now())) }
    }

    /// Does the batch's work.
    pub(crate) async fn run<F: Future>(&self, work: F) -> F::Output {
        within(Arc::clone(&self.scope), work).await
    }

    /// Makes what was done a part of each request, with how long it waited since it was queued. A
    /// statement that was run for each of them is one in a loop for all of them.
    pub(crate) fn share<'a>(
        &self,
        size: usize,
        jobs: impl Iterator<Item = (&'a Option<Arc<Scope>>, Instant)>,
    ) {
        let (done, queries) = (self.done(size), self.scope.queries());
        let statements = self.scope.statements();
        for (scope, queued_at) in jobs {
            let Some(scope) = scope else { continue };
            if scope.has_left.load(Ordering::Relaxed) {
                continue;
            }
            scope.charge(queries, 0);
            for &(query, times) in &statements {
                scope.repeated(query, times);
            }
            done.add_to(&scope.flight, queued_at);
        }
    }

    /// What was done up to now, for flights without a request.
    pub(crate) fn done(&self, size: usize) -> Done {
        let flight = self.scope.flight();
        Done {
            stage: self.stage,
            began: flight.began(),
            ended: Instant::now(),
            size: size as u64,
            spans: flight.spans(),
        }
    }
}

/// A wait on a request's task for the batch that it is put into. Dropped before it has ended, it
/// was given up: its flight says for how long it went on, as the batch will end too late to tell.
#[derive(Debug)]
#[must_use]
pub(crate) struct InLine {
    stage: Stage,
    queued_at: Instant,
    has_ended: bool,
}

impl InLine {
    /// One for a batch of a stage, since then.
    pub(crate) const fn since(stage: Stage, queued_at: Instant) -> Self {
        Self { stage, queued_at, has_ended: false }
    }

    /// The batch has answered.
    pub(crate) fn ended(mut self) {
        self.has_ended = true;
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let Some(scope) = current() else { return };
        scope.has_left.store(true, Ordering::Relaxed);
        scope.flight.between(What::Wait(self.stage), self.queued_at, Instant::now(), 0);
    }
}

/// What a batch did.
pub(crate) struct Done {
    stage: Stage,
    began: Instant,
    ended: Instant,
    size: u64,
    spans: Vec<Span>,
}

impl Done {
    /// Makes it a part of a flight that waited for it since then.
    pub(crate) fn add_to(&self, flight: &Flight, queued_at: Instant) {
        flight.between(What::Wait(self.stage), queued_at, self.began, 0);
        flight.between(What::Batch(self.stage), self.began, self.ended, self.size);
        flight.absorb(self.began, &self.spans);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn charged_to_the_request_of_the_task_and_to_no_other() {
        assert!(current().is_none());
        let scope = Arc::new(Scope::new(TraceId::from_random(1), Instant::now()));
        within(Arc::clone(&scope), async {
            let mine = current().expect("inside");
            mine.charge(2, 10);
            let elsewhere = tokio::spawn(async { current().is_none() }).await.expect("no panic");
            assert!(elsewhere, "a spawned task is not the request's");
            let how = (Pool::Interactive, QueryOutcome::Ok);
            mine.ran(Query::ApiKeyRead, how, Lap::of(Duration::from_millis(2)), 1);
            mine.waited(Pool::Interactive, Lap::of(Duration::from_millis(3)));
            mine.waited(Pool::Upkeep, Lap::of(Duration::from_millis(1)));
        })
        .await;
        assert_eq!((scope.queries(), scope.rows()), (3, 11));
        assert_eq!(scope.flight().spans().len(), 3);
        assert_eq!(scope.most_repeated(), Some((Query::ApiKeyRead, 1)));
        assert_eq!(scope.pool_wait(), Duration::from_millis(4));
        assert_eq!(scope.pool_wait_of(Pool::Upkeep), Duration::from_millis(1));
    }

    #[tokio::test]
    async fn what_a_batch_does_is_a_part_of_each_of_its_requests() {
        let scope = || Some(Arc::new(Scope::new(TraceId::from_random(2), Instant::now())));
        let (a, b) = (scope(), scope());
        let queued_at = Instant::now();
        let batch = BatchScope::begin(Stage::Plan);
        batch
            .run(async {
                let mine = current().expect("inside");
                let how = (Pool::Interactive, QueryOutcome::Ok);
                mine.ran(Query::AppointmentLock, how, Lap::of(Duration::ZERO), 4);
            })
            .await;
        batch.share(2, [(&a, queued_at), (&b, queued_at), (&None, queued_at)].into_iter());
        for scope in [a, b] {
            let scope = scope.unwrap();
            let spans = scope.flight().spans();
            let names: Vec<_> = spans.iter().map(|s| (s.what.kind(), s.what.name())).collect();
            assert!(names.contains(&("wait", "plan")) && names.contains(&("batch", "plan")));
            assert!(names.contains(&("query", "appointment_lock")), "{names:?}");
            assert_eq!(scope.queries(), 1);
            assert_eq!(scope.most_repeated(), Some((Query::AppointmentLock, 1)));
        }
    }

    #[tokio::test]
    async fn who_leaves_a_batch_has_waited_for_it_and_hears_of_it_no_more() {
        let scope = Arc::new(Scope::new(TraceId::from_random(3), Instant::now()));
        let queued_at = Instant::now();
        let batch = BatchScope::begin(Stage::Plan);
        let line = async {
            let line = InLine::since(Stage::Plan, queued_at);
            std::future::pending::<()>().await;
            line.ended();
        };
        let waiting = within(Arc::clone(&scope), line);
        tokio::select! {
            biased;
            () = waiting => unreachable!("nobody answers"),
            () = tokio::task::yield_now() => {}
        }
        let names = || -> Vec<(&str, &str)> {
            let spans = scope.flight().spans();
            spans.iter().map(|span| (span.what.kind(), span.what.name())).collect()
        };
        assert_eq!(names(), [("wait", "plan")]);
        batch.share(1, std::iter::once((&Some(Arc::clone(&scope)), queued_at)));
        assert_eq!(names(), [("wait", "plan")], "once");
        // One that is answered is told by its batch.
        within(Arc::clone(&scope), async { InLine::since(Stage::Plan, queued_at).ended() }).await;
        assert_eq!(names().len(), 1);
    }
}
