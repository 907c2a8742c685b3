//! A `traceparent` that is none: it is as if it had not been sent, and no part of it is anywhere
//! that the service writes to. A proper one beside it shows that the places are those where a trace
//! would be.
//!
//! Never here: which ones are proper (`http::trace`), what a kept request shows (`endpoints`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use contract::Endpoint;
use serde_json::json;
use tests::practice::FIRST_DUE;
use tests::refuser::Refuser;
use tests::slow::Locked;
use tests::wire::Wire;
use tests::{Answer, Practice, TestApp, appointment, at, until};
use tokio::task::JoinSet;

/// The proper one's trace.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PROPER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Of all malformed ones: the begin of the trace, the parent, and what is neither.
const MARKS: [&str; 3] = ["0af7651916cd43dd", "b7ad6b7169203331", "look-at-me"];

const MALFORMED: [&str; 9] = [
    "look-at-me",
    "00-0af7651916cd43dd8448eb211c803101",
    "00-0af7651916cd43dd8448eb211c803102-b7ad6b7169203331-01-look-at-me",
    "ff-0af7651916cd43dd8448eb211c803103-b7ad6b7169203331-01",
    "00-0AF7651916CD43DD8448EB211C803104-B7AD6B7169203331-01",
    "00-0af7651916cd43dd8448eb211c803105-0000000000000000-01",
    "00-0af7651916cd43dd8448eb211c803106-b7ad6b7169203331-1",
    "00-0af7651916cd43dd8448eb211c8031-b7ad6b7169203331-01",
    "<b>look-at-me</b>\t00-0af7651916cd43dd8448eb211c803108-b7ad6b7169203331-01",
];

/// Lines of a head with two that are proper each, and with one that is no text.
const UNREADABLE: [&[u8]; 2] = [
    b"traceparent: 00-0af7651916cd43dd8448eb211c803109-b7ad6b7169203331-01\r\n\
      traceparent: 00-0af7651916cd43dd8448eb211c803110-b7ad6b7169203331-01\r\n",
    b"traceparent: look-at-me-\xff\xfe-0af7651916cd43dd8448eb211c803111\r\n",
];

fn has_no_mark(place: &str, text: &str) {
    let lower = text.to_lowercase();
    for mark in MARKS {
        let line = lower.lines().find(|line| line.contains(mark));
        assert_eq!(line, None, "{mark} in {place}");
    }
}

