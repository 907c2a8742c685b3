//! Everything is bounded: what is full answers 503 with Retry-After (who asks too often: 429), at
//! once, and says so in its series; what is let go is there for the next one.
//!
//! Each test makes one bound small by its setting and reaches it. Never here: requests that are
//! wrong in themselves (`bad_http`, `endpoints`).

use std::time::{Duration, Instant};

use contract::{Endpoint, Journey, Limit, Pool};
use serde_json::json;
use tests::practice::appointment;
use tests::slow::{Held, Locked};
use tests::wire::Wire;
use tests::{Ending, TestApp, until};

async fn reached(app: &TestApp, limit: Limit) -> f64 {
    app.scrape().await.sum("limit_reached_total", &[("limit", limit.name())])
}

#[tokio::test]
async fn a_full_pool_is_waited_for_a_little() {
    let app = TestApp::with().env("PUNCTUAL_DATABASE_CONNECTIONS", 4).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let held = Held::shard_of(&app, &one).await;
    // The pool's one connection waits for the shard's row.
    let booking = {
        let one = one.clone();
        tokio::spawn(async move { one.try_book(&appointment("b")).await })
    };
    until("the connection is in use", async || {
        let used = [("pool", "interactive"), ("state", "used")];
        (app.scrape().await.sum("db_client_connections", &used) == 1.0).then_some(())
    })
    .await;
    let started = Instant::now();
    let refused = app.get(&one.path("/appointments/a")).send().await;
    refused.problem(503, "overloaded");
    let most = u64::from(Pool::Interactive.spec().wait_ms_max);
    assert!(started.elapsed() < Duration::from_millis(most + 1_000), "{:?}", started.elapsed());
    let timeouts = [("pool", "interactive")];
    assert_eq!(app.scrape().await.sum("db_client_connections_timeouts_total", &timeouts), 1.0);
    held.release().await;
    booking.await.unwrap().unwrap().expect(200);
    one.appointment("b").await;
    app.finish().await;
}

#[tokio::test]
async fn a_full_commit_queue_refuses_at_once() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_COMMIT_QUEUE", 3).start().await;
    let one = app.practice(1).await;
    let held = Held::shard_of(&app, &one).await;
    let mut waiting = Vec::new();
    let mut refused = 0;
    for n in 0..8 {
        let booked = one.clone();
        let call = async move { booked.try_book(&appointment(&format!("a-{n}"))).await.unwrap() };
        let mut call = Box::pin(call);
        // A refusal comes at once; what is taken in waits for the shard.
        match tokio::time::timeout(Duration::from_millis(400), &mut call).await {
            Ok(answer) => {
                answer.problem(503, "overloaded");
                refused += 1;
            }
            Err(_waits) => waiting.push(call),
        }
    }
    assert!(refused >= 4 && !waiting.is_empty(), "{refused} refused");
    let used = [("limit", Limit::CommitQueue.name())];
    until("the queue is seen to be full", async || {
        (app.scrape().await.sum("limit_used_ratio", &used) >= 1.0).then_some(())
    })
    .await;
    assert_eq!(reached(&app, Limit::CommitQueue).await, f64::from(refused));
    held.release().await;
    for call in waiting {
        call.await.expect(200);
    }
    until("the queue is seen to be empty", async || {
        (app.scrape().await.sum("limit_used_ratio", &used) == 0.0).then_some(())
    })
    .await;
    one.book(&appointment("after")).await;
    // What was refused is a journey that broke off.
    let journey = [("journey", Journey::BookingToPromise.name())];
    let scrape = app.scrape().await;
    let ended = scrape.sum("journey_duration_seconds_count", &journey);
    assert_eq!(ended, f64::from(8 - refused) + 1.0);
    assert_eq!(scrape.sum("slo_journeys_total", &journey) - ended, f64::from(refused));
    app.finish().await;
}

