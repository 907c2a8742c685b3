//! What the provider tells afterwards: twice, in the wrong order, too early.

use stack::provider::{Fates, Faults, Latency, Options};
use tests::practice::FIRST_DUE;
use tests::provider::until_accepted;
use tests::{TestApp, appointment, at};

const TEXTS: u32 = 40;

#[tokio::test]
async fn twice_and_in_the_wrong_order_counts_once() {
    let muddled = |options: Options| Options {
        faults: Faults {
            duplicate_callback_share: 1.0,
            out_of_order_callback_share: 1.0,
            ..Faults::none()
        },
        fates: Fates { undelivered_share: 0.3, reply_yes_share: 1.0, ..options.fates },
        ..options
    };
    let app = TestApp::with().replies().provider(muddled).start().await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..TEXTS).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    let texts = until_accepted(&app.simulator, TEXTS.into()).await;
    app.idle().await;
    assert!(app.simulator.state().callbacks.duplicates > 0);
    assert_eq!(app.simulator.state().callbacks.given_up, 0);
    let delivered =
        texts.iter().filter(|text| text.plan.fate == stack::provider::Fate::Delivered).count();
    assert!(delivered < texts.len() && delivered > 0);
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!(counts["sent"], TEXTS);
    assert_eq!(counts["delivered"], delivered);
    assert_eq!(counts["undelivered"], texts.len() - delivered);
    assert_eq!(counts["replied"], delivered);
    app.finish().await;
}

/// The callback overtakes the answer to the request: the receipt is there before anybody here
/// knows that the text was accepted.
#[tokio::test]
async fn before_the_answer_to_its_request() {
    let late_answers = |options: Options| Options {
        faults: Faults { latency: Latency::Constant { ms: 1_500.0 }, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(late_answers).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let early = one.until("a", 1, "a receipt", |reminder| reminder["receipt"] == "delivered").await;
    assert_eq!(early["fate"], "pending", "its request is not answered yet");
    let sent = one.until_fate("a", 1, "sent").await;
    assert_eq!(sent["receipt"], "delivered");
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!((&counts["sent"], &counts["delivered"]), (&1.into(), &1.into()));
    app.finish().await;
}
