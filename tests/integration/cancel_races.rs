//! Cancelling while the text is being claimed, many times over: whatever was answered "in time" is
//! never among what the provider accepted, and whatever was answered "too late" is.
//!
//! Never here: cancelling at a known moment (`life::cancelled`).

use std::collections::HashSet;

use tests::practice::FIRST_DUE;
use tests::provider::{accepted, carried, until_accepted};
use tests::{TestApp, appointment, at};

const RACES: u32 = 400;
/// So many are answered before anything is due, and so many come when a text has left, however busy
/// the machine is; the others race.
const SURE: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_time_never_leaves_and_too_late_does() {
    let app = TestApp::start().await;
    // Two processes claim; the cancellations come in through one of them.
    let other = app.another(&[]).await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..RACES).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;

    let cancels = (0..RACES).map(|n| {
        let one = one.clone();
        async move {
            let cancelled = one.cancel(&format!("a-{n}")).await;
            let first = &cancelled["messages"][0];
            assert_eq!(first["rule_id"], 1);
            (n, first["in_time"].as_bool().unwrap(), first["message_id"].as_i64())
        }
    });
    let begun = tokio::sync::Notify::new();
    let clock = async {
        begun.notified().await;
        app.hold(at(FIRST_DUE)).await;
    };
    let racing = async {
        let mut answers = Vec::new();
        let mut waiting: Vec<_> = cancels.collect();
        // Eight at a time from the last to the first, so that they meet the release head on.
        waiting.reverse();
        let mut under_way = tokio::task::JoinSet::new();
        for (nth, cancel) in waiting.into_iter().enumerate() {
            if under_way.len() == 8 {
                answers.push(under_way.join_next().await.unwrap().unwrap());
            }
            if answers.len() == SURE {
                begun.notify_one();
            }
            if nth == RACES as usize - SURE {
                until_accepted(&app.simulator, 1).await;
            }
            under_way.spawn(cancel);
        }
        answers.extend(under_way.join_all().await);
        answers
    };
    let ((), answers) = tokio::join!(clock, racing);
    app.idle().await;

    let left: HashSet<i64> = accepted(&app.simulator).iter().map(|text| carried(text).1).collect();
    let mut met = [0, 0, 0];
    for (n, in_time, message_id) in answers {
        let has_left = message_id.is_some_and(|message_id| left.contains(&message_id));
        assert_eq!(has_left, !in_time, "a-{n}, message {message_id:?}: in time {in_time}");
        met[match (in_time, message_id) {
            (true, None) => 0,
            (true, Some(_)) => 1,
            (false, _) => 2,
        }] += 1;
    }
    let [before_release, before_claim, too_late] = met;
    println!("before release {before_release}, before the claim {before_claim}, late {too_late}");
    assert!(before_release + before_claim > 0 && too_late > 0, "no race: {met:?}");
    other.finish(tests::Ending::default()).await;
    app.finish().await;
}
