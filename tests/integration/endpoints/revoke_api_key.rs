//! `DELETE /v1/practices/{practice_id}/api-keys/{key_id}`

use contract::Endpoint;
use serde_json::Value;
use tests::TestApp;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::RevokeApiKey;

#[tokio::test]
async fn it_ends_at_once() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    app.get(&one.path("")).key(&one.key).send().await.expect(200);
    let revoke = app.delete(&one.path("/api-keys/1")).send();
    let revoked = is_counted(&app, ENDPOINT, 204, revoke).await.expect(204);
    assert!(revoked.body.is_empty());
    app.get(&one.path("")).key(&one.key).send().await.problem(401, "unauthenticated");
    let (again, spent) = app.spent(ENDPOINT, 1, app.delete(&one.path("/api-keys/1")).send()).await;
    again.problem(404, "not_found");
    assert_eq!(spent.queries, 1.0);
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/api-keys/1");
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    good.call().key(&one.key).send().await.problem(403, "admin_only");
    app.delete(&one.path("/api-keys/7")).send().await.problem(404, "not_found");
    app.delete(&one.path("/api-keys/x")).send().await.problem(400, "bad_path");
    app.delete(&one.path("/api-keys/2147483648")).send().await.problem(400, "bad_path");
    app.delete("/v1/practices/77/api-keys/1").send().await.problem(404, "not_found");
    app.get(&one.path("")).key(&one.key).send().await.expect(200);
    app.finish().await;
}
