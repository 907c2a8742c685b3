//! `GET /v1/practices/{practice_id}/reports/delivery`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{Ending, TestApp, appointment, at};

use super::common::{Good, is_counted};
use super::reports::{csv, formats_are_agreed_on, is_complete_up_to};

const ENDPOINT: Endpoint = Endpoint::ReadDelivery;

#[tokio::test]
async fn says_how_late_by_rule_and_hour() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let two = app.practice(2).await;
    one.send(&[
        appointment("a").phone(1),
        appointment("b").phone(2),
        // In the four hours before.
        appointment("c").phone(3).starts("2026-05-06T11:30"),
    ])
    .await;
    two.book(&appointment("theirs").phone(77)).await;
    // Half a minute before the later two are due, at full speed: the earlier one is late.
    app.run(at(FIRST_DUE), 1.0).await;
    for id in ["a", "b", "c"] {
        one.until(id, 1, "delivered", |reminder| reminder["receipt"] == "delivered").await;
    }
    let path = one.path("/reports/delivery?from=2026-05-05&until=2026-05-06");
    let read = app.get(&path).key(&one.key).send();
    let (answer, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, read)).await;
    assert_eq!(spent.queries, 3.0);
    is_complete_up_to(&answer);
    let report = answer.json(200);
    assert_eq!((&report["from"], &report["until"]), (&json!("2026-05-05"), &json!("2026-05-06")));
    let hours = report["hours"].as_array().unwrap();
    let counted = |at: usize| {
        let hour = &hours[at];
        let counts = ["rule_id", "hour", "texts", "sent", "delivered", "pending"];
        counts.map(|name| hour[name].as_i64().unwrap())
    };
    // Local hours: the windows of four hours begin at eight and at twelve.
    assert_eq!([counted(0), counted(1)], [[1, 8, 1, 1, 1, 0], [1, 12, 2, 2, 2, 0]], "{report}");
    assert_eq!(hours.len(), 2, "{report}");
    for hour in hours {
        let late = |name: &str| hour["late_seconds"][name].as_f64().unwrap();
        assert!(late("p50") <= late("p90") && late("p90") <= late("p99"), "{hour}");
        assert!(late("p99") <= late("max"), "{hour}");
    }
    let late = |hour: &Value| hour["late_seconds"]["p50"].as_f64().unwrap();
    // Four hours of domain time at that speed are as many of real time.
    assert!(late(&hours[0]) >= 4.0 * 3_600.0, "{report}");
    assert!(late(&hours[1]) < 3_600.0, "{report}");
    let lines = csv(&app.get(&path).header("accept", "text/csv").send().await);
    assert!(
        lines[0].ends_with("late_p50_seconds,late_p90_seconds,late_p99_seconds,late_max_seconds")
    );
    assert!(lines[1].starts_with("1,8,1,1,1,0,0,0,0,0,0,0,"), "{lines:?}");
    app.finish().await;
}

/// A hundred texts of one hour, a second later each than the one before.
#[tokio::test]
async fn percentiles_are_latenesses_that_occurred() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    app.run(at(FIRST_DUE), 1.0).await;
    let texts = "INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, \
                     generation, state, segments, revision, due_at, expires_at, released_at, \
                     sent_at, appointment_ids, starts_at, body) \
                 SELECT p.shard, 1, 999200000000 + n, '2026-05-05', 1, 0, 1, 's', 1, 1, \
                        c.domain_origin, c.domain_origin, c.real_origin, \
                        c.real_origin + n * interval '1 s', ARRAY['late-' || n], \
                        ARRAY[c.domain_origin], 'x' \
                 FROM practice AS p, clock AS c, generate_series(1, 100) AS n";
    assert_eq!(app.database.sql.run(texts, &[]).await, 100);
    let path = one.path("/reports/delivery?from=2026-05-05&until=2026-05-05");
    let report = app.get(&path).send().await.json(200);
    let late = &report["hours"][0]["late_seconds"];
    assert_eq!(late, &json!({ "p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0 }), "{report}");
    // No appointment promised them.
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/reports/delivery");
    formats_are_agreed_on(&app, &path).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    for query in [
        "from=2026-05-06&until=2026-05-05",
        "from=2026-05-01&until=2026-06-01",
        "from=x",
        "until=2026-02-30",
        "day=2026-05-05",
        "from=2026-05-05&from=2026-05-05",
    ] {
        let path = one.path(&format!("/reports/delivery?{query}"));
        app.get(&path).send().await.problem(400, "bad_query");
    }
    app.get("/v1/practices/x/reports/delivery").send().await.problem(400, "bad_path");
    app.finish().await;
}
