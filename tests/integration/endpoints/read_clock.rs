//! `GET /admin/clock`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::TestApp;
use tests::database::DAWN;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadClock;

#[tokio::test]
async fn reads_the_one_row() {
    let app = TestApp::start().await;
    let read = app.get("/admin/clock").anonymous().send();
    let clock = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    let held = json!({
        "real_origin": "2100-01-01T00:00:00Z", "domain_origin": DAWN, "speed": 1.0,
    });
    assert_eq!(clock, held);
    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/admin/clock").send()).await;
    assert_eq!(spent.queries, 1.0);
    Good { app: &app, endpoint: ENDPOINT, path: "/admin/clock".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}
