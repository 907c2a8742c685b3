//! The replica dies, hangs, is cut off, cancels: reads go on, and come back to it by themselves.

use std::time::Duration;

use contract::Query;
use tests::database::Sql;
use tests::{Ending, TestApp, appointment, until};

use super::{because, decided, start, tell, until_read};

pub(super) const PATH: &str = "/v1/practices/1/appointments/a";
async fn read(app: &TestApp) {
    app.get(PATH).send().await.expect(200);
}

/// Reads until one went to the primary for this reason.
pub(super) async fn until_because(app: &TestApp, reason: &str) {
    until(reason, async || {
        read(app).await;
        (decided(&app.scrape().await, reason) > 0.0).then_some(())
    })
    .await;
}

/// Reads until the replica answers again.
pub(super) async fn until_replica_answers(app: &TestApp) {
    let before = decided(&app.scrape().await, "fresh");
    until("the replica answers again", async || {
        read(app).await;
        (decided(&app.scrape().await, "fresh") > before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_hung_and_cut_off_it_is_left_and_found_again() {
    let (pair, app) = start().await;
    app.practice(1).await.book(&appointment("a")).await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    until_replica_answers(&app).await;

    pair.replica().kill().await.unwrap();
    until_because(&app, "unseen").await;
    pair.replica().start().await.unwrap();
    until_replica_answers(&app).await;

    let hung = pair.replica().pause();
    let unseen = decided(&app.scrape().await, "unseen");
    until("it is seen to hang", async || {
        read(&app).await;
        (decided(&app.scrape().await, "unseen") > unseen).then_some(())
    })
    .await;
    drop(hung);
    until_replica_answers(&app).await;

    // It lives, has replayed all that it received, and receives nothing.
    let conninfo = "SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'";
    let client = pair.replica().connect("postgres").await.unwrap();
    let was: String = client.query_one(conninfo, &[]).await.unwrap().get(0);
    tell(pair.replica(), "ALTER SYSTEM SET primary_conninfo = ''").await;
    tell(pair.replica(), "SELECT pg_reload_conf()").await;
    until_because(&app, "disconnected").await;
    let was = was.replace('\'', "''");
    tell(pair.replica(), &format!("ALTER SYSTEM SET primary_conninfo = '{was}'")).await;
    tell(pair.replica(), "SELECT pg_reload_conf()").await;
    until_replica_answers(&app).await;

    app.finish().await;
    pair.stop().await;
}

#[tokio::test]
async fn sessions_on_a_replica_say_what_they_are() {
    let (pair, app) = start().await;
    app.practice(1).await.book(&appointment("a")).await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    until_replica_answers(&app).await;
    let on_replica = Sql::connect(&app.database.replica_url()).await;
    let names = "SELECT DISTINCT application_name FROM pg_stat_activity \
                 WHERE application_name LIKE 'punctual %' ORDER BY 1";
    let all = ["punctual monitor", "punctual replica_interactive", "punctual replica_reporting"];
    until("reconciliation reads as a report too", async || {
        (on_replica.texts(names).await == all).then_some(())
    })
    .await;
    app.finish().await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_replay_cancels_is_answered_by_the_primary() {
    let (pair, app) = start().await;
    app.practice(1).await.book(&appointment("a")).await;
    // A slow report: as many rows of it as there are take a second each.
    app.database.sql.run("ALTER TABLE tally RENAME TO tally_rows", &[]).await;
    let slow = "CREATE VIEW tally AS SELECT t.*, pg_sleep(1)::text AS slept FROM tally_rows t";
    app.database.sql.run(slow, &[]).await;
    let row = "INSERT INTO tally_rows SELECT shard, 1, '2026-05-05', 1, n, 1 \
               FROM practice, generate_series(0, 7) AS n WHERE practice_id = 1";
    app.database.sql.run(row, &[]).await;
    for statement in ["ALTER SYSTEM SET max_standby_streaming_delay = 0", "SELECT pg_reload_conf()"]
    {
        tell(pair.replica(), statement).await;
    }
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    until_read(&app, &pair).await;

    let path = "/v1/practices/1/days/2026-05-05/counts";
    let reading = tokio::spawn(app.get(path).send());
    let client = pair.replica().connect("postgres").await.unwrap();
    until("the report runs on the replica", async || {
        let running = "SELECT count(*) FROM pg_stat_activity \
                       WHERE query ~ 'daily_counts' AND wait_event = 'PgSleep'";
        let n: i64 = client.query_one(running, &[]).await.unwrap().get(0);
        (n > 0).then_some(())
    })
    .await;
    // What it holds is taken away.
    app.database.sql.run("DELETE FROM tally_rows WHERE fate > 0", &[]).await;
    app.database.sql.run("VACUUM tally_rows", &[]).await;
    let answer = reading.await.unwrap().json(200);
    assert_eq!(answer["rules"][0]["rule_id"], 1, "{answer}");
    assert_eq!(because(&app.scrape().await, Query::DailyCounts, "conflict"), 1.0);
    until("the conflict is counted", async || {
        let kind = &[("kind", "snapshot")];
        (app.scrape().await.sum("replica_conflicts_total", kind) > 0.0).then_some(())
    })
    .await;
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
    pair.stop().await;
}
