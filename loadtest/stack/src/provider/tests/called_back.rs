//! Callbacks: signed, in order or not, once or twice, again until they are heard, and replies.

use http::StatusCode;

use super::Fixture;
use super::client::{hook, send, text};
use super::receiver::{Received, Receiver};
use crate::provider::{
    CallbackOutcome, Fates, Faults, Latency, Options, ReplyKind, twilio_signature,
};

const TO: &str = "+99912345678";

fn at_once() -> Fates {
    Fates {
        sent_delay: Latency::NONE,
        final_delay: Latency::NONE,
        reply_delay: Latency::NONE,
        ..Fates::default()
    }
}

async fn with(change: impl FnOnce(&mut Options)) -> Fixture {
    Fixture::with(|options| {
        options.fates = at_once();
        change(options);
    })
    .await
}

fn assert_signed(received: &Received) {
    let signature = twilio_signature(Options::AUTH_TOKEN, &received.url, &received.fields());
    assert_eq!(received.header("x-twilio-signature"), signature);
    let content_type = received.header("content-type");
    assert_eq!(content_type, "application/x-www-form-urlencoded; charset=utf-8");
}

async fn statuses<const N: usize>(receiver: &mut Receiver) -> [String; N] {
    let mut statuses = [const { String::new() }; N];
    for status in &mut statuses {
        let received = receiver.next().await;
        assert_signed(&received);
        *status = received.field("MessageStatus").unwrap();
    }
    statuses
}

#[tokio::test]
async fn sent_then_delivered_and_signed() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|_| {}).await;
    let url = receiver.url("/v1/status/7/8/1?x=y%20z");
    let sid = text(&fixture.simulator, TO, "hello", &url).await.json["sid"].clone();
    for status in ["sent", "delivered"] {
        let received = receiver.next().await;
        assert_eq!(received.url, url);
        assert_signed(&received);
        let fields = [("MessageSid", sid.as_str().unwrap()), ("To", TO), ("From", "+99900000001")];
        for (name, value) in fields {
            assert_eq!(received.field(name).as_deref(), Some(value));
        }
        assert_eq!(received.field("MessageStatus").as_deref(), Some(status));
        assert_eq!(received.field("AccountSid").as_deref(), Some(Options::ACCOUNT_SID));
        assert_eq!(received.field("ErrorCode"), None);
    }
    let state = fixture.wait_for(|state| state.callbacks.pending == 0).await;
    assert_eq!((state.callbacks.acknowledged, state.callbacks.tries_failed), (2, 0));
    let log = fixture.callback_log();
    assert_eq!(log.iter().map(|it| it.status.as_str()).collect::<Vec<_>>(), ["sent", "delivered"]);
    for entry in log {
        assert_eq!((entry.seq, entry.tries, entry.http_status), (1, 1, Some(204)));
        assert_eq!(entry.outcome, CallbackOutcome::Acknowledged);
        assert!(entry.due_ns <= entry.t_ns);
    }
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn what_does_not_arrive_has_an_error_code() {
    let mut receiver = Receiver::start().await;
    for (failed, undelivered) in [(1.0, 0.0), (0.0, 1.0)] {
        let fixture = with(|options| {
            options.fates =
                Fates { failed_share: failed, undelivered_share: undelivered, ..at_once() };
        })
        .await;
        text(&fixture.simulator, TO, "hello", &receiver.url("/cb")).await;
        if undelivered > 0.0 {
            assert_eq!(statuses(&mut receiver).await, ["sent"]);
        }
        let received = receiver.next().await;
        let status = received.field("MessageStatus").unwrap();
        assert_eq!(status, if failed > 0.0 { "failed" } else { "undelivered" });
        assert!(received.field("ErrorCode").unwrap().starts_with("300"));
        fixture.wait_for(|state| state.callbacks.pending == 0).await;
    }
}

/// A sender is blocked from one moment to the next, and so it is let go again.
#[tokio::test]
async fn what_carriers_block_does_not_arrive() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|_| {}).await;
    for (blocked_share, last) in [(0.0, "delivered"), (1.0, "undelivered"), (0.0, "delivered")] {
        fixture.simulator.set_faults(Faults { blocked_share, ..Faults::none() }).unwrap();
        text(&fixture.simulator, TO, last, &receiver.url("/cb")).await;
        assert_eq!(statuses(&mut receiver).await, ["sent", last]);
    }
}

#[tokio::test]
async fn the_final_status_alone() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|options| options.fates.sent_callback = false).await;
    text(&fixture.simulator, TO, "hello", &receiver.url("/cb")).await;
    assert_eq!(statuses(&mut receiver).await, ["delivered"]);
    fixture.wait_for(|state| state.callbacks.pending == 0).await;
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn duplicates() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|options| options.faults.duplicate_callback_share = 1.0).await;
    text(&fixture.simulator, TO, "hello", &receiver.url("/cb")).await;
    let mut statuses: [String; 4] = statuses(&mut receiver).await;
    statuses.sort();
    assert_eq!(statuses, ["delivered", "delivered", "sent", "sent"]);
    let state = fixture.wait_for(|state| state.callbacks.pending == 0).await;
    assert_eq!((state.callbacks.duplicates, state.callbacks.acknowledged), (2, 4));
    assert_eq!(fixture.callback_log().iter().filter(|it| it.duplicate).count(), 2);
}

#[tokio::test]
async fn out_of_order() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|options| options.faults.out_of_order_callback_share = 1.0).await;
    text(&fixture.simulator, TO, "hello", &receiver.url("/cb")).await;
    assert_eq!(statuses(&mut receiver).await, ["delivered", "sent"]);
}

