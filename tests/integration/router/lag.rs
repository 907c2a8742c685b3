//! How far a replica is behind, in bytes and in time, as the metrics have it: by the looks at each
//! server, by what the primary hears of its replicas, and by what was read there.
//!
//! Never here: which reads a replica that is behind still answers (`lagging`).

use contract::{Query, Read};
use tests::{Sql, TestApp, appointment, until};

use super::failures::until_replica_answers;
use super::{because, name, pause, start, tell};

/// Longer than from one heartbeat to the next, and less than what reports may be behind.
const OLD_SECONDS: f64 = 3.0;

/// What a series says, once there is one.
async fn lag(app: &TestApp, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let scrape = app.scrape().await;
    scrape.all(family, labels).next().map(|sample| sample.value)
}

/// Waits until it says what is wanted.
async fn until_lag(
    app: &TestApp,
    (family, labels): (&str, &[(&str, &str)]),
    is_wanted: impl Fn(f64) -> bool,
) {
    let look = async || lag(app, family, labels).await.filter(|bytes| is_wanted(*bytes));
    until(family, look).await;
}

/// Bytes of log that were written since a position.
async fn written(sql: &Sql, since: &str) -> f64 {
    let bytes = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)::float8";
    sql.one(bytes, &[&since]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_has_not_replayed_is_told_in_bytes_until_it_has() {
    let (pair, app) = start().await;
    let one = app.practice(1).await;
    let server = name(pair.replica());
    let by_looks: (&str, &[(&str, &str)]) = ("db_server_lag_bytes", &[("server", &server)]);
    let by_primary: (&str, &[(&str, &str)]) = ("replica_lag_bytes", &[]);
    pause(pair.replica()).await;
    let sql = &app.database.sql;
    let position = "SELECT pg_current_wal_insert_lsn()::text";
    let since: String = sql.one(position, &[]).await;
    let many: Vec<_> = (0..300).map(|n| appointment(&format!("a{n}")).phone(n + 1)).collect();
    one.send(&many).await;
    let bytes = written(sql, &since).await;
    assert!(bytes > 0.0, "{bytes}");
    for told in [by_looks, by_primary] {
        until_lag(&app, told, |lag| lag >= bytes).await;
    }

    tell(pair.replica(), "SELECT pg_wal_replay_resume()").await;
    until_lag(&app, by_looks, |lag| lag == 0.0).await;
    // The primary hears of what was replayed with the next piece of the log: the heartbeat that was
    // written last, and what came with it, is always left.
    until_lag(&app, by_primary, |lag| lag < bytes / 2.0).await;
    app.finish().await;
    pair.stop().await;
}

/// Heartbeats that the primary was given.
async fn beats(app: &TestApp) -> f64 {
    let labels = [("db_query_name", Query::ServerBeat.name()), ("outcome", "ok")];
    app.scrape().await.sum("db_client_operation_duration_seconds_count", &labels)
}

/// A clock of the last transaction that was replayed would grow where nobody writes, and one of
/// what was last heard of would stand where replay stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_behind_grows_while_replay_stands_and_not_while_nobody_writes() {
    let (pair, app) = start().await;
    app.practice(1).await.book(&appointment("a")).await;
    pair.wait_until_caught_up(tests::SOON).await.unwrap();
    until_replica_answers(&app).await;
    let server = name(pair.replica());
    let by_looks: (&str, &[(&str, &str)]) = ("db_server_staleness_seconds", &[("server", &server)]);
    let by_primary: (&str, &[(&str, &str)]) = ("replica_lag_seconds", &[]);
    pause(pair.replica()).await;
    for told in [by_looks, by_primary] {
        until_lag(&app, told, |lag| lag > OLD_SECONDS).await;
    }

    // What is read there now is as old as that.
    let counted = async |part: &str| {
        app.scrape().await.sum(&format!("db_route_staleness_seconds_{part}"), &[])
    };
    let (reads, seconds) = (counted("count").await, counted("sum").await);
    let query = Read::DailyCounts.query();
    let lagging = because(&app.scrape().await, query, "lagging");
    let answer = app.get("/v1/practices/1/days/2026-05-05/counts").send().await;
    answer.json(200);
    let (more, older) = (counted("count").await - reads, counted("sum").await - seconds);
    assert_eq!(because(&app.scrape().await, query, "lagging"), lagging, "the primary answered");
    assert!(more >= 1.0 && older > OLD_SECONDS * more, "{older} s in {more} reads");

    tell(pair.replica(), "SELECT pg_wal_replay_resume()").await;
    // For as long again nothing is written but the heartbeat.
    let before = beats(&app).await;
    let idle = 4.0 * OLD_SECONDS;
    until("heartbeats", async || (beats(&app).await >= before + idle).then_some(())).await;
    for told in [by_looks, by_primary] {
        until_lag(&app, told, |lag| lag < 1.0).await;
    }
    app.finish().await;
    pair.stop().await;
}
