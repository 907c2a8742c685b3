//! The primary dies, a replica is promoted, the old primary comes back: the service finds the new
//! one by itself and never writes to the old one again.

use std::time::Duration;

use serde_json::json;
use tests::database::Sql;
use tests::{Ending, TestApp, appointment, until};

use super::{decided, name, start, tell};

const BOOKED: &str = "SELECT count(*) FROM appointment";
const BEATEN: &str = "SELECT extract(epoch FROM beaten_at)::float8 FROM heartbeat";

/// Leaves the database's first server aside, which is another one than at the start.
pub(super) async fn finish(app: TestApp, errors: &'static [&'static str]) {
    app.audit().await;
    let TestApp { service, .. } = app;
    service.finish(Ending { errors, ..Ending::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_is_written_to_and_the_old_primary_is_not() {
    let (pair, app) = start().await;
    let one = app.practice(1).await;
    let booked = one.try_book(&appointment("a")).await.unwrap().expect(200);
    let token = booked.header("read-after").to_owned();
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    let path = "/v1/practices/1/appointments/a";

    pair.primary().kill().await.unwrap();
    one.try_book(&appointment("b")).await.unwrap().problem(503, "unavailable");
    // What may be stale is read on, and so is a write that the replica has.
    until("it is seen that the primary is lost", async || {
        let read = app.get(path).header("read-after", &token).send().await;
        (read.status == 200 && decided(&app.scrape().await, "primary_lost") > 0.0).then_some(())
    })
    .await;
    app.get("/readyz").send().await.problem(503, "not_ready");
    let leads = app.scrape().await.sum("db_server_leads", &[]);
    assert_eq!(leads, 0.0, "nobody is written to: the alert sees it");

    tell(pair.replica(), "SELECT pg_promote()").await;
    until("the service is ready again", async || {
        (app.get("/readyz").send().await.status == 200).then_some(())
    })
    .await;
    let booked = one.try_book(&appointment("b")).await.unwrap().expect(200);
    let (of_old, of_new) = (token, booked.header("read-after").to_owned());
    let timeline = |token: &str| token.split('.').nth(2).map(str::to_owned).unwrap();
    assert_eq!((timeline(&of_old), timeline(&of_new)), ("1".into(), "2".into()));
    // A token of before: only the primary can tell, and says what to show from now on.
    let read = app.get(path).header("read-after", &of_old).send().await.expect(200);
    assert_eq!(timeline(read.header("read-after")), "2");

    pair.primary().start().await.unwrap();
    let (old, new) = (name(pair.primary()), name(pair.replica()));
    until("the old primary is seen again", async || {
        let age = app.scrape().await.sum("db_server_look_age_seconds", &[("server", &old)]);
        (age < 0.75).then_some(())
    })
    .await;
    one.book(&appointment("c")).await;
    let scrape = app.scrape().await;
    let leads = |server: &str| scrape.sum("db_server_leads", &[("server", server)]);
    assert_eq!((leads(&old), leads(&new)), (0.0, 1.0));
    let on_old = Sql::connect(&app.database.url()).await;
    let on_new = Sql::connect(&app.database.replica_url()).await;
    assert_eq!(on_old.one::<i64>(BOOKED, &[]).await, 1, "a alone");
    assert_eq!(on_new.one::<i64>(BOOKED, &[]).await, 3);
    // Not even the heartbeat is written there.
    let beaten = on_old.one::<f64>(BEATEN, &[]).await;
    let began = on_new.one::<f64>(BEATEN, &[]).await;
    until("the new primary is beaten some times more", async || {
        (on_new.one::<f64>(BEATEN, &[]).await > began + 1.0).then_some(())
    })
    .await;
    assert_eq!(on_old.one::<f64>(BEATEN, &[]).await.to_bits(), beaten.to_bits());
    finish(app, &["stage", "listen"]).await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_on_whichever_server_leads() {
    let (pair, app) = start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    // Named the other way round: the first one of the settings is the replica.
    let (first, second) = (app.database.replica_url(), app.database.url());
    let names = [("PUNCTUAL_DATABASE_URL", &*first), ("PUNCTUAL_DATABASE_REPLICA_URLS", &*second)];
    let other = app.another(&names).await;
    let there = one.through(&other.client);
    there.book(&appointment("b")).await;
    assert_eq!(one.cancel("b").await["in_time"], json!(true));
    other.finish(Ending::default()).await;
    app.finish().await;
    pair.stop().await;
}
