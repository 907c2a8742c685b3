//! The replica: good for looking, never for promising.
//!
//! Never here: choosing between the servers (`router`).

use std::time::Duration;

use tests::database::pair;
use tests::practice::FIRST_DUE;
use tests::{Ending, TestApp, appointment, at, binary};

/// What the log says of a replica where the primary should be.
const WHY: &str = "is the primary: promote a replica";

#[tokio::test]
async fn the_laws_can_be_checked_there() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    app.idle().await;
    pair().await.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    let url = app.database.replica_url();
    let audit = binary::run(&["audit", "--json"], &[("PUNCTUAL_DATABASE_URL", &url)]).await;
    assert_eq!(audit.status, Some(0), "{audit:?}");
    let report: serde_json::Value = serde_json::from_str(&audit.stdout).unwrap();
    let expected = &report["checks"][0];
    assert_eq!((&expected["name"], &expected["cases"]), (&"expected".into(), &2.into()));
    app.finish().await;
}

/// Pointed at by mistake: the process lives, says what is missing, and promises nothing.
#[tokio::test]
async fn a_service_on_it_is_never_ready() {
    let database = tests::TestDatabase::new().await;
    pair().await.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    let url = database.replica_url();
    let app =
        TestApp::with().database(database).env("PUNCTUAL_DATABASE_URL", url).start_unready().await;
    tests::until("it has tried", async || app.log().contains(WHY).then_some(())).await;
    let problem = app.get("/readyz").send().await.problem(503, "not_ready");
    assert!(problem["detail"].as_str().unwrap().contains("database"), "{problem}");
    app.get("/healthz").send().await.expect(200);
    app.get("/v1/practices/1").send().await.problem(503, "not_ready");
    let TestApp { service, .. } = app;
    service.finish(Ending { errors: &[WHY], ..Ending::default() }).await;
}
