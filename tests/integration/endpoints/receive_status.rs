//! `POST /v1/callbacks/{provider}/status/{practice_id}/{message_id}/{attempt_no}/{signature}`

use contract::Endpoint;
use serde_json::{Value, json};
use stack::provider::LogEntry;
use tests::practice::FIRST_DUE;
use tests::provider::{call_back, carried, path_of, silent, until_accepted};
use tests::{Practice, TestApp, appointment, at};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReceiveStatus;

/// A text that was sent and of which nothing is called back by itself.
async fn sent() -> (TestApp, Practice, LogEntry) {
    let app = TestApp::with().provider(silent).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let texts = until_accepted(&app.simulator, 1).await;
    one.until_fate("a", 1, "sent").await;
    (app, one, texts[0].clone())
}

async fn receipt(one: &Practice) -> Value {
    one.reminders("a", 1).await[0]["receipt"].clone()
}

#[tokio::test]
async fn the_furthest_counts_in_whatever_order_and_however_often() {
    let (app, one, text) = sent().await;
    assert_eq!(carried(&text).0, one.id);
    for status in ["queued", "sent"] {
        call_back(&app.client, &text, status, &[]).await.expect(204);
        assert_eq!(receipt(&one).await, Value::Null, "{status} says nothing new");
    }
    let unreachable = [("ErrorCode", "30003")];
    let first = call_back(&app.client, &text, "undelivered", &unreachable);
    let (answer, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 204, first)).await;
    assert!(answer.body.is_empty());
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    assert_eq!(receipt(&one).await, "undelivered");
    assert_eq!(one.messages().await[0]["error_code"], 30003);
    for status in ["delivered", "delivered", "undelivered", "sent", "queued"] {
        call_back(&app.client, &text, status, &[]).await.expect(204);
        assert_eq!(receipt(&one).await, "delivered", "after {status}");
    }
    call_back(&app.client, &text, "read", &[]).await.expect(204);
    assert_eq!(receipt(&one).await, "read");
    let counts = one.counts("2026-05-05", 1).await;
    let [delivered, undelivered] = [&counts["delivered"], &counts["undelivered"]];
    assert_eq!((delivered, undelivered), (&json!(1), &json!(0)));
    app.finish().await;
}

#[tokio::test]
async fn a_signature_that_is_not_the_providers_changes_nothing() {
    let (app, one, text) = sent().await;
    let path = path_of(text.callback.as_deref().unwrap());
    let form = [("MessageSid", text.sid.as_str()), ("MessageStatus", "delivered")];
    let unsigned = app.call(http::Method::POST, path).anonymous().form(&form);
    unsigned.clone().send().await.problem(403, "bad_signature");
    let forged = unsigned.header("x-twilio-signature", "bm90IHRoZSBzaWduYXR1cmU=");
    forged.send().await.problem(403, "bad_signature");

    // Signed by the provider, but for an address that we never gave out.
    let (head, signature) = text.callback.as_deref().unwrap().rsplit_once('/').unwrap();
    let numbers = format!("/1/{}/1", carried(&text).1);
    let others = head.replace(&numbers, &format!("/1/{}/1", carried(&text).1 + 1));
    assert_ne!(others, head);
    for url in [format!("{head}/{}", "0".repeat(signature.len())), format!("{others}/{signature}")]
    {
        let elsewhere = LogEntry { callback: Some(url), ..text.clone() };
        let refused = call_back(&app.client, &elsewhere, "delivered", &[]).await;
        refused.problem(403, "bad_signature");
    }
    assert_eq!(receipt(&one).await, Value::Null);
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let (app, one, text) = sent().await;
    let path = path_of(text.callback.as_deref().unwrap()).to_owned();
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    let wrong = good.call().body("application/json", "{}").send().await;
    assert!([403, 415].contains(&wrong.status), "{}", wrong.text());
    let nowhere = good.path.replace("/twilio/", "/pigeon/");
    let refused = app.call(http::Method::POST, &nowhere).form(&[("a", "b")]).send().await;
    refused.problem(404, "not_found");
    let bad = good.path.replacen("/status/1/", "/status/x/", 1);
    let refused = app.call(http::Method::POST, &bad).form(&[("a", "b")]).send().await;
    assert!([400, 403].contains(&refused.status), "{}", refused.text());
    // A status that nobody knows is taken in and says nothing.
    call_back(&app.client, &text, "levitating", &[]).await.expect(204);
    assert_eq!(receipt(&one).await, Value::Null);
    app.finish().await;
}
