//! Why a promise is out of order, as far as it is known: a case for each reason, and that a repair
//! or the stages put it in order.
//!
//! Never here: what the provider's list says (`listed`).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::app::Ending;
use tests::database::Sql;
use tests::practice::{FIRST_DUE, settings};
use tests::{Practice, TestApp, appointment, at, until};

use super::{FOUND, is_promise, named, reconcile};

/// Whose promise, under which rule, in which way and why.
type Named = BTreeSet<(i64, i64, String, String)>;

fn why(residuals: &Value) -> Named {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = |residual: &Value| {
        let numbers = ["practice_id", "rule_id"].map(|of| residual[of].as_i64().unwrap());
        (numbers[0], numbers[1], text(&residual["kind"]), text(&residual["reason"]))
    };
    residuals.as_array().unwrap().iter().filter(is_promise).map(name).collect()
}

/// The first rule's promise of practice $1 once more, so many days and versions on.
const ONCE_MORE: &str = "\
    INSERT INTO intent (due_day, shard, practice_id, appointment_id, rule_id, plan_version, state, \
                        group_slot, revision, phone, due_at, starts_at) \
    SELECT due_day + $2::integer, shard, practice_id, appointment_id, rule_id, \
           plan_version + $3::integer, state, group_slot, revision, phone, due_at, starts_at \
    FROM intent \
    WHERE practice_id = $1 AND rule_id = 1";
/// The first rule's promise of practice $1 is not there.
const AWAY: &str = "DELETE FROM intent WHERE practice_id = $1 AND rule_id = 1 AND state = 'p'";

/// A practice for each, behind the service's back. Returns the last.
async fn spoil(app: &TestApp) -> Practice {
    let held = json!({ "gate": "held" });
    app.put("/admin/stages/replan", &held).send().await.expect(200);
    let sql = &app.database.sql;
    let mut practices = Vec::new();
    for id in 1..=7 {
        let practice = app.practice(id).await;
        practice.book(&appointment("a")).await;
        match id {
            1 => _ = sql.run(AWAY, &[&id]).await,
            2 => {
                practice.cancel("a").await;
                practice.book(&appointment("a").version(3)).await;
                sql.run(AWAY, &[&id]).await;
            }
            3 => {
                let cancelled = "UPDATE appointment SET status = 'c' WHERE practice_id = $1";
                sql.run(cancelled, &[&id]).await;
            }
            4 => _ = sql.run(ONCE_MORE, &[&id, &0, &1]).await,
            5 => {
                sql.run(ONCE_MORE, &[&id, &-1, &0]).await;
                let knows = "UPDATE appointment SET intent_days = intent_days || (\
                                 SELECT min(due_day) FROM intent WHERE practice_id = $1) \
                             WHERE practice_id = $1";
                sql.run(knows, &[&id]).await;
            }
            6 => {
                let mut changed = settings(id);
                changed["rules"][1]["before_minutes"] = json!(60);
                app.put(&practice.path(""), &changed).send().await.expect(200);
                sql.run(AWAY, &[&id]).await;
            }
            _ => {
                let ended = "UPDATE intent SET state = 'x', reason = 'm' \
                             WHERE practice_id = $1 AND rule_id = 1";
                sql.run(ended, &[&id]).await;
            }
        }
        practices.push(practice);
    }
    practices.pop().unwrap()
}

#[tokio::test]
async fn what_is_missing_or_too_much_says_why_and_is_mended() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let last = spoil(&app).await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let wanted: [(i64, i64, _, _); 8] = [
        (1, 1, "missing", "no reason is known"),
        (2, 1, "missing", "it was ended as cancelled or moved"),
        (3, 1, "surplus", "its appointment was cancelled"),
        (3, 2, "surplus", "its appointment was cancelled"),
        (4, 1, "surplus", "it is planned twice"),
        (5, 1, "surplus", "no rule gives it"),
        (6, 1, "missing", "the practice is being planned again"),
        (7, 1, "missing", "it was ended as cancelled or moved"),
    ];
    let wanted = wanted
        .map(|(practice, rule, kind, reason)| (practice, rule, kind.to_owned(), reason.to_owned()));
    assert_eq!(why(&report["residuals"]), Named::from(wanted.clone()), "{report:#}");

    // The last one was ended under the version that stands: no second one can be planned beside it,
    // which keeps no other from being mended, and a new version of the appointment mends it.
    let (mended, left) = wanted.split_at(7);
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!(why(&report["repaired"]), mended.iter().cloned().collect(), "{report:#}");
    assert_eq!(why(&report["residuals"]), left.iter().cloned().collect(), "{report:#}");
    last.book(&appointment("a").version(2)).await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, &report["residual"]), (Some(0), &json!(0)), "{report:#}");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}

