//! The review of the database finds what is wrong with it: each finding is planted and named.
//!
//! Never here: who ran which statement (`endpoints::read_queries`).

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{Sql, TestApp, until};

use crate::alerts::files;

/// What is planted in a table of the test's own. Rows that stand twice make the index invalid;
/// the sequence has given 93 of 100 numbers that its column can hold; nobody cleans up.
const PLANTED: [&str; 9] = [
    "CREATE TABLE planted (a integer, b integer)",
    "INSERT INTO planted VALUES (1, 1), (1, 1)",
    "CREATE INDEX planted_unused ON planted (b)",
    "CREATE INDEX planted_short ON planted (a)",
    "CREATE INDEX planted_long ON planted (a, b)",
    "CREATE TABLE planted_ids (id serial)",
    "CREATE TABLE planted_dead WITH (autovacuum_enabled = false) \
     AS SELECT generate_series(1, 2000)",
    "DELETE FROM planted_dead",
    // Of a practice that isn't there.
    "INSERT INTO api_key (shard, practice_id, key_id, secret_hash, created_at) \
     VALUES (0, 900, 2000000000, decode(repeat('00', 32), 'hex'), now())",
];

/// What a check found: subject, how much it matters, what it says; of the planted things and all
/// sessions.
fn found(report: &Value, check: &str) -> Vec<(String, String, String)> {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|found| found["name"] == check).unwrap();
    assert!(check["refused"].is_null(), "{check:#}");
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let findings = check["findings"].as_array().unwrap().iter();
    findings.map(|f| (text(f, "subject"), text(f, "severity"), text(f, "says"))).collect()
}

async fn read(app: &TestApp) -> Value {
    app.get("/debug/queries?limit=100&older_than_ms=0").send().await.json(200)
}

/// Waits until a check names a subject; says how much it matters and what there is to it.
async fn named(app: &TestApp, check: &str, subject: &str) -> (String, String) {
    until(&format!("{check} names {subject}"), async || {
        let findings = found(&read(app).await, check);
        let named = findings.into_iter().find(|(found, _, _)| found == subject)?;
        Some((named.1, named.2))
    })
    .await
}

/// Waits until the gauge that alerts watch says of a space what the review says.
async fn gauge_agrees(app: &TestApp, check: &str, subject: &str) {
    let report = read(app).await;
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|found| found["name"] == check).unwrap();
    let mut findings = check["findings"].as_array().unwrap().iter();
    let used = findings.find(|found| found["subject"] == subject).unwrap()["value"].as_f64();
    until(&format!("the gauge of {subject}"), async || {
        let scrape = app.scrape().await;
        let label = [("space", subject)];
        let gauge = scrape.all("id_space_used_ratio", &label).next()?.value;
        (Some(gauge) == used).then_some(())
    })
    .await;
}

/// The cases that prove the alerts are about spaces that there are.
#[tokio::test]
async fn the_spaces_of_the_alerts_cases_are_real() {
    let app = TestApp::start().await;
    app.practice(1).await;
    let texts = files("alerts/tests", ".yaml").into_iter().map(std::fs::read_to_string);
    let texts: String = texts.map(Result::unwrap).collect();
    // Where it is about the family being there at all, no space is named.
    let spaces = texts.split("id_space_used_ratio{").skip(1).filter_map(|rest| {
        let labels = rest.split_once('}').unwrap().0;
        let (_, space) = labels.split_once("space=\"")?;
        Some(space.split_once('"').unwrap().0)
    });
    let spaces: BTreeSet<&str> = spaces.collect();
    assert!(spaces.len() > 1, "{spaces:?}");
    until("each is measured", async || {
        let scrape = app.scrape().await;
        let is_there = |space: &&str| scrape.has("id_space_used_ratio", &[("space", *space)]);
        spaces.iter().all(is_there).then_some(())
    })
    .await;
    app.finish().await;
}

async fn pid(sql: &Sql) -> String {
    let pid: i32 = sql.one("SELECT pg_backend_pid()", &[]).await;
    format!("pid {pid}")
}

#[tokio::test]
async fn what_is_sound_has_no_finding() {
    let app = TestApp::start().await;
    let report = until("no statement is under way", async || {
        let report = read(&app).await;
        let is_quiet =
            ["blocked", "idle_in_transaction"].iter().all(|c| found(&report, c).is_empty());
        is_quiet.then_some(report)
    })
    .await;
    for check in
        ["transaction_ids", "sequences", "id_spaces", "invalid_indexes", "duplicate_indexes"]
    {
        assert!(found(&report, check).is_empty(), "{check}: {report:#}");
    }
    app.finish().await;
}

