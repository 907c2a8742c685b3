//! `GET /v1/practices/{practice_id}/days/{day}/counts`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{Ending, TestApp, appointment, at};

use super::common::{Good, is_counted};
use super::reports::{csv, formats_are_agreed_on, is_complete_up_to};

const ENDPOINT: Endpoint = Endpoint::ReadDailyCounts;

#[tokio::test]
async fn counts_every_promise_once() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/days/2026-05-05/counts");
    let none = app.get(&path).key(&one.key).send().await;
    is_complete_up_to(&none);
    let none = none.json(200);
    assert_eq!((&none["day"], &none["rules"]), (&json!("2026-05-05"), &json!([])));

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
            "confirmed": 0, "failed": 0, "expired": 0, "ambiguous": 0, "pending": 0, "residual": 0,
            "suppressed": { "cancelled": 1, "moved": 0, "opted_out": 0, "not_allowed": 0 },
        })
    );
    assert_eq!(one.counts("2026-05-06", 2).await["pending"], 3);
    let (answer, spent) =
        app.spent(ENDPOINT, 1, app.get(&path).header("accept", "text/csv").send()).await;
    assert_eq!(
        csv(&answer),
        [
            "rule_id,residual,expected,sent,suppressed_cancelled,suppressed_moved,\
             suppressed_opted_out,suppressed_not_allowed,failed,expired,ambiguous,pending,\
             delivered,undelivered,replied,confirmed",
            "1,0,4,3,1,0,0,0,0,0,0,0,3,0,0,0",
        ]
    );
    assert_eq!(spent.queries, 3.0);
    app.finish().await;
}

/// What waits is counted by the promises, so that a count that is wrong doesn't hide in it.
#[tokio::test]
async fn what_is_left_over_shows() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("a").phone(1), appointment("b").phone(2)]).await;
    let lost = "DELETE FROM intent WHERE rule_id = 1 AND appointment_id = 'a'";
    assert_eq!(app.database.sql.run(lost, &[]).await, 1);
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!(
        [&counts["expected"], &counts["pending"], &counts["residual"]],
        [&json!(2), &json!(1), &json!(1)]
    );
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/days/2026-05-05/counts");
    formats_are_agreed_on(&app, &path).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    for day in ["2026-02-30", "today", "2026-5-4"] {
        app.get(&one.path(&format!("/days/{day}/counts"))).send().await.problem(400, "bad_path");
    }
    let unknown = one.path("/days/2026-05-05/counts?colour=red");
    app.get(&unknown).send().await.problem(400, "bad_query");
    app.get("/v1/practices/x/days/2026-05-05/counts").send().await.problem(400, "bad_path");
    app.finish().await;
}
