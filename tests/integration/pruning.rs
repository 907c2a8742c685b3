//! Pruning: weeks that are older than they are kept go whole, never before all of them is done
//! with, and the audits know what is gone; what was out of order goes once it has been closed for
//! long.
//!
//! Never here: how counts are folded (`folding`).

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tests::practice::FIRST_DUE;
use tests::wait::until_within;
use tests::{Sql, TestApp, TestDatabase, appointment, at};

/// More than two of the stage's periods.
const PRUNED_WITHIN: Duration = Duration::from_secs(60);

/// Days that nobody looks at any more had so many promises of a shard out of order: their names
/// begin so, and they were mended so long ago, or told, or both.
async fn were_found(
    sql: &Sql,
    (shard, name, promises): (i16, &str, i32),
    (mended, told): (Option<&str>, Option<&str>),
) {
    let found = "INSERT INTO residual (shard, practice_id, appointment_id, rule_id, due_day, \
                                       plan_version, kind, reason, starts_at, due_at, closes_at, \
                                       found_at, mended_at, told_at) \
                 SELECT $1::smallint, 1, $2::text || n, 1, '2026-01-05', 0, 'm', '?', now(), \
                        now(), now(), now() - interval '100 days', now() - $3::text::interval, \
                        now() - $4::text::interval \
                 FROM generate_series(1, $5::integer) AS n";
    sql.run(found, &[&shard, &name, &mended, &told, &promises]).await;
}

/// The names of those that are left.
async fn left(sql: &Sql) -> Vec<String> {
    let names = "SELECT appointment_id FROM residual ORDER BY 1";
    sql.rows(names, &[]).await.iter().map(|row| row.get(0)).collect()
}