/// Who waited for longest is who leaves: the journey counts all the same.
#[tokio::test]
async fn a_booking_whose_caller_has_left_counts_when_it_is_committed() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let held = Held::shard_of(&app, &one).await;
    let left = Duration::from_millis(u64::from(Journey::BookingToPromise.spec().latency_ms) + 100);
    let booked = one.clone();
    let call = async move { booked.try_book(&appointment("a")).await };
    assert!(tokio::time::timeout(left, call).await.is_err(), "it was answered");
    let aborted = [("http_route", "upsert_appointments"), ("outcome", "aborted")];
    until("the service has seen it leave", async || {
        let name = "http_server_request_duration_seconds_count";
        (app.scrape().await.sum(name, &aborted) > 0.0).then_some(())
    })
    .await;
    held.release().await;
    let journey = [("journey", Journey::BookingToPromise.name())];
    let scrape = until("the journey is counted", async || {
        let scrape = app.scrape().await;
        (scrape.sum("slo_journeys_total", &journey) > 0.0).then_some(scrape)
    })
    .await;
    assert_eq!(scrape.sum("slo_good_journeys_total", &journey), 0.0, "it took too long");
    assert_eq!(one.appointment("a").await["version"], 1);
    app.finish().await;
}

/// The same for a request: to its caller it was a slow one, though nobody answered it.
#[tokio::test]
async fn a_slow_request_whose_caller_has_left_counts_as_bad() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    one.appointment("a").await;
    let endpoint = ("http_route", Endpoint::ReadAppointment.name());
    let judged = async || {
        let scrape = app.scrape().await;
        let of = |family: &str, slo: &str| scrape.sum(family, &[endpoint, ("slo", slo)]);
        let latency = |family| of(family, "latency");
        let all = (latency("slo_requests_total"), latency("slo_good_requests_total"));
        (all, of("slo_requests_total", "availability"))
    };
    let ((before, good), available) = until("the good one is counted", async || {
        Some(judged().await).filter(|((all, _), _)| *all > 0.0)
    })
    .await;
    let locked = Locked::appointments(&app).await;
    let call = app.get(&one.path("/appointments/a")).send();
    let left = tokio::select! {
        () = locked.holds_up(&app) => true,
        _answer = call => false,
    };
    assert!(left, "it was answered");
    let ((_, still_good), still_available) = until("the slow one is counted", async || {
        Some(judged().await).filter(|((all, _), _)| *all == before + 1.0)
    })
    .await;
    assert_eq!(still_good, good, "it was no good one");
    assert_eq!(still_available, available, "whether it would have been answered nobody knows");
    locked.release().await;
    app.finish().await;
}

#[tokio::test]
async fn a_statement_has_its_deadline() {
    let app = TestApp::with().env("PUNCTUAL_DATABASE_STATEMENT_TIMEOUT_MS", 300).start().await;
    let one = app.practice(1).await;
    let held = Held::shard_of(&app, &one).await;
    let started = Instant::now();
    let answer = one.try_book(&appointment("a")).await.unwrap();
    answer.problem(503, "deadline_exceeded");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    held.release().await;
    // Repeating it is safe.
    one.book(&appointment("a")).await;
    let errors = &["deadline_exceeded", "stage"];
    app.finish_as(Ending { errors, ..Ending::default() }).await;
}

#[tokio::test]
async fn a_full_listener_turns_connections_away() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_PUBLIC_CONNECTIONS", 2).start().await;
    let request = b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::connect(app.client.public).await;
        wire.write(request).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
        kept.push(wire);
    }
    let mut third = Wire::connect(app.client.public).await;
    third.try_write(request).await;
    let refused = third.answer().await.unwrap();
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 1") && refused.body.contains("\"overloaded\""));
    assert!(third.closes_within(Duration::from_secs(5)).await);
    assert!(reached(&app, Limit::PublicConnections).await >= 1.0);
    // Operators get through all the same.
    app.get("/healthz").send().await.expect(200);
    // One goes, one comes.
    drop(kept.pop());
    until("there is room again", async || {
        let mut wire = Wire::connect(app.client.public).await;
        wire.try_write(request).await;
        (wire.answer().await?.status == 200).then_some(())
    })
    .await;
    drop(kept);
    app.finish().await;
}

