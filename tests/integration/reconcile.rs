//! Reconciliation against a planner with a bug: what it dropped and what it planned for a wrong day
//! as well is found by name, on a replica, shown everywhere until it is mended, and mended by
//! command, where that still makes sense.
//!
//! Belongs here: the stage and the command. Never here: the endpoint that lists what was found
//! (`endpoints::read_residuals`), the other laws (`audit_finds`).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stack::provider::Options;
use tests::app::Ending;
use tests::binary::{Output, run};
use tests::database::Sql;
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at, until};

/// The line that the stage writes.
const FOUND: Ending = Ending { errors: &["promises are out of order"], is_broken: false };

async fn reconcile(app: &TestApp, flags: &[&str]) -> (Output, Value) {
    let (url, replica) = (app.database.url(), app.database.replica_url());
    let environment =
        [("PUNCTUAL_DATABASE_URL", url.as_str()), ("PUNCTUAL_DATABASE_REPLICA_URLS", &replica)];
    let arguments: Vec<&str> = ["reconcile", "--json"].into_iter().chain(flags.to_vec()).collect();
    let output = run(&arguments, &environment).await;
    let report =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report)
}

/// What a report names: appointment, rule, day and in which way.
fn named(residuals: &Value) -> BTreeSet<(String, i64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = |residual: &Value| {
        let rule = residual["rule_id"].as_i64().unwrap();
        let (day, kind) = (text(&residual["day"]), text(&residual["kind"]));
        (text(&residual["appointment_id"]), rule, day, kind)
    };
    residuals.as_array().unwrap().iter().map(name).collect()
}

/// Which the bug hit, by what stands in the tables.
async fn spoilt(sql: &Sql) -> BTreeSet<(String, i64, String, String)> {
    let rows = sql
        .texts(
            "WITH right_ones (rule_id, due_day) AS (
                 VALUES (1, date '2026-05-05'), (2, date '2026-05-06')
             )
             SELECT concat_ws('/', a.appointment_id, r.rule_id, r.due_day, 'missing')
             FROM appointment a CROSS JOIN right_ones r
             WHERE NOT EXISTS (SELECT FROM intent i WHERE i.appointment_id = a.appointment_id
                 AND i.rule_id = r.rule_id AND i.due_day = r.due_day)
             UNION ALL
             SELECT concat_ws('/', i.appointment_id, i.rule_id, i.due_day, 'surplus')
             FROM intent i
             WHERE NOT EXISTS (SELECT FROM right_ones r
                 WHERE i.rule_id = r.rule_id AND i.due_day = r.due_day)",
        )
        .await;
    let parts = rows.iter().map(|row| {
        let parts: Vec<&str> = row.split('/').collect();
        (parts[0].into(), parts[1].parse().unwrap(), parts[2].into(), parts[3].into())
    });
    parts.collect()
}

