//! Reading from the replica: what a reader wrote is never missed, whatever becomes of the replica
//! or of the primary; and what is lost is lost in the open.
//!
//! Each test has servers of its own, as it stops, starves or promotes them. Never here: the choice
//! among servers by itself, which has unit tests.

mod breaker;
mod cancelled_midway;
mod every_write;
mod failures;
mod fallback;
mod hung;
mod lag;
mod lagging;
mod promoted;
mod promotion;
mod promotion_midway;
mod retried;
mod sessions;
mod several;
mod tokens;

use contract::{Query, Stage};
use serde_json::json;
use stack::postgres::{Options, PostgresPair, Profile, Server};
use tests::metrics::Scrape;
use tests::{TestApp, TestDatabase, until};

/// A pair, and a service that reads from its replica.
async fn start() -> (PostgresPair, TestApp) {
    start_with(&[]).await
}

async fn start_with(environment: &[(&str, &str)]) -> (PostgresPair, TestApp) {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    let mut setup = TestApp::with().database(database).replica();
    for (name, value) in environment {
        setup = setup.env(name, value);
    }
    let app = setup.start().await;
    until_read(&app, &pair).await;
    (pair, app)
}

/// Runs a statement on a server itself.
pub(crate) async fn tell(server: &Server, statement: &str) {
    let client = server.connect("postgres").await.unwrap();
    client.batch_execute(statement).await.unwrap();
}

/// Holds a replica's replay, from when it stands still.
pub(crate) async fn pause(replica: &Server) {
    tell(replica, "SELECT pg_wal_replay_pause()").await;
    let client = replica.connect("postgres").await.unwrap();
    until("replay stands still", async || {
        let state = "SELECT pg_get_wal_replay_pause_state() = 'paused'";
        client.query_one(state, &[]).await.unwrap().get::<_, bool>(0).then_some(())
    })
    .await;
}

/// As the metrics name a server.
fn name(server: &Server) -> String {
    let url = server.url("x");
    let (_, rest) = url.rsplit_once('@').unwrap();
    rest.split_once('/').unwrap().0.to_owned()
}

/// Waits until the replica is read.
pub(crate) async fn until_read(app: &TestApp, pair: &PostgresPair) {
    let replica = name(pair.replica());
    until("the replica is read", async || {
        let scrape = app.scrape().await;
        (scrape.sum("db_server_readable", &[("server", &replica)]) > 0.0).then_some(())
    })
    .await;
}

/// Holds a stage; for `reconcile`, which reads replicas too and would be counted among a test's
/// reads, and `fold`, which writes what a test locks.
async fn hold(app: &TestApp, stage: Stage) {
    let path = format!("/admin/stages/{}", stage.name());
    app.put(&path, &json!({ "gate": "held" })).send().await.expect(200);
    until("nothing of the stage is under way", async || {
        let stages = app.get("/admin/stages").send().await.json(200);
        let mut stages = stages["stages"].as_array().unwrap().iter();
        let held = stages.find(|one| one["stage"] == stage.name()).unwrap();
        (held["in_hand"] == 0).then_some(())
    })
    .await;
}

/// How often a statement went somewhere for a reason.
fn because(scrape: &Scrape, query: Query, reason: &str) -> f64 {
    let labels = [("db_query_name", query.name()), ("reason", reason)];
    scrape.sum("db_route_decisions_total", &labels)
}

/// How often a statement that reads an appointment went somewhere for a reason: only requests read
/// those, while stages read replicas whenever it is their turn.
fn decided(scrape: &Scrape, reason: &str) -> f64 {
    let statements = [Query::AppointmentRead, Query::AppointmentMessages];
    statements.into_iter().map(|query| because(scrape, query, reason)).sum()
}

/// How often any statement did; a test that counts these holds the stages that read.
fn decided_of_all(scrape: &Scrape, reason: &str) -> f64 {
    scrape.sum("db_route_decisions_total", &[("reason", reason)])
}
