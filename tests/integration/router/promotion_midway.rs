//! The primary dies while texts leave and bookings come in, and its replica is promoted: what was
//! acknowledged is kept and left once if the replica was a synchronous standby; without one, what
//! the replica had not received is lost, and this says what that is.
//!
//! Never here: who is found to lead (`promotion`).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use stack::postgres::{Options, PostgresPair, Profile};
use stack::provider::{Faults, Latency, LogEntry, Options as Provider};
use tests::practice::FIRST_DUE;
use tests::provider::{accepted, call_back, carried};
use tests::{Ending, Sql, TestApp, TestDatabase, appointment, at, until};

use super::{tell, until_read};

/// Texts that are due when the primary dies.
const TEXTS: u32 = 400;
/// Acknowledged by the new primary before the bookings end.
const BOOKED_AFTERWARDS: u32 = 40;

fn takes_its_time(options: Provider) -> Provider {
    let latency = Latency::Uniform { min_ms: 5.0, max_ms: 60.0 };
    Provider { faults: Faults { latency, ..Faults::none() }, ..options }
}

pub(super) async fn start(settings: &[(&str, &str)]) -> (PostgresPair, TestApp) {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let database = TestDatabase::on(&pair).await;
    for (name, value) in settings {
        tell(pair.primary(), &format!("ALTER SYSTEM SET {name} = '{value}'")).await;
    }
    tell(pair.primary(), "SELECT pg_reload_conf()").await;
    // Few deliveries at a time, so that some are left when the primary dies; short leases and
    // looks, so that what was under way then is soon taken over.
    let app = TestApp::with()
        .database(database)
        .replica()
        .env("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", 4)
        .env("PUNCTUAL_LEASE_MS", 7_500)
        .env("PUNCTUAL_PROVIDER_FIRST_BYTE_MS", 2_000)
        .env("PUNCTUAL_PROVIDER_TOTAL_MS", 2_000)
        .env("PUNCTUAL_PROVIDER_SETTLING_MS", 900)
        .provider(takes_its_time)
        .start()
        .await;
    until_read(&app, &pair).await;
    (pair, app)
}

pub(super) async fn promote(pair: &PostgresPair, app: &TestApp) {
    pair.primary().kill().await.unwrap();
    tell(pair.replica(), "SELECT pg_promote()").await;
    until("the service is ready again", async || {
        (app.get("/readyz").send().await.status == 200).then_some(())
    })
    .await;
}

/// How often each phone's text was accepted. Not by message: a number that was lost is given again.
fn times_accepted(app: &TestApp) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for text in accepted(&app.simulator) {
        *times.entry(text.to).or_insert(0) += 1;
    }
    times
}

/// Ends it, whose database's first server is another one than at the start.
pub(super) async fn finish(app: TestApp, pair: PostgresPair) {
    let TestApp { service, simulator, .. } = app;
    service.finish(Ending { errors: &["stage", "listen"], ..Ending::default() }).await;
    simulator.stop().await;
    pair.stop().await;
}

