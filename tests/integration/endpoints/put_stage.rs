//! `PUT /admin/stages/{stage}`

use contract::Endpoint;
use serde_json::json;
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::PutStage;

#[tokio::test]
async fn holds_a_stage_so_that_everybody_sees_it_and_opens_it_again() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    let hold = app.put("/admin/stages/claim", &json!({ "gate": "held" })).send();
    let (answer, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, hold)).await;
    assert_eq!(spent.queries, 0.0);
    let held = json!({
        "stage": "claim", "gate": "held", "runs": false, "in_hand": 0, "depth": null,
    });
    assert_eq!(answer.json(200), held);
    let labels = [("stage", "claim")];
    assert_eq!(app.scrape().await.sum("stage_held", &labels), 1.0);
    assert!(app.log().contains("nothing goes through until it is opened"));

    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until("it is released", async || {
        let backlog = app.get("/admin/backlog").send().await.json(200);
        (backlog["ready"] == 1).then_some(())
    })
    .await;
    // What is held stays there while others go on.
    one.book(&appointment("b").phone(2).starts("2026-05-20T15:00")).await;
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending");

    app.put("/admin/stages/claim", &json!({ "gate": "open" })).send().await.expect(200);
    one.until_fate("a", 1, "sent").await;
    assert_eq!(app.scrape().await.sum("stage_held", &labels), 0.0);
    app.finish().await;
}

#[tokio::test]
async fn a_process_that_leaves_finishes_what_is_held() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    app.put("/admin/stages/settle", &json!({ "gate": "held" })).send().await.expect(200);
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until("its result waits", async || {
        let stages = app.get("/admin/stages").send().await.json(200);
        let stages = stages["stages"].as_array().unwrap();
        let settle = stages.iter().find(|stage| stage["stage"] == "settle").unwrap();
        (settle["depth"] == 1).then_some(())
    })
    .await;
    // No lease is left behind.
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let body = json!({ "gate": "open" });
    let path = "/admin/stages/settle".to_owned();
    let good = Good { app: &app, endpoint: ENDPOINT, path, body };
    good.is_refused_when_spoilt().await;
    good.reads_json_alone().await;
    let ajar = json!({ "gate": "ajar" });
    app.put(&good.path, &ajar).send().await.problem(400, "bad_json");
    for unknown in ["nonsense", "render", "Claim"] {
        let path = format!("/admin/stages/{unknown}");
        app.put(&path, &good.body).send().await.problem(400, "bad_path");
    }
    app.finish().await;
}

#[tokio::test]
async fn no_stage_can_be_held_unless_it_is_on() {
    let app = TestApp::start().await;
    let held = json!({ "gate": "held" });
    app.put("/admin/stages/claim", &held).send().await.problem(403, "not_here");
    app.finish().await;
}
