//! What is planned for nothing and has come due: it is taken back for as long as it can be stopped,
//! and what left is told.
//!
//! Never here: what is taken back before it is due (`planner`, `reasons`).

use std::collections::BTreeSet;

use serde_json::json;
use tests::practice::FIRST_DUE;
use tests::provider::until_accepted;
use tests::{Sql, TestApp, appointment, at, until};

use super::{FOUND, named, reconcile};

/// The first rule's reminder of practice 1 once more, behind the service's back: as of the day
/// after, for which no rule gives it, and due an hour before it.
pub(super) async fn plant(sql: &Sql) {
    let copy = "INSERT INTO intent (due_day, shard, practice_id, appointment_id, rule_id, \
                                    plan_version, state, group_slot, revision, phone, due_at, \
                                    starts_at) \
                SELECT due_day + 1, shard, practice_id, appointment_id, rule_id, plan_version, \
                       state, group_slot, revision, phone, due_at - interval '1 hour', starts_at \
                FROM intent WHERE practice_id = 1 AND rule_id = 1";
    assert_eq!(sql.run(copy, &[]).await, 1);
}

/// As a report names it.
pub(super) fn planted() -> BTreeSet<(String, i64, String, String)> {
    BTreeSet::from([("a".to_owned(), 1, "2026-05-06".to_owned(), "surplus".to_owned())])
}

/// A service that holds a stage and has a surplus that is due, found while it was planned.
async fn world(held: &str) -> TestApp {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    app.practice(1).await.book(&appointment("a")).await;
    plant(&app.database.sql).await;
    let gate = json!({ "gate": "held" });
    app.put(&format!("/admin/stages/{held}"), &gate).send().await.expect(200);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, named(&report["residuals"])), (Some(1), planted()), "{report:#}");
    app.hold(at("2026-05-05T11:30")).await;
    app
}

/// A repair takes it back; then the stage goes on, and the right reminder leaves alone.
async fn is_taken_back(app: &TestApp, held: &str) {
    let (output, report) = reconcile(app, &["--repair"]).await;
    assert_eq!((output.status, named(&report["repaired"])), (Some(0), planted()), "{report:#}");
    assert_eq!(report["too_late"], json!([]), "{report:#}");
    let repaired = report["repaired"].as_array().unwrap();
    assert!(repaired.iter().all(|one| one["late_seconds"] == 0), "none is late: {report:#}");
    let gate = json!({ "gate": "open" });
    app.put(&format!("/admin/stages/{held}"), &gate).send().await.expect(200);
    app.idle().await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 1).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 1, "the right one alone");
    let (output, report) = reconcile(app, &[]).await;
    assert_eq!((output.status, &report["residual"]), (Some(0), &json!(0)), "{report:#}");
}

#[tokio::test]
async fn a_surplus_that_is_due_is_taken_back_while_it_waits() {
    let app = world("release").await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, named(&report["residuals"])), (Some(1), planted()), "{report:#}");
    is_taken_back(&app, "release").await;
    let left = "SELECT count(*) FROM intent WHERE due_day = '2026-05-06' AND rule_id = 1";
    assert_eq!(app.database.sql.one::<i64>(left, &[]).await, 0);
    app.finish_as(FOUND).await;
}

#[tokio::test]
async fn a_surplus_is_taken_back_out_of_its_lane() {
    let app = world("claim").await;
    until("it waits in its lane", async || {
        let backlog = app.get("/admin/backlog").send().await.json(200);
        (backlog["ready"] == 1).then_some(())
    })
    .await;
    is_taken_back(&app, "claim").await;
    let ended = "SELECT state::text || reason::text FROM message \
                 WHERE local_day = '2026-05-06' AND rule_id = 1";
    assert_eq!(app.database.sql.one::<String>(ended, &[]).await, "xm");
    app.finish_as(FOUND).await;
}
