//! `GET /v1/practices/{practice_id}/days/{day}/counts`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadDailyCounts;

#[tokio::test]
async fn counts_every_promise_once() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/days/2026-05-05/counts");
    let none = app.get(&path).key(&one.key).send().await.json(200);
    assert_eq!(none, json!({ "day": "2026-05-05", "rules": [] }));

    // A family of two, one alone, one that is cancelled in time.
    one.send(&[
        appointment("a").phone(1),
        appointment("b").phone(1).starts("2026-05-06T15:00"),
        appointment("c").phone(2),
        appointment("d").phone(3),
    ])
    .await;
    one.cancel("d").await;
    let planned = one.counts("2026-05-05", 1).await;
    assert_eq!((&planned["expected"], &planned["pending"]), (&json!(4), &json!(3)));
    app.hold(at(FIRST_DUE)).await;
    for id in ["a", "b", "c"] {
        one.until(id, 1, "delivered", |reminder| reminder["receipt"] == "delivered").await;
    }
    let read = app.get(&path).key(&one.key).send();
    let counts = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(
        counts["rules"][0],
        json!({
            "rule_id": 1, "expected": 4, "sent": 3, "delivered": 3, "undelivered": 0, "replied": 0,
            "suppressed": { "cancelled": 1, "moved": 0, "opted_out": 0, "not_allowed": 0 },
            "failed": 0, "expired": 0, "ambiguous": 0, "pending": 0,
        })
    );
    assert_eq!(one.counts("2026-05-06", 2).await["pending"], 3);
    let (_, spent) = app.spent(ENDPOINT, 1, app.get(&path).send()).await;
    assert_eq!(spent.queries, 1.0);
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/days/2026-05-05/counts");
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    for day in ["2026-02-30", "today", "2026-5-4"] {
        app.get(&one.path(&format!("/days/{day}/counts"))).send().await.problem(400, "bad_path");
    }
    app.get("/v1/practices/x/days/2026-05-05/counts").send().await.problem(400, "bad_path");
    app.finish().await;
}
