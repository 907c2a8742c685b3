//! How far a replica is behind, in bytes, as the metrics have it: by the looks at each server, and
//! by what the primary hears of its replicas.
//!
//! Never here: which reads a replica that is behind still answers (`lagging`).

use tests::{Sql, TestApp, appointment, until};

use super::{name, pause, start, tell};

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
