//! What comes too late: it is sent late, or stays out of order until whoever repairs is told.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::app::Ending;
use tests::binary::run;
use tests::database::Sql;
use tests::practice::FIRST_DUE;
use tests::{Appointment, TestApp, appointment, at};

use super::withdrawn::{plant, planted};
use super::{FOUND, named, reconcile};

#[tokio::test]
async fn what_is_late_is_sent_late_and_what_is_too_late_is_told() {
    let app = TestApp::with().env("TEST_PLANNER_BUG", "1,0").start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at("2026-05-05T13:00")).await;
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    let late: Vec<(i64, i64)> = report["repaired"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["rule_id"].as_i64().unwrap(), r["late_seconds"].as_i64().unwrap()))
        .collect();
    assert_eq!(late, [(1, 3_600), (2, 0)], "due at 12:00, planned at 13:00");
    one.until_fate("a", 1, "sent").await;
    let sql = Sql::connect(&app.database.url()).await;
    let noted = "SELECT late_seconds FROM residual WHERE rule_id = 1 AND mended_at IS NOT NULL";
    assert_eq!(sql.one::<i32>(noted, &[]).await, 3_600);
    // Whoever asks later is told who that was, and of no other.
    let (_, report) = reconcile(&app, &[]).await;
    let late = report["late"].as_array().unwrap();
    let told = |field: &str| late.iter().map(|r| r[field].clone()).collect::<Vec<_>>();
    assert_eq!((told("late_seconds"), told("rule_id")), (vec![json!(3_600)], vec![json!(1)]));
    assert_eq!((told("appointment_id"), told("practice_id")), (vec![json!("a")], vec![json!(1)]));

    // Another one, found when the practice has closed on the day before it.
    app.hold(at(FIRST_DUE)).await;
    one.book(&appointment("b").phone(2)).await;
    app.hold(at("2026-05-05T20:30")).await;
    let url = app.database.url();
    let told = async |flags: &[&str]| {
        let arguments = [&["reconcile"], flags].concat();
        run(&arguments, &[("PUNCTUAL_DATABASE_URL", &url)]).await
    };
    let looked = told(&[]).await;
    assert!(looked.stdout.ends_with("2 OUT OF ORDER\n"), "{looked:?}");
    assert!(looked.stdout.starts_with("missing: practice 1 appointment b rule 1"), "{looked:?}");
    assert!(looked.stdout.contains("\nwas 3600 s late, in order at 20"), "{looked:?}");
    // Nobody looks at that day any more three days on: it is out of order all the same.
    app.hold(at("2026-05-08T20:30")).await;
    one.until_fate("a", 2, "expired").await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let days = [(1, "2026-05-05"), (2, "2026-05-06")];
    let both = days.map(|(rule, day)| ("b".to_owned(), rule, day.into(), "missing".into()));
    assert_eq!(named(&report["residuals"]), BTreeSet::from(both), "{report:#}");
    let listed = app.get("/admin/residuals").send().await.json(200);
    assert_eq!(named(&listed["residuals"]), named(&report["residuals"]));
    // Whoever repairs is told, once.
    let repaired = told(&["--repair"]).await;
    assert_eq!(repaired.status, Some(1), "{repaired:?}");
    assert!(repaired.stdout.contains("too late to repair: missing: practice 1 appointment b"));
    assert!(repaired.stdout.ends_with("nothing else out of order\n"), "{repaired:?}");
    let looked = told(&[]).await;
    assert!(looked.stdout.ends_with("all in order\n"), "{looked:?}");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}

#[tokio::test]
async fn what_was_sent_for_nothing_stays_until_somebody_is_told() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    plant(&app.database.sql).await;
    let copied = planted();
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, named(&report["residuals"])), (Some(1), copied.clone()));
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 2);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, named(&report["residuals"])), (Some(1), copied.clone()));
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!(named(&report["too_late"]), copied, "{report:#}");
    assert_eq!((&report["residuals"], named(&report["repaired"])), (&json!([]), BTreeSet::new()));
    let (output, _) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}

#[tokio::test]
async fn what_nobody_can_mend_any_more_hides_nothing_that_somebody_can() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    // More than a look names, all of which have closed when anybody looks, and one for later.
    let many: Vec<Appointment> = (0..505).map(|n| appointment(&format!("a{n}")).phone(n)).collect();
    for some in many.chunks(101) {
        one.send(some).await;
    }
    one.book(&appointment("z").starts("2026-05-08T14:30")).await;
    let sql = Sql::connect(&app.database.url()).await;
    sql.run("DELETE FROM intent", &[]).await;
    app.hold(at("2026-05-06T20:30")).await;
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let later = [(1, "2026-05-07"), (2, "2026-05-08")];
    let later = later.map(|(rule, day)| ("z".to_owned(), rule, day.into(), "missing".into()));
    assert_eq!(named(&report["repaired"]), BTreeSet::from(later), "{report:#}");
    let told = |report: &Value| report["too_late"].as_array().unwrap().len();
    let first = told(&report);
    assert!(first > 0 && report["residual"] == 1_010 - first, "{first} and {}", report["residual"]);
    // Whoever was told of the first thousand is told of the others.
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!((output.status, first + told(&report)), (Some(1), 1_010));
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, &report["residual"]), (Some(0), &json!(0)));
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}

#[tokio::test]
async fn what_became_a_text_is_not_planned_beside_it() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    // Behind the service's back: the same once more, for half an hour later.
    let sql = Sql::connect(&app.database.url()).await;
    let again = "INSERT INTO intent (due_day, shard, practice_id, appointment_id, rule_id, \
                                     plan_version, state, group_slot, revision, phone, due_at, \
                                     starts_at) \
                 SELECT due_day, shard, practice_id, appointment_id, rule_id, plan_version + 1, \
                        'p', group_slot, revision, phone, due_at + interval '30 minutes', \
                        starts_at \
                 FROM intent WHERE rule_id = 1";
    sql.run(again, &[]).await;
    let twice = ("a".to_owned(), 1, "2026-05-05".to_owned(), "surplus".to_owned());
    let twice = BTreeSet::from([twice]);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, named(&report["residuals"])), (Some(1), twice.clone()));
    assert_eq!(report["residuals"][0]["reason"], "it is planned twice");
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!((output.status, named(&report["repaired"])), (Some(0), twice.clone()));

    // Where nobody looked in time, two texts left: that is out of order until somebody is told.
    sql.run(again, &[]).await;
    app.hold(at("2026-05-05T12:30")).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 2);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, named(&report["residuals"])), (Some(1), twice.clone()));
    assert_eq!(report["residual"], 2, "the day's counts as well: {report:#}");
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!((output.status, named(&report["too_late"])), (Some(1), twice), "{report:#}");
    let (output, _) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}