async fn weeks(database: &TestDatabase, table: &str) -> Vec<String> {
    let sql = "SELECT c.relname::text FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid \
               WHERE h.inhparent = $1::text::regclass ORDER BY 1";
    database.sql.rows(sql, &[&table]).await.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn old_weeks_go_and_the_laws_still_hold() {
    let app = TestApp::with()
        .env("PUNCTUAL_KEEP_INTENTS_DAYS", 7)
        .env("PUNCTUAL_KEEP_ATTEMPTS_DAYS", 7)
        .start()
        .await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    // A month later: its second reminder has expired meanwhile.
    app.hold(at("2026-06-08T12:00")).await;
    one.until_fate("a", 2, "expired").await;
    let sql = &app.database.sql;
    let last = sql.one::<i16>("SELECT shard_count FROM deployment", &[]).await - 1;
    // More than two batches.
    were_found(sql, (0, "mended", 1_200), (Some("8 days"), None)).await;
    were_found(sql, (last, "told", 1), (None, Some("8 days"))).await;
    were_found(sql, (last, "lately", 1), (Some("6 days"), None)).await;
    were_found(sql, (last, "open", 1), (None, None)).await;
    // A promise of that day keeps its week and all that are younger.
    one.book(&appointment("b").phone(2).starts("2026-06-10T14:30")).await;
    for table in ["intent", "attempt"] {
        until_within(PRUNED_WITHIN, "the old week is dropped", async || {
            let pruned = app.scrape().await.sum("pruned_weeks_total", &[("table", table)]);
            let left = weeks(&app.database, table).await;
            let old = format!("{table}_20260504");
            (pruned > 0.0 && !left.contains(&old)).then_some(())
        })
        .await;
    }
    until_within(PRUNED_WITHIN, "what was closed a week ago is gone", async || {
        (left(sql).await == ["lately1", "open1"]).then_some(())
    })
    .await;
    until_within(PRUNED_WITHIN, "nothing is overdue", async || {
        (app.scrape().await.sum("prune_lag_seconds", &[]) == 0.0).then_some(())
    })
    .await;
    assert!(
        !weeks(&app.database, "attempt_outcome").await.contains(&"attempt_outcome_20260504".into())
    );
    // Counts and texts stay.
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!([&counts["sent"], &counts["residual"]], [&json!(1), &json!(0)]);
    assert_eq!(one.messages().await.len(), 2);
    assert_eq!(one.appointment("a").await["messages"], json!([]));
    one.until_fate("b", 1, "pending").await;
    // The audit at the end looks at what is kept.
    app.finish().await;
}

#[tokio::test]
async fn nothing_goes_that_waits_or_is_unfolded() {
    let database = TestDatabase::new().await;
    let sql = &database.sql;
    let tables = "SELECT attach_weeks(t, '2026-04-06', '2026-04-20') \
                  FROM unnest('{intent,attempt,attempt_outcome}'::text[]) AS t";
    sql.rows(tables, &[]).await;
    let drop_week = async |table: &str, keep_from: &str| {
        let drop = "SELECT dropped, overdue_days FROM drop_week($1, $2::text::date)";
        let rows = sql.rows(drop, &[&table, &keep_from]).await;
        (rows[0].get::<_, bool>(0), rows[0].get::<_, i32>(1))
    };
    // It ends on the 13th.
    assert_eq!(drop_week("intent", "2026-04-12").await, (false, 0), "too young");
    for (waits, is_over) in [
        (
            "INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n) \
             VALUES (0, 1, '2026-04-08', 1, 0, 1)",
            "DELETE FROM tally_delta",
        ),
        (
            "INSERT INTO intent VALUES ('2026-04-08', 0, 1, 'a', 1, 1, 'p', NULL, 0, 1, 999000000, \
             NULL, now(), now())",
            "DELETE FROM intent",
        ),
        (
            "WITH text AS ( \
                 INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, \
                     generation, state, segments, revision, due_at, expires_at, released_at, \
                     appointment_ids, starts_at, body) \
                 VALUES (0, 1, 999000000, '2026-04-08', 1, 0, 1, 'a', 1, 1, now(), now(), now(), \
                     '{a}', '{2026-04-09}', '') \
                 RETURNING message_id) \
             INSERT INTO lane_item SELECT 0, 1, 999000000, message_id, 1, now() FROM text",
            "DELETE FROM lane_item",
        ),
    ] {
        sql.run(waits, &[]).await;
        assert_eq!(drop_week("intent", "2026-04-23").await, (false, 10), "{waits}");
        sql.run(is_over, &[]).await;
    }
    assert_eq!(drop_week("intent", "2026-04-23").await, (true, 3), "the next one is due as well");
    let from = "SELECT from_day::text FROM retention WHERE partitioned = 'intent'";
    assert_eq!(sql.one::<String>(from, &[]).await, "2026-04-13");
    // Somebody reads it for long: later.
    let reader = tests::Sql::connect(&database.url()).await;
    reader.run("BEGIN", &[]).await;
    reader.rows("SELECT 1 FROM attempt_outcome", &[]).await;
    let refused = sql.refused("SELECT dropped FROM drop_week('attempt', '2026-04-23')").await;
    assert!(refused.contains("lock timeout"), "{refused}");
    reader.run("COMMIT", &[]).await;
    assert_eq!(drop_week("attempt", "2026-04-23").await, (true, 3));
    let oldest = weeks(&database, "attempt_outcome").await;
    assert_eq!(oldest.first().map(String::as_str), Some("attempt_outcome_20260413"));
}

#[tokio::test]
async fn what_is_closed_goes_in_batches_and_what_is_open_or_looked_at_stays() {
    let database = TestDatabase::new().await;
    let sql = &database.sql;
    were_found(sql, (0, "mended", 3), (Some("9 days"), None)).await;
    were_found(sql, (0, "told", 2), (None, Some("8 days"))).await;
    were_found(sql, (0, "told-lately", 1), (Some("9 days"), Some("1 day"))).await;
    were_found(sql, (0, "open", 1), (None, None)).await;
    were_found(sql, (1, "elsewhere", 1), (Some("9 days"), None)).await;
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/sql/queries/residual_prune.sql");
    let statement = std::fs::read_to_string(file).unwrap();
    let before = SystemTime::now() - Duration::from_secs(7 * 86_400);
    let prune = async || sql.run(&statement, &[&0_i16, &before, &2_i64]).await;

    let look = Sql::connect(&database.url()).await;
    look.run("BEGIN", &[]).await;
    look.rows("SELECT FROM residual WHERE appointment_id = 'mended2' FOR UPDATE", &[]).await;
    assert_eq!([prune().await, prune().await, prune().await], [2, 2, 0]);
    assert_eq!(left(sql).await, ["elsewhere1", "mended2", "open1", "told-lately1"]);
    look.run("COMMIT", &[]).await;
    assert_eq!([prune().await, prune().await], [1, 0]);
    assert_eq!(left(sql).await, ["elsewhere1", "open1", "told-lately1"]);
}
