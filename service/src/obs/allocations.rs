//! That what is recorded on every request, statement, connection and item allocates nothing, as
//! jemalloc counts it for the thread that records.

use std::time::{Duration, Instant};

use contract::{
    Endpoint, Fate, Journey, Limit, Pool, Query, QueryOutcome, Read, RequestOutcome, RouteReason,
    Stage,
};

use super::buckets::Grid;
use super::exemplar::TraceId;
use super::histogram::Histogram;
use super::holder::Holder;
use super::http::{Finished, finished};
use super::registered::Lap;
use super::request::{Scope, within};
use super::{fate, holder, http, journey, limit, matrix, pool, query, route, stage};

/// Bytes that this thread asked for meanwhile.
fn allocated(work: impl FnOnce()) -> u64 {
    let bytes = tikv_jemalloc_ctl::thread::allocatedp::read().expect("jemalloc is the allocator");
    let before = bytes.get();
    work();
    bytes.get() - before
}

/// Nothing, for any of many durations; the first call may make what it needs for ever.
fn allocates_nothing(what: &str, record: impl Fn(Duration)) {
    record(Duration::ZERO);
    let bytes = allocated(|| (0..1_000).for_each(|n| record(Duration::from_micros(n * n))));
    assert_eq!(bytes, 0, "{what}");
}

fn lap(took: Duration) -> Lap {
    Lap { ended: Some(Instant::now()), took }
}

#[test]
fn an_allocation_is_seen() {
    assert!(allocated(|| drop(std::hint::black_box(Box::new(7_u64)))) > 0);
}

#[test]
fn histograms_allocate_nothing() {
    let histogram = std::sync::Arc::new(Histogram::new(Grid::Seconds));
    let facade = metrics::Histogram::from_arc(std::sync::Arc::clone(&histogram));
    let trace = TraceId::from_random(7);
    allocates_nothing("alone", |took| histogram.record(took.as_nanos() as u64, None));
    allocates_nothing("traced", |took| histogram.record(took.as_nanos() as u64, Some(trace)));
    allocates_nothing("many", |took| histogram.record_many(took.as_nanos() as u64, 3));
    allocates_nothing("by the facade", |took| facade.record(took.as_secs_f64()));
    assert!(histogram.snapshot().count() > 4_000);
}

#[test]
fn what_the_service_records_allocates_nothing() {
    crate::obs::install().unwrap();
    let (pool, ok) = (Pool::Interactive, QueryOutcome::Ok);
    allocates_nothing("a statement", |t| query::record(Query::ApiKeyRead, pool, ok, lap(t), 1));
    let holder = Holder::Stage(Stage::Render);
    allocates_nothing("who ran it", |_| matrix::ran(holder, Query::ApiKeyRead, 1));
    allocates_nothing("who holds a connection", |_| drop(holder::hold(pool, holder)));
    allocates_nothing("a wait for one", |took| pool::waited(pool, lap(took)));
    allocates_nothing("a connection's use", |took| pool::held(pool, lap(took)));
    allocates_nothing("a journey", |took| journey::record(Journey::ReplyToShown, took, None));
    allocates_nothing("a batch", |took| stage::batch(Stage::Render, 10, took));
    allocates_nothing("lateness", |took| stage::lateness_of(Stage::Render, took, 10));
    allocates_nothing("what is in flight", |_| drop(stage::in_flight(Stage::Render)));
    allocates_nothing("a fate", |_| fate::add(Fate::Replied, 0));
    allocates_nothing("a bound", |_| limit::used_of(Limit::TemplateCache, 1, 2));
    let read = Read::AppointmentRead;
    allocates_nothing("a read's way", |_| route::decided(read, RouteReason::NoReplica));
    let first_byte = |took| http::count_first_byte(Endpoint::StreamLive, took, None);
    allocates_nothing("a first byte", first_byte);
    let begin = || query::Running::begin(Query::ApiKeyRead, pool, holder);
    allocates_nothing("a statement under way", |_| begin().ended(ok, 1));
    allocates_nothing("a statement that is given up", |_| drop(begin()));
    allocates_nothing("a wait that is given up", |_| drop(pool::Waiting::begin(pool)));
}

/// What a request's task notes of itself on the way, and its end.
#[tokio::test]
async fn a_request_allocates_nothing_to_be_measured() {
    crate::obs::install().unwrap();
    let scope = std::sync::Arc::new(Scope::new(TraceId::from_random(7), Instant::now()));
    let inside = std::sync::Arc::clone(&scope);
    within(inside, async {
        let (pool, ok) = (Pool::Interactive, QueryOutcome::Ok);
        allocates_nothing("a statement", |t| query::record(Query::ApiKeyRead, pool, ok, lap(t), 1));
        allocates_nothing("a wait", |took| pool::waited(pool, lap(took)));
    })
    .await;
    allocates_nothing("a journey", |took| {
        journey::record_of(Journey::ReplyToShown, took, Some(&scope));
    });
    // Another test's log may make this thread look for its own: it has none.
    let _nobody = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
    // Of no route, as one that is kept is copied.
    allocates_nothing("its end", |took| {
        finished(&Finished {
            endpoint: None,
            id: "id",
            caller: &"nobody",
            status: 404,
            outcome: RequestOutcome::Rejected,
            code: "unknown_path",
            cause: "",
            took,
            first_byte: None,
            bytes_in: 0,
            bytes_out: 0,
            scope: &scope,
        });
    });
}
