//! What could not be sent before its appointment began.

use stack::provider::{Faults, Options};
use tests::practice::FIRST_DUE;
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