/// Waits until all reports say so, which may be read from a replica.
async fn every_report_says(app: &TestApp, residuals: Value) {
    let of_practice = [
        "/days/2026-05-05/counts",
        "/days/2026-05-05/report",
        "/reports/delivery",
        "/reports/trend",
    ];
    let paths = of_practice.map(|path| format!("/v1/practices/1{path}"));
    for path in paths.iter().map(String::as_str).chain(["/admin/fleet"]) {
        until(path, async || {
            let said = app.get(path).send().await.json(200);
            (said["residuals"] == residuals).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn exactly_what_the_planner_dropped_and_planned_twice_is_named_and_mended() {
    let app = TestApp::with()
        .env("TEST_PLANNER_BUG", "1000,3001")
        .env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000)
        .replica()
        .start()
        .await;
    let one = app.practice(1).await;
    for batch in 0..2 {
        let ids = (batch * 1_000)..(batch + 1) * 1_000;
        let booked: Vec<_> = ids.map(|n| appointment(&format!("a{n}")).phone(n + 1)).collect();
        one.send(&booked).await;
    }
    let sql = Sql::connect(&app.database.url()).await;
    let spoilt = spoilt(&sql).await;
    assert_eq!(spoilt.len(), 5, "four of 4,000 dropped, one twice: {spoilt:?}");

    let residual =
        async |kind| app.scrape().await.sum("conservation_residual_messages", &[("kind", kind)]);
    until("the stage has found them", async || {
        ((residual("missing").await, residual("surplus").await) == (4.0, 1.0)).then_some(())
    })
    .await;
    let listed = app.get("/admin/residuals").send().await.json(200);
    assert_eq!(named(&listed["residuals"]), spoilt);
    every_report_says(&app, json!({ "missing": 4, "surplus": 1, "unfinished": 0 })).await;

    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!((&report["holds"], &report["residual"]), (&false.into(), &5.into()));
    assert_eq!(named(&report["residuals"]), spoilt);
    assert_eq!(report["promises"], 4_001, "{report:#}");

    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    assert_eq!(named(&report["repaired"]), spoilt);
    assert_eq!(report["residuals"], Value::Array(Vec::new()));
    assert!(report["repaired"][0]["late_seconds"] == 0, "{report:#}");
    until("the stage has seen that they are mended", async || {
        ((residual("missing").await, residual("surplus").await) == (0.0, 0.0)).then_some(())
    })
    .await;
    let kept: i64 = sql.one("SELECT count(*) FROM residual WHERE mended_at IS NOT NULL", &[]).await;
    assert_eq!(kept, 5, "what was wrong stays to be read");
    every_report_says(&app, json!({ "missing": 0, "surplus": 0, "unfinished": 0 })).await;

    let scrape = app.scrape().await;
    let decided = |target| {
        let labels = [("db_query_name", "reconcile_promises"), ("target", target)];
        scrape.sum("db_route_decisions_total", &labels)
    };
    assert!(decided("replica") > 0.0 && decided("primary") == 0.0, "it reads the replica");
    assert!(scrape.sum("reconciled_until_timestamp_seconds", &[]) > 0.0);
    // The audit holds, the counts included.
    app.finish_as(FOUND).await;
}

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
    sql.run("UPDATE shard SET release_floor = '2026-05-01T00:00:00Z'", &[]).await;
    one.until_fate("a", 1, "expired").await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{report:#}");
    app.finish_as(FOUND).await;
}

#[tokio::test]
async fn what_was_sent_for_nothing_stays_until_somebody_is_told() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    // Behind the service's back: the same once more, as of the day before.
    let sql = Sql::connect(&app.database.url()).await;
    let copy = "INSERT INTO intent (due_day, shard, practice_id, appointment_id, rule_id, \
                                    plan_version, state, group_slot, revision, phone, due_at, \
                                    starts_at) \
                SELECT due_day - 1, shard, practice_id, appointment_id, rule_id, plan_version, \
                       state, group_slot, revision, phone, due_at - interval '1 hour', starts_at \
                FROM intent WHERE rule_id = 1";
    sql.run(copy, &[]).await;
    let copied = ("a".to_owned(), 1, "2026-05-04".to_owned(), "surplus".to_owned());
    let copied = BTreeSet::from([copied]);
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
    assert_eq!((&report["residuals"], &report["repaired"]), (&json!([]), &json!([])));
    let (output, _) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
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

/// What the provider lists from an hour ago to an hour ahead, compared.
async fn compared(app: &TestApp) -> (Output, Value) {
    let hour = SignedDuration::from_hours(1);
    let (since, until) = (Timestamp::now() - hour, Timestamp::now() + hour);
    let (since, until) = (since.to_string(), until.to_string());
    let (url, provider) = (app.database.url(), app.simulator.base_url());
    let environment = [
        ("PUNCTUAL_DATABASE_URL", url.as_str()),
        ("PUNCTUAL_PROVIDER_URL", &provider),
        ("PUNCTUAL_PROVIDER_SIMULATED", "true"),
        ("PUNCTUAL_TWILIO_ACCOUNT_SID", Options::ACCOUNT_SID),
        ("PUNCTUAL_TWILIO_AUTH_TOKEN", Options::AUTH_TOKEN),
    ];
    let span = ["--since", &since, "--until", &until];
    let arguments = [["reconcile", "--json", "--provider"].as_slice(), &span].concat();
    let output = run(&arguments, &environment).await;
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report["provider"].clone())
}

/// More texts than a page has. The simulator's clock is the machine's; nothing here asserts on it.
#[tokio::test]
async fn what_the_provider_lists_is_known_here_and_the_other_way_round() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..250).map(|n| appointment(&format!("a{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    let (output, comparison) = compared(&app).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    let of = |comparison: &Value, names: [&str; 5]| names.map(|name| comparison[name].clone());
    let names = ["listed", "known", "surplus", "missing", "open"];
    assert_eq!(of(&comparison, names), [250, 250, 0, 0, 0].map(Value::from));

    // One that we say was sent, and it wasn't: the provider knows it by another name.
    let sql = Sql::connect(&app.database.url()).await;
    let was = "SELECT min(provider_ref) FROM attempt_outcome";
    let was: String = sql.one(was, &[]).await;
    let forge = "UPDATE attempt_outcome SET provider_ref = 'SM0' WHERE provider_ref = $1";
    sql.run(forge, &[&was]).await;
    let (output, comparison) = compared(&app).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!(of(&comparison, names), [250, 249, 1, 1, 0].map(Value::from));
    assert_eq!(comparison["surplus_refs"], json!([was]));
    let missing = &comparison["missing_texts"][0];
    assert_eq!((&missing["practice_id"], &missing["provider_ref"]), (&json!(1), &json!("SM0")));
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

#[tokio::test]
async fn a_provider_without_a_list_or_away_is_one_line() {
    let app = TestApp::start().await;
    let url = app.database.url();
    let database = ("PUNCTUAL_DATABASE_URL", url.as_str());
    let webhook =
        [("PUNCTUAL_PROVIDER", "webhook"), ("PUNCTUAL_PROVIDER_URL", "http://127.0.0.1:9")];
    let arguments = ["reconcile", "--provider"];
    let told = run(&arguments, &[[database].as_slice(), &webhook].concat()).await;
    assert_eq!(told.status, Some(2), "{told:?}");
    assert!(told.stderr.contains("the webhook provider keeps no list"), "{told:?}");
    let away = [("PUNCTUAL_PROVIDER_URL", "http://127.0.0.1:9")];
    let told = run(&arguments, &[[database].as_slice(), &away].concat()).await;
    assert_eq!(told.status, Some(3), "{told:?}");
    assert!(told.stderr.contains("it can't be reached"), "{told:?}");
    let told = run(&["reconcile", "--since", "2026-05-04T00:00:00Z"], &[database]).await;
    assert_eq!(told.status, Some(2), "--since asks the provider: {told:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_database_that_is_away_and_a_wrong_flag_are_one_line() {
    let away =
        run(&["reconcile"], &[("PUNCTUAL_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")])
            .await;
    assert_eq!(away.status, Some(3), "{away:?}");
    assert_eq!(away.stderr.lines().filter(|line| line.starts_with("punctual:")).count(), 1);
    let wrong = run(&["reconcile", "--mend"], &[]).await;
    assert_eq!((wrong.status, wrong.stderr.lines().count()), (Some(2), 1), "{wrong:?}");
}
