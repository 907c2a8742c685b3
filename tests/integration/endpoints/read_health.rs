//! `GET /healthz`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::TestApp;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadHealth;

#[tokio::test]
async fn lives() {
    let app = TestApp::start().await;
    let read = app.get("/healthz").anonymous().send();
    let alive = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(alive, json!({ "status": "alive" }));
    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/healthz").send()).await;
    assert_eq!(spent.queries, 0.0);
    Good { app: &app, endpoint: ENDPOINT, path: "/healthz".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}

/// What operators see and what practices reach are two listeners.
#[tokio::test]
async fn each_listener_has_its_endpoints_alone() {
    let app = TestApp::start().await;
    let status = async |address, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        tests::wire::once(address, &request).await.unwrap().status
    };
    for path in ["/healthz", "/metrics", "/admin/audit", "/admin/clock"] {
        assert_eq!(status(app.client.public, path).await, 404, "{path}");
        assert_eq!(status(app.client.admin, path).await, 200, "{path}");
    }
    assert_eq!(status(app.client.admin, "/v1/openapi.json").await, 404);
    app.get("/v1/nothing").send().await.problem(404, "unknown_path");
    app.finish().await;
}
