//! A replica is promoted while the old primary lives on: it is no replica any more from then on,
//! and the highest timeline wins. Two servers that take writes on one timeline are written to by
//! nobody.
//!
//! Never here: a primary that is gone (`promotion`).

use std::os::unix::fs::{MetadataExt as _, chown};
use std::time::Duration;

use contract::Query;
use stack::postgres::{Options, PostgresPair, Profile, Server};
use tests::database::Sql;
use tests::{TestApp, TestDatabase, appointment, until};

use super::failures::PATH;
use super::promotion::finish;
use super::{because, name, start_with, tell};

const READ: Query = Query::AppointmentRead;

/// A server's series of a family.
async fn of(app: &TestApp, family: &str, server: &Server) -> f64 {
    app.scrape().await.sum(family, &[("server", &name(server))])
}

async fn until_leads(app: &TestApp, server: &Server) {
    until("it is written to", async || {
        (of(app, "db_server_leads", server).await == 1.0).then_some(())
    })
    .await;
}

/// How many of these appointments a server has.
async fn booked(url: &str, ids: &str) -> i64 {
    let count = "SELECT count(*) FROM appointment WHERE appointment_id LIKE $1";
    Sql::connect(url).await.one(count, &[&ids]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_promoted_answers_no_read_from_then_on_seen_or_not() {
    // Looks so far apart that it is read before anybody has looked at it again.
    let (pair, app) = start_with(&[("PUNCTUAL_DATABASE_LOOK_MS", "4000")]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    until("it is read, and has just been looked at", async || {
        app.get(PATH).send().await.expect(200);
        let is_read = because(&app.scrape().await, READ, "fresh") > 0.0;
        let age = of(&app, "db_server_look_age_seconds", pair.replica()).await;
        (is_read && age < 0.3).then_some(())
    })
    .await;
    tell(pair.replica(), "SELECT pg_promote()").await;
    let fresh = because(&app.scrape().await, READ, "fresh");
    // From here on the two differ.
    one.book(&appointment("a").version(2)).await;
    assert_eq!(app.get(PATH).send().await.json(200)["version"], 2, "by who is written to");
    let scrape = app.scrape().await;
    assert_eq!(because(&scrape, READ, "promoted"), 1.0);
    assert_eq!(because(&scrape, READ, "fresh"), fresh);

    // Once it is seen, it leads, and the old one is neither written to nor read.
    until_leads(&app, pair.replica()).await;
    let token = one.try_book(&appointment("b")).await.unwrap().expect(200);
    assert_eq!(token.header("read-after").split('.').nth(2), Some("2"), "its timeline");
    for family in ["db_server_leads", "db_server_readable"] {
        assert_eq!(of(&app, family, pair.primary()).await, 0.0, "{family}");
    }
    assert_eq!(app.get(PATH).send().await.json(200)["version"], 1, "all that the new one has");
    let (old, new) = (app.database.url(), app.database.replica_url());
    assert_eq!((booked(&old, "b").await, booked(&new, "b").await), (0, 1));
    finish(app, &["stage", "listen"]).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_at_the_old_one_is_not_committed_there() {
    let (pair, app) = start_with(&[]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    // The change has its connection there, and waits for a lock when the other one comes to lead.
    let holder = Sql::connect(&app.database.url()).await;
    holder.texts("BEGIN").await;
    holder.rows("SELECT 1 FROM appointment FOR UPDATE", &[]).await;
    let writer = one.clone();
    let changed = async move { writer.try_book(&appointment("a").version(2)).await.unwrap() };
    let changed = tokio::spawn(changed);
    until("it waits for that", async || {
        let waits = "SELECT count(*) FROM pg_stat_activity \
                     WHERE wait_event_type = 'Lock' AND query LIKE '%appointment_lock%'";
        (app.database.sql.one::<i64>(waits, &[]).await > 0).then_some(())
    })
    .await;
    tell(pair.replica(), "SELECT pg_promote()").await;
    until_leads(&app, pair.replica()).await;
    holder.texts("ROLLBACK").await;
    changed.await.unwrap().problem(503, "unavailable");
    let versions = async || {
        let version = "SELECT version FROM appointment";
        let old = Sql::connect(&app.database.url()).await.one::<i64>(version, &[]).await;
        (old, Sql::connect(&app.database.replica_url()).await.one::<i64>(version, &[]).await)
    };
    assert_eq!(versions().await, (1, 1));
    one.book(&appointment("a").version(2)).await;
    assert_eq!(versions().await, (1, 2));
    finish(app, &["stage", "listen"]).await;
    pair.stop().await;
}

/// A primary, two replicas, and a service that knows all of them.
async fn start_three() -> (PostgresPair, Server, TestApp) {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    let second = pair.another_replica("second").await.unwrap();
    let urls = format!("{},{}", database.replica_url(), second.url(database.name()));
    let setup = TestApp::with().database(database).env("PUNCTUAL_DATABASE_REPLICA_URLS", urls);
    let app = setup.start().await;
    app.practice(1).await.book(&appointment("a")).await;
    until("both are read", async || {
        let first = of(&app, "db_server_readable", pair.replica()).await;
        let both = first + of(&app, "db_server_readable", &second).await;
        (both == 2.0).then_some(())
    })
    .await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    (pair, second, app)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_the_old_primary_is_not_read() {
    let (pair, second, app) = start_three().await;
    tell(pair.replica(), "SELECT pg_promote()").await;
    until_leads(&app, pair.replica()).await;
    let one = app.practice(2).await;
    one.book(&appointment("b")).await;
    let before = app.scrape().await;
    app.get(PATH).send().await.expect(200);
    let after = app.scrape().await;
    let since = |reason| because(&after, READ, reason) - because(&before, READ, reason);
    assert_eq!((since("other_history"), since("fresh")), (1.0, 0.0));
    assert_eq!(of(&app, "db_server_readable", &second).await, 0.0);
    // It still is fed, by the one that nobody writes to.
    assert_eq!(booked(&second.url(app.database.name()), "%").await, 1, "a alone");
    assert_eq!(booked(&app.database.url(), "%").await, 1, "a alone");
    finish(app, &["stage", "listen"]).await;
    second.stop_immediately().await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_were_promoted_to_one_timeline_are_written_to_by_nobody() {
    let (pair, second, app) = start_three().await;
    tell(pair.replica(), "SELECT pg_promote()").await;
    until_leads(&app, pair.replica()).await;
    let one = app.practice(2).await;
    one.book(&appointment("b")).await;

    // The other one knows nothing of that, and takes the same number.
    tell(&second, "SELECT pg_promote()").await;
    until("it is seen", async || {
        (app.scrape().await.sum("db_server_leads", &[]) == 0.0).then_some(())
    })
    .await;
    for n in 0..20 {
        let refused = one.try_book(&appointment(&format!("x-{n}"))).await.unwrap();
        refused.problem(503, "unavailable");
    }
    app.get("/readyz").send().await.problem(503, "not_ready");
    let url_of_second = second.url(app.database.name());
    for url in [&app.database.url(), &app.database.replica_url(), &url_of_second] {
        assert_eq!(booked(url, "x-%").await, 0);
    }

    // One of them is made a replica again: then there is one to write to.
    second.stop().await;
    let (sign, data) = (second.data().join("standby.signal"), second.data());
    std::fs::write(&sign, "").unwrap();
    let owner = data.metadata().unwrap();
    chown(&sign, Some(owner.uid()), Some(owner.gid())).unwrap();
    second.start().await.unwrap();
    until_leads(&app, pair.replica()).await;
    one.book(&appointment("c")).await;
    assert_eq!(booked(&app.database.replica_url(), "%").await, 3, "a, b, c");
    finish(app, &["stage", "listen", "no server is written to"]).await;
    second.stop_immediately().await;
    pair.stop().await;
}