async fn nothing_acknowledged_is_lost(synchronous_commit: &str) {
    let (pair, app) =
        start(&[("synchronous_standby_names", "*"), ("synchronous_commit", synchronous_commit)])
            .await;
    let waits_for = "SELECT sync_state FROM pg_stat_replication";
    let waits_for = Sql::connect(&pair.primary().url("postgres")).await.texts(waits_for).await;
    assert_eq!(waits_for, ["sync"], "its commits wait for nobody");
    let one = app.practice(1).await;
    let before: Vec<_> = (0..TEXTS).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&before).await;

    let next = AtomicU32::new(TEXTS);
    let (beforehand, afterwards) = (AtomicU32::new(0), AtomicU32::new(0));
    let promoted = AtomicBool::new(false);
    let is_enough = || afterwards.load(Ordering::Relaxed) >= BOOKED_AFTERWARDS;
    let booker = async || {
        let mut acknowledged = Vec::new();
        while !is_enough() {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let id = format!("a-{n}");
            let is_afterwards = promoted.load(Ordering::Relaxed);
            match one.try_book(&appointment(&id).phone(n)).await.unwrap() {
                answer if answer.status == 200 => {
                    acknowledged.push(id);
                    let when = if is_afterwards { &afterwards } else { &beforehand };
                    when.fetch_add(1, Ordering::Relaxed);
                }
                // Not done, or done and not known to be: the caller is told to come again.
                answer => drop(answer.problem(503, "unavailable")),
            }
        }
        acknowledged
    };
    let disaster = async {
        app.hold(at(FIRST_DUE)).await;
        app.simulator.wait_for(|state| state.accepted >= u64::from(TEXTS / 4)).await;
        until("some are booked while the old primary lives", async || {
            (beforehand.load(Ordering::Relaxed) > 0).then_some(())
        })
        .await;
        promote(&pair, &app).await;
        let accepted = app.simulator.state().accepted;
        assert!(accepted < u64::from(TEXTS), "it was too quick for this test");
        promoted.store(true, Ordering::Relaxed);
    };
    let (some, others, ()) = tokio::join!(booker(), booker(), disaster);
    let acknowledged = [some, others].concat();
    assert!(acknowledged.len() > BOOKED_AFTERWARDS as usize, "some before, some afterwards");

    let all = before.iter().map(|one| one.json()["appointment_id"].as_str().unwrap().to_owned());
    for id in all.chain(acknowledged) {
        one.until_fate(&id, 1, "sent").await;
    }
    app.idle().await;
    let twice: Vec<_> = times_accepted(&app).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    app.audit().await;
    finish(app, pair).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_synchronous_standby_nothing_acknowledged_is_lost() {
    nothing_acknowledged_is_lost("on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_standby_that_has_replayed_nothing_acknowledged_is_lost() {
    nothing_acknowledged_is_lost("remote_apply").await;
}

/// So that nobody has to find out: an acknowledged booking is gone, a cancellation too, so that its
/// text leaves, and a text that left is sent once more, as nobody knows of its attempt. What is
/// told of it later changes no other text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_one_what_the_replica_had_not_received_is_lost() {
    let (pair, app) = start(&[]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    one.book(&appointment("c").phone(3)).await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    // The replica lives and receives nothing any more.
    tell(pair.replica(), "ALTER SYSTEM SET primary_conninfo = ''").await;
    tell(pair.replica(), "SELECT pg_reload_conf()").await;
    let replica = pair.replica().connect("postgres").await.unwrap();
    until("it is cut off", async || {
        let receivers = "SELECT count(*) FROM pg_stat_wal_receiver";
        let n: i64 = replica.query_one(receivers, &[]).await.unwrap().get(0);
        (n == 0).then_some(())
    })
    .await;
    one.try_book(&appointment("b").phone(2)).await.unwrap().expect(200);
    assert_eq!(one.cancel("c").await["in_time"], true);
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    app.idle().await;
    assert_eq!(times_accepted(&app).len(), 2, "a's and b's");
    let before = accepted(&app.simulator);

    promote(&pair, &app).await;
    let read = app.get("/v1/practices/1/appointments/b").send().await;
    read.problem(404, "not_found");
    // The clock's row was set after the cut as well.
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    one.until_fate("c", 1, "sent").await;
    app.idle().await;
    let mut times: Vec<_> = times_accepted(&app).into_values().collect();
    times.sort_unstable();
    assert_eq!(json!(times), json!([1, 1, 2]), "b's once, c's after all, a's twice");

    // Their numbers were given again, and what is told of those that had them is of nobody.
    let numbers = |texts: &[LogEntry]| -> BTreeSet<i64> {
        texts.iter().map(|text| carried(text).1).collect()
    };
    let of_now = accepted(&app.simulator).split_off(before.len());
    assert_eq!(numbers(&before), numbers(&of_now), "the test can't fail");
    for text in &before {
        call_back(&app.client, text, "read", &[]).await.expect(204);
    }
    for id in ["a", "c"] {
        let reminders = one.reminders(id, 1).await;
        assert!(reminders.iter().all(|reminder| reminder["receipt"] != "read"), "{reminders:?}");
    }
    finish(app, pair).await;
}
