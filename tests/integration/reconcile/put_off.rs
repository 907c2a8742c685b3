//! What the planner says lies beyond its horizon is believed until its time comes.
//!
//! Never here: what it should have planned by its own word (`planner`).

use std::collections::BTreeSet;

use contract::Stage;
use serde_json::json;
use tests::practice::FIRST_DUE;
use tests::{Ending, TestApp, appointment, at};

use super::{named, reconcile};

#[tokio::test]
async fn what_was_put_off_is_missing_once_its_time_has_come() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    // It would plan them as soon as it looks.
    let extend = format!("/admin/stages/{}", Stage::Extend.name());
    app.put(&extend, &json!({ "gate": "held" })).send().await.expect(200);
    app.practice(1).await.book(&appointment("a")).await;
    let sql = &app.database.sql;
    let put_off = "UPDATE appointment SET unplanned_from = '2026-05-05', intent_days = '{}'";
    assert_eq!(sql.run(put_off, &[]).await, 1);
    assert_eq!(sql.run("DELETE FROM intent WHERE state = 'p'", &[]).await, 2);
    let missing = async || named(&reconcile(&app, &[]).await.1["residuals"]);
    assert_eq!(missing().await, BTreeSet::new());

    // The first one's time has come, and the second one's has not.
    app.hold(at(FIRST_DUE)).await;
    let first = ("a".to_owned(), 1, "2026-05-05".to_owned(), "missing".to_owned());
    assert_eq!(missing().await, BTreeSet::from([first]));
    let errors = &["promises are out of order"];
    app.finish_as(Ending { is_broken: true, errors }).await;
}
