//! Cancellations come in while texts leave, the primary dies among them, and its replica, a
//! synchronous standby, is promoted: what was answered "in time" never leaves, whoever leads.
//!
//! Never here: what is lost without such a standby (`promotion_midway`), races without a crash
//! (`cancel_races`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tests::practice::FIRST_DUE;
use tests::provider::accepted;
use tests::{TestApp, appointment, at, phone, until};

use super::promotion_midway::{finish, promote, start};

/// Texts that are due when the primary dies; every other one is cancelled.
const TEXTS: u32 = 400;
/// Those that have left by then.
const LEFT: u32 = 40;
/// Cancelled after the promotion.
const AFTERWARDS: usize = 20;

/// What a cancellation was answered.
struct Answered {
    phone: String,
    in_time: bool,
    /// Before anybody touched the primary.
    is_before: bool,
}

/// Cancels an appointment, again and again until that is answered, and says whether in time.
async fn cancel(app: &TestApp, n: u32) -> bool {
    let path = format!("/v1/practices/1/appointments/a-{n}/cancel");
    until("the cancellation is answered", async || {
        let answer = app.post(&path, &json!({})).send().await;
        if answer.status == 503 {
            return None;
        }
        let cancelled = answer.json(200);
        let first = &cancelled["messages"][0];
        assert_eq!(first["rule_id"], 1, "{cancelled}");
        first["in_time"].as_bool()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_in_time_never_leaves_across_a_promotion() {
    let settings = [("synchronous_standby_names", "*"), ("synchronous_commit", "on")];
    let (pair, app) = start(&settings).await;
    let one = app.practice(1).await;
    let all: Vec<_> = (0..TEXTS).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&all).await;

    // From the last to the first, so that they meet the texts that leave.
    let order: Vec<u32> = (0..TEXTS).rev().filter(|n| n % 2 == 1).collect();
    let next = AtomicUsize::new(0);
    let (is_touched, is_promoted) = (AtomicBool::new(false), AtomicBool::new(false));
    let canceller = async || {
        let mut answers = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(&n) = order.get(at) else { return answers };
            if at + AFTERWARDS >= order.len() {
                let seen = async || is_promoted.load(Ordering::Relaxed).then_some(());
                until("the replica is promoted", seen).await;
            }
            let in_time = cancel(&app, n).await;
            let is_before = !is_touched.load(Ordering::Relaxed);
            answers.push(Answered { phone: phone(n), in_time, is_before });
        }
    };
    let disaster = async {
        app.hold(at(FIRST_DUE)).await;
        app.simulator.wait_for(|state| state.accepted >= u64::from(LEFT)).await;
        is_touched.store(true, Ordering::Relaxed);
        promote(&pair, &app).await;
        let accepted = app.simulator.state().accepted;
        assert!(accepted < u64::from(TEXTS / 2), "it was too quick for this test");
        is_promoted.store(true, Ordering::Relaxed);
    };
    let (some, others, ()) = tokio::join!(canceller(), canceller(), disaster);

    for n in (0..TEXTS).step_by(2) {
        one.until_fate(&format!("a-{n}"), 1, "sent").await;
    }
    app.idle().await;
    let left: HashSet<String> = accepted(&app.simulator).into_iter().map(|text| text.to).collect();
    let (mut before, mut after, mut late) = (0, 0, 0);
    for Answered { phone, in_time, is_before } in some.into_iter().chain(others) {
        assert!(!(in_time && left.contains(&phone)), "answered in time, and left all the same");
        match (in_time, is_before) {
            (true, true) => before += 1,
            (true, false) => after += 1,
            (false, _) => late += 1,
        }
    }
    println!("in time before it died {before}, since {after}; too late {late}");
    assert!(before > 0 && after > 0, "before {before}, since {after}");
    app.audit().await;
    finish(app, pair).await;
}
