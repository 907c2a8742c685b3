//! The circuit breaker before a replica that looks well and fails whoever reads it: after some
//! failures in a row it is left alone, then tried by one reader, and read again once it is mended.
//!
//! Never here: a replica that is seen to be gone (`failures`), the pauses (unit tests).

use std::path::PathBuf;

use contract::{Limit, Query, Stage};
use stack::postgres::{PostgresPair, Server};
use tests::metrics::Scrape;
use tests::{TestApp, appointment, until};
use tokio::task::JoinSet;

use super::failures::{PATH, until_replica_answers};
use super::{because, hold, name, start_with};

/// Reads at a time.
const TOGETHER: u32 = 8;
const READ: Query = Query::AppointmentRead;

/// A replica that ends readers' sessions and takes nobody in any more. Whoever is connected to look
/// at it stays, so that it looks well.
struct Refusing {
    client: tokio_postgres::Client,
    rules: PathBuf,
    were: String,
}

impl Refusing {
    async fn make(replica: &Server) -> Self {
        let rules = replica.data().join("pg_hba.conf");
        let were = std::fs::read_to_string(&rules).unwrap();
        let client = replica.connect("postgres").await.unwrap();
        std::fs::write(&rules, "host all all 127.0.0.1/32 reject\n").unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        until("it takes nobody in", async || replica.connect("postgres").await.err()).await;
        let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
                   WHERE application_name LIKE 'punctual replica%'";
        client.batch_execute(end).await.unwrap();
        Self { client, rules, were }
    }

    async fn mend(self, replica: &Server) {
        std::fs::write(&self.rules, &self.were).unwrap();
        self.client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        until("it takes sessions", async || replica.connect("postgres").await.ok()).await;
    }
}

/// Reads an appointment, side by side; whoever answers, all are answered.
async fn read_together(app: &TestApp) {
    let mut reads = JoinSet::new();
    for _ in 0..TOGETHER {
        reads.spawn(app.get(PATH).send());
    }
    for answer in reads.join_all().await {
        answer.expect(200);
    }
}

/// As the metric has it: 1 while nobody is let through, 0.5 once one may try.
fn position(scrape: &Scrape, pair: &PostgresPair) -> f64 {
    scrape.sum("db_server_breaker_open", &[("server", &name(pair.replica()))])
}

/// Waits until one may try, and says what had been counted by then.
async fn until_half_open(app: &TestApp, pair: &PostgresPair) -> Scrape {
    until("one may try", async || {
        let scrape = app.scrape().await;
        (position(&scrape, pair) == 0.5).then_some(scrape)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_keeps_failing_is_left_alone_and_tried_by_one_reader_at_a_time() {
    // Looks that hold for long: on a busy machine the replica must not seem to be away as well.
    let settings = [
        ("PUNCTUAL_STAGE_GATES", "open"),
        ("PUNCTUAL_LIMIT_FALLBACK_READS", "8"),
        ("PUNCTUAL_DATABASE_LOOK_MS", "1000"),
    ];
    let (pair, app) = start_with(&settings).await;
    hold(&app, Stage::Reconcile).await;
    app.practice(1).await.book(&appointment("a")).await;
    pair.wait_until_caught_up(tests::SOON).await.unwrap();
    until_replica_answers(&app).await;
    let well = app.scrape().await;
    assert_eq!((position(&well, &pair), because(&well, READ, "broken")), (0.0, 0.0));

    // Who finds it broken is answered by the primary, until the breaker opens; then nobody asks it.
    let refusing = Refusing::make(pair.replica()).await;
    let failures = Limit::ReplicaFailures.spec().default as f64;
    for n in 1..=Limit::ReplicaFailures.spec().default {
        app.get(PATH).send().await.expect(200);
        assert_eq!(because(&app.scrape().await, READ, "broken"), n as f64);
    }
    let open = app.scrape().await;
    assert!(position(&open, &pair) > 0.0, "it has opened");
    let reached = [("limit", Limit::ReplicaFailures.name())];
    assert_eq!(open.sum("limit_reached_total", &reached), 1.0);
    let readable = [("server", &*name(pair.replica()))];
    assert_eq!(open.sum("db_server_readable", &readable), 0.0);
    assert!(because(&open, READ, "broken") >= failures);
    until("it is left alone", async || {
        app.get(PATH).send().await.expect(200);
        (because(&app.scrape().await, READ, "breaker_open") > 0.0).then_some(())
    })
    .await;

    // One tries it, in vain, whoever else reads at that moment.
    let before = until_half_open(&app, &pair).await;
    read_together(&app).await;
    let after = app.scrape().await;
    let since = |reason| because(&after, READ, reason) - because(&before, READ, reason);
    assert_eq!((since("broken"), since("breaker_open")), (1.0, f64::from(TOGETHER - 1)));
    assert_eq!(position(&after, &pair), 1.0, "it is open again, for longer");

    // Mended, it is tried once more, and all are back.
    refusing.mend(pair.replica()).await;
    let before = until_half_open(&app, &pair).await;
    read_together(&app).await;
    let closed = app.scrape().await;
    let since = |reason| because(&closed, READ, reason) - because(&before, READ, reason);
    assert_eq!(since("broken"), 0.0);
    assert!(since("fresh") >= 1.0 && position(&closed, &pair) == 0.0, "one try was enough");
    read_together(&app).await;
    let after = app.scrape().await;
    let fresh = because(&after, READ, "fresh") - because(&closed, READ, "fresh");
    assert_eq!(fresh, f64::from(TOGETHER));
    assert_eq!(after.sum("db_server_readable", &readable), 1.0);
    app.finish().await;
    pair.stop().await;
}
