//! `GET /admin/audit`

use contract::Endpoint;
use serde_json::Value;
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::RunAudit;

fn cases(report: &Value, name: &str) -> i64 {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    check["cases"].as_i64().unwrap()
}

#[tokio::test]
async fn states_its_cases() {
    let app = TestApp::start().await;
    let read = app.get("/admin/audit").anonymous().send();
    let nothing = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(nothing["holds"], true, "{nothing:#}");
    assert_eq!(cases(&nothing, "expected"), 0);

    let one = app.practice(1).await;
    let family = [appointment("a"), appointment("b").starts("2026-05-06T15:00")];
    one.send(&family).await;
    one.book(&appointment("c").phone(2)).await;
    one.cancel("c").await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    let report = app.audit().await;
    for (name, expected) in [
        ("expected", 4),
        ("conservation", 6),
        ("members", 1),
        ("attempts", 1),
        ("cancelled", 2),
        ("groups", 2),
        ("families", 1),
    ] {
        assert_eq!(cases(&report, name), expected, "{name}: {report:#}");
    }
    assert!(cases(&report, "statements") > 20, "{report:#}");
    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/admin/audit").send()).await;
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    Good { app: &app, endpoint: ENDPOINT, path: "/admin/audit".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}
