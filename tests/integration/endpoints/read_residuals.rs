//! `GET /admin/residuals`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::app::Ending;
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadResiduals;
const PATH: &str = "/admin/residuals";

#[tokio::test]
async fn names_what_is_out_of_order_of_all_or_of_one() {
    let app = TestApp::with()
        .env("TEST_PLANNER_BUG", "2,0") // the second rule's reminders
        .env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000)
        .start()
        .await;
    let read = app.get(PATH).anonymous().send();
    let nothing = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(nothing, json!({ "residuals": [] }));

    for id in [1, 2] {
        app.practice(id).await.book(&appointment("a")).await;
    }
    let both = until("the stage has found both", async || {
        let listed = app.get(PATH).send().await.json(200);
        (listed["residuals"].as_array().unwrap().len() == 2).then_some(listed)
    })
    .await;
    let practices: Vec<&Value> =
        both["residuals"].as_array().unwrap().iter().map(|r| &r["practice_id"]).collect();
    assert_eq!(practices, [1, 2]);
    let of_two = app.get(&format!("{PATH}?practice_id=2")).send().await.json(200);
    assert_eq!(of_two["residuals"].as_array().unwrap().len(), 1);
    let one = &of_two["residuals"][0];
    assert_eq!(
        (&one["practice_id"], &one["appointment_id"], &one["rule_id"], &one["kind"]),
        (&json!(2), &json!("a"), &json!(2), &json!("missing"))
    );
    assert_eq!((&one["day"], &one["reason"]), (&json!("2026-05-06"), &json!("no reason is known")));
    assert!(FIRST_DUE.starts_with("2026-05-05"), "the day before is planned");

    for (query, code) in [("practice_id=x", "bad_query"), ("day=2026-05-06", "bad_query")] {
        app.get(&format!("{PATH}?{query}")).send().await.problem(400, code);
    }
    let (_, spent) = app.spent(ENDPOINT, 1, app.get(PATH).send()).await;
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    Good { app: &app, endpoint: ENDPOINT, path: PATH.into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish_as(Ending { errors: &["promises are out of order"], is_broken: true }).await;
}
