//! A promise is one to a phone: what left to the one that was given before keeps none to the one
//! that is given now.
//!
//! Never here: which texts leave when a phone changes (`life`).

use std::collections::BTreeSet;

use serde_json::json;
use tests::app::Ending;
use tests::practice::FIRST_DUE;
use tests::provider::until_accepted;
use tests::{TestApp, appointment, at};

use super::{FOUND, named, reconcile};

#[tokio::test]
async fn what_left_to_another_phone_hides_nothing_that_is_missing() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a").phone(1)).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    one.until_fate("a", 1, "sent").await;
    app.put("/admin/stages/release", &json!({ "gate": "held" })).send().await.expect(200);
    one.book(&appointment("a").phone(2).version(2)).await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{report:#}");

    let lost = "DELETE FROM intent WHERE rule_id = 1 AND state = 'p'";
    assert_eq!(app.database.sql.run(lost, &[]).await, 1);
    let (output, report) = reconcile(&app, &[]).await;
    let missing = ("a".to_owned(), 1, "2026-05-05".to_owned(), "missing".to_owned());
    assert_eq!(output.status, Some(1), "{report:#}");
    assert_eq!(named(&report["residuals"]), BTreeSet::from([missing]), "{report:#}");
    let audit = app.get("/admin/audit").send().await.json(200);
    assert_eq!(audit["holds"], false, "{audit:#}");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}