#[tokio::test]
async fn indexes_tables_and_spaces_are_named() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    for statement in PLANTED {
        sql.run(statement, &[]).await;
    }
    let _: i64 = sql.one("SELECT setval('planted_ids_id_seq', 2000000000)", &[]).await;
    let why = sql.refused("CREATE UNIQUE INDEX CONCURRENTLY planted_invalid ON planted (a)").await;
    assert!(why.contains("planted_invalid"), "{why}");

    let (is, says) = named(&app, "invalid_indexes", "planted_invalid").await;
    assert_eq!((is.as_str(), says.starts_with("on planted: drop it")), ("act", true), "{says}");
    let (is, says) = named(&app, "unused_indexes", "planted_unused").await;
    assert_eq!((is.as_str(), says.starts_with("on planted, ")), ("watch", true), "{says}");
    let (is, says) = named(&app, "duplicate_indexes", "planted_short").await;
    assert_eq!(is, "watch");
    assert_eq!(says, "on planted: planted_long begins with the same columns");
    let (is, says) = named(&app, "sequences", "public.planted_ids_id_seq").await;
    assert_eq!(is, "act");
    assert_eq!(says, "2000000000 of 2147483647, fills planted_ids.id");
    let (is, says) = named(&app, "id_spaces", "api_key.key_id").await;
    assert_eq!((is.as_str(), says.as_str()), ("act", "2000000000 of 2147483647"));
    for (check, subject) in
        [("sequences", "public.planted_ids_id_seq"), ("id_spaces", "api_key.key_id")]
    {
        gauge_agrees(&app, check, subject).await;
    }
    let (is, says) = named(&app, "dead_rows", "planted_dead").await;
    assert_eq!((is.as_str(), says.as_str()), ("watch", "dead beside 0 live; never cleaned up"));

    let report = read(&app).await;
    let unused = found(&report, "unused_indexes");
    let subjects: Vec<&str> = unused.iter().map(|(subject, _, _)| subject.as_str()).collect();
    assert!(!subjects.contains(&"planted_invalid"), "named by another check: {subjects:?}");
    let duplicates = found(&report, "duplicate_indexes");
    assert_eq!(duplicates.len(), 1, "{duplicates:?}");
    // What is used is not called unused.
    sql.run("SET enable_seqscan = off", &[]).await;
    sql.rows("SELECT b FROM planted WHERE b = 1", &[]).await;
    until("its use is counted", async || {
        let findings = found(&read(&app).await, "unused_indexes");
        findings.iter().all(|(subject, _, _)| subject != "planted_unused").then_some(())
    })
    .await;
    app.finish().await;
}

/// More than half of the numbers ago: nobody can use up so many, so the catalogue is told so.
#[tokio::test]
async fn a_table_that_holds_old_transaction_ids_is_named() {
    let app = TestApp::start().await;
    let (sql, holder) = (&app.database.sql, Sql::connect(&app.database.url()).await);
    sql.run("CREATE TABLE planted (a integer)", &[]).await;
    // Vacuum would make it young again, and waits for this.
    holder.texts("BEGIN").await;
    holder.texts("LOCK TABLE planted IN SHARE UPDATE EXCLUSIVE MODE").await;
    let frozen = "UPDATE pg_class
        SET relfrozenxid = ((txid_current() + 4294967296 - 1200000000) % 4294967296)::text::xid
        WHERE oid = 'planted'::regclass";
    assert_eq!(sql.run(frozen, &[]).await, 1);
    let report = read(&app).await;
    let findings = found(&report, "transaction_ids");
    let says = "of the transaction ids until the server stops writing";
    assert_eq!(findings, [("planted".to_owned(), "act".to_owned(), says.to_owned())]);
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["name"] == "transaction_ids").unwrap();
    let share = check["findings"][0]["value"].as_f64().unwrap();
    assert!((0.55..0.57).contains(&share), "{share}");
    holder.texts("ROLLBACK").await;
    app.finish().await;
}

#[tokio::test]
async fn sessions_in_each_others_way_are_named() {
    let app = TestApp::start().await;
    let holder = Sql::connect(&app.database.url()).await;
    let waiter = Sql::connect(&app.database.url()).await;
    let (holder_pid, waiter_pid) = (pid(&holder).await, pid(&waiter).await);
    holder.run("CREATE TABLE planted (a integer)", &[]).await;
    holder.texts("BEGIN").await;
    holder.texts("LOCK TABLE planted").await;
    let waiting = tokio::spawn(async move { waiter.texts("SELECT count(*) FROM planted").await });

    let (is, says) = named(&app, "blocked", &waiter_pid).await;
    assert_eq!(is, "act");
    let expected =
        format!("test by role postgres, waits for {holder_pid} (idle in transaction, test)");
    assert_eq!(says, expected);
    let (is, says) = named(&app, "idle_in_transaction", &holder_pid).await;
    assert_eq!(is, "act");
    assert!(says.starts_with("test by role postgres was its last, in a transaction "), "{says}");
    let (is, says) = named(&app, "long_running", &waiter_pid).await;
    assert_eq!((is.as_str(), says.as_str()), ("watch", "test by role postgres, waits for Lock"));
    // Sessions that have only just begun are left out.
    let report = app.get("/debug/queries?older_than_ms=86400000").send().await.json(200);
    for check in ["blocked", "idle_in_transaction", "long_running"] {
        assert!(found(&report, check).is_empty(), "{check}: {report:#}");
    }

    holder.texts("ROLLBACK").await;
    assert_eq!(waiting.await.unwrap(), ["0"]);
    until("nobody is named", async || {
        let report = read(&app).await;
        let is_gone = |check| {
            found(&report, check)
                .iter()
                .all(|(subject, _, _)| *subject != holder_pid && *subject != waiter_pid)
        };
        ["blocked", "idle_in_transaction", "long_running"].into_iter().all(is_gone).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn a_slot_that_nobody_reads_is_named() {
    let app = TestApp::start().await;
    let (sql, slot) = (&app.database.sql, format!("planted_{}", app.database.name()));
    sql.rows("SELECT pg_create_physical_replication_slot($1, true)", &[&slot]).await;
    let (is, says) = named(&app, "slots", &slot).await;
    assert_eq!(is, "act");
    assert!(says.starts_with("inactive: drop it if nobody comes back; keeps"), "{says}");
    sql.rows("SELECT pg_drop_replication_slot($1)", &[&slot]).await;
    let findings = found(&read(&app).await, "slots");
    assert!(findings.iter().all(|(subject, _, _)| *subject != slot), "{findings:?}");
    app.finish().await;
}
