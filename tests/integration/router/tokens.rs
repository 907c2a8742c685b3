//! A read that shows the token of a write sees it, also while the replica has not heard of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use contract::Query;
use serde_json::Value;
use stack::postgres::Server;
use tests::{Answer, TestApp, appointment, until};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{because, decided, pause, start, start_with, tell, until_read};

const TOKEN: &str = "read-after";

/// Reads with a token, by all readers together.
const READS: u64 = 100_000;
const READERS: u64 = 8;
/// With each write's token.
const READS_A_WRITE: u64 = 20;
/// Turns in which replay goes on late, and then stands still, so many reads each.
const TURNS: u64 = 10;
const LATE: u64 = 8_000;
const PAUSED: u64 = 2_000;

/// How the replica is troubled.
const IS_LATE: u8 = 0;
const IS_PAUSED: u8 = 1;
const CHANGES: u8 = 2;

/// What many readers share.
struct Reads {
    app: TestApp,
    trouble: AtomicU8,
    /// With a token, by all readers.
    done: watch::Sender<u64>,
    /// Without one and stale, by the trouble that there was.
    stale: [AtomicU64; 3],
}

impl Reads {
    /// Writes versions of an appointment, reads each once without its token and many times with it.
    async fn read(self: Arc<Self>, reader: u64) {
        let id = format!("r-{reader}");
        let path = format!("/v1/practices/1/appointments/{id}");
        for version in 1..=READS / READERS / READS_A_WRITE {
            let trouble = self.trouble.load(Ordering::SeqCst);
            let token = write(&self.app, &id, version).await;
            let without = self.app.get(&path).send().await;
            if without.status == 404 || without.json(200)["version"] != version {
                let is_same = self.trouble.load(Ordering::SeqCst) == trouble;
                let trouble = if is_same { trouble } else { CHANGES };
                self.stale[usize::from(trouble)].fetch_add(1, Ordering::Relaxed);
            }
            for _ in 0..READS_A_WRITE {
                let found = self.app.get(&path).header(TOKEN, &token).send().await.json(200);
                assert_eq!(found["version"], version, "{token}");
            }
            self.done.send_modify(|done| *done += READS_A_WRITE);
        }
    }

    /// Lets the replica replay late and stops its replay, by turns.
    async fn trouble(self: Arc<Self>, replica: &Server) {
        let mut done = self.done.subscribe();
        let mut until_done = async |reads: u64| {
            done.wait_for(|done| *done >= reads).await.unwrap();
        };
        for turn in 1..=TURNS {
            until_done(turn * (LATE + PAUSED) - PAUSED).await;
            self.trouble.store(CHANGES, Ordering::SeqCst);
            pause(replica).await;
            self.trouble.store(IS_PAUSED, Ordering::SeqCst);
            until_done(turn * (LATE + PAUSED)).await;
            self.trouble.store(CHANGES, Ordering::SeqCst);
            tell(replica, "SELECT pg_wal_replay_resume()").await;
            self.trouble.store(IS_LATE, Ordering::SeqCst);
        }
    }
}

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
    pause(pair.replica()).await;
    let token = write(&app, "a", 1).await;
    // Without the token the replica's past is shown: so it would have been.
    app.get(path).send().await.problem(404, "not_found");
    assert_eq!(app.get(path).header(TOKEN, &token).send().await.json(200)["version"], 1);
    let scrape = app.scrape().await;
    assert_eq!(decided(&scrape, "fresh"), 1.0);
    // An appointment that is there takes two statements.
    assert_eq!(decided(&scrape, "behind"), 2.0);
    assert!(scrape.sum("stale_prevented_total", &[]) >= 1.0);

    // Once it is replayed, the replica answers.
    tell(pair.replica(), "SELECT pg_wal_replay_resume()").await;
    until("the replica answers with the token", async || {
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

/// What a report says, up to whenever.
fn said(report: &Answer) -> Value {
    let mut said = report.json(200);
    said.as_object_mut().unwrap().remove("as_of").unwrap();
    said
}

/// The replica stands still before what is written, so it would be missing from each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_shows_a_token_has_what_was_written() {
    let (pair, app) = start().await;
    app.practice(1).await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    until_read(&app, &pair).await;
    pause(pair.replica()).await;
    let token = write(&app, "a", 1).await;
    let days = "from=2026-05-01&until=2026-05-07";
    // Nothing is handed over yet, of which the last two tell.
    for (path, query, is_told) in [
        ("/v1/practices/1/days/2026-05-05/counts".to_owned(), Query::DailyCounts, true),
        (format!("/v1/practices/1/reports/trend?{days}"), Query::TrendByDay, true),
        (format!("/admin/fleet?{days}"), Query::FleetByDay, true),
        (format!("/v1/practices/1/reports/delivery?{days}"), Query::DeliveryByHour, false),
        ("/v1/practices/1/days/2026-05-05/report".to_owned(), Query::JobReportPage, false),
    ] {
        let without = said(&app.get(&path).send().await);
        let with = said(&app.get(&path).header(TOKEN, &token).send().await);
        assert_eq!(with != without, is_told, "{path}: {with} after {without}");
        assert!(because(&app.scrape().await, query, "behind") >= 1.0, "{path}");
    }
    tell(pair.replica(), "SELECT pg_wal_replay_resume()").await;
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
    let reads = Arc::new(Reads {
        app,
        trouble: AtomicU8::new(IS_LATE),
        done: watch::Sender::new(0),
        stale: Default::default(),
    });
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        readers.spawn(Arc::clone(&reads).read(reader));
    }
    let trouble = Arc::clone(&reads).trouble(pair.replica());
    let (_, ()) = tokio::join!(readers.join_all(), trouble);

    let Reads { app, trouble: _, done, stale } = Arc::into_inner(reads).unwrap();
    assert_eq!(*done.borrow(), READS);
    let [late, paused, between] = stale.map(AtomicU64::into_inner);
    let scrape = app.scrape().await;
    let of = |reason| decided(&scrape, reason);
    let said = format!(
        "stale of {} without: {late} while replay was late, {paused} while it stood still, \
         {between} in between; with: {} replayed, {} waited for, {} by the primary",
        READS / READS_A_WRITE,
        of("caught_up"),
        of("waited"),
        of("behind")
    );
    eprintln!("{said}");
    assert!(late > 0 && paused > 0, "the test can't fail: {said}");
    assert!(of("caught_up") > 0.0 && of("waited") > 0.0 && of("behind") > 0.0, "{said}");
    let counted = |name| scrape.sum(name, &[]);
    assert!(counted("db_route_wait_seconds_count") >= of("waited"), "{said}");
    assert!(counted("db_route_staleness_seconds_count") >= of("caught_up"), "{said}");
    app.finish().await;
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
    // More than anybody needs.
    let many = [token.as_str(); 9].join(",");
    app.get(path).header(TOKEN, &many).send().await.problem(400, "bad_token");
    let scrape = app.scrape().await;
    for limit in ["read_tokens", "token_ahead_bytes"] {
        assert_eq!(scrape.sum("limit_reached_total", &[("limit", limit)]), 1.0, "{limit}");
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
