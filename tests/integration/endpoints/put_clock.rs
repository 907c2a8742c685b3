//! `PUT /admin/clock`

use contract::Endpoint;
use serde_json::json;
use tests::practice::FIRST_DUE;
use tests::{Ending, TestApp, appointment, at, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::PutClock;

#[tokio::test]
async fn holds_and_scales_for_all_processes() {
    let app = TestApp::start().await;
    let other = app.another(&[]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let clock = json!({
        "real_origin": "2100-01-01T00:00:00Z", "domain_origin": at("2026-05-05T11:59"),
        "speed": 60.0,
    });
    let put = app.put("/admin/clock", &clock).send();
    let (answer, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, put)).await;
    assert_eq!(answer.json(200), clock);
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    until("the other process follows", async || {
        let backlog = other.get("/admin/backlog").send().await.json(200);
        (backlog["domain_now"] == clock["domain_origin"]).then_some(())
    })
    .await;
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending", "it is a minute before");
    // A minute of domain time passes in a second of real time.
    app.run(at("2026-05-05T11:59"), 60.0).await;
    one.until_fate("a", 1, "sent").await;
    other.finish(Ending::default()).await;
    app.finish().await;
}

#[tokio::test]
async fn put_back_it_strands_nothing() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    app.hold(at("2026-05-07T12:00")).await;
    let floor = "SELECT min(release_floor) > $1 FROM shard";
    let ahead = at("2026-05-07T00:00");
    until("the floors rise", async || {
        app.database.sql.one::<bool>(floor, &[&ahead]).await.then_some(())
    })
    .await;
    app.hold(at("2026-05-04T06:00")).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let body = json!({
        "real_origin": "2100-01-01T00:00:00Z", "domain_origin": at(FIRST_DUE), "speed": 1.0,
    });
    let good = Good { app: &app, endpoint: ENDPOINT, path: "/admin/clock".into(), body };
    good.is_refused_when_spoilt().await;
    good.reads_json_alone().await;
    for speed in [json!(0.0), json!(-1), json!(100_001)] {
        let mut wrong = good.body.clone();
        wrong["speed"] = speed;
        app.put(&good.path, &wrong).send().await.problem(422, "invalid");
    }
    app.finish().await;
}

#[tokio::test]
async fn in_production_domain_time_is_real_time() {
    let app = TestApp::with()
        .env("PUNCTUAL_ENV", "production")
        .env("PUNCTUAL_PROVIDER_SIMULATED", "false")
        .env("PUNCTUAL_PUBLIC_URL", "https://punctual.invalid")
        .start()
        .await;
    let body = json!({
        "real_origin": "2100-01-01T00:00:00Z", "domain_origin": at(FIRST_DUE), "speed": 1.0,
    });
    app.put("/admin/clock", &body).send().await.problem(403, "not_here");
    app.finish().await;
}
