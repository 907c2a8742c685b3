//! What can't be worked on, for a reason that is its own: the others of its shard leave, and it
//! does once the reason is gone.
//!
//! Never here: practices that only reports and audits can't compute with (`reconcile/broken`).

use std::time::Duration;

use contract::shard::shard_of;
use tests::practice::FIRST_DUE;
use tests::wait::until_within;
use tests::{Ending, Practice, Sql, TestApp, appointment, at, until};

/// More than what is set aside is left alone for.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(60);

/// Two practices of one shard, each with a reminder. Where both are due, the first comes first.
async fn neighbours(app: &TestApp) -> [Practice; 2] {
    let shards: i16 = app.database.sql.one("SELECT shard_count FROM deployment", &[]).await;
    let second = (2..).find(|&id| shard_of(id, shards) == shard_of(1, shards)).unwrap();
    let both = [app.practice(1).await, app.practice(second).await];
    for practice in &both {
        practice.book(&appointment("a")).await;
    }
    both
}

async fn failures(app: &TestApp, stage: &str) -> f64 {
    app.scrape().await.sum("stage_failures_total", &[("stage", stage)])
}

/// A revision of the first practice in a zone that this process's tz data lacks.
async fn lose_zone(sql: &Sql) {
    let computes = "SELECT conname::text FROM pg_constraint \
                    WHERE conrelid = 'practice_revision'::regclass AND contype = 'c' \
                      AND pg_get_constraintdef(oid) LIKE '%timezone%'";
    let name: String = sql.one(computes, &[]).await;
    sql.texts(&format!("ALTER TABLE practice_revision DROP CONSTRAINT {name}")).await;
    for statement in [
        "INSERT INTO practice_revision \
         SELECT shard, practice_id, 2, 'Mars/Olympus', send_from, send_until, created_at \
         FROM practice_revision WHERE practice_id = 1",
        "INSERT INTO rule \
         SELECT shard, practice_id, 2, rule_id, name, before_days, before_minutes, \
                grouping_minutes, scatter_seconds, template \
         FROM rule WHERE practice_id = 1",
        "UPDATE practice SET revision = 2 WHERE practice_id = 1",
    ] {
        sql.run(statement, &[]).await;
    }
}

#[tokio::test]
async fn a_practice_that_nothing_can_be_released_for_stops_no_other() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    let [one, other] = neighbours(&app).await;
    lose_zone(sql).await;
    until("the process has forgotten what it was", async || {
        let read = app.get(&one.path("")).key(&one.key).send().await;
        (read.status != 200).then_some(())
    })
    .await;
    app.hold(at(FIRST_DUE)).await;
    other.until_fate("a", 1, "sent").await;
    assert!(failures(&app, "release").await >= 1.0);
    assert_eq!(app.simulator.state().accepted, 1);

    let mend = "UPDATE practice_revision SET timezone = 'America/Sao_Paulo' WHERE practice_id = 1";
    sql.run(mend, &[]).await;
    until_within(TAKEN_UP_WITHIN, "its reminder is sent", async || {
        (one.reminders("a", 1).await[0]["fate"] == "sent").then_some(())
    })
    .await;
    assert_eq!(app.simulator.state().accepted, 2);
    app.finish_as(Ending { errors: &["a time zone that is not known"], ..Ending::default() }).await;
}

/// One whose row the database refuses, among many that are due with it.
#[tokio::test]
async fn a_promise_that_can_not_become_a_text_stops_no_other() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    let [one, other] = neighbours(&app).await;
    let many: Vec<_> = (2..12).map(|n| appointment(&format!("b-{n}")).phone(n)).collect();
    other.send(&many).await;
    sql.texts("ALTER TABLE message ADD CONSTRAINT broken CHECK (practice_id <> 1)").await;
    app.hold(at(FIRST_DUE)).await;
    for n in 2..12 {
        other.until_fate(&format!("b-{n}"), 1, "sent").await;
    }
    assert!(failures(&app, "release").await >= 1.0);
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending");

    sql.texts("ALTER TABLE message DROP CONSTRAINT broken").await;
    until_within(TAKEN_UP_WITHIN, "its reminder is sent", async || {
        (one.reminders("a", 1).await[0]["fate"] == "sent").then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn a_text_that_can_not_be_claimed_stops_no_other() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    let [one, other] = neighbours(&app).await;
    sql.texts("ALTER TABLE attempt ADD CONSTRAINT broken CHECK (practice_id <> 1)").await;
    app.hold(at(FIRST_DUE)).await;
    other.until_fate("a", 1, "sent").await;
    assert!(failures(&app, "claim").await >= 1.0);
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending");
    assert_eq!(app.simulator.state().accepted, 1, "no try, no text");

    sql.texts("ALTER TABLE attempt DROP CONSTRAINT broken").await;
    until_within(TAKEN_UP_WITHIN, "its reminder is sent", async || {
        (one.reminders("a", 1).await[0]["fate"] == "sent").then_some(())
    })
    .await;
    assert_eq!(one.messages().await[0]["attempts"], 1);
    app.finish().await;
}