#[tokio::test]
async fn tried_again_until_it_is_heard() {
    let mut receiver = Receiver::answering(|n| if n < 2 { 500 } else { 204 }).await;
    let fixture = with(|options| options.fates.sent_callback = false).await;
    text(&fixture.simulator, TO, "hello", &receiver.url("/cb")).await;
    let statuses: [String; 3] = statuses(&mut receiver).await;
    assert_eq!(statuses, ["delivered", "delivered", "delivered"]);
    let state = fixture.wait_for(|state| state.callbacks.pending == 0).await;
    assert_eq!((state.callbacks.acknowledged, state.callbacks.tries_failed), (1, 2));
    assert_eq!(fixture.callback_log()[0].tries, 3);
}

#[tokio::test]
async fn given_up_after_the_last_try() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/cb", listener.local_addr().unwrap())
    };
    let fixture = with(|options| options.limits.callback_tries_max = 2).await;
    text(&fixture.simulator, TO, "hello", &closed).await;
    let state = fixture.wait_for(|state| state.callbacks.pending == 0).await;
    assert_eq!((state.callbacks.given_up, state.callbacks.tries_failed), (2, 4));
    for entry in fixture.callback_log() {
        assert_eq!((entry.outcome, entry.tries), (CallbackOutcome::GivenUp, 2));
        assert_eq!(entry.http_status, None);
    }
}

#[tokio::test]
async fn without_room_to_wait_it_is_given_up_at_once() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|options| options.limits.callbacks_waiting_max = 0).await;
    text(&fixture.simulator, TO, "hello", &receiver.url("/cb")).await;
    let state = fixture.wait_for(|state| state.callbacks.given_up == 2).await;
    assert_eq!(state.callbacks.pending, 0);
    assert_eq!(fixture.callback_log()[0].tries, 0);
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn recipients_reply() {
    type Set = fn(&mut Fates);
    let shares: [(ReplyKind, Set); 4] = [
        (ReplyKind::Yes, |fates| fates.reply_yes_share = 1.0),
        (ReplyKind::No, |fates| fates.reply_no_share = 1.0),
        (ReplyKind::Stop, |fates| fates.reply_stop_share = 1.0),
        (ReplyKind::Text, |fates| fates.reply_text_share = 1.0),
    ];
    for (kind, set) in shares {
        let mut receiver = Receiver::start().await;
        let fixture = with(|options| {
            set(&mut options.fates);
            options.fates.sent_callback = false;
            options.inbound_url = Some(receiver.url("/inbound"));
        })
        .await;
        let sent = text(&fixture.simulator, TO, "hello", &receiver.url("/cb")).await;
        assert_eq!(statuses(&mut receiver).await, ["delivered"]);
        let reply = receiver.next().await;
        assert_signed(&reply);
        assert_eq!(reply.url, receiver.url("/inbound"));
        assert_eq!(reply.field("From").as_deref(), Some(TO));
        assert_eq!(reply.field("To").as_deref(), Some("+99900000001"));
        assert_ne!(reply.field("MessageSid").as_deref(), sent.json["sid"].as_str());
        let body = reply.field("Body").unwrap();
        match kind {
            ReplyKind::Yes => assert_eq!(body.trim().to_lowercase(), "yes"),
            ReplyKind::No => assert_eq!(body.trim().to_lowercase(), "no"),
            ReplyKind::Stop => assert_eq!(body.trim().to_lowercase(), "stop"),
            ReplyKind::Text => assert!(body.len() > 5),
        }
        let state = fixture.wait_for(|state| state.callbacks.pending == 0).await;
        assert_eq!(state.replies.acknowledged(), 1);
        assert_eq!(fixture.callback_log()[1].reply, Some(kind));
        assert_eq!(fixture.log()[0].plan.reply, Some(kind));
    }
}

#[tokio::test]
async fn an_accepted_text_without_an_answer_is_called_back_all_the_same() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|options| {
        options.faults = Faults { accept_then_drop_share: 1.0, ..Faults::none() };
    })
    .await;
    let url = receiver.url("/cb");
    let fields =
        [("To", TO), ("From", "+99900000001"), ("Body", "hello"), ("StatusCallback", &url)];
    send(&fixture.simulator, super::client::post(&fields)).await.unwrap_err();
    assert_eq!(statuses(&mut receiver).await, ["sent", "delivered"]);
}

#[tokio::test]
async fn the_webhook_has_signed_json_callbacks() {
    let mut receiver = Receiver::start().await;
    let fixture = with(|options| {
        options.fates.reply_yes_share = 1.0;
        options.inbound_url = Some(receiver.url("/inbound"));
    })
    .await;
    let sent = send(
        &fixture.simulator,
        hook(&serde_json::json!({
            "to": TO, "from": "+99900000001", "body": "hello",
            "idempotency_key": "m1", "callback": receiver.url("/cb"),
        })),
    )
    .await
    .unwrap();
    assert_eq!(sent.status, StatusCode::CREATED);
    let key =
        aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, Options::WEBHOOK_SECRET.as_bytes());
    for wanted in ["sent", "delivered", ""] {
        let received = receiver.next().await;
        let tag = received.header("x-punctual-signature").strip_prefix("sha256=").unwrap();
        let tag = crate::provider::hex::bytes(tag).unwrap();
        aws_lc_rs::hmac::verify(&key, &received.body, &tag).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
        if wanted.is_empty() {
            assert_eq!((&json["from"], &json["to"]), (&TO.into(), &"+99900000001".into()));
        } else {
            assert_eq!((&json["id"], &json["status"]), (&sent.json["id"], &wanted.into()));
        }
    }
}
