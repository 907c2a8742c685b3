//! Cancelling at every moment: what is answered "in time" never leaves, what isn't is answered so.

use serde_json::json;
use stack::provider::{Faults, Latency, Options};
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::{accepted, until_accepted};
use tests::{Practice, TestApp, appointment, at};

/// A provider that takes its time, and a service that delivers one text at a time: while the
/// first is under way, the others wait in their lanes.
async fn one_at_a_time() -> (TestApp, Practice) {
    let slow = |options: Options| Options {
        faults: Faults { latency: Latency::Constant { ms: 2_500.0 }, ..Faults::none() },
        ..options
    };
    let app =
        TestApp::with().env("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", 1).provider(slow).start().await;
    let one = app.practice(1).await;
    (app, one)
}

/// Waits until an appointment's reminder has become a text that waits in its lane.
async fn released(one: &Practice, id: &str) -> i64 {
    let released = one.until(id, 1, "released", |reminder| reminder["message_id"].is_i64()).await;
    assert_eq!(released["fate"], "pending");
    released["message_id"].as_i64().unwrap()
}

#[tokio::test]
async fn after_release_and_before_the_claim_it_is_in_time() {
    let (app, one) = one_at_a_time().await;
    one.send(&[appointment("first").phone(1), appointment("second").phone(2)]).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    let message_id = released(&one, "second").await;

    let cancelled = one.cancel("second").await;
    assert_eq!(cancelled["in_time"], true, "{cancelled}");
    assert_eq!(cancelled["messages"][0]["message_id"], message_id);
    app.simulator.set_faults(Faults::none()).unwrap();
    one.until_fate("first", 1, "sent").await;
    app.idle().await;
    let texts = accepted(&app.simulator);
    assert_eq!(texts.len(), 1, "what was stopped in time has left");
    assert_eq!(one.reminders("second", 1).await[0]["fate"], "suppressed_cancelled");
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!((&counts["sent"], &counts["suppressed"]["cancelled"]), (&json!(1), &json!(1)));
    // Its second reminder was cancelled a day ahead: that one never fell due.
    let scrape = app.scrape().await;
    assert_eq!(scrape.sum("messages_total", &[("fate", "suppressed_cancelled")]), 2.0);
    assert_eq!(scrape.sum("messages_due_ended_total", &[]), 2.0);
    app.finish().await;
}

#[tokio::test]
async fn while_it_is_under_way_it_is_too_late() {
    let (app, one) = one_at_a_time().await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    let cancelled = one.cancel("a").await;
    assert_eq!(cancelled["in_time"], false, "{cancelled}");
    let [first, second] = [&cancelled["messages"][0], &cancelled["messages"][1]];
    assert_eq!((&first["rule_id"], &first["in_time"]), (&json!(1), &json!(false)));
    assert_eq!((&second["rule_id"], &second["in_time"]), (&json!(2), &json!(true)));
    one.until_fate("a", 1, "sent").await;
    assert_eq!(one.reminders("a", 2).await[0]["fate"], "suppressed_cancelled");
    app.finish().await;
}

#[tokio::test]
async fn after_it_was_sent_it_is_too_late_for_that_one_alone() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    let cancelled = one.cancel("a").await;
    assert_eq!(cancelled["in_time"], false);
    assert_eq!(cancelled["messages"][0]["in_time"], false);
    assert_eq!(cancelled["messages"][1]["in_time"], true);
    // Asked again, the same is answered.
    assert_eq!(one.cancel("a").await, cancelled);
    app.hold(at(SECOND_DUE)).await;
    app.idle().await;
    assert_eq!(accepted(&app.simulator).len(), 1);
    app.finish().await;
}

/// One of a family cancels while their text waits: it leaves without them.
#[tokio::test]
async fn a_family_text_leaves_without_the_one_who_cancelled() {
    let (app, one) = one_at_a_time().await;
    one.send(&[
        appointment("blocker").phone(1),
        appointment("kept").phone(2),
        appointment("gone").phone(2).starts("2026-05-06T15:00"),
    ])
    .await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    assert_eq!(released(&one, "kept").await, released(&one, "gone").await);
    assert_eq!(one.cancel("gone").await["in_time"], true);
    app.simulator.set_faults(Faults::none()).unwrap();
    one.until_fate("kept", 1, "sent").await;
    let texts = until_accepted(&app.simulator, 2).await;
    assert_eq!(texts[1].body, "Reminder from Practice 1: 14:30 Zuzanna.");
    let messages = one.messages().await;
    assert_eq!(messages[1]["appointment_ids"], json!(["kept"]));
    assert_eq!(one.reminders("gone", 1).await[0]["fate"], "suppressed_cancelled");
    app.finish().await;
}

#[tokio::test]
async fn a_cancellation_by_upsert_is_one_as_well() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let result = one.book(&appointment("a").version(2).cancelled()).await;
    assert_eq!(result["planned"], 0);
    app.hold(at(SECOND_DUE)).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 0);
    for rule_id in [1, 2] {
        assert_eq!(one.reminders("a", rule_id).await[0]["fate"], "suppressed_cancelled");
    }
    app.finish().await;
}

/// What was answered as cancelled stays so, whatever older version is still on its way.
#[tokio::test]
async fn a_cancellation_is_undone_by_nothing_older() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a").version(2)).await;
    let cancel = async |version: i64| {
        let call = app.post(&one.path("/appointments/a/cancel"), &json!({ "version": version }));
        call.key(&one.key).send().await.json(200)
    };
    for version in [3, 9] {
        let cancelled = cancel(version).await;
        assert_eq!((&cancelled["version"], &cancelled["in_time"]), (&json!(version), &json!(true)));
        assert_eq!(cancelled["messages"].as_array().unwrap().len(), 2, "{cancelled}");
    }
    // What is older, and what says otherwise under the same version.
    for (version, outcome) in [(5, "superseded"), (9, "conflict")] {
        let result = &one.send(&[appointment("a").version(version)]).await[0];
        assert_eq!((&result["outcome"], &result["version"]), (&json!(outcome), &json!(9)));
    }
    app.hold(at(SECOND_DUE)).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 0);
    app.finish().await;
}
