//! `GET /admin/stages`

use contract::{Endpoint, Stage};
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadStages;

#[tokio::test]
async fn tells_of_every_stage_that_can_be_held() {
    let app = TestApp::start().await;
    let read = app.get("/admin/stages").anonymous().send();
    let answer = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(answer["enabled"], false);
    let stages = answer["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    let with_gates = Stage::ALL.iter().filter(|stage| stage.has_gate());
    assert_eq!(names, with_gates.map(|stage| stage.name()).collect::<Vec<_>>());
    for stage in stages {
        assert_eq!((&stage["gate"], &stage["runs"]), (&json!("open"), &json!(false)));
    }
    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/admin/stages").send()).await;
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    Good { app: &app, endpoint: ENDPOINT, path: "/admin/stages".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}

#[tokio::test]
async fn tells_what_stands_before_a_held_stage() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    app.put("/admin/stages/release", &json!({ "gate": "held" })).send().await.expect(200);
    one.send(&[appointment("a"), appointment("b").phone(2)]).await;
    app.hold(at(FIRST_DUE)).await;
    let answer = app.get("/admin/stages").send().await.json(200);
    let stages = answer["stages"].as_array().unwrap();
    let of = |name: &str| stages.iter().find(|stage| stage["stage"] == name).unwrap();
    let held = json!({
        "stage": "release", "gate": "held", "runs": false, "in_hand": 0, "depth": 2,
    });
    assert_eq!((&answer["enabled"], of("release")), (&json!(true), &held));
    assert_eq!((&of("claim")["gate"], &of("claim")["depth"]), (&json!("open"), &json!(0)));
    app.put("/admin/stages/release", &json!({ "gate": "open" })).send().await.expect(200);
    one.until_fate("a", 1, "sent").await;
    one.until_fate("b", 1, "sent").await;
    app.finish().await;
}
