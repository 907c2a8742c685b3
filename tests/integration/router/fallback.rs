//! What the primary takes on when the replica can't be read: so much, reports being given up first,
//! and nobody in the place of others.
//!
//! Never here: why a replica isn't read (`failures`).

use contract::{Limit, Query, Stage};
use tests::database::Sql;
use tests::{TestApp, appointment, until};
use tokio::task::JoinSet;

use super::failures::{PATH, until_because};
use super::{because, decided_of_all, hold, start_with};

const COUNTS: &str = "/v1/practices/1/days/2026-05-05/counts";
const GATES: (&str, &str) = ("PUNCTUAL_STAGE_GATES", "open");

/// A transaction that holds a table, so that whoever reads it waits.
struct Locked(Sql);

impl Locked {
    async fn table(app: &TestApp, table: &str) -> Self {
        let sql = Sql::connect(&app.database.url()).await;
        sql.run("BEGIN", &[]).await;
        sql.run(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"), &[]).await;
        Self(sql)
    }

    async fn release(self) {
        self.0.run("COMMIT", &[]).await;
    }
}

/// Waits until all places of a kind are taken.
async fn until_taken(app: &TestApp, limit: Limit) {
    until("the places are taken", async || {
        let used = app.scrape().await.sum("limit_used_ratio", &[("limit", limit.name())]);
        (used >= 1.0).then_some(())
    })
    .await;
}

/// How often there was no place left.
async fn refused(app: &TestApp, limit: Limit) -> f64 {
    app.scrape().await.sum("limit_reached_total", &[("limit", limit.name())])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_given_up_first_and_reads_keep_their_room() {
    let (pair, app) = start_with(&[GATES]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    hold(&app, Stage::Reconcile).await;
    hold(&app, Stage::Fold).await;
    pair.replica().kill().await.unwrap();
    until_because(&app, "unseen").await;

    // A report that holds the only place of its kind.
    let locked = Locked::table(&app, "tally").await;
    let held = tokio::spawn(app.get(COUNTS).send());
    until_taken(&app, Limit::FallbackReports).await;
    for n in 1..=20 {
        // With Retry-After, as every answer of this kind; it waits for nothing.
        app.get(COUNTS).send().await.problem(503, "overloaded");
        app.get(PATH).send().await.expect(200);
        one.book(&appointment(&format!("b-{n}")).phone(n)).await;
    }
    let scrape = app.scrape().await;
    assert_eq!(because(&scrape, Query::ReportAsOf, "shed"), 20.0);
    assert_eq!(decided_of_all(&scrape, "shed"), 20.0, "nothing else was");
    assert_eq!(refused(&app, Limit::FallbackReports).await, 20.0);
    assert_eq!(refused(&app, Limit::FallbackReads).await, 0.0);
    locked.release().await;
    held.await.unwrap().expect(200);
    app.get(COUNTS).send().await.expect(200);
    app.finish().await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_reads_have_all_their_places_reads_wait_and_reports_are_refused() {
    let (pair, app) = start_with(&[
        GATES,
        ("PUNCTUAL_LIMIT_FALLBACK_READS", "1"),
        ("PUNCTUAL_LIMIT_FALLBACK_WAIT_MS", "10000"),
    ])
    .await;
    app.practice(1).await.book(&appointment("a")).await;
    hold(&app, Stage::Reconcile).await;
    pair.replica().kill().await.unwrap();
    until_because(&app, "unseen").await;
    let locked = Locked::table(&app, "appointment").await;
    let held = tokio::spawn(app.get(PATH).send());
    until_taken(&app, Limit::FallbackReads).await;
    let waiting = tokio::spawn(app.get(PATH).send());
    // Nothing that it reads is locked, and nobody else reads a report.
    app.get(COUNTS).send().await.problem(503, "overloaded");
    assert_eq!(refused(&app, Limit::FallbackReports).await, 1.0);
    locked.release().await;
    held.await.unwrap().expect(200);
    waiting.await.unwrap().expect(200);
    app.get(COUNTS).send().await.expect(200);
    assert_eq!(refused(&app, Limit::FallbackReads).await, 0.0);
    app.finish().await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_a_token_of_another_history_takes_nobody_elses_place() {
    let (pair, app) = start_with(&[("PUNCTUAL_LIMIT_FALLBACK_READS", "1")]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    pair.replica().kill().await.unwrap();
    until_because(&app, "unseen").await;
    let locked = Locked::table(&app, "appointment").await;
    let foreign = || app.get(PATH).header("read-after", "1.1.1.1").send();
    let held = tokio::spawn(foreign());
    until_taken(&app, Limit::ForeignTokens).await;
    for _ in 0..5 {
        one.messages().await;
        foreign().await.problem(503, "overloaded");
    }
    assert_eq!(refused(&app, Limit::ForeignTokens).await, 5.0);
    assert_eq!(refused(&app, Limit::FallbackReads).await, 0.0);
    locked.release().await;
    // It is told what to show from now on.
    let token = held.await.unwrap().expect(200).header("read-after").to_owned();
    app.get(PATH).header("read-after", &token).send().await.expect(200);
    let of_ours = because(&app.scrape().await, Query::AppointmentRead, "other_history");
    assert_eq!(of_ours, 1.0, "the one that was answered");
    app.finish().await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_falls_back_is_bounded_and_the_rest_is_refused_at_once() {
    let (pair, app) = start_with(&[("PUNCTUAL_LIMIT_FALLBACK_READS", "1")]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    pair.replica().kill().await.unwrap();
    until_because(&app, "unseen").await;
    // A read that holds the only place: its row is locked away from it.
    let locked = Locked::table(&app, "appointment").await;
    let held = tokio::spawn(app.get(PATH).send());
    until_taken(&app, Limit::FallbackReads).await;
    let mut turned_away = JoinSet::new();
    for _ in 0..5 {
        turned_away.spawn(app.get(PATH).send());
    }
    for answer in turned_away.join_all().await {
        answer.problem(503, "overloaded");
    }
    locked.release().await;
    held.await.unwrap().expect(200);
    one.book(&appointment("b")).await;
    assert_eq!(because(&app.scrape().await, Query::AppointmentRead, "shed"), 5.0);
    assert_eq!(refused(&app, Limit::FallbackReads).await, 5.0);
    app.finish().await;
    pair.stop().await;
}
