//! `GET /v1/practices/{practice_id}/reports/trend`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};
use super::reports::{csv, formats_are_agreed_on, is_complete_up_to};

const ENDPOINT: Endpoint = Endpoint::ReadTrend;

#[tokio::test]
async fn counts_by_day_what_is_folded_and_what_is_not() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let two = app.practice(2).await;
    one.send(&[appointment("a").phone(1), appointment("b").phone(2)]).await;
    two.book(&appointment("theirs").phone(77)).await;
    app.hold(at(FIRST_DUE)).await;
    for id in ["a", "b"] {
        one.until(id, 1, "delivered", |reminder| reminder["receipt"] == "delivered").await;
    }
    let path = one.path("/reports/trend?from=2026-02-06&until=2026-05-06");
    let read = app.get(&path).key(&one.key).send();
    let (answer, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, read)).await;
    assert_eq!(spent.queries, 3.0);
    is_complete_up_to(&answer);
    let report = answer.json(200);
    let days = report["days"].as_array().unwrap();
    let counted = |at: usize| {
        ["expected", "sent", "delivered", "pending"].map(|name| days[at][name].as_i64().unwrap())
    };
    assert_eq!((&days[0]["day"], counted(0)), (&json!("2026-05-05"), [2, 2, 2, 0]));
    assert_eq!((&days[1]["day"], counted(1)), (&json!("2026-05-06"), [2, 0, 0, 2]));
    assert_eq!(days.len(), 2);
    // Up to today, by domain time.
    let today = app.get(&one.path("/reports/trend")).send().await.json(200);
    assert_eq!((&today["from"], &today["until"]), (&json!("2026-02-05"), &json!("2026-05-05")));
    assert_eq!(today["days"].as_array().unwrap().len(), 1);
    let lines = csv(&app.get(&path).header("accept", "text/csv").send().await);
    assert!(lines[0].starts_with("day,expected,sent,"), "{lines:?}");
    assert_eq!(
        lines[1..],
        [
            "2026-05-05,2,2,0,0,0,0,0,0,0,0,2,0,0,0".to_owned(),
            "2026-05-06,2,0,0,0,0,0,0,0,0,2,0,0,0,0".to_owned()
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/reports/trend");
    formats_are_agreed_on(&app, &path).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    for query in ["from=2026-02-05&until=2026-05-06", "from=2026-05-06&until=2026-05-05", "days=3"]
    {
        let path = one.path(&format!("/reports/trend?{query}"));
        app.get(&path).send().await.problem(400, "bad_query");
    }
    app.finish().await;
}
