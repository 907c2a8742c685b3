//! Appointments of one phone that share a text.

use serde_json::json;
use stack::provider::{Faults, Options};
use tests::practice::FIRST_DUE;
use tests::provider::until_accepted;
use tests::{TestApp, appointment, at, until};

#[tokio::test]
async fn one_phone_one_day_one_rule_one_window_one_text() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let two = app.practice(2).await;
    one.send(&[
        appointment("doctor").starts("2026-05-06T14:30"),
        appointment("hygienist").starts("2026-05-06T15:15"),
        appointment("morning").starts("2026-05-06T09:00"),
        appointment("stranger").phone(2),
    ])
    .await;
    two.book(&appointment("elsewhere")).await;
    app.hold(at(FIRST_DUE)).await;
    // The window before noon had its own text; the other practice's is its own.
    let mut texts = until_accepted(&app.simulator, 4).await;
    app.idle().await;
    texts.sort_by(|a, b| a.body.cmp(&b.body));
    let bodies: Vec<&str> = texts.iter().map(|text| text.body.as_str()).collect();
    assert_eq!(
        bodies,
        [
            "Reminder from Practice 1: 09:00 Zuzanna.",
            "Reminder from Practice 1: 14:30 Zuzanna.",
            "Reminder from Practice 1: 14:30 Zuzanna. 15:15 Zuzanna.",
            "Reminder from Practice 2: 14:30 Zuzanna.",
        ]
    );
    let [doctor, hygienist] =
        [one.until_fate("doctor", 1, "sent").await, one.until_fate("hygienist", 1, "sent").await];
    assert_eq!(doctor["message_id"], hygienist["message_id"]);
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!(
        (&counts["expected"], &counts["sent"]),
        (&json!(4), &json!(4)),
        "promises, not texts"
    );
    app.finish().await;
}

/// More than a text tells of: the next generation tells of the others, and nobody is lost.
#[tokio::test]
async fn those_that_a_text_has_no_room_for_get_the_next_one() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let times: Vec<String> = (10..22).map(|n| format!("14:{}", 2 * n)).collect();
    let many: Vec<_> = times
        .iter()
        .map(|time| appointment(&time.replace(':', "-")).starts(&format!("2026-05-06T{time}")))
        .collect();
    one.send(&many).await;
    app.hold(at(FIRST_DUE)).await;
    let texts = until_accepted(&app.simulator, 2).await;
    app.idle().await;
    assert_eq!(until_accepted(&app.simulator, 2).await.len(), 2);
    for time in &times {
        let told = texts.iter().filter(|text| text.body.contains(time)).count();
        assert_eq!(told, 1, "{time}: {texts:?}");
    }
    let generations: Vec<_> =
        one.messages().await.iter().map(|message| message["generation"].clone()).collect();
    assert_eq!(generations, [1, 2]);
    assert_eq!(one.counts("2026-05-05", 1).await["sent"], times.len());
    app.finish().await;
}

/// A text that has left is closed: who comes later gets the next one, and nobody is told twice.
#[tokio::test]
async fn who_comes_after_the_text_left_gets_the_next_one() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let first = one.until_fate("a", 1, "sent").await;
    one.book(&appointment("b").starts("2026-05-06T15:00")).await;
    let second = one.until_fate("b", 1, "sent").await;
    assert_ne!(first["message_id"], second["message_id"]);
    let texts = until_accepted(&app.simulator, 2).await;
    assert_eq!(texts[1].body, "Reminder from Practice 1: 15:00 Zuzanna.");
    let generations: Vec<_> =
        one.messages().await.iter().map(|message| message["generation"].clone()).collect();
    assert_eq!(generations, [1, 2]);
    app.finish().await;
}

/// So is one that was tried, whatever the provider said: it may have come through.
#[tokio::test]
async fn who_comes_after_a_try_gets_the_next_one() {
    let down = |options: Options| Options {
        faults: Faults { server_error_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(down).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until("its try is recorded", async || {
        let messages = one.messages().await;
        messages.first().filter(|message| message["attempts"] != 0).map(|_| ())
    })
    .await;
    one.book(&appointment("b").starts("2026-05-06T15:00")).await;
    one.until("b", 1, "a text", |reminder| !reminder["message_id"].is_null()).await;
    app.simulator.set_faults(Faults::none()).unwrap();
    let texts = until_accepted(&app.simulator, 2).await;
    let bodies: Vec<&str> = texts.iter().map(|text| text.body.as_str()).collect();
    let told = ["14:30", "15:00"].map(|time| format!("Reminder from Practice 1: {time} Zuzanna."));
    assert_eq!(bodies, told);
    one.until_fate("b", 1, "sent").await;
    app.finish().await;
}
