//! `POST /v1/callbacks/{provider}/status/{practice_id}/{message_id}/{attempt_no}/{signature}`

use contract::{Endpoint, Limit};
use serde_json::{Value, json};
use stack::provider::LogEntry;
use tests::practice::FIRST_DUE;
use tests::provider::{call_back, carried, path_of, reply, signed, silent, until_accepted};
use tests::{Practice, Sql, TestApp, appointment, at, until};

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
    // What is counted for operators only rises: it went wrong once and arrived once.
    let scrape = app.scrape().await;
    let counted = |fate: &str| scrape.sum("messages_total", &[("fate", fate)]);
    assert_eq!((counted("delivered"), counted("undelivered")), (1.0, 1.0));
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

/// A message's number is given again where a primary was lost with what no other server had: then
/// the text that had it before is still called back, at an address of ours.
#[tokio::test]
async fn what_came_of_another_text_of_the_same_number_changes_nothing() {
    let (app, one, text) = sent().await;
    let another = LogEntry { sid: format!("SM{}", "f".repeat(32)), ..text.clone() };
    call_back(&app.client, &another, "delivered", &[]).await.expect(204);
    assert_eq!(receipt(&one).await, Value::Null);
    let unreachable = [("ErrorCode", "30003")];
    call_back(&app.client, &text, "undelivered", &unreachable).await.expect(204);
    call_back(&app.client, &another, "read", &[("ErrorCode", "30005")]).await.expect(204);
    assert_eq!(receipt(&one).await, "undelivered");
    assert_eq!(one.messages().await[0]["error_code"], 30003);
    let counts = one.counts("2026-05-05", 1).await;
    let [delivered, undelivered] = [&counts["delivered"], &counts["undelivered"]];
    assert_eq!((delivered, undelivered), (&json!(0), &json!(1)));
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let (app, one, text) = sent().await;
    let path = path_of(text.callback.as_deref().unwrap()).to_owned();
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    let wrong = good.call().body("application/json", "{}").send().await;
    wrong.problem(403, "bad_signature");
    let nowhere = good.path.replace("/twilio/", "/pigeon/");
    let refused = app.call(http::Method::POST, &nowhere).form(&[("a", "b")]).send().await;
    refused.problem(404, "not_found");
    let bad = good.path.replacen("/status/1/", "/status/x/", 1);
    let refused = app.call(http::Method::POST, &bad).form(&[("a", "b")]).send().await;
    refused.problem(400, "bad_path");
    // Rightly signed, and it doesn't say which text, or what became of it.
    let (url, sid) = (text.callback.as_deref().unwrap(), text.sid.as_str());
    for fields in [
        &[("MessageStatus", "delivered")][..],
        &[("MessageSid", ""), ("MessageStatus", "delivered")],
        &[("MessageSid", "an id"), ("MessageStatus", "delivered")],
        &[("MessageSid", sid)],
    ] {
        signed(&app.client, url, fields).await.problem(422, "invalid");
    }
    // A status that nobody knows is taken in and says nothing.
    call_back(&app.client, &text, "levitating", &[]).await.expect(204);
    assert_eq!(receipt(&one).await, Value::Null);
    app.finish().await;
}

/// A receipt of one text and a reply to another in one batch: their texts are locked in key order,
/// as whoever settles texts locks them, or the two would wait for each other.
#[tokio::test]
async fn what_came_back_together_is_locked_in_key_order() {
    let app = TestApp::with().provider(silent).start().await;
    let one = app.practice(1).await;
    one.send(&[1, 2, 3].map(|n| appointment(&format!("a-{n}")).phone(n))).await;
    app.hold(at(FIRST_DUE)).await;
    let mut texts = until_accepted(&app.simulator, 3).await;
    for n in 1..=3 {
        one.until_fate(&format!("a-{n}"), 1, "sent").await;
    }
    texts.sort_by_key(|text| carried(text).1);
    let [low, middle, high] = <[LogEntry; 3]>::try_from(texts).unwrap();
    let locked = async |text: &LogEntry| {
        let sql = Sql::connect(&app.database.url()).await;
        sql.texts("BEGIN").await;
        let text = carried(text).1;
        sql.rows("SELECT 1 FROM message WHERE message_id = $1 FOR UPDATE NOWAIT", &[&text]).await;
        sql
    };
    let waiting_for = async |holder: &Sql| {
        let pid: i32 = holder.one("SELECT pg_backend_pid()", &[]).await;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
        until("the service waits for a text", async || {
            (app.database.sql.one::<i64>(waits, &[&pid]).await == 1).then_some(())
        })
        .await;
    };
    let back = |text: &LogEntry| {
        let (client, text) = (app.client.clone(), text.clone());
        tokio::spawn(async move { call_back(&client, &text, "delivered", &[]).await.expect(204) })
    };

    let (holds_middle, holds_low) = (locked(&middle).await, locked(&low).await);
    let first = back(&middle);
    waiting_for(&holds_middle).await;
    // While the first batch waits, the second one fills.
    let second = back(&low);
    let (client, sender, from) = (app.client.clone(), one.sender(), high.to.clone());
    let third = tokio::spawn(async move {
        reply(&client, &from, &sender, &format!("SM{:032x}", 1), "yes").await.expect(200)
    });
    until("both are in the queue", async || {
        let used = app.scrape().await.sum("limit_used_ratio", &[("limit", "commit_queue")]);
        (used >= 2.0 / Limit::CommitQueue.spec().default as f64).then_some(())
    })
    .await;
    holds_middle.texts("COMMIT").await;
    waiting_for(&holds_low).await;
    drop(locked(&high).await);
    holds_low.texts("COMMIT").await;
    for answered in [first, second, third] {
        answered.await.unwrap();
    }
    assert_eq!(one.reminders(&format!("a-{}", number_of(&high)), 1).await[0]["reply"], "yes");
    app.finish().await;
}

/// The number of the recipient, of which the tests make its phone.
fn number_of(text: &LogEntry) -> u32 {
    text.to.trim_start_matches("+999").parse().unwrap()
}
