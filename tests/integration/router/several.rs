//! Two replicas of which one lags: the other one is read, and what lags is read again by itself
//! once it has caught up.
//!
//! Never here: one replica (`failures`, `tokens`).

use std::time::Duration;

use stack::postgres::{Options, PostgresPair, Profile, Server};
use tests::{TestApp, TestDatabase, appointment, until};

use super::{decided, name, pause, tell};

const PATH: &str = "/v1/practices/1/appointments/a";
const READS: u32 = 200;

/// How often appointments were read on a server.
async fn reads(server: &Server) -> i64 {
    let client = server.connect("postgres").await.unwrap();
    let calls = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements \
                 WHERE query LIKE '%db_query=''appointment_read''%'";
    client.query_one(calls, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_that_lags_is_not_read_until_it_has_caught_up() {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    let lagging = pair.another_replica("lagging").await.unwrap();
    let urls = format!("{},{}", database.replica_url(), lagging.url(database.name()));
    let app = TestApp::with().database(database).env("PUNCTUAL_DATABASE_REPLICA_URLS", urls);
    let app = app.start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    until("both are read", async || {
        app.get(PATH).send().await;
        (reads(pair.replica()).await > 0 && reads(&lagging).await > 0).then_some(())
    })
    .await;

    pause(&lagging).await;
    let server = name(&lagging);
    until("it is seen to lag", async || {
        let labels = &[("server", server.as_str())];
        let staleness = app.scrape().await.sum("db_server_staleness_seconds", labels);
        (staleness > 3.0).then_some(())
    })
    .await;
    let before = reads(&lagging).await;
    for version in 2..2 + READS {
        let body = appointment("a").version(u64::from(version));
        let token = one.try_book(&body).await.unwrap().expect(200).header("read-after").to_owned();
        let found = app.get(PATH).header("read-after", &token).send().await.json(200);
        assert_eq!(found["version"], version);
    }
    assert_eq!(reads(&lagging).await, before, "nobody asks it");
    let scrape = app.scrape().await;
    let by_the_other = decided(&scrape, "caught_up") + decided(&scrape, "waited");
    assert!(by_the_other > 0.0, "the other one keeps up");

    tell(&lagging, "SELECT pg_wal_replay_resume()").await;
    until("it is read again", async || {
        app.get(PATH).send().await.expect(200);
        (reads(&lagging).await > before).then_some(())
    })
    .await;
    app.finish().await;
    lagging.stop_immediately().await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    pair.stop().await;
}
