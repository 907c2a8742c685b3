//! `GET /admin/fleet`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};
use super::reports::{csv, formats_are_agreed_on, is_complete_up_to};

const ENDPOINT: Endpoint = Endpoint::ReadFleet;
const PATH: &str = "/admin/fleet?from=2026-05-01&until=2026-05-31";

#[tokio::test]
async fn counts_all_practices_by_day() {
    let app = TestApp::start().await;
    for (id, appointments) in [(1, 3), (2, 2), (3, 1)] {
        let practice = app.practice(id).await;
        let many: Vec<_> =
            (0..appointments).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
        practice.send(&many).await;
    }
    // One without reminders.
    app.practice(4).await;
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    let read = app.get(PATH).send();
    let (answer, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, read)).await;
    // Two for each shard, however many practices there are, and as of.
    assert_eq!(spent.queries, 33.0);
    is_complete_up_to(&answer);
    let days = answer.json(200)["days"].clone();
    let counted = |at: usize| {
        ["practices", "expected", "sent", "pending"].map(|name| days[at][name].as_i64().unwrap())
    };
    assert_eq!((&days[0]["day"], counted(0)), (&json!("2026-05-05"), [3, 6, 6, 0]));
    assert_eq!((&days[1]["day"], counted(1)), (&json!("2026-05-06"), [3, 6, 0, 6]));
    assert_eq!(days.as_array().unwrap().len(), 2);
    let lines = csv(&app.get(PATH).header("accept", "text/csv").send().await);
    assert!(lines[1].starts_with("2026-05-05,3,6,6,"), "{lines:?}");
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    formats_are_agreed_on(&app, PATH).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path: PATH.to_owned(), body: Value::Null };
    good.is_refused_when_spoilt().await;
    for query in ["from=2026-05-06&until=2026-05-05", "from=2026-01-01&until=2026-04-01", "x=1"] {
        app.get(&format!("/admin/fleet?{query}")).send().await.problem(400, "bad_query");
    }
    app.finish().await;
}
