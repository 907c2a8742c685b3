//! `GET /debug/slow?route=…`

use std::collections::BTreeSet;

use contract::Endpoint;
use jiff::SignedDuration;
use serde_json::{Value, json};
use stack::provider::{Faults, Options};
use tests::practice::FIRST_DUE;
use tests::slow::slow_read;
use tests::{TestApp, appointment, at, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::DebugSlow;

#[tokio::test]
async fn says_what_the_slow_ones_have_in_common() {
    let app = TestApp::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    slow_read(&app, trace).await;
    // Something to hold it against: good ones are drawn by themselves.
    let good: BTreeSet<String> = (1..=4).map(|n| format!("a{n}{}", &trace[2..])).collect();
    for good in &good {
        let caller = format!("00-{good}-00f067aa0ba902b7-01");
        let read = app.get("/v1/practices/1/appointments/a").header("traceparent", &caller);
        read.send().await.expect(200);
    }
    let path = "/debug/slow?route=read_appointment";
    let listed = until("the flights are kept", async || {
        let listed = app.get(path).anonymous().send().await.json(200);
        (listed["slow"] == 1 && listed["sampled"] == 4).then_some(listed)
    })
    .await;
    assert_eq!(listed["flights"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["flights"][0]["trace_id"], trace);
    let sample = listed["sample"].as_array().unwrap();
    assert!(sample.iter().all(|flight| flight["why"] == "sample"), "{listed}");
    let text = |flight: &Value| flight["trace_id"].as_str().unwrap().to_owned();
    assert_eq!(sample.iter().map(text).collect::<BTreeSet<_>>(), good);
    let first = &listed["common"][0];
    assert_eq!((&first["kind"], &first["name"]), (&json!("query"), &json!("appointment_read")));
    let share = first["share_percent"].as_f64().unwrap();
    assert!((50.0..=150.0).contains(&share), "{first}");
    assert_eq!(first["present_percent"], 100.0);

    let page = app.get(path).anonymous().header("accept", "text/html").send().await.expect(200);
    for trace in good.iter().map(String::as_str).chain([trace]) {
        let waterfall = format!("/debug/requests/{trace}");
        assert!(page.text().contains(&format!("href=\"{waterfall}\"")), "{trace}");
        app.get(&waterfall).anonymous().send().await.expect(200);
    }
    is_counted(&app, ENDPOINT, 200, app.get(path).anonymous().send()).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path: path.into(), body: Value::Null };
    good.is_refused_when_spoilt().await;
    for wrong in ["/debug/slow", "/debug/slow?route=nothing", "/debug/slow?route=message&x=1"] {
        app.get(wrong).anonymous().send().await.problem(400, "bad_query");
    }
    app.finish().await;
}

/// A text that the provider refuses is a bad flight too, from its ready lane to its settling.
/// Seconds after it was due, though it then was claimed and delivered at once.
#[tokio::test]
async fn a_text_that_leaves_late_is_slow() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let release =
        async |gate| app.put("/admin/stages/release", &json!({ "gate": gate })).send().await;
    release("held").await.expect(200);
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.run(at(FIRST_DUE) + SignedDuration::from_mins(1), 1.0).await;
    until("it has been due for longer than it may be", async || {
        (app.scrape().await.sum("oldest_pending_seconds", &[]) > 6.0).then_some(())
    })
    .await;
    release("open").await.expect(200);
    let flight = until("the text's flight is kept", async || {
        let listed = app.get("/debug/slow?route=message").anonymous().send().await.json(200);
        listed["flights"].as_array().unwrap().last().cloned()
    })
    .await;
    assert_eq!((&flight["why"], &flight["outcome"]), (&json!("slow"), &json!("sent")), "{flight}");
    let spans = flight["spans"].as_array().unwrap();
    let waited =
        spans.iter().find(|s| (&s["kind"], &s["name"]) == (&json!("wait"), &json!("release")));
    assert!(waited.is_some(), "{flight}");
    app.idle().await;
    app.finish().await;
}

#[tokio::test]
async fn texts_have_flights() {
    let refuses = |options| Options {
        faults: Faults { server_error_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(refuses).start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("a").phone(1)]).await;
    app.hold(at(FIRST_DUE)).await;
    let listed = until("the text's flight is kept", async || {
        let listed = app.get("/debug/slow?route=message").anonymous().send().await.json(200);
        (!listed["flights"].as_array().unwrap().is_empty()).then_some(listed)
    })
    .await;
    let flight = &listed["flights"].as_array().unwrap().last().unwrap();
    assert_eq!((&flight["why"], &flight["outcome"]), (&json!("failed"), &json!("transient")));
    assert!(flight["status"].as_u64().unwrap() >= 500, "{flight}");
    let kinds: Vec<String> = flight["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| {
            format!("{} {}", span["kind"].as_str().unwrap(), span["name"].as_str().unwrap())
        })
        .collect();
    for expected in [
        "wait claim",
        "batch claim",
        "query claim_lanes",
        "wait deliver",
        "call provider",
        "wait settle",
        "batch settle",
    ] {
        assert!(kinds.iter().any(|kind| kind == expected), "{expected} is not in {kinds:?}");
    }
    app.finish().await;
}
