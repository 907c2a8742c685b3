//! What a process has taken on is told by its age, stage by stage: while one thing hangs and
//! nothing else happens, that is all there is to be seen of it.
//!
//! Never here: how old is too old (`alerts/tests`), what stands in the database (`life`).

use stack::provider::{Faults, Latency, Options};
use tests::practice::FIRST_DUE;
use tests::provider::{call_back, silent, until_accepted};
use tests::{Sql, TestApp, appointment, at, until};

/// Long enough for its delivery to be seen and its text to be locked meanwhile.
const ANSWERS_AFTER: Latency = Latency::Constant { ms: 5_000.0 };

fn slow(options: Options) -> Options {
    silent(Options { faults: Faults { latency: ANSWERS_AFTER, ..Faults::none() }, ..options })
}

/// Waits until a stage's oldest work has some age, or has none.
async fn until_waiting(app: &TestApp, stage: &str, is_waiting: bool) {
    until(&format!("waiting before {stage}: {is_waiting}"), async || {
        let age = app.scrape().await.sum("oldest_pending_seconds", &[("stage", stage)]);
        ((age > 0.0) == is_waiting).then_some(())
    })
    .await;
}

/// Holds the rows of a table until it is told to let go.
async fn hold(app: &TestApp, table: &str) -> Sql {
    let holder = Sql::connect(&app.database.url()).await;
    holder.texts("BEGIN").await;
    holder.texts(&format!("SELECT 1 FROM {table} FOR UPDATE")).await;
    holder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_is_told_by_its_age() {
    let app = TestApp::with().provider(slow).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    for stage in ["plan", "receive", "deliver", "settle"] {
        until_waiting(&app, stage, false).await;
    }

    let holder = hold(&app, "appointment").await;
    let booking = {
        let one = one.clone();
        tokio::spawn(async move { one.book(&appointment("a").version(2)).await })
    };
    until_waiting(&app, "plan", true).await;
    holder.texts("ROLLBACK").await;
    booking.await.unwrap();
    until_waiting(&app, "plan", false).await;

    app.hold(at(FIRST_DUE)).await;
    until_waiting(&app, "deliver", true).await;
    let holder = hold(&app, "message").await;
    until_waiting(&app, "settle", true).await;
    holder.texts("ROLLBACK").await;
    one.until_fate("a", 1, "sent").await;
    until_waiting(&app, "deliver", false).await;
    until_waiting(&app, "settle", false).await;

    let texts = until_accepted(&app.simulator, 1).await;
    let holder = hold(&app, "message").await;
    let receipt = {
        let client = app.client.clone();
        tokio::spawn(async move { call_back(&client, &texts[0], "delivered", &[]).await })
    };
    until_waiting(&app, "receive", true).await;
    holder.texts("ROLLBACK").await;
    receipt.await.unwrap().expect(204);
    until_waiting(&app, "receive", false).await;
    app.finish().await;
}
