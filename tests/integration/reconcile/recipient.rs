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

#[tokio::test]
async fn what_waits_for_another_phone_is_taken_back_however_long_it_has_been_due() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    app.put("/admin/stages/release", &json!({ "gate": "held" })).send().await.expect(200);
    one.book(&appointment("a").phone(1)).await;
    app.hold(at("2026-05-05T12:10")).await;
    one.book(&appointment("a").phone(2).version(2)).await;
    // As of before the change.
    let forgotten = "INSERT INTO intent (due_day, shard, practice_id, appointment_id, rule_id, \
                                         plan_version, state, group_slot, revision, phone, due_at, \
                                         starts_at) \
                     SELECT due_day, shard, practice_id, appointment_id, rule_id, 1, state, \
                            group_slot, revision, phone - 1, due_at - interval '10 minutes', \
                            starts_at \
                     FROM intent WHERE rule_id = 1";
    assert_eq!(app.database.sql.run(forgotten, &[]).await, 1);
    let surplus = ("a".to_owned(), 1, "2026-05-05".to_owned(), "surplus".to_owned());
    let surplus = BTreeSet::from([surplus]);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, named(&report["residuals"])), (Some(1), surplus.clone()));
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!((output.status, named(&report["repaired"])), (Some(0), surplus), "{report:#}");
    app.put("/admin/stages/release", &json!({ "gate": "open" })).send().await.expect(200);
    until_accepted(&app.simulator, 1).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 1);
    app.finish_as(FOUND).await;
}
