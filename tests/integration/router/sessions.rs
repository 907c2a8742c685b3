//! What the service's own sessions on a replica have set, as the replica shows it to them: through
//! the pools and by the statements that everybody reads with.
//!
//! Never here: what the settings are made of (`service/src/db/pools.rs` has unit tests).

use contract::{Query, Stage};
use serde_json::{Value, json};
use tests::{Ending, TestApp, appointment, until};

use super::{because, hold, start_with, until_read};

const APPOINTMENT: &str = "/v1/practices/1/appointments/a";
const COUNTS: &str = "/v1/practices/1/days/2026-05-05/counts";

/// What a session is asked for.
const SHOWN: &str = "concat_ws(', ', current_setting('application_name'), \
                     'read only ' || current_setting('default_transaction_read_only'), \
                     'timeout ' || current_setting('statement_timeout'))";

/// Puts a view in a table's place, in which a column holds something else.
async fn put_view(app: &TestApp, table: &str, column: &str, instead: &str) {
    let sql = &app.database.sql;
    let columns = "SELECT string_agg(CASE WHEN attname = $2 THEN $3 || ' AS ' || attname::text \
                                          ELSE attname::text END, ', ' ORDER BY attnum) \
                   FROM pg_attribute \
                   WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped";
    let columns: String = sql.one(columns, &[&table, &column, &instead]).await;
    sql.run(&format!("ALTER TABLE {table} RENAME TO {table}_rows"), &[]).await;
    sql.run(&format!("CREATE VIEW {table} AS SELECT {columns} FROM {table}_rows"), &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_on_a_replica_can_change_nothing_has_its_own_time_limit_and_says_what_it_is() {
    let settings = [
        ("PUNCTUAL_STAGE_GATES", "open"),
        ("PUNCTUAL_DATABASE_REPLICA_STATEMENT_TIMEOUT_MS", "1234"),
    ];
    let (pair, app) = start_with(&settings).await;
    app.practice(1).await.book(&appointment("a")).await;
    // What reads and writes the tables behind the views.
    for stage in [Stage::Fold, Stage::Reconcile, Stage::Replan, Stage::Extend] {
        hold(&app, stage).await;
    }
    put_view(&app, "appointment", "instructions", SHOWN).await;
    // Of a report numbers alone are told: what is to be seen is written down as it is said.
    let wanted = session_of("replica_reporting", "10min");
    let is_so = format!("CASE WHEN {SHOWN} = '{wanted}' THEN 1000 + n ELSE n END");
    app.database
        .sql
        .run(
            "INSERT INTO tally \
        SELECT shard, 1, '2026-05-05', 7, 0, 1 FROM practice WHERE practice_id = 1",
            &[],
        )
        .await;
    put_view(&app, "tally", "n", &is_so).await;
    pair.wait_until_caught_up(tests::SOON).await.unwrap();
    until_read(&app, &pair).await;

    let interactive = from_the_replica(&app, APPOINTMENT, Query::AppointmentRead).await;
    assert_eq!(interactive["instructions"], session_of("replica_interactive", "1234ms"));
    let reporting = from_the_replica(&app, COUNTS, Query::DailyCounts).await;
    let rules = reporting["rules"].as_array().unwrap();
    let shown = rules.iter().find(|rule| rule["rule_id"] == 7).unwrap();
    assert_eq!(shown["expected"], json!(1_001), "it is not so: {wanted}");
    // The counts are of appointments that there are not.
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
    pair.stop().await;
}

fn session_of(pool: &str, timeout: &str) -> String {
    format!("punctual {pool}, read only on, timeout {timeout}")
}

/// What a path answers when the replica does.
async fn from_the_replica(app: &TestApp, path: &str, query: Query) -> Value {
    let before = because(&app.scrape().await, query, "fresh");
    until("the replica answers", async || {
        let answer = app.get(path).send().await.json(200);
        (because(&app.scrape().await, query, "fresh") > before).then_some(answer)
    })
    .await
}