#[tokio::test]
async fn what_still_waits_when_its_appointment_has_begun_is_unfinished() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let sql = Sql::connect(&app.database.url()).await;
    // Below the floor no stage looks.
    sql.run("UPDATE shard SET release_floor = '2026-06-01T00:00:00Z'", &[]).await;
    app.hold(at("2026-05-06T14:50")).await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let days = [(1, "2026-05-05"), (2, "2026-05-06")];
    let wanted = days.map(|(rule, day)| ("a".to_owned(), rule, day.into(), "unfinished".into()));
    assert_eq!(named(&report["residuals"]), BTreeSet::from(wanted));
    for residual in report["residuals"].as_array().unwrap() {
        assert_eq!(residual["reason"], "it was never released");
    }
    sql.run("UPDATE shard SET release_floor = '2026-05-01T00:00:00Z'", &[]).await;
    one.until_fate("a", 1, "expired").await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{report:#}");
    app.finish_as(FOUND).await;
}

#[tokio::test]
async fn a_text_that_still_waits_in_its_lane_is_unfinished() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    app.put("/admin/stages/claim", &json!({ "gate": "held" })).send().await.expect(200);
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until("it waits in its lane", async || {
        let backlog = app.get("/admin/backlog").send().await.json(200);
        (backlog["ready"] == 1).then_some(())
    })
    .await;
    app.hold(at("2026-05-06T14:50")).await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let mut found = why(&report["residuals"]);
    // What becomes of the second one, which has come due meanwhile, is release's affair.
    found.retain(|(_, rule_id, ..)| *rule_id == 1);
    let waits = (1, 1, "unfinished".to_owned(), "its text still waits in its lane".to_owned());
    assert_eq!(found, Named::from([waits]), "{report:#}");

    app.put("/admin/stages/claim", &json!({ "gate": "open" })).send().await.expect(200);
    for rule_id in [1, 2] {
        one.until_fate("a", rule_id, "expired").await;
    }
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{report:#}");
    app.finish_as(FOUND).await;
}

#[tokio::test]
async fn a_text_that_is_lost_is_unfinished() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.send(&[appointment("a"), appointment("b").phone(2)]).await;
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    let sql = Sql::connect(&app.database.url()).await;
    sql.run("UPDATE message SET state = 'q' WHERE appointment_ids = '{a}'", &[]).await;
    sql.run("DELETE FROM message WHERE appointment_ids = '{b}'", &[]).await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let lost = ["a", "b"].map(|id| (id.into(), 1, "2026-05-05".into(), "unfinished".into()));
    assert_eq!(named(&report["residuals"]), BTreeSet::from(lost));
    assert_eq!(report["residuals"][0]["reason"], "its text is gone, or waits in no lane");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}

/// Reminders that have not left when settings come under which they would not: they leave as soon
/// as they can, and until then nothing is out of order.
#[tokio::test]
async fn what_was_due_before_the_settings_that_take_it_away_is_in_order() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.put("/admin/stages/release", &json!({ "gate": "held" })).send().await.expect(200);
    app.hold(at("2026-05-06T12:01")).await;
    let mut wanted = settings(1);
    wanted["send_until"] = json!("12:00");
    app.put("/v1/practices/1", &wanted).send().await.expect(200);
    let sql = &app.database.sql;
    until("planned again", async || {
        let old = "SELECT count(*) FROM appointment WHERE revision < 2";
        (sql.one::<i64>(old, &[]).await == 0).then_some(())
    })
    .await;
    let waiting = "SELECT count(*) FROM intent WHERE state = 'p'";
    assert_eq!(sql.one::<i64>(waiting, &[]).await, 2);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, &report["residual"]), (Some(0), &json!(0)), "{report:#}");
    let audit = app.get("/admin/audit").send().await.json(200);
    assert_eq!(audit["holds"], true, "{audit:#}");

    // What nobody took away is still told.
    let later = "UPDATE intent SET due_at = due_at + interval '1 hour' WHERE rule_id = 2";
    assert_eq!(sql.run(later, &[]).await, 1);
    let (output, report) = reconcile(&app, &[]).await;
    let surplus = BTreeSet::from([(1, 2, "surplus".to_owned(), "no rule gives it".to_owned())]);
    assert_eq!((output.status, why(&report["residuals"])), (Some(1), surplus), "{report:#}");
    let back = "UPDATE intent SET due_at = due_at - interval '1 hour' WHERE rule_id = 2";
    assert_eq!(sql.run(back, &[]).await, 1);

    // It has left at the latest when its appointment begins, or something is out of order.
    app.hold(at("2026-05-06T15:00")).await;
    let (output, report) = reconcile(&app, &[]).await;
    let never = |rule| (1, rule, "unfinished".to_owned(), "it was never released".to_owned());
    let unfinished = BTreeSet::from([never(1), never(2)]);
    assert_eq!((output.status, why(&report["residuals"])), (Some(1), unfinished), "{report:#}");

    app.put("/admin/stages/release", &json!({ "gate": "open" })).send().await.expect(200);
    for rule_id in [1, 2] {
        one.until_fate("a", rule_id, "expired").await;
    }
    app.finish_as(FOUND).await;
}
