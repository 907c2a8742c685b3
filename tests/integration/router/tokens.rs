//! A read that shows the token of a write sees it, also while the replica has not heard of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tests::{TestApp, appointment};
use tokio::task::JoinSet;

use super::{decided, start, start_with, tell, until_read};

const TOKEN: &str = "read-after";

/// Reads with a token, by all readers together.
const READS: u64 = 100_000;
const READERS: u64 = 8;
/// With each write's token.
const READS_A_WRITE: u64 = 20;

/// Books a version of an appointment and returns the token of that.
async fn write(app: &TestApp, id: &str, version: u64) -> String {
    let body = appointment(id).version(version);
    let answer = app.post("/v1/practices/1/appointments", body.json()).send().await.expect(200);
    let token = answer.header(TOKEN).to_owned();
    assert!(token.starts_with("1."), "{token}");
    token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reader_wrote_is_never_missed_while_replay_stands_still() {
    let (pair, app) = start().await;
    app.practice(1).await;
    let path = "/v1/practices/1/appointments/a";
    until_read(&app, &pair).await;
    tell(pair.replica(), "SELECT pg_wal_replay_pause()").await;
    let token = write(&app, "a", 1).await;
    // Without the token the replica's past is shown: so it would have been.
    app.get(path).send().await.problem(404, "not_found");
    assert_eq!(app.get(path).header(TOKEN, &token).send().await.json(200)["version"], 1);
    let scrape = app.scrape().await;
    assert_eq!(decided(&scrape, "fresh"), 1.0);
    // An appointment that is there takes two statements.
    assert_eq!(decided(&scrape, "behind"), 2.0);
    assert!(scrape.sum("db_route_stale_prevented_total", &[]) >= 1.0);

    // Once it is replayed, the replica answers.
    tell(pair.replica(), "SELECT pg_wal_replay_resume()").await;
    tests::until("the replica answers with the token", async || {
        app.get(path).header(TOKEN, &token).send().await.expect(200);
        (decided(&app.scrape().await, "caught_up") > 0.0).then_some(())
    })
    .await;
    // An older token of several is within the newer one.
    let newer = write(&app, "a", 2).await;
    let both = format!("{token}, {newer}");
    assert_eq!(app.get(path).header(TOKEN, &both).send().await.json(200)["version"], 2);
    // Cancelling what is cancelled reads what became of it then: it has seen that.
    let cancel = "/v1/practices/1/appointments/a/cancel";
    for _ in 0..2 {
        let answer = app.post(cancel, &serde_json::json!({})).send().await.expect(200);
        assert!(answer.header(TOKEN).starts_with("1."), "every write is answered with one");
    }
    app.finish().await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_reads_with_tokens_none_is_stale_and_without_them_many_are() {
    let (pair, app) = start_with(&[
        ("PUNCTUAL_DATABASE_CATCH_UP_MS", "5"),
        ("PUNCTUAL_LIMIT_FALLBACK_READS", "8"),
    ])
    .await;
    app.practice(1).await;
    tell(pair.replica(), "ALTER SYSTEM SET recovery_min_apply_delay = '20ms'").await;
    tell(pair.replica(), "SELECT pg_reload_conf()").await;
    let app = Arc::new(app);
    let stale = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (app, stale) = (Arc::clone(&app), Arc::clone(&stale));
        readers.spawn(async move {
            let (id, mut done) = (format!("r-{reader}"), 0);
            let path = format!("/v1/practices/1/appointments/{id}");
            for version in 1.. {
                let token = write(&app, &id, version).await;
                let without = app.get(&path).send().await;
                let is_stale = without.status == 404 || without.json(200)["version"] != version;
                stale.fetch_add(u64::from(is_stale), Ordering::Relaxed);
                for _ in 0..READS_A_WRITE {
                    let found = app.get(&path).header(TOKEN, &token).send().await.json(200);
                    assert_eq!(found["version"], version, "{token}");
                }
                done += READS_A_WRITE;
                if done >= READS / READERS {
                    return;
                }
            }
        });
    }
    readers.join_all().await;
    let (stale, scrape) = (stale.load(Ordering::Relaxed), app.scrape().await);
    let of = |reason| decided(&scrape, reason);
    let said = format!(
        "{stale} of {} without were stale; with: {} replayed, {} waited for, {} by the primary",
        READS / READS_A_WRITE,
        of("caught_up"),
        of("waited"),
        of("behind")
    );
    eprintln!("{said}");
    assert!(stale > 0, "the test can't fail: {said}");
    assert!(of("caught_up") > 0.0 && of("behind") > 0.0, "{said}");
    Arc::into_inner(app).unwrap().finish().await;
    pair.stop().await;
}

#[tokio::test]
async fn a_token_that_was_never_given_out_is_refused() {
    let (pair, app) = start().await;
    app.practice(1).await;
    let token = write(&app, "a", 1).await;
    let path = "/v1/practices/1/appointments/a";
    let (head, _) = token.rsplit_once('.').unwrap();
    let ahead = format!("{head}.ffffffffffff");
    for wrong in ["", "1", "x", "1.2.3", &format!("{token}0x"), &ahead, &format!("{token},")] {
        app.get(path).header(TOKEN, wrong).send().await.problem(400, "bad_token");
    }
    // One of another database is the primary's to answer; one of a later timeline says that this
    // primary was replaced.
    let parts: Vec<&str> = token.split('.').collect();
    let of_another = format!("1.1.1.{}", parts[3]);
    app.get(path).header(TOKEN, &of_another).send().await.expect(200);
    // Nothing is read from it then, and nothing written to it either.
    let later = format!("1.{}.7.{}", parts[1], parts[3]);
    app.get(path).header(TOKEN, &later).send().await.problem(503, "unavailable");
    app.get("/v1/practices/1").header(TOKEN, &later).send().await.problem(503, "unavailable");
    let booked = app.post("/v1/practices/1/appointments", appointment("b").json());
    booked.header(TOKEN, &later).send().await.problem(503, "unavailable");
    app.get("/v1/practices/1/appointments/b").send().await.problem(404, "not_found");
    assert!(decided(&app.scrape().await, "other_history") >= 2.0);
    app.finish().await;
    pair.stop().await;
}
