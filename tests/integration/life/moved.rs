//! Moving an appointment, or giving it another phone.

use serde_json::{Value, json};
use stack::provider::{Faults, Latency, Options};
use tests::practice::FIRST_DUE;
use tests::provider::{accepted, until_accepted};
use tests::{TestApp, appointment, at, phone};

#[tokio::test]
async fn before_release_the_promise_moves_with_it() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    one.book(&appointment("a").version(2).starts("2026-05-08T10:00")).await;
    let due: Vec<Value> = one.appointment("a").await["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reminder| reminder["due_at"].clone())
        .collect();
    assert_eq!(due, [json!(at("2026-05-07T08:00")), json!(at("2026-05-08T08:00"))]);
    assert_eq!(one.counts("2026-05-05", 1).await["expected"], 0, "it is expected no more");
    app.hold(at("2026-05-06T20:00")).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 0);
    app.hold(at("2026-05-07T08:00")).await;
    one.until_fate("a", 1, "sent").await;
    app.finish().await;
}

#[tokio::test]
async fn after_its_text_left_there_is_another_for_the_new_time() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    one.book(&appointment("a").version(2).starts("2026-05-07T16:30")).await;
    app.hold(at("2026-05-06T16:00")).await;
    one.until("a", 1, "sent again", |reminder| {
        reminder["fate"] == "sent" && reminder["due_at"] == json!(at("2026-05-06T16:00"))
    })
    .await;
    let fates: Vec<_> =
        one.reminders("a", 1).await.iter().map(|reminder| reminder["fate"].clone()).collect();
    assert_eq!(fates, ["sent", "sent"], "both are history");
    let bodies: Vec<_> = accepted(&app.simulator).into_iter().map(|text| text.body).collect();
    assert_eq!(
        bodies,
        ["Reminder from Practice 1: 14:30 Zuzanna.", "Reminder from Practice 1: 16:30 Zuzanna."]
    );
    app.finish().await;
}

/// Moved while the text waits in its lane: it doesn't leave; the new time's does.
#[tokio::test]
async fn between_release_and_claim_the_old_text_is_stopped() {
    let slow = |options: Options| Options {
        faults: Faults { latency: Latency::Constant { ms: 2_500.0 }, ..Faults::none() },
        ..options
    };
    let app =
        TestApp::with().env("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", 1).provider(slow).start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("blocker").phone(1), appointment("a").phone(2)]).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    one.until("a", 1, "released", |reminder| reminder["message_id"].is_i64()).await;
    one.book(&appointment("a").version(2).phone(3)).await;
    app.simulator.set_faults(Faults::none()).unwrap();
    one.until_fate("a", 1, "sent").await;
    app.idle().await;
    let reached: Vec<_> = accepted(&app.simulator).into_iter().map(|text| text.to).collect();
    assert_eq!(reached, [phone(1), phone(3)], "the old number is not texted");
    let fates: Vec<_> =
        one.reminders("a", 1).await.iter().map(|reminder| reminder["fate"].clone()).collect();
    assert!(fates.contains(&json!("suppressed_moved")), "{fates:?}");
    app.finish().await;
}