#[tokio::test]
async fn too_many_requests_at_a_time_are_refused() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_REQUESTS_IN_FLIGHT", 2).start().await;
    let one = app.practice(1).await;
    let held = Held::shard_of(&app, &one).await;
    let bookings: Vec<_> = (0..2)
        .map(|n| {
            let one = one.clone();
            tokio::spawn(async move { one.try_book(&appointment(&format!("a-{n}"))).await })
        })
        .collect();
    until("both are under way", async || {
        let active = [("listener", "public")];
        (app.scrape().await.sum("http_server_active_requests", &active) == 2.0).then_some(())
    })
    .await;
    app.get(&one.path("")).send().await.problem(503, "overloaded");
    assert_eq!(reached(&app, Limit::RequestsInFlight).await, 1.0);
    held.release().await;
    for booking in bookings {
        booking.await.unwrap().unwrap().expect(200);
    }
    app.get(&one.path("")).send().await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn the_memory_for_bodies_is_bounded() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_BODY_BYTES", 2_000).start().await;
    let one = app.practice(1).await;
    let items: Vec<_> = (0..40).map(|n| appointment(&format!("a-{n}")).json().clone()).collect();
    let large = app.post(&one.path("/appointments"), &json!(items)).send().await;
    large.problem(503, "overloaded");
    assert!(reached(&app, Limit::BodyBytes).await >= 1.0);
    one.book(&appointment("small")).await;
    app.finish().await;
}

/// A client that runs wild costs little, also with bodies that would take long to read, and takes
/// nothing of others.
#[tokio::test]
async fn a_practice_that_asks_too_often_is_told_before_its_body_is_read() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_PRACTICE_REQUESTS", 1).start().await;
    let (wild, calm) = (app.practice(1).await, app.practice(2).await);
    let path = wild.path("/appointments");
    let mut refused = 0;
    let answer = until("too many requests", async || {
        let call = app.call(http::Method::POST, &path).key(&wild.key);
        let answer = call.body("application/json", "no JSON").send().await;
        if answer.status == 429 {
            refused += 1;
            return Some(answer);
        }
        answer.problem(400, "bad_json");
        None
    })
    .await;
    assert_eq!(answer.header("retry-after"), "1");
    answer.problem(429, "too_many_requests");
    assert_eq!(reached(&app, Limit::PracticeRequests).await, f64::from(refused));
    calm.book(&appointment("a")).await;
    until("it may ask again", async || {
        let call = wild.try_book(&appointment("a")).await;
        (call.unwrap().status == 200).then_some(())
    })
    .await;
    app.finish().await;
}

/// Anybody can make keys up: that takes neither the bookings' connections nor more places than
/// there are.
#[tokio::test]
async fn keys_that_are_made_up_leave_the_others_their_room() {
    let app = TestApp::with()
        .env("PUNCTUAL_LIMIT_KEY_LOOKUPS", 12)
        .env("PUNCTUAL_DATABASE_STATEMENT_TIMEOUT_MS", 60_000)
        .start()
        .await;
    let one = app.practice(1).await;
    // From here on its key is in memory.
    one.book(&appointment("a")).await;
    let path = one.path("/appointments");
    let made_up = |n: u32| {
        let key = format!("pk_1_{n}_{}", "x".repeat(43));
        let call = app.post(&path, &json!([])).key(&key);
        tokio::spawn(async move { call.send().await })
    };
    let locked = Locked::keys(&app).await;
    let waiting: Vec<_> = (100..112).map(made_up).collect();
    let used = async || {
        let labels = [("limit", Limit::KeyLookups.name())];
        app.scrape().await.sum("limit_used_ratio", &labels)
    };
    until("all places are taken", async || (used().await == 1.0).then_some(())).await;
    let refused = made_up(112).await.unwrap();
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(503, "overloaded");
    assert_eq!(reached(&app, Limit::KeyLookups).await, 1.0);

    one.book(&appointment("b")).await;
    let looked_up = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND query LIKE '%api_key_read%'";
    assert_eq!(app.database.sql.one::<i64>(looked_up, &[]).await, 2, "connections are taken");
    locked.release().await;
    for call in waiting {
        call.await.unwrap().problem(401, "unauthenticated");
    }
    until("all places are free", async || (used().await == 0.0).then_some(())).await;
    app.finish().await;
}
