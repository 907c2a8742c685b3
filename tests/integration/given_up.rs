//! Statements, and waits for connections and for batches, that nobody waits for any more. Whoever
//! leaves is who waited longest: what held it up is in its flight, and its statements are counted.
//!
//! Never here: how its request counts (`full`, `bad_http`).

use contract::{Endpoint, Pool, Query, QueryOutcome, Stage};
use serde_json::Value;
use tests::slow::{Held, Locked};
use tests::{Call, Ending, TestApp, appointment, until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
/// Of the booking or the read that is given up; others have none.
const CALLER: (&str, &str) =
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01");

/// Sends a request and leaves when something has come about.
async fn leave_when(call: Call, come: impl Future<Output = ()>) {
    let left = tokio::select! {
        () = come => true,
        _answer = call.header(CALLER.0, CALLER.1).send() => false,
    };
    assert!(left, "it was answered");
}

/// The request's flight, once it is kept.
async fn flight(app: &TestApp) -> Value {
    let path = format!("/debug/requests/{TRACE}");
    let found = until("the flight is kept", async || {
        let answer = app.get(&path).anonymous().send().await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    found.json(200)["flights"][0].clone()
}

/// What of it went on one thing, in milliseconds.
fn spent(flight: &Value, kind: &str, name: &str) -> f64 {
    let spans = flight["spans"].as_array().unwrap();
    let is_it = |span: &&Value| span["kind"] == kind && span["name"] == name;
    let mut of_it = spans.iter().filter(is_it).map(|span| span["took_ms"].as_f64().unwrap());
    let spent = of_it.next().unwrap_or_else(|| panic!("no {kind} {name} in {flight}"));
    assert_eq!(of_it.next(), None, "twice in {flight}");
    spent
}

/// How often the read of an appointment ended so.
async fn reads(app: &TestApp, outcome: QueryOutcome) -> f64 {
    let labels = [("db_query_name", Query::AppointmentRead.name()), ("outcome", outcome.name())];
    app.scrape().await.sum("db_client_operation_duration_seconds_count", &labels)
}

#[tokio::test]
async fn a_statement_whose_caller_has_left_is_recorded() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let locked = Locked::appointments(&app).await;
    leave_when(app.get(&one.path("/appointments/a")), locked.holds_up(&app)).await;
    let flight = flight(&app).await;
    assert_eq!(flight["why"], "aborted");
    let objective = f64::from(Endpoint::ReadAppointment.spec().latency_ms);
    assert!(spent(&flight, "query", Query::AppointmentRead.name()) > objective, "{flight}");
    assert_eq!(reads(&app, QueryOutcome::Cancelled).await, 1.0);
    assert_eq!(reads(&app, QueryOutcome::Timeout).await, 0.0);
    locked.release().await;
    app.finish().await;
}

#[tokio::test]
async fn a_statement_at_its_requests_deadline_is_recorded_as_that() {
    // Longer than the request may take.
    let app = TestApp::with().env("PUNCTUAL_DATABASE_STATEMENT_TIMEOUT_MS", 60_000).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let locked = Locked::appointments(&app).await;
    let call = app.get(&one.path("/appointments/a")).header(CALLER.0, CALLER.1);
    call.send().await.problem(503, "deadline_exceeded");
    let flight = flight(&app).await;
    assert_eq!(flight["why"], "failed");
    let objective = f64::from(Endpoint::ReadAppointment.spec().latency_ms);
    assert!(spent(&flight, "query", Query::AppointmentRead.name()) > objective, "{flight}");
    assert_eq!(reads(&app, QueryOutcome::Timeout).await, 1.0);
    assert_eq!(reads(&app, QueryOutcome::Cancelled).await, 0.0);
    locked.release().await;
    // It is our fault, and counted as that.
    let failed = [
        ("http_route", Endpoint::ReadAppointment.name()),
        ("http_response_status_code", "503"),
        ("outcome", "failed"),
    ];
    let family = "http_server_request_duration_seconds_count";
    assert_eq!(app.scrape().await.sum(family, &failed), 1.0);
    app.finish_as(Ending { errors: &["deadline_exceeded"], is_broken: false }).await;
}

#[tokio::test]
async fn a_wait_for_a_connection_whose_caller_has_left_is_in_its_flight() {
    let app = TestApp::with().env("PUNCTUAL_DATABASE_CONNECTIONS", 6).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let locked = Locked::appointments(&app).await;
    let interactive = [("pool", Pool::Interactive.name())];
    let size = app.scrape().await.sum("db_client_connections_max", &interactive);
    let readers: Vec<_> = (0..size as usize)
        .map(|_| tokio::spawn(app.get(&one.path("/appointments/a")).send()))
        .collect();
    locked.holds_up(&app).await;
    let waits = async {
        until("it waits for a connection", async || {
            let waiting = "db_client_connections_pending_requests";
            (app.scrape().await.sum(waiting, &interactive) > 0.0).then_some(())
        })
        .await;
    };
    leave_when(app.get(&one.path("/appointments/a")), waits).await;
    let flight = flight(&app).await;
    assert_eq!(flight["why"], "aborted");
    assert!(spent(&flight, "pool", Pool::Interactive.name()) > 0.0, "{flight}");
    locked.release().await;
    for reader in readers {
        reader.await.unwrap().expect(200);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_wait_for_a_batch_whose_caller_has_left_is_in_its_flight() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let held = Held::shard_of(&app, &one).await;
    let booking = app.post(&one.path("/appointments"), appointment("a").json());
    leave_when(booking, held.is_waited_for(&app)).await;
    let flight = flight(&app).await;
    assert_eq!(flight["why"], "aborted");
    assert!(spent(&flight, "wait", Stage::Plan.name()) > 0.0, "{flight}");
    held.release().await;
    // What was taken in is stored, whether or not anybody waits for it.
    until("it is stored", async || {
        let status = app.get(&one.path("/appointments/a")).send().await.status;
        (status == 200).then_some(())
    })
    .await;
    app.finish().await;
}
