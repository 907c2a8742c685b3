//! PostgreSQL crashes and comes back: nothing that was acknowledged is lost, everybody is told at
//! once, and nobody has to restart anything.
//!
//! Never here: a database that takes nobody in (`endpoints::away`), which needs no crash.

use std::time::{Duration, Instant};

use contract::Pool;
use stack::postgres::{Options, PostgresPair, Profile};
use tests::practice::FIRST_DUE;
use tests::provider::until_accepted;
use tests::{Ending, TestApp, TestDatabase, appointment, at, until};

/// "At once" for a machine that is busy; the bound that it must stay under is the wait for a
/// connection of a full pool.
const AT_ONCE: Duration = Duration::from_millis(Pool::Interactive.spec().wait_ms_max as u64);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_and_all_goes_on_by_itself() {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    let app = TestApp::with().database(database).start().await;
    let one = app.practice(1).await;

    // Bookings come in until the crash, and after it.
    let writer = {
        let one = one.clone();
        tokio::spawn(async move {
            let mut stored = Vec::new();
            for n in 0.. {
                let id = format!("a-{n}");
                let call = one.try_book(&appointment(&id).phone(n)).await;
                match call {
                    Ok(answer) if answer.status == 200 => stored.push(id),
                    Ok(answer) => {
                        drop(answer.problem(503, "unavailable"));
                        return stored;
                    }
                    Err(error) => panic!("not answered: {error}"),
                }
            }
            stored
        })
    };
    until("some are stored", async || {
        let count = "SELECT count(*) FROM appointment";
        (app.database.sql.one::<i64>(count, &[]).await >= 50).then_some(())
    })
    .await;
    pair.primary().kill().await.unwrap();
    let stored = writer.await.unwrap();
    assert!(stored.len() >= 50);

    // Refused at once, not ready, alive.
    let started = Instant::now();
    one.try_book(&appointment("x")).await.unwrap().problem(503, "unavailable");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    let problem = app.get("/readyz").send().await.problem(503, "not_ready");
    assert!(problem["detail"].as_str().unwrap().contains("database"), "{problem}");
    app.get("/healthz").send().await.expect(200);

    pair.primary().start().await.unwrap();
    until("ready again", async || (app.get("/readyz").send().await.status == 200).then_some(()))
        .await;
    for id in &stored {
        assert_eq!(one.appointment(id).await["status"], "booked", "{id} was acknowledged");
    }
    // And the work goes on.
    app.hold(at(FIRST_DUE)).await;
    let texts = u64::try_from(stored.len()).unwrap();
    until_accepted(&app.simulator, texts).await;
    one.until_fate(stored.last().unwrap(), 1, "sent").await;
    app.idle().await;
    let errors = &["stage", "listen"];
    app.finish_as(Ending { errors, ..Ending::default() }).await;
    pair.stop().await;
}
