//! `POST /v1/callbacks/{provider}/reply`

use contract::Endpoint;
use serde_json::{Value, json};
use stack::provider::Faults;
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::{reply, reply_url, signed, silent, until_accepted};
use tests::{Practice, TestApp, appointment, at, phone, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReceiveReply;
const PATH: &str = "/v1/callbacks/twilio/reply";

async fn sent() -> (TestApp, Practice) {
    let app = TestApp::with().provider(silent).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    one.until_fate("a", 1, "sent").await;
    (app, one)
}

async fn answered(one: &Practice) -> Value {
    one.reminders("a", 1).await[0]["reply"].clone()
}

/// A provider's reference for an inbound text.
fn sid(n: u32) -> String {
    format!("SM{n:032x}")
}

#[tokio::test]
async fn shows_what_the_patient_answered() {
    let (app, one) = sent().await;
    assert_eq!(answered(&one).await, Value::Null);
    let said = async |n, body: &str| {
        reply(&app.client, &phone(1), &one.sender(), &sid(n), body).await.expect(200)
    };
    let work = is_counted(&app, ENDPOINT, 200, said(1, "Yes!"));
    let (answer, spent) = app.spent(ENDPOINT, 1, work).await;
    assert!(answer.header("content-type").contains("xml") && answer.text().contains("<Response"));
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    assert_eq!(answered(&one).await, "yes");
    for (n, body, shown) in [
        (2, "no", "no"),
        (3, "I will be late", "text"),
        // The same again, late: it was taken in already.
        (2, "no", "text"),
        (4, "stop", "stop"),
    ] {
        said(n, body).await;
        assert_eq!(answered(&one).await, shown, "{body}");
    }
    assert_eq!(one.counts("2026-05-05", 1).await["replied"], 1, "one promise was answered");
    app.finish().await;
}

/// Yesterday's text is answered while today's waits for its turn: nobody has read that one.
#[tokio::test]
async fn what_only_waits_is_never_what_is_answered() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").provider(silent).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    app.put("/admin/stages/claim", &json!({ "gate": "held" })).send().await.expect(200);
    app.hold(at(SECOND_DUE)).await;
    let queued = "SELECT count(*) FROM message WHERE state = 'q'";
    until("today's text waits", async || {
        (app.database.sql.one::<i64>(queued, &[]).await == 1).then_some(())
    })
    .await;
    reply(&app.client, &phone(1), &one.sender(), &sid(1), "YES").await.expect(200);
    assert_eq!(answered(&one).await, "yes");
    assert_eq!(one.reminders("a", 2).await[0]["reply"], Value::Null);
    // When it has left, it is the one that is answered.
    app.put("/admin/stages/claim", &json!({ "gate": "open" })).send().await.expect(200);
    one.until_fate("a", 2, "sent").await;
    reply(&app.client, &phone(1), &one.sender(), &sid(2), "NO").await.expect(200);
    assert_eq!(answered(&one).await, "yes");
    assert_eq!(one.reminders("a", 2).await[0]["reply"], "no");
    app.finish().await;
}

