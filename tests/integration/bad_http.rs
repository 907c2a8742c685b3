//! Requests that break HTTP, or come too slowly: refused without harm, and the process goes on.
//!
//! Never here: requests that are well-formed and wrong (`endpoints`).

use std::time::Duration;

use tests::wire::{Wire, once};
use tests::{Ending, TestApp};

const PATH: &str = "/v1/openapi.json";

/// In place of a status: the connection ends without a word.
const CLOSED: u16 = 0;

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let app = TestApp::start().await;
    let public = app.client.public;
    let status = async |request: &str| once(public, request).await.map(|raw| raw.status);
    let good = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(status(&good).await, Some(200));

    let mut wrong = Vec::new();
    for (what, request, expected) in [
        ("no request line", "\u{1}\u{2}\r\n\r\n".to_owned(), 400),
        ("another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), CLOSED),
        ("a header without a colon", format!("GET {PATH} HTTP/1.1\r\nHost x\r\n\r\n"), 400),
        ("no host", format!("GET {PATH} HTTP/1.1\r\n\r\n"), 400),
        ("two hosts", format!("GET {PATH} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), 400),
        (
            "a head that is too large",
            format!("GET {PATH} HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(20_000)),
            431,
        ),
        (
            "too many headers",
            {
                let many: String = (0..200).map(|n| format!("A-{n}: x\r\n")).collect();
                format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n{many}\r\n")
            },
            431,
        ),
        (
            "a path that can't be decoded",
            "GET /v1/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            400,
        ),
        (
            "a length that is none",
            format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"),
            400,
        ),
        (
            "two lengths",
            format!(
                "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
            ),
            400,
        ),
    ] {
        let answered = status(&request).await;
        if answered.unwrap_or(CLOSED) != expected {
            wrong.push(format!("{what}: {answered:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let raw = once(public, &format!("GET {PATH} HTTP/1.1\r\n\r\n")).await.unwrap();
    assert!(raw.body.contains("\"bad_request\""), "{raw:?}");
    let broken = [("listener", "public"), ("reason", "bad_head")];
    assert!(app.scrape().await.sum("http_server_broken_connections_total", &broken) >= 5.0);
    assert_eq!(status(&good).await, Some(200));
    app.finish().await;
}

/// Both lengths are how requests are smuggled past proxies: the body is read by its chunks and the
/// connection is not used again.
#[tokio::test]
async fn chunked_and_with_a_length_is_the_connections_last() {
    let app = TestApp::start().await;
    let key = tests::client::ADMIN_KEY;
    let mut wire = Wire::connect(app.client.public).await;
    let smuggled = format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n");
    let request = format!(
        "PUT /v1/practices/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\n{{}}\r\n0\r\n\r\n{smuggled}"
    );
    wire.write(request.as_bytes()).await;
    let first = wire.answer().await.unwrap();
    assert_eq!(first.status, 400, "the chunks were read: an object without its fields");
    assert!(first.body.contains("\"bad_json\""), "{first:?}");
    assert_eq!(wire.answer().await, None, "what came behind it was answered");
    app.finish().await;
}

#[tokio::test]
async fn a_slow_head_and_silence_end_the_connection() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_REQUEST_HEAD_MS", 300).start().await;
    let mut silent = Wire::connect(app.client.public).await;
    let mut partial = Wire::connect(app.client.public).await;
    partial.write(format!("GET {PATH} HTTP/1.1\r\nHost: ").as_bytes()).await;
    let mut idle = Wire::connect(app.client.public).await;
    idle.write(format!("GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    let within = Duration::from_secs(5);
    assert!(silent.closes_within(within).await, "a silent connection stays");
    assert!(partial.closes_within(within).await, "half a head stays");
    assert!(idle.closes_within(within).await, "an idle connection stays");
    let broken = [("listener", "public"), ("reason", "timeout")];
    assert!(app.scrape().await.sum("http_server_broken_connections_total", &broken) >= 1.0);
    app.finish().await;
}

#[tokio::test]
async fn a_slow_body_is_given_up_at_the_deadline() {
    let app = TestApp::start().await;
    let key = tests::client::ADMIN_KEY;
    let mut wire = Wire::connect(app.client.public).await;
    let head = format!(
        "PUT /v1/practices/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    wire.write(head.as_bytes()).await;
    let refused = wire.answer().await.unwrap();
    assert_eq!(refused.status, 408);
    assert!(refused.body.contains("\"slow_body\""), "{refused:?}");
    assert!(wire.closes_within(Duration::from_secs(5)).await);
    app.finish().await;
}

/// What was stated to be too large is not read, and whoever sends it all the same gets the answer.
#[tokio::test]
async fn an_oversized_body_is_not_read() {
    let app = TestApp::start().await;
    let key = tests::client::ADMIN_KEY;
    let mut wire = Wire::connect(app.client.public).await;
    let head = format!(
        "PUT /v1/practices/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 4000000000\r\n\r\n"
    );
    wire.write(head.as_bytes()).await;
    for _ in 0..20 {
        wire.try_write(&[b' '; 4_096]).await;
    }
    let refused = wire.answer().await.unwrap();
    assert_eq!(refused.status, 413);
    assert!(refused.body.contains("\"body_too_large\""), "{refused:?}");
    // The same in chunks, whose size nobody knows beforehand.
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
    let chunked = format!(
        "PUT /v1/practices/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         {chunk}{chunk}0\r\n\r\n"
    );
    let refused = once(app.client.public, &chunked).await.unwrap();
    assert_eq!(refused.status, 413);
    app.finish().await;
}

/// Who goes away before the answer is counted, and harms nobody.
#[tokio::test]
async fn who_gives_up_is_counted() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let sql = tests::Sql::connect(&app.database.url()).await;
    sql.texts("BEGIN").await;
    sql.rows("SELECT 1 FROM shard FOR UPDATE", &[]).await;
    let appointment = tests::appointment("a").json().to_string();
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{appointment}",
        one.path("/appointments"),
        one.key,
        appointment.len(),
    );
    let mut wire = Wire::connect(app.client.public).await;
    wire.write(request.as_bytes()).await;
    tests::until("it is under way", async || {
        let active = [("listener", "public")];
        (app.scrape().await.sum("http_server_active_requests", &active) == 1.0).then_some(())
    })
    .await;
    drop(wire);
    tests::until("it is counted", async || {
        let labels = [("http_route", "upsert_appointments"), ("outcome", "aborted")];
        let family = "http_server_request_duration_seconds_count";
        (app.scrape().await.sum(family, &labels) == 1.0).then_some(())
    })
    .await;
    sql.texts("ROLLBACK").await;
    // What was taken in before is stored: the client can't know, and repeats it.
    tests::until("it is stored", async || {
        let status = app.get(&one.path("/appointments/a")).send().await.status;
        (status == 200).then_some(())
    })
    .await;
    app.finish_as(Ending::default()).await;
}
