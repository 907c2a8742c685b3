//! The webhook API: signature, idempotency, and what is wrong with a request.

use http::StatusCode;
use serde_json::{Value, json};

use super::Fixture;
use super::client::{hook, send};
use crate::provider::{Faults, Options, ProviderKind, Simulator};

fn message(key: &str, body: &str) -> Value {
    json!({"to": "+99912345678", "from": "+99900000001", "body": body, "idempotency_key": key})
}

#[tokio::test]
async fn a_key_is_accepted_once_and_answered_for_ever() {
    let fixture = Fixture::new().await;
    let first = send(&fixture.simulator, hook(&message("m1", "hello"))).await.unwrap();
    assert_eq!(first.status, StatusCode::CREATED);
    assert!(first.json["id"].as_str().unwrap().starts_with("WM"));
    for _ in 0..3 {
        let again = send(&fixture.simulator, hook(&message("m1", "hello"))).await.unwrap();
        assert_eq!((again.status, &again.json), (StatusCode::OK, &first.json));
    }
    let other = send(&fixture.simulator, hook(&message("m2", "hello"))).await.unwrap();
    assert_ne!(other.json["id"], first.json["id"]);
    let reused = send(&fixture.simulator, hook(&message("m1", "good-bye"))).await.unwrap();
    assert_eq!(reused.status, StatusCode::CONFLICT);

    let log = fixture.log();
    assert_eq!(log.len(), 2, "repetitions leave no line");
    assert_eq!(log[0].provider, ProviderKind::Webhook);
    assert_eq!(log[0].idempotency_key.as_deref(), Some("m1"));
    assert_eq!(fixture.simulator.state().repeated, 4);

    // Another run on the same log still knows the key.
    let Fixture { simulator, folder } = fixture;
    simulator.stop().await;
    let options = Options::new(folder.path().join("messages.jsonl"));
    let restarted = Simulator::start(options).await.unwrap();
    let again = send(&restarted, hook(&message("m1", "hello"))).await.unwrap();
    assert_eq!((again.status, &again.json), (StatusCode::OK, &first.json));
}

#[tokio::test]
async fn a_dropped_answer_is_found_again_by_its_key() {
    let fixture = Fixture::with(|options| {
        options.faults = Faults { accept_then_drop_share: 1.0, ..Faults::none() };
    })
    .await;
    send(&fixture.simulator, hook(&message("m1", "hello"))).await.unwrap_err();
    fixture.simulator.set_faults(Faults::none()).unwrap();
    let again = send(&fixture.simulator, hook(&message("m1", "hello"))).await.unwrap();
    let [entry] = fixture.log().try_into().unwrap();
    assert_eq!((again.status, &again.json["id"]), (StatusCode::OK, &entry.sid.into()));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let fixture = Fixture::new().await;
    let mut unsigned = hook(&message("m1", "hello"));
    unsigned.headers_mut().insert("x-punctual-signature", "sha256=00".parse().unwrap());
    let answered = send(&fixture.simulator, unsigned).await.unwrap();
    assert_eq!(answered.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answered.json["error"]["code"], "bad_signature");

    let cases = [
        (json!({"to": "+99912345678"}), "missing field"),
        (message("", "hello"), "idempotency_key: write 1 to 255"),
        (message("m1", ""), "body: write 1 to 1600"),
        (json!({"to": "1", "from": "+99900000001", "body": "x", "idempotency_key": "k"}), "to:"),
    ];
    for (body, part) in cases {
        let answered = send(&fixture.simulator, hook(&body)).await.unwrap();
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY);
        let message = answered.json["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
    }
    let mut get = hook(&message("m1", "hello"));
    *get.method_mut() = http::Method::GET;
    let answered = send(&fixture.simulator, get).await.unwrap();
    assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(fixture.log().is_empty());
}