/// Nothing was sent to the phone. What was tried may have arrived all the same, also before its
/// answer is here; what wasn't can't have.
#[tokio::test]
async fn without_a_text_that_was_sent_only_one_that_was_tried_is_answered() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").provider(silent).start().await;
    let one = app.practice(1).await;
    let gate = async |stage: &str, gate: &str| {
        let path = format!("/admin/stages/{stage}");
        app.put(&path, &json!({ "gate": gate })).send().await.expect(200);
    };
    let says = async |n, body: &str| {
        reply(&app.client, &phone(1), &one.sender(), &sid(n), body).await.expect(200);
        answered(&one).await
    };
    let sql = &app.database.sql;
    let until_one = async |what: &str, counted: &str| {
        until(what, async || (sql.one::<i64>(counted, &[]).await == 1).then_some(())).await;
    };
    gate("claim", "held").await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until_one("it waits", "SELECT count(*) FROM lane_item").await;
    assert_eq!(says(1, "YES").await, Value::Null);

    // Turned down, and tried again and again.
    let busy = Faults { too_many_requests_share: 1.0, ..Faults::none() };
    app.simulator.set_faults(busy).unwrap();
    gate("claim", "open").await;
    until_one("it was tried", "SELECT count(*) FROM lane_item WHERE attempts > 0").await;
    assert_eq!(says(2, "YES").await, "yes");

    // Another phone's, on its way for the first time: nothing is written down of how that ends.
    gate("settle", "held").await;
    app.simulator.set_faults(Faults::none()).unwrap();
    one.book(&appointment("b").phone(2)).await;
    let leased = "SELECT count(*) FROM lane_item i JOIN lane l USING (practice_id, phone) \
                  WHERE l.state = 'l' AND i.attempts = 0";
    until_one("it is on its way", leased).await;
    reply(&app.client, &phone(2), &one.sender(), &sid(3), "NO").await.expect(200);
    assert_eq!(one.reminders("b", 1).await[0]["reply"], "no");
    gate("settle", "open").await;
    one.until_fate("b", 1, "sent").await;
    one.until_fate("a", 1, "sent").await;
    app.finish().await;
}

/// What a patient agreed to follows the last word, and a repeated word is not a new one: an old
/// START that comes again must not undo a STOP.
#[tokio::test]
async fn a_repeated_word_changes_no_consent() {
    let (app, one) = sent().await;
    let said = async |n, body: &str| {
        reply(&app.client, &phone(1), &one.sender(), &sid(n), body).await.expect(200);
        let sql = "SELECT opted_out FROM consent WHERE practice_id = 1";
        app.database.sql.one::<bool>(sql, &[]).await
    };
    assert!(!said(1, "START").await);
    assert!(said(2, "STOP").await);
    assert!(said(1, "START").await, "a repeated START undid a STOP");
    assert!(!said(3, "START").await);
    assert!(!said(2, "STOP").await, "a repeated STOP undid a START");
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let (app, one) = sent().await;
    let good = Good { app: &app, endpoint: ENDPOINT, path: PATH.into(), body: Value::Null };
    good.is_refused_when_spoilt().await;
    let fields = [("MessageSid", "SM1"), ("From", "+99900000001"), ("Body", "YES")];
    let unsigned = good.call().anonymous().form(&fields);
    unsigned.clone().send().await.problem(403, "bad_signature");
    let forged = unsigned.header("x-twilio-signature", "bm90IHRoZSBzaWduYXR1cmU=");
    forged.send().await.problem(403, "bad_signature");
    assert_eq!(answered(&one).await, Value::Null);

    // Rightly signed, and not what such a text says.
    let (from, to) = (&*phone(1), &*one.sender());
    for fields in [
        [("From", from), ("To", to), ("Body", "YES")],
        [("MessageSid", "SM1"), ("To", to), ("Body", "YES")],
        [("MessageSid", "SM1"), ("From", from), ("Body", "YES")],
        [("MessageSid", ""), ("From", from), ("To", to)],
        [("MessageSid", "SM1"), ("From", "a shop"), ("To", to)],
    ] {
        let refused = signed(&app.client, &reply_url(&app.client), &fields).await;
        refused.problem(422, "invalid");
    }
    assert_eq!(answered(&one).await, Value::Null);

    let nowhere = app.call(http::Method::POST, "/v1/callbacks/pigeon/reply").form(&fields);
    nowhere.send().await.problem(404, "not_found");
    // From somebody whom nobody texted; and to a number that is no practice's.
    reply(&app.client, &phone(55), &one.sender(), &sid(1), "YES").await.expect(200);
    let stray = reply(&app.client, &phone(1), &phone(66), &sid(2), "YES").await;
    stray.problem(404, "not_found");
    assert_eq!(answered(&one).await, Value::Null);
    app.finish().await;
}
