//! What could not be sent before its appointment began.

use serde_json::json;
use stack::provider::{Faults, Options};
use tests::practice::FIRST_DUE;
use tests::provider::until_accepted;
use tests::{TestApp, appointment, at, until};

#[tokio::test]
async fn a_reminder_of_the_past_is_not_sent() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    // As after an outage that lasted until the appointment had begun.
    app.hold(at("2026-05-06T14:30")).await;
    for rule_id in [1, 2] {
        one.until_fate("a", rule_id, "expired").await;
    }
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 0);
    assert_eq!(one.counts("2026-05-05", 1).await["expired"], 1);
    // Neither was handed over, so both took too long.
    let journey = [("journey", "due_to_handed_over")];
    let scrape = until("the journeys are counted", async || {
        let scrape = app.scrape().await;
        (scrape.sum("slo_journeys_total", &journey) >= 2.0).then_some(scrape)
    })
    .await;
    assert_eq!(scrape.sum("slo_journeys_total", &journey), 2.0);
    assert_eq!(scrape.sum("slo_good_journeys_total", &journey), 0.0);
    app.finish().await;
}

/// A provider in trouble until the appointment begins: given up then, not tried for ever.
#[tokio::test]
async fn what_the_provider_would_not_take_expires() {
    let down = |options: Options| Options {
        faults: Faults { server_error_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(down).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until("it was tried", async || {
        let state = app.simulator.state();
        (state.answered_with(500) + state.answered_with(503) > 0).then_some(())
    })
    .await;
    app.hold(at("2026-05-06T14:30")).await;
    one.until_fate("a", 1, "expired").await;
    app.finish().await;
}

/// In a family each expires when its own appointment begins: the others are still told of theirs.
#[tokio::test]
async fn a_family_loses_only_those_that_have_begun() {
    let down = |options: Options| Options {
        faults: Faults { server_error_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(down).start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("a"), appointment("b").starts("2026-05-06T15:30")]).await;
    app.hold(at(FIRST_DUE)).await;
    until("they were tried", async || {
        let state = app.simulator.state();
        (state.answered_with(500) + state.answered_with(503) > 0).then_some(())
    })
    .await;
    let together = one.reminders("a", 1).await[0]["message_id"].clone();
    assert_eq!(one.reminders("b", 1).await[0]["message_id"], together);
    // The one has begun, the other hasn't.
    app.hold(at("2026-05-06T14:45")).await;
    one.until_fate("a", 1, "expired").await;
    assert_eq!(one.reminders("b", 1).await[0]["fate"], "pending");
    app.simulator.set_faults(Faults::none()).unwrap();
    for rule_id in [1, 2] {
        one.until_fate("a", rule_id, "expired").await;
        one.until_fate("b", rule_id, "sent").await;
    }
    let texts = until_accepted(&app.simulator, 2).await;
    for text in &texts {
        assert_eq!(text.body, "Reminder from Practice 1: 15:30 Zuzanna.");
    }
    assert_eq!(one.reminders("b", 1).await[0]["message_id"], together);
    let counts = one.counts("2026-05-05", 1).await;
    let fates = ["expected", "sent", "expired", "pending", "residual"];
    let expected = [2, 1, 1, 0, 0].map(|n| json!(n));
    assert_eq!(fates.map(|fate| counts[fate].clone()), expected, "{counts}");
    app.finish().await;
}
