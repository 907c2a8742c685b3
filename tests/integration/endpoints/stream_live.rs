//! `GET /live/events`

use contract::{Endpoint, Journey, Pool, ResidualKind, Stage};
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at, until};

use super::common::is_counted;

const ENDPOINT: Endpoint = Endpoint::StreamLive;

#[tokio::test]
async fn an_event_a_second_with_everything_in_it() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let mut stream = app.events("/live/events").await;
    assert_eq!(stream.status, 200);
    assert!(stream.head.contains("content-type: text/event-stream"), "{}", stream.head);
    assert!(stream.head.contains("cache-control: no-store"), "{}", stream.head);
    let first = stream.next().await;
    let names = |part: &Value| -> Vec<String> {
        part.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().into()).collect()
    };
    let journeys: Vec<_> = Journey::ALL.iter().map(|row| row.name()).collect();
    assert_eq!(names(&first["journeys"]), journeys);
    let pools: Vec<_> = Pool::ALL.iter().map(|row| row.name()).collect();
    assert_eq!(names(&first["pools"]), pools);
    let mut stages = names(&first["flow"]["stages"]);
    assert_eq!(stages[..2], ["release", "render"]);
    stages.sort_unstable();
    let mut all: Vec<_> = Stage::ALL.iter().map(|row| row.name()).collect();
    all.sort_unstable();
    assert_eq!(stages, all);
    assert_eq!(first["missing"], json!([]));
    assert_eq!(first["flow"]["sum"]["violations"], Value::Null, "not audited yet");

    for n in 1..=5 {
        one.book(&appointment(&format!("a{n}")).phone(n)).await;
    }
    app.hold(at(FIRST_DUE)).await;
    app.audit().await;
    let last = until("five are settled", async || {
        let next = stream.next().await;
        (next["flow"]["sum"]["settled"] == 5).then_some(next)
    })
    .await;
    let booked = &last["journeys"][Journey::BookingToPromise.index()];
    assert_eq!((&booked["all"], &booked["minute"]["all"]), (&json!(5), &json!(5)));
    assert_eq!(last["flow"]["sum"]["violations"], 0.0);
    let residuals = last["flow"]["sum"]["residuals"].as_array().unwrap();
    assert_eq!(residuals.len(), ResidualKind::COUNT);
    assert!(residuals.iter().all(|kind| kind["promises"] == 0));
    let line = booked["line"].as_array().unwrap();
    assert_eq!(line.iter().filter_map(Value::as_u64).sum::<u64>(), 5);
    let endpoints = names(&last["endpoints"]);
    assert!(endpoints.iter().any(|name| name == "upsert_appointments"), "{endpoints:?}");
    assert!(!last["statements"].as_array().unwrap().is_empty());

    // Its reader leaves: counted then, and as one that went well.
    is_counted(&app, ENDPOINT, 200, async { drop(stream) }).await;
    let scrape = app.scrape().await;
    let route = [("http_route", ENDPOINT.name())];
    assert_eq!(scrape.sum("http_server_time_to_first_byte_seconds_count", &route), 1.0);
    let latency = [("http_route", ENDPOINT.name()), ("slo", "latency")];
    assert_eq!(scrape.sum("slo_requests_total", &latency), 1.0);
    assert_eq!(scrape.sum("endpoint_db_queries_per_request_sum", &route), 0.0);
    app.finish().await;
}

/// The business rate is held against the plan's: what falls due is counted a moment before.
#[tokio::test]
async fn what_falls_due_is_counted() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let mut stream = app.events("/live/events").await;
    for n in 1..=3 {
        one.book(&appointment(&format!("a{n}")).phone(n)).await;
    }
    // Further ahead than the two turns for which it may have been counted before.
    let ahead = jiff::SignedDuration::from_secs(16);
    assert!(ahead.as_millis() > 2 * i128::from(Stage::Observe.spec().period_ms));
    app.run(at(FIRST_DUE) - ahead, 1.0).await;
    let last = until("three are counted", async || {
        let next = stream.next().await;
        (next["flow"]["due"] != 0).then_some(next)
    })
    .await;
    assert_eq!(last["flow"]["due"], 3);
    until("each of them once, and sent", async || {
        let next = stream.next().await;
        assert_eq!(next["flow"]["due"], 3);
        (next["flow"]["sum"]["settled"] == 3).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn there_are_no_more_than_its_limit() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_STREAMS", 2).start().await;
    let first = app.events("/live/events").await;
    let second = app.events("/live/events").await;
    app.get("/live/events").send().await.problem(503, "overloaded");
    app.get("/metrics").send().await.expect(200);
    let limit = [("limit", "streams")];
    assert_eq!(app.scrape().await.sum("limit_reached_total", &limit), 1.0);
    until("the gauge says so", async || {
        (app.scrape().await.sum("limit_used_ratio", &limit) == 1.0).then_some(())
    })
    .await;
    drop(second);
    until("there is room again", async || {
        let again = app.events("/live/events").await;
        (again.status == 200).then_some(())
    })
    .await;
    drop(first);
    app.finish().await;
}

/// The page is watched to the very end: streams end when everything else has, and cut nothing off.
#[tokio::test]
async fn it_ends_with_the_process_and_holds_nothing_up() {
    let app = TestApp::start().await;
    let mut stream = app.events("/live/events").await;
    stream.next().await;
    let stopping = async { app.process.stop(tests::SOON).await };
    let (status, ended) = tokio::join!(stopping, stream.end());
    assert!(status.success() && ended, "{status}");
    let TestApp { service, .. } = app;
    service.finished(tests::Ending::default()).await;
}
