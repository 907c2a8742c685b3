//! What fails on a replica for a reason of its own is read once more, on the primary, and only
//! that: what would fail there too is told as it is.
//!
//! Never here: failures in a row (`breaker`), a replica that is gone before it is read
//! (`failures`).

use contract::{Pool, Query, Stage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::postgres::PostgresPair;
use tests::database::Sql;
use tests::metrics::Scrape;
use tests::{Ending, TestApp, until};

use super::{because, decided_of_all, hold, start_with, until_read};

const READ: Query = Query::DailyCounts;
/// A day of which there is a count, and one of which there is none.
const COUNTED: &str = "/v1/practices/1/days/2026-05-05/counts";
const EMPTY: &str = "/v1/practices/1/days/2026-05-01/counts";

/// What a replica may say, and why the primary is asked then.
const OF_ITS_OWN: [(&str, &str); 11] = [
    // Replay needed what the statement held, or they waited for each other.
    ("40001", "conflict"),
    ("40P01", "conflict"),
    // It is told to stop, has crashed, is only coming up.
    ("57P01", "broken"),
    ("57P02", "broken"),
    ("57P03", "broken"),
    // Its connection, its memory, a damaged page, its disk.
    ("08006", "broken"),
    ("53200", "broken"),
    ("XX001", "broken"),
    ("58030", "broken"),
    // A migration that it has not replayed.
    ("42P01", "behind"),
    ("42703", "behind"),
];

/// What it may say that is not its own doing, and what is answered then.
const OF_THE_STATEMENT: [(&str, u16, &str); 2] =
    [("22012", 500, "internal"), ("57014", 503, "deadline_exceeded")];

/// A service that reads counts through a view, which also calls this for each row.
async fn start_calling(called: &str) -> (PostgresPair, TestApp) {
    let (pair, app) = start_with(&[("PUNCTUAL_STAGE_GATES", "open")]).await;
    hold(&app, Stage::Reconcile).await;
    hold(&app, Stage::Fold).await;
    app.practice(1).await;
    let sql = &app.database.sql;
    sql.run("ALTER TABLE tally RENAME TO tally_rows", &[]).await;
    sql.run("CREATE TABLE said (code text)", &[]).await;
    sql.run("INSERT INTO said VALUES ('')", &[]).await;
    let fails = "CREATE FUNCTION fails_on_a_replica() RETURNS text LANGUAGE plpgsql AS $$
                 BEGIN
                     IF pg_is_in_recovery() THEN
                         RAISE EXCEPTION 'made up' USING ERRCODE = (SELECT code FROM said);
                     END IF;
                     RETURN '';
                 END $$";
    sql.run(fails, &[]).await;
    let view = format!("CREATE VIEW tally AS SELECT t.*, {called} AS called FROM tally_rows AS t");
    sql.run(&view, &[]).await;
    let row = "INSERT INTO tally_rows SELECT shard, 1, '2026-05-05', 1, 0, 1 \
               FROM practice WHERE practice_id = 1";
    sql.run(row, &[]).await;
    until_replayed(&pair, &app).await;
    (pair, app)
}

/// Waits until the replica has all of it, and answers.
async fn until_replayed(pair: &PostgresPair, app: &TestApp) {
    // One that has just crashed takes nobody in for a while.
    until("it has all", async || pair.wait_until_caught_up(tests::SOON).await.ok()).await;
    until_read(app, pair).await;
    let before = because(&app.scrape().await, READ, "fresh");
    until("the replica answers", async || {
        app.get(EMPTY).send().await.expect(200);
        (because(&app.scrape().await, READ, "fresh") > before).then_some(())
    })
    .await;
}

/// How often the statement ran on the replica, and how often on the primary.
fn ran(scrape: &Scrape) -> (f64, f64) {
    let on = |pool: Pool| {
        let labels = [("db_query_name", READ.name()), ("pool", pool.name())];
        scrape.sum("db_client_operation_duration_seconds_count", &labels)
    };
    (on(Pool::ReplicaReporting), on(Pool::Reporting))
}

async fn finish(pair: PostgresPair, app: TestApp, errors: &'static [&'static str]) {
    app.finish_as(Ending { errors, is_broken: true }).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_says_of_itself_is_asked_once_more_on_the_primary() {
    let (pair, app) = start_calling("fails_on_a_replica()").await;
    let says = async |code: &str| {
        app.database.sql.run("UPDATE said SET code = $1", &[&code]).await;
        until_replayed(&pair, &app).await;
        app.scrape().await
    };
    for (code, reason) in OF_ITS_OWN {
        let before = says(code).await;
        let answer = app.get(COUNTED).send().await.json(200);
        assert_eq!(answer["rules"][0]["rule_id"], 1, "{code}: {answer}");
        let after = app.scrape().await;
        let (replica, primary) = (ran(&after).0 - ran(&before).0, ran(&after).1 - ran(&before).1);
        assert_eq!((replica, primary), (1.0, 1.0), "{code}: once on each");
        assert_eq!(because(&after, READ, reason) - because(&before, READ, reason), 1.0, "{code}");
    }
    for (code, status, problem) in OF_THE_STATEMENT {
        let before = says(code).await;
        app.get(COUNTED).send().await.problem(status, problem);
        let after = app.scrape().await;
        assert_eq!(ran(&after).1, ran(&before).1, "{code}: not on the primary");
    }
    finish(pair, app, &["made up", "deadline_exceeded"]).await;
}

/// Waits until the report stands at the lock that the test holds, and says which session it is.
async fn until_held(sql: &Sql) -> i32 {
    let held = "SELECT pid FROM pg_stat_activity \
                WHERE query LIKE '%db_query=''daily_counts''%' AND wait_event = 'advisory'";
    until("the report runs on the replica", async || {
        sql.rows(held, &[]).await.first().map(|row| row.get::<_, i32>("pid"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_in_the_middle_of_a_statement_is_answered_by_the_primary() {
    // On the replica the report stands still at a lock, which nobody holds on the primary.
    let (pair, app) = start_calling("pg_advisory_xact_lock_shared(42)::text").await;
    for is_told in [true, false] {
        let sql = Sql::connect(&app.database.replica_url()).await;
        sql.rows("SELECT pg_advisory_lock(42)", &[]).await;
        let before = app.scrape().await;
        let reading = tokio::spawn(app.get(COUNTED).send());
        let pid = until_held(&sql).await;
        if is_told {
            sql.rows("SELECT pg_terminate_backend($1)", &[&pid]).await;
        } else {
            // The server takes it for a crash and ends all others as well.
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
        let answer = reading.await.unwrap().json(200);
        assert_eq!(answer["rules"][0]["rule_id"], 1, "{answer}");
        let after = app.scrape().await;
        assert_eq!(ran(&after).1 - ran(&before).1, 1.0, "once on the primary");
        assert_eq!(because(&after, READ, "broken") - because(&before, READ, "broken"), 1.0);
        assert_eq!(decided_of_all(&after, "shed"), 0.0);
        drop(sql);
        until_replayed(&pair, &app).await;
    }
    finish(pair, app, &[]).await;
}

/// Connected, and never answering again: nobody waits there until the report's own deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_hangs_in_the_middle_of_a_statement_is_given_up() {
    let (pair, app) = start_calling("pg_advisory_xact_lock_shared(42)::text").await;
    let sql = Sql::connect(&app.database.replica_url()).await;
    sql.rows("SELECT pg_advisory_lock(42)", &[]).await;
    let before = app.scrape().await;
    let reading = tokio::spawn(app.get(COUNTED).send());
    until_held(&sql).await;
    let hung = pair.replica().pause();
    let answer = reading.await.unwrap().json(200);
    assert_eq!(answer["rules"][0]["rule_id"], 1, "{answer}");
    let after = app.scrape().await;
    assert_eq!(because(&after, READ, "broken") - because(&before, READ, "broken"), 1.0);
    drop(hung);
    drop(sql);
    until_replayed(&pair, &app).await;
    finish(pair, app, &[]).await;
}