/// All that an answer says.
fn said(answer: &Answer) -> String {
    let mut said = answer.text();
    for (name, value) in &answer.headers {
        _ = write!(said, "\n{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    said
}

#[tokio::test]
async fn it_is_nowhere() {
    let provider = Refuser::start(400, r#"{"code":21211,"message":"x","status":400}"#).await;
    let url = format!("http://{}", provider.address);
    let app = TestApp::with().env("PUNCTUAL_PROVIDER_URL", url).start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("slow").phone(99)]).await;

    slow_ones(&app, &one).await;
    quick_ones(&app, &one).await;
    app.hold(at(FIRST_DUE)).await;
    let texts = MALFORMED.len() as u64 + 1;
    until("the texts are at the provider", async || (provider.posts() >= texts).then_some(()))
        .await;

    has_no_mark("what the provider was sent", &provider.received());
    leads_to_its_text(&app, &provider.received(), texts).await;
    kept(&app).await;
    has_no_mark("the log", &app.log());
    assert!(app.log().contains(TRACE), "a proper one is there");
    app.finish().await;
}

/// Requests that are kept because they are slow, as all wait for the same table.
async fn slow_ones(app: &TestApp, one: &Practice) {
    let locked = Locked::appointments(app).await;
    let path = one.path("/appointments/slow");
    let mut reads = JoinSet::new();
    for caller in MALFORMED.into_iter().chain([PROPER]) {
        let read = app.get(&path).key(&one.key).header("traceparent", caller);
        reads.spawn(async move { (caller, read.send().await) });
    }
    let mut wires = Vec::new();
    for lines in UNREADABLE {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n", one.key);
        let mut wire = Wire::connect(app.public).await;
        wire.write(&[head.as_bytes(), lines, b"\r\n"].concat()).await;
        wires.push(wire);
    }
    locked.holds_up(app).await;
    locked.release().await;
    for (caller, answer) in reads.join_all().await {
        let answer = answer.expect(200);
        if caller == PROPER {
            assert!(answer.header("server-timing").contains(TRACE), "{answer:?}");
        } else {
            has_no_mark(&format!("the answer to {caller}"), &said(&answer));
        }
    }
    for mut wire in wires {
        let answer = wire.answer().await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        has_no_mark("an answer", &format!("{}{}", answer.head, answer.body));
    }
}

/// Good ones, whose texts go to the provider, and such as are refused.
async fn quick_ones(app: &TestApp, one: &Practice) {
    for (n, caller) in (1..).zip(MALFORMED) {
        let booked = json!([appointment(&format!("a{n}")).phone(n).json()]);
        let calls = [
            (200, app.post(&one.path("/appointments"), &booked).key(&one.key)),
            (404, app.get(&one.path("/appointments/nobody")).key(&one.key)),
            (400, app.get("/v1/practices/abc")),
            (401, app.get("/v1/practices/1").anonymous()),
            (404, app.get("/v1/nothing")),
            (200, app.get("/healthz").anonymous()),
        ];
        for (status, call) in calls {
            let answer = call.header("traceparent", caller).send().await.expect(status);
            has_no_mark(&format!("the answer to {caller}"), &said(&answer));
        }
    }
}

/// Each text was sent with a trace of its own, under which it is found: all were refused, and so
/// all are kept.
async fn leads_to_its_text(app: &TestApp, received: &str, texts: u64) {
    let lines = received.lines();
    let traces: BTreeSet<&str> =
        lines.filter_map(|line| line.strip_prefix("traceparent: 00-")?.split('-').next()).collect();
    assert_eq!(traces.len() as u64, texts, "{received}");
    for trace in traces {
        let flights = until("the text is kept", async || {
            let answer = app.get(&format!("/debug/requests/{trace}")).send().await;
            (answer.status == 200).then(|| answer.json(200)["flights"].take())
        })
        .await;
        assert_eq!(flights[0]["route"], "message", "{flights}");
    }
}

/// What the service shows of its requests to operators.
async fn kept(app: &TestApp) {
    let listed = format!("/debug/slow?route={}", Endpoint::ReadAppointment.name());
    until("the slow ones are kept", async || {
        let listed = app.get(&listed).send().await.json(200);
        let flights = listed["flights"].as_array().unwrap();
        let has_proper = flights.iter().any(|flight| flight["trace_id"] == TRACE);
        (has_proper && flights.len() > 1).then_some(())
    })
    .await;
    let routes = Endpoint::ALL.iter().map(|row| row.name()).chain(["message"]);
    for path in routes.map(|route| format!("/debug/slow?route={route}")) {
        for accept in ["application/json", "text/html"] {
            let answer = app.get(&path).header("accept", accept).send().await.expect(200);
            has_no_mark(&path, &said(&answer));
        }
    }
    for trace in (101..=111).map(|n| format!("0af7651916cd43dd8448eb211c803{n}")) {
        let answer = app.get(&format!("/debug/requests/{trace}")).send().await;
        assert_eq!(answer.status, 404, "{trace}: {}", answer.text());
    }
    app.get(&format!("/debug/requests/{TRACE}")).send().await.expect(200);
    let accept = "application/openmetrics-text; version=1.0.0";
    let metrics = app.get("/metrics").header("accept", accept).send().await.expect(200);
    assert!(metrics.text().contains(" # {trace_id="), "examples");
    has_no_mark("/metrics", &said(&metrics));
    let shown = app.events("/live/events").await.next().await;
    assert!(shown["kept"][0]["trace_id"].is_string(), "{shown}");
    has_no_mark("the live page", &shown.to_string());
}
