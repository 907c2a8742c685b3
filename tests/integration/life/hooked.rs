//! The same life through a webhook of one's own in place of Twilio.

use serde_json::json;
use stack::provider::{Fates, Options, ProviderKind};
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::{path_of, until_accepted};
use tests::{TestApp, appointment, at, phone};

#[tokio::test]
async fn sent_delivered_and_answered_and_nobody_else_is_believed() {
    let all_say_yes = |options: Options| Options {
        fates: Fates { reply_yes_share: 1.0, ..options.fates },
        ..options
    };
    let app = TestApp::with().webhook().replies().provider(all_say_yes).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let texts = until_accepted(&app.simulator, 1).await;
    let text = &texts[0];
    assert_eq!(text.provider, ProviderKind::Webhook);
    assert_eq!((text.to.as_str(), text.from.as_deref()), (&*phone(1), Some(&*one.sender())));
    let answered = one.until("a", 1, "answered", |reminder| reminder["reply"] == "yes").await;
    assert_eq!((&answered["fate"], &answered["receipt"]), (&json!("sent"), &json!("delivered")));
    app.idle().await;

    // What would be news, if it were the provider's: unsigned, and signed by somebody else.
    let status = (
        path_of(text.callback.as_deref().unwrap()),
        json!({
            "id": text.sid, "status": "read", "to": text.to, "from": text.from,
        }),
    );
    let reply = (
        "/v1/callbacks/webhook/reply",
        json!({
            "id": "stranger-1", "from": phone(1), "to": one.sender(), "body": "STOP",
        }),
    );
    for (path, body) in [status, reply] {
        let unsigned = app.post(path, &body).anonymous();
        unsigned.clone().send().await.problem(403, "bad_signature");
        let forged = unsigned.header("x-punctual-signature", &format!("sha256={}", "0".repeat(64)));
        forged.send().await.problem(403, "bad_signature");
    }
    let still = one.reminders("a", 1).await;
    assert_eq!((&still[0]["receipt"], &still[0]["reply"]), (&json!("delivered"), &json!("yes")));
    let counts = one.counts("2026-05-05", 1).await;
    for what in ["expected", "sent", "delivered", "replied"] {
        assert_eq!(counts[what], 1, "{what}: {counts}");
    }
    // Nobody was opted out.
    app.hold(at(SECOND_DUE)).await;
    one.until("a", 2, "answered", |reminder| reminder["reply"] == "yes").await;
    app.idle().await;
    app.finish().await;
}
