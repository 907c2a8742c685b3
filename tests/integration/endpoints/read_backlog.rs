//! `GET /admin/backlog`

use contract::Endpoint;
use serde_json::{Value, json};
use stack::provider::{Faults, Options};
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::{TestApp, appointment, at, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadBacklog;

#[tokio::test]
async fn counts_what_waits() {
    let hangs =
        |options| Options { faults: Faults { hang_share: 1.0, ..Faults::none() }, ..options };
    let app =
        TestApp::with().env("PUNCTUAL_PROVIDER_FIRST_BYTE_MS", 2_500).provider(hangs).start().await;
    let one = app.practice(1).await;
    let read = app.get("/admin/backlog").anonymous().send();
    let nothing = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!((&nothing["due"], &nothing["items"]), (&json!(0), &json!(0)));
    one.send(&[appointment("a").phone(1), appointment("b").phone(2)]).await;
    app.hold(at(FIRST_DUE)).await;
    // Both hang at the provider: leased, in their lanes.
    let backlog = until("both are leased", async || {
        let backlog = app.get("/admin/backlog").send().await.json(200);
        (backlog["leased"] == 2).then_some(backlog)
    })
    .await;
    assert_eq!((&backlog["due"], &backlog["items"]), (&json!(0), &json!(2)));
    assert_eq!(backlog["next_due_at"], json!(at(SECOND_DUE)));
    assert_eq!(backlog["domain_now"], json!(at(FIRST_DUE)));
    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/admin/backlog").send()).await;
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    Good { app: &app, endpoint: ENDPOINT, path: "/admin/backlog".into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}
