//! `GET /`

use contract::Endpoint;
use serde_json::Value;
use tests::TestApp;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadLive;

#[tokio::test]
async fn one_page_with_all_that_it_needs() {
    let app = TestApp::start().await;
    let read = app.get("/").anonymous().send();
    let page = is_counted(&app, ENDPOINT, 200, read).await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let text = page.text();
    for piece in ["<title>Punctual live</title>", "/live/events", "aria-labelledby=\"h-paths\""] {
        assert!(text.contains(piece), "{piece}");
    }
    for outside in ["http://", "https://", " src=", "@import"] {
        assert!(!text.contains(outside), "{outside}");
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/").send()).await;
    assert_eq!(spent.queries, 0.0);
    Good { app: &app, endpoint: ENDPOINT, path: "/".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}

/// Before the database is there the page says what is missing.
#[tokio::test]
async fn it_is_there_before_the_database() {
    let nobody = "postgres://punctual@127.0.0.1:1/punctual";
    let app = TestApp::with().env("PUNCTUAL_DATABASE_URL", nobody).start_unready().await;
    app.get("/").anonymous().send().await.expect(200);
    let TestApp { service, .. } = app;
    service.kill().await;
}
