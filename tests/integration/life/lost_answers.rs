//! Deliveries whose answer was lost: never repeated blindly, always cleared up.

use serde_json::json;
use stack::provider::{Fault, Faults, Options};
use tests::practice::{FIRST_DUE, settings};
use tests::provider::{accepted, call_back, silent, until_accepted};
use tests::{TestApp, appointment, at, phone, until};

/// No callback tells what the answer would have: only looking tells.
fn lose_answers(options: Options) -> Options {
    let faults = Faults { accept_then_drop_share: 1.0, ..Faults::none() };
    silent(Options { faults, ..options })
}

fn reset(options: Options) -> Options {
    Options { faults: Faults { reset_share: 1.0, ..Faults::none() }, ..options }
}

#[tokio::test]
async fn accepted_and_lost_is_looked_up_and_not_sent_again() {
    let app = TestApp::with().provider(lose_answers).start().await;
    let one = app.practice(1).await;
    // Two texts to one phone that differ, and one that is alone.
    one.send(&[
        appointment("a").phone(1),
        appointment("b").phone(1).starts("2026-05-06T09:00"),
        appointment("c").phone(2),
    ])
    .await;
    app.hold(at(FIRST_DUE)).await;
    for id in ["a", "b", "c"] {
        one.until_fate(id, 1, "sent").await;
    }
    let texts = accepted(&app.simulator);
    assert_eq!(texts.len(), 3, "{texts:#?}");
    assert!(
        texts.iter().all(|text| text.fault == Some(Fault::AcceptThenDrop) && text.attempt == 1)
    );
    assert!(app.simulator.state().looked_up >= 3);
    // What was ambiguous for a while is counted nowhere as such any more.
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!(counts["ambiguous"], 0, "{counts}");
    // Each text was unknown, and then sent; of what was due each came to its end once. Past the
    // time of `b` the clock was set.
    let ended = "messages_due_ended_total";
    let scrape = until("all have come to their end", async || {
        let scrape = app.scrape().await;
        (scrape.sum(ended, &[]) >= 2.0).then_some(scrape)
    })
    .await;
    for fate in ["ambiguous", "sent"] {
        assert_eq!(scrape.sum("messages_total", &[("fate", fate)]), 3.0, "{fate}");
    }
    assert_eq!(scrape.sum(ended, &[]), 2.0);
    app.finish().await;
}

/// The practice's number is another by the time of the look-up. By that one the provider would know
/// of nothing, and the text would be sent a second time.
#[tokio::test]
async fn it_is_looked_up_by_the_number_that_it_left_from() {
    let app = TestApp::with()
        .env("PUNCTUAL_STAGE_GATES", "open")
        .env("PUNCTUAL_PROVIDER_SETTLING_MS", 1_500)
        .provider(lose_answers)
        .start()
        .await;
    let one = app.practice(1).await;
    app.put("/admin/stages/resolve", &json!({ "gate": "held" })).send().await.expect(200);
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "ambiguous").await;
    let mut moved = settings(1);
    moved["sender"] = json!(phone(81_000_001));
    app.put(&one.path(""), &moved).send().await.expect(200);
    app.simulator.set_faults(Faults::none()).unwrap();
    app.put("/admin/stages/resolve", &json!({ "gate": "open" })).send().await.expect(200);
    one.until_fate("a", 1, "sent").await;
    let texts = accepted(&app.simulator);
    assert_eq!((texts.len(), texts[0].from.as_deref()), (1, Some(&*one.sender())), "{texts:#?}");
    app.finish().await;
}

#[tokio::test]
async fn not_accepted_and_lost_is_sent_after_it_was_looked_up() {
    let app =
        TestApp::with().env("PUNCTUAL_PROVIDER_SETTLING_MS", 1_500).provider(reset).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "ambiguous").await;
    assert_eq!(one.counts("2026-05-05", 1).await["ambiguous"], 1);
    until("it is measured", async || {
        (app.scrape().await.sum("ambiguous_messages", &[]) == 1.0).then_some(())
    })
    .await;
    app.simulator.set_faults(Faults::none()).unwrap();
    one.until_fate("a", 1, "sent").await;
    let texts = until_accepted(&app.simulator, 1).await;
    assert_eq!((texts.len(), texts[0].attempt), (1, 2));
    assert!(app.simulator.state().looked_up >= 1);
    app.finish().await;
}

/// Its provider has idempotency keys: a lost answer is asked for again under the same key.
#[tokio::test]
async fn a_webhook_is_asked_again_under_the_same_key() {
    let app = TestApp::with().webhook().provider(lose_answers).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    app.simulator.set_faults(Faults::none()).unwrap();
    one.until_fate("a", 1, "sent").await;
    assert_eq!(accepted(&app.simulator).len(), 1);
    assert!(app.simulator.state().repeated >= 1);
    app.finish().await;
}

/// A callback that arrives first tells as much as looking would.
#[tokio::test]
async fn a_callback_clears_it_up_as_well() {
    let app = TestApp::with().provider(lose_answers).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let texts = until_accepted(&app.simulator, 1).await;
    call_back(&app.client, &texts[0], "delivered", &[]).await.expect(204);
    let sent = one.until_fate("a", 1, "sent").await;
    assert_eq!(sent["receipt"], "delivered");
    assert_eq!(accepted(&app.simulator).len(), 1);
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!((&counts["sent"], &counts["delivered"]), (&1.into(), &1.into()));
    app.finish().await;
}
