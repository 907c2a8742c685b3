//! `GET /readyz`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::{Ending, TestApp, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadReadiness;

#[tokio::test]
async fn ready_by_one_statement() {
    let app = TestApp::start().await;
    let read = app.get("/readyz").anonymous().send();
    let ready = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(ready, json!({ "status": "ready" }));
    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/readyz").send()).await;
    assert_eq!(spent.queries, 1.0);
    Good { app: &app, endpoint: ENDPOINT, path: "/readyz".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}

/// First it says that it isn't ready, then it stops taking connections.
#[tokio::test]
async fn not_ready_while_it_leaves() {
    let app = TestApp::with().env("PUNCTUAL_DRAIN_GRACE_MS", 1_500).start().await;
    let client = app.client.clone();
    app.audit().await;
    let leaving = tokio::spawn(app.service.finish(Ending::default()));
    let problem = until("not ready", async || {
        let answer = client.get("/readyz").anonymous().send().await;
        (answer.status == 503).then(|| answer.problem(503, "not_ready"))
    })
    .await;
    assert!(problem["detail"].as_str().unwrap().contains("stopping"), "{problem}");
    // It still answers, and asks to be left.
    let served = client.get("/v1/openapi.json").anonymous().send().await.expect(200);
    assert_eq!(served.header("connection"), "close");
    leaving.await.unwrap();
}
