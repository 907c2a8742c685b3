//! `GET /v1/practices/{practice_id}`

use contract::Endpoint;
use serde_json::Value;
use tests::TestApp;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadPractice;

#[tokio::test]
async fn reads_it_by_either_key() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let read = app.get(&one.path("")).key(&one.key).send();
    let by_its_key = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(by_its_key["name"], "Practice 1");
    assert_eq!(app.get(&one.path("")).send().await.json(200), by_its_key);
    let (_, spent) = app.spent(ENDPOINT, 1, app.get(&one.path("")).key(&one.key).send()).await;
    assert_eq!(spent.queries, 0.0, "the practice and its key are in memory");
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path: one.path(""), body: Value::Null };
    good.is_refused_when_spoilt().await;
    app.get("/v1/practices/77").send().await.problem(404, "not_found");
    app.get("/v1/practices/abc").send().await.problem(400, "bad_path");
    app.finish().await;
}
