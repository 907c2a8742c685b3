//! `POST /v1/callbacks/{provider}/reply`

use contract::Endpoint;
use serde_json::Value;
use tests::practice::FIRST_DUE;
use tests::provider::{reply, silent, until_accepted};
use tests::{Practice, TestApp, appointment, at, phone};

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

    let nowhere = app.call(http::Method::POST, "/v1/callbacks/pigeon/reply").form(&fields);
    nowhere.send().await.problem(404, "not_found");
    // From somebody whom nobody texted; and to a number that is no practice's.
    reply(&app.client, &phone(55), &one.sender(), &sid(1), "YES").await.expect(200);
    let stray = reply(&app.client, &phone(1), &phone(66), &sid(2), "YES").await;
    stray.problem(404, "not_found");
    assert_eq!(answered(&one).await, Value::Null);
    app.finish().await;
}
