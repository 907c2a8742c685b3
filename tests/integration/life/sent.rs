//! What goes well.

use serde_json::json;
use stack::provider::{Fates, Faults, Latency, Options};
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::{carried, until_accepted};
use tests::{Sql, TestApp, appointment, at, phone, until};

#[tokio::test]
async fn booked_due_sent_delivered_and_answered() {
    let all_say_yes = |options: Options| Options {
        fates: Fates { reply_yes_share: 1.0, ..options.fates },
        ..options
    };
    let app = TestApp::with().replies().provider(all_say_yes).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;

    app.hold(at("2026-05-05T11:59")).await;
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending");
    assert_eq!(app.simulator.state().accepted, 0, "nothing leaves early");

    app.hold(at(FIRST_DUE)).await;
    let texts = until_accepted(&app.simulator, 1).await;
    let text = &texts[0];
    assert_eq!((text.to.as_str(), text.from.as_deref()), (&*phone(1), Some(&*one.sender())));
    assert_eq!(text.body, "Reminder from Practice 1: 14:30 Zuzanna.");
    let answered = one.until("a", 1, "answered", |reminder| reminder["reply"] == "yes").await;
    assert_eq!((&answered["fate"], &answered["receipt"]), (&json!("sent"), &json!("delivered")));
    for field in ["sent_at", "receipt_at", "replied_at"] {
        assert!(answered[field].is_string(), "{answered}");
    }
    let (practice_id, message_id, attempt_no) = carried(text);
    assert_eq!((practice_id, attempt_no), (1, 1));
    assert_eq!(answered["message_id"], message_id);
    assert_eq!(one.reminders("a", 2).await[0]["fate"], "pending");

    // The second rule, a day later.
    app.hold(at(SECOND_DUE)).await;
    one.until("a", 2, "answered", |reminder| reminder["reply"] == "yes").await;
    assert_eq!(until_accepted(&app.simulator, 2).await.len(), 2);
    app.idle().await;
    for (day, rule_id) in [("2026-05-05", 1), ("2026-05-06", 2)] {
        let counts = one.counts(day, rule_id).await;
        for what in ["expected", "sent", "delivered", "replied"] {
            assert_eq!(counts[what], 1, "{what}: {counts}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn every_stage_and_journey_of_it_is_measured() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..20).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    for n in 0..20 {
        let is_delivered = |reminder: &serde_json::Value| reminder["receipt"] == "delivered";
        one.until(&format!("a-{n}"), 1, "delivered", is_delivered).await;
    }
    one.cancel("a-0").await;
    let scrape = app.scrape().await;
    for stage in ["plan", "release", "render", "claim", "deliver", "settle", "receive"] {
        let labels = [("stage", stage)];
        let items = scrape.sum("stage_items_total", &labels);
        assert!(items >= 20.0, "{stage}: {items}");
        // What comes in by a request is late by the request.
        let late = if stage == "plan" { 1.0 } else { 20.0 };
        let lateness = scrape.sum("stage_lateness_seconds_count", &labels);
        assert!(lateness >= late, "{stage}: {lateness}");
        assert!(scrape.sum("stage_duration_seconds_count", &labels) >= 1.0, "{stage}");
        assert_eq!(scrape.sum("stage_failures_total", &labels), 0.0, "{stage}");
        assert_eq!(scrape.sum("stage_in_flight", &labels), 0.0, "{stage}");
    }
    for (journey, least) in [
        ("booking_to_promise", 20.0),
        ("due_to_handed_over", 20.0),
        ("handed_over_to_receipt", 20.0),
        ("cancel_to_safe", 1.0),
    ] {
        let labels = [("journey", journey)];
        assert!(scrape.sum("journey_duration_seconds_count", &labels) >= least, "{journey}");
        assert!(scrape.sum("slo_journeys_total", &labels) >= least, "{journey}");
    }
    for (fate, number) in
        [("expected", 40.0), ("sent", 20.0), ("delivered", 20.0), ("suppressed_cancelled", 1.0)]
    {
        assert_eq!(scrape.sum("messages_total", &[("fate", fate)]), number, "{fate}");
    }
    app.finish().await;
}

/// What lies beyond the horizon is planned when its day comes inside.
#[tokio::test]
async fn what_is_far_ahead_is_planned_when_its_day_comes() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let far = one.book(&appointment("far").starts("2026-06-24T14:30")).await;
    assert_eq!(far["planned"], 0);
    app.hold(at("2026-06-20T06:00")).await;
    let first = one.until("far", 1, "planned", |reminder| reminder["fate"] == "pending").await;
    assert_eq!(first["due_at"], json!(at("2026-06-23T12:00")));
    app.hold(at("2026-06-23T12:00")).await;
    one.until_fate("far", 1, "sent").await;
    app.finish().await;
}

/// A receipt that comes before the text's own hand-over is written down is counted like any other.
#[tokio::test]
async fn a_receipt_that_overtakes_its_text_is_measured() {
    let slow = |options: Options| Options {
        faults: Faults { latency: Latency::Constant { ms: 1_500.0 }, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(slow).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let sql = Sql::connect(&app.database.url()).await;
    until("the text is on its way", async || {
        let leased: i64 = sql.one("SELECT count(*) FROM attempt", &[]).await;
        (leased == 1).then_some(())
    })
    .await;
    // Who settles takes the shard first; receipts don't.
    sql.texts("BEGIN").await;
    sql.texts("SELECT 1 FROM shard FOR UPDATE").await;
    until("its receipt", async || {
        let receipts: i64 = app
            .database
            .sql
            .one("SELECT count(*) FROM message WHERE receipt > 0 AND sent_at IS NULL", &[])
            .await;
        (receipts == 1).then_some(())
    })
    .await;
    let receipts = async || {
        let labels = [("journey", "handed_over_to_receipt")];
        app.scrape().await.sum("journey_duration_seconds_count", &labels)
    };
    assert_eq!(receipts().await, 0.0, "nobody knows when it was handed over");
    sql.texts("COMMIT").await;
    one.until_fate("a", 1, "sent").await;
    until("the receipt is measured", async || (receipts().await == 1.0).then_some(())).await;
    app.finish().await;
}
