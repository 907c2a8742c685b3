//! Many writes at a time to few appointments, from many connections: nothing is lost, nobody gets
//! another's answer, the highest version holds, and the database sees no deadlock. One that the
//! database refuses fails alone, and no failed transaction is taken for a commit.
//!
//! Never here: the queue by itself, which is tested beside it in the service.

use std::collections::HashMap;

use contract::{Limit, READ_AFTER, shard_of};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tests::practice::settings;
use tests::provider::reply;
use tests::slow::Held;
use tests::{Appointment, Ending, Practice, TestApp, appointment, phone, until};

/// Requests that are on their way at a time.
const CLIENTS: usize = 12;
/// Requests of each.
const ROUNDS: usize = 12;
/// Appointments of a practice: few, so that every batch meets others.
const APPOINTMENTS: u32 = 9;

/// What a client asks for in one request.
#[derive(Debug, Clone)]
enum Ask {
    /// Appointments by number and version, each once or more.
    Upsert(Vec<(u32, u64)>),
    Cancel(u32),
}

fn ask() -> impl Strategy<Value = Ask> {
    let items = proptest::collection::vec((0..APPOINTMENTS, 1..40_u64), 1..8);
    proptest::prop_oneof![
        5 => items.prop_map(Ask::Upsert),
        1 => (0..APPOINTMENTS).prop_map(Ask::Cancel),
    ]
}

/// An appointment whose contents follow from its number and version, so that what is read back
/// tells which version it is.
fn made(number: u32, version: u64) -> Appointment {
    let minute = version % 60;
    appointment(&format!("a-{number}"))
        .version(version)
        .phone(number % 4)
        .starts(&format!("2026-05-06T{:02}:{minute:02}", 9 + version % 9))
        .with("instructions", format!("version {version}").into())
}

