//! Several processes of the service on one database.
//!
//! Never here: the database crashing (`database_away`).

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use stack::provider::{Faults, Latency, Options};
use tests::practice::FIRST_DUE;
use tests::provider::{accepted, carried};
use tests::{Ending, TestApp, appointment, at, until};

const TEXTS: u32 = 600;

fn takes_its_time(options: Options) -> Options {
    let latency = Latency::Uniform { min_ms: 5.0, max_ms: 60.0 };
    Options { faults: Faults { latency, ..Faults::none() }, ..options }
}

/// How often each message was accepted.
fn times_accepted(app: &TestApp) -> HashMap<i64, usize> {
    let mut times = HashMap::new();
    for text in accepted(&app.simulator) {
        *times.entry(carried(&text).1).or_insert(0) += 1;
    }
    times
}

#[tokio::test]
async fn two_share_the_work_and_send_nothing_twice() {
    // Few deliveries at a time, so that neither takes everything in its first claims.
    let app = TestApp::with()
        .env("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", 16)
        .provider(takes_its_time)
        .start()
        .await;
    let other = app.another(&[]).await;
    let practices = [app.practice(1).await, app.practice(2).await, app.practice(3).await];
    for practice in &practices {
        let many: Vec<_> =
            (0..TEXTS / 3).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
        practice.send(&many).await;
    }
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    let times = times_accepted(&app);
    assert_eq!(times.len(), TEXTS as usize);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let delivered = async |service: &tests::app::Service| {
        service.scrape().await.sum("stage_items_total", &[("stage", "deliver")])
    };
    let shares = [delivered(&app.service).await, delivered(&other).await];
    assert_eq!(shares[0] + shares[1], f64::from(TEXTS));
    assert!(shares.iter().all(|share| *share > 0.0), "one of them did nothing: {shares:?}");
    other.finish(Ending::default()).await;
    app.finish().await;
}

/// kill -9 in the middle: what was under way is cleared up by the other, nothing is lost, and what
/// the provider has twice (if anything) is known to be so.
#[tokio::test]
async fn one_is_killed_and_the_other_finishes() {
    // Few deliveries at a time, so that neither takes everything in its first claim; short leases
    // and looks, so that what the dead one held is taken over soon.
    let app = TestApp::with()
        .env("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", 4)
        .env("PUNCTUAL_LEASE_MS", 7_500)
        .env("PUNCTUAL_PROVIDER_FIRST_BYTE_MS", 2_000)
        .env("PUNCTUAL_PROVIDER_TOTAL_MS", 2_000)
        .env("PUNCTUAL_PROVIDER_SETTLING_MS", 900)
        .provider(takes_its_time)
        .start()
        .await;
    let public_url = format!("http://{}", app.client.public);
    // Its texts are called back to the one that survives, as a load balancer would see to.
    let doomed = app.another(&[("PUNCTUAL_PUBLIC_URL", public_url.as_str())]).await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..TEXTS).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    // In the middle, and while it has something under way.
    let third = u64::from(TEXTS / 3);
    app.simulator.wait_for(|state| state.accepted >= third).await;
    until("it delivers", async || {
        let in_flight = doomed.scrape().await.sum("stage_in_flight", &[("stage", "deliver")]);
        let accepted = app.simulator.state().accepted;
        assert!(accepted < u64::from(TEXTS), "it was too quick for this test");
        (in_flight >= 1.0).then_some(())
    })
    .await;
    doomed.kill().await;
    app.simulator.wait_for(|state| state.accepted >= u64::from(TEXTS)).await;
    until("all is settled", async || {
        let counts = one.counts("2026-05-05", 1).await;
        (counts["sent"] == TEXTS).then_some(())
    })
    .await;
    app.idle().await;

    let times = times_accepted(&app);
    assert_eq!(times.len(), TEXTS as usize, "nothing is lost");
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "sent twice without anybody knowing: {twice:?}");
    let report = app.audit().await;
    let cases = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["cases"].clone()
    };
    assert_eq!(cases("attempts"), TEXTS);
    let messages: HashSet<Value> =
        one.messages().await.into_iter().map(|message| message["fate"].clone()).collect();
    assert_eq!(messages, HashSet::from(["sent".into()]));
    app.finish().await;
}

/// kill -9 while bookings come in: what it acknowledged is there, with all that was promised.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_acknowledged_outlives_it() {
    const WRITERS: u32 = 8;
    let app = TestApp::start().await;
    let doomed = app.another(&[]).await;
    let one = app.practice(1).await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let through = one.through(&doomed.client);
            tokio::spawn(async move {
                let mut stored = Vec::new();
                for n in 0.. {
                    let id = format!("a-{writer}-{n}");
                    let phone = n * WRITERS + writer;
                    match through.try_book(&appointment(&id).phone(phone)).await {
                        Ok(answer) => drop(answer.expect(200)),
                        Err(_it_is_gone) => break,
                    }
                    stored.push(id);
                }
                stored
            })
        })
        .collect();
    until("some are stored", async || {
        let count = "SELECT count(*) FROM appointment";
        (app.database.sql.one::<i64>(count, &[]).await >= 100).then_some(())
    })
    .await;
    doomed.kill().await;
    let mut stored = Vec::new();
    for writer in writers {
        stored.extend(writer.await.unwrap());
    }
    assert!(stored.len() >= 100 - WRITERS as usize, "{}", stored.len());
    for id in &stored {
        let found = one.appointment(id).await;
        assert_eq!(found["status"], "booked", "{id} was acknowledged");
        assert_eq!(found["messages"].as_array().unwrap().len(), 2, "{found}");
    }
    app.finish().await;
}

/// SIGTERM in the middle: what was claimed is settled before it goes, nothing is left to clear up.
#[tokio::test]
async fn one_is_asked_to_stop_and_settles_what_it_took() {
    let app = TestApp::with().provider(takes_its_time).start().await;
    let public_url = format!("http://{}", app.client.public);
    let leaving = app.another(&[("PUNCTUAL_PUBLIC_URL", public_url.as_str())]).await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..TEXTS).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    app.simulator.wait_for(|state| state.accepted >= u64::from(TEXTS / 4)).await;
    leaving.finish(Ending::default()).await;
    app.idle().await;
    let times = times_accepted(&app);
    assert_eq!(times.len(), TEXTS as usize);
    assert!(times.values().all(|times| *times == 1));
    let ambiguous = "SELECT count(*) FROM attempt_outcome WHERE outcome = 'a'";
    assert_eq!(app.database.sql.one::<i64>(ambiguous, &[]).await, 0, "left for others to clear up");
    app.finish().await;
}