/// Sends it and checks that the answer is to what was asked. Returns the versions that hold as far
/// as the answer says.
async fn do_ask(practice: &Practice, ask: &Ask) -> Vec<(u32, i64)> {
    match ask {
        Ask::Upsert(items) => {
            let appointments: Vec<_> = items.iter().map(|(n, v)| made(*n, *v)).collect();
            let results = practice.send(&appointments).await;
            assert_eq!(results.len(), items.len());
            let mut held = Vec::new();
            for ((number, version), result) in items.iter().zip(&results) {
                assert_eq!(result["appointment_id"], format!("a-{number}"), "a foreign answer");
                let outcome = result["outcome"].as_str().unwrap();
                let answered = result["version"].as_i64();
                let asked = i64::try_from(*version).unwrap();
                match outcome {
                    // The same version says otherwise where a cancellation took it.
                    "stored" | "unchanged" | "conflict" => {
                        assert_eq!(answered, Some(asked), "{result}");
                    }
                    // By what is stored, or by a higher one in the same request.
                    "superseded" => {
                        assert!(answered.is_none_or(|known| known >= asked), "{result}")
                    }
                    other => panic!("{other}: {result}"),
                }
                held.extend(answered.map(|version| (*number, version)));
            }
            held
        }
        Ask::Cancel(number) => {
            let cancelled = practice.cancel(&format!("a-{number}")).await;
            assert_eq!(cancelled["appointment_id"], format!("a-{number}"), "a foreign answer");
            assert_eq!(cancelled["status"], "cancelled");
            vec![(*number, cancelled["version"].as_i64().unwrap())]
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nobody_waits_in_a_circle() {
    let app = TestApp::start().await;
    let second = app.another(&[]).await;
    // Everything in one shard, so that all of it meets in the same batches.
    let practices = [app.practice(4).await, app.practice(5).await];
    let sql = &app.database.sql;
    let shards = sql.one::<i16>("SELECT shard_count FROM deployment", &[]).await;
    assert_eq!(shard_of(practices[0].id, shards), shard_of(practices[1].id, shards));
    for practice in &practices {
        let first: Vec<_> = (0..APPOINTMENTS).map(|number| made(number, 0)).collect();
        practice.send(&first).await;
    }

    // Half of the clients write through one process, half through the other.
    let mut runner = TestRunner::new_with_rng(Config::default(), proptest_rng());
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let asks: Vec<Ask> =
            (0..ROUNDS).map(|_| ask().new_tree(&mut runner).unwrap().current()).collect();
        let practice = &practices[client % 2];
        let through = if client % 4 < 2 { &app.client } else { &second.client };
        let practice = practice.through(through);
        clients.push(tokio::spawn(async move {
            let mut held = Vec::new();
            for ask in &asks {
                held.extend(do_ask(&practice, ask).await);
            }
            (client % 2, held)
        }));
    }
    let mut highest: HashMap<(usize, u32), i64> = HashMap::new();
    for client in clients {
        let (practice, held) = client.await.unwrap();
        for (number, version) in held {
            let best = highest.entry((practice, number)).or_insert(0);
            *best = (*best).max(version);
        }
    }

    for ((practice, number), version) in highest {
        let stored = practices[practice].appointment(&format!("a-{number}")).await;
        assert_eq!(stored["version"], version, "the highest version that was answered holds");
        // Its contents are those of one version, not of two.
        let of_version = stored["instructions"].as_str().unwrap();
        let of_version: u64 = of_version.strip_prefix("version ").unwrap().parse().unwrap();
        let expected = made(number, of_version);
        assert_eq!(stored["starts_at"], expected.json()["starts_at"]);
        assert_eq!(stored["phone"], expected.json()["phone"]);
        let planned: Vec<&Value> = stored["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|reminder| reminder["fate"] == "pending")
            .collect();
        let is_cancelled = stored["status"] == "cancelled";
        assert_eq!(planned.len(), if is_cancelled { 0 } else { 2 }, "{stored:#}");
    }
    // A batch that met a deadlock is tried again without a word: its statement alone tells.
    for process in [&app.service, &second] {
        let scrape = process.scrape().await;
        let failed: Vec<_> = scrape
            .all("db_client_operation_duration_seconds_count", &[("outcome", "error")])
            .filter(|sample| sample.value > 0.0)
            .collect();
        assert!(failed.is_empty(), "a deadlock, or worse: {failed:?}");
    }
    second.finish(Ending::default()).await;
    app.finish().await;
}

/// The same asks every time: what fails once fails again.
fn proptest_rng() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn company_shares_a_transaction() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("warm")).await;
    let before = app.scrape().await;
    let books = (0..64).map(|n| {
        let one = one.clone();
        tokio::spawn(async move { one.book(&appointment(&format!("a-{n}")).phone(n)).await })
    });
    for book in books.collect::<Vec<_>>() {
        book.await.unwrap();
    }
    let now = app.scrape().await;
    let plan = [("stage", "plan")];
    let delta = |name| now.sum(name, &plan) - before.sum(name, &plan);
    assert_eq!(delta("stage_items_total"), 64.0);
    let batches = delta("stage_duration_seconds_count");
    assert!(batches < 32.0, "{batches} transactions for 64 requests");
    app.finish().await;
}

/// One of a batch that the database refuses: COMMIT would report success, so the batch is given up
/// whole, and each of it is tried again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_fails_alone() {
    const GOOD: u32 = 20;
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let refuses =
        "ALTER TABLE appointment ADD CONSTRAINT refused CHECK (appointment_id <> 'poison')";
    app.database.sql.run(refuses, &[]).await;
    let before = app.scrape().await;
    let book = |id: String, phone| {
        let one = one.clone();
        let appointment = appointment(&id).phone(phone);
        tokio::spawn(async move { one.try_book(&appointment).await.unwrap() })
    };

    // While the first one waits for the shard, the others fill the next batch.
    let held = Held::shard_of(&app, &one).await;
    let mut good = vec![book("a-0".into(), 0)];
    held.is_waited_for(&app).await;
    good.extend((1..GOOD).map(|n| book(format!("a-{n}"), n)));
    let poison = book("poison".into(), GOOD);
    until("all are in the queue", async || {
        let used = app.scrape().await.sum("limit_used_ratio", &[("limit", "commit_queue")]);
        (used >= f64::from(GOOD + 1) / Limit::CommitQueue.spec().default as f64).then_some(())
    })
    .await;
    held.release().await;

    poison.await.unwrap().problem(409, "conflict");
    for booked in good {
        let answer = booked.await.unwrap().json(200);
        assert_eq!(answer["results"][0]["outcome"], "stored", "{answer}");
    }
    for n in 0..GOOD {
        let stored = one.appointment(&format!("a-{n}")).await;
        assert_eq!(stored["messages"].as_array().unwrap().len(), 2, "{stored}");
    }
    let absent = app.get(&one.path("/appointments/poison")).send().await;
    absent.problem(404, "not_found");
    let now = app.scrape().await;
    let delta = |name| now.sum(name, &[("stage", "plan")]) - before.sum(name, &[("stage", "plan")]);
    assert_eq!(delta("stage_duration_seconds_count"), 2.0, "it had company");
    assert_eq!(delta("stage_failures_total"), 1.0, "it failed alone");
    app.finish().await;
}

/// A statement of it failed, nobody looked, and COMMIT reports success: whoever asked is told that
/// it wasn't done, and gets no token of a write that there is not.
#[tokio::test]
async fn a_failed_transaction_is_no_commit_whatever_commit_reports() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let failing = app.another(&[("TEST_UNSEEN_FAILURE", "interactive")]).await;

    // Through the group commits of both kinds, and by itself.
    let through = one.through(&failing.client);
    let booked = through.try_book(&appointment("b").phone(2)).await.unwrap();
    let replied = reply(&failing.client, &phone(1), &one.sender(), "SM1", "STOP").await;
    let mut changed = settings(1);
    changed["name"] = json!("Another name");
    let put = failing.put(&one.path(""), &changed).send().await;
    for answer in [booked, replied, put] {
        answer.problem(500, "internal");
        assert_eq!(answer.header(READ_AFTER), "", "{}", answer.text());
    }

    app.get(&one.path("/appointments/b")).send().await.problem(404, "not_found");
    let sql = &app.database.sql;
    let stored = "SELECT (SELECT count(*) FROM reply) + (SELECT count(*) FROM consent)";
    assert_eq!(sql.one::<i64>(stored, &[]).await, 0);
    let practice = app.get(&one.path("")).send().await.json(200);
    assert_eq!(practice["name"], "Practice 1");
    let errors = &["a statement of the transaction had failed"];
    failing.finish(Ending { errors, ..Ending::default() }).await;
    app.finish().await;
}
