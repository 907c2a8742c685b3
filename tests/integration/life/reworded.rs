//! A practice that changed its name, its number or its words after appointments were booked: what
//! leaves is as the practice is now, in every process.

use serde_json::{Value, json};
use stack::provider::Faults;
use tests::practice::{FIRST_DUE, SECOND_DUE, sender, settings, template};
use tests::provider::{accepted, until_accepted};
use tests::{Ending, TestApp, appointment, at, phone, until};

/// The same practice under another name, from another number, in other words.
fn changed(id: i64, name: &str, from: u32) -> Value {
    let mut settings = settings(id);
    settings["name"] = json!(name);
    settings["sender"] = json!(phone(from));
    for rule in settings["rules"].as_array_mut().unwrap() {
        rule["template"] = json!(format!("{} Floor 2.", template()));
    }
    settings
}

#[tokio::test]
async fn what_is_booked_leaves_from_the_number_and_in_the_words_of_now() {
    let app = TestApp::start().await;
    let five = app.practice(5).await;
    five.book(&appointment("a")).await;
    five.book(&appointment("b").phone(2).starts("2026-05-07T14:30")).await;

    let path = five.path("");
    app.put(&path, &changed(5, "Harbour", 81_000_001)).send().await.expect(200);
    // The number that it had is another's now: what a patient sends there is for them.
    let mut six = settings(6);
    six["sender"] = json!(sender(5));
    app.put("/v1/practices/6", &six).send().await.expect(201);
    app.hold(at(FIRST_DUE)).await;
    let texts = until_accepted(&app.simulator, 1).await;
    assert_eq!(texts[0].from, Some(phone(81_000_001)));
    assert_eq!(texts[0].body, "Reminder from Harbour: 14:30 Zuzanna. Floor 2.");
    five.until_fate("a", 1, "sent").await;

    // Through another process, which leaves then: this one has all of it in memory.
    let other = app.another(&[]).await;
    other.put(&path, &changed(5, "Quayside", 81_000_002)).send().await.expect(200);
    other.finish(Ending::default()).await;
    until("the change is seen here", async || {
        let read = app.get(&path).send().await.json(200);
        (read["name"] == "Quayside").then_some(())
    })
    .await;
    app.hold(at(SECOND_DUE)).await;
    let texts = until_accepted(&app.simulator, 3).await;
    for text in &texts[1..] {
        assert_eq!(text.from, Some(phone(81_000_002)));
        assert_eq!(text.body, "Reminder from Quayside: 14:30 Zuzanna. Floor 2.");
    }
    app.finish().await;
}

/// The text is there already and waits for its turn.
#[tokio::test]
async fn what_waits_and_was_never_tried_is_worded_anew() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    app.put("/admin/stages/claim", &json!({ "gate": "held" })).send().await.expect(200);
    // A family, and one whose rule is going to be gone; it is too late for its other rule.
    app.hold(at("2026-05-05T09:00")).await;
    one.send(&[
        appointment("a").starts("2026-05-06T14:30"),
        appointment("b").starts("2026-05-06T15:15"),
        appointment("c").phone(2).starts("2026-05-05T14:30"),
    ])
    .await;
    app.hold(at(FIRST_DUE)).await;
    let queued = "SELECT count(*) FROM message WHERE state = 'q'";
    until("both texts wait", async || {
        (app.database.sql.one::<i64>(queued, &[]).await == 2).then_some(())
    })
    .await;
    let mut now = changed(1, "Harbour", 81_000_001);
    now["rules"].as_array_mut().unwrap().truncate(1);
    app.put(&one.path(""), &now).send().await.expect(200);
    app.put("/admin/stages/claim", &json!({ "gate": "open" })).send().await.expect(200);
    let mut texts = until_accepted(&app.simulator, 2).await;
    one.until_fate("a", 1, "sent").await;
    one.until_fate("c", 2, "sent").await;
    texts.sort_by(|a, b| a.to.cmp(&b.to));
    let bodies: Vec<&str> = texts.iter().map(|text| text.body.as_str()).collect();
    let family = "Reminder from Harbour: 14:30 Zuzanna. 15:15 Zuzanna. Floor 2.";
    assert_eq!(bodies, [family, "Reminder from Practice 1: 14:30 Zuzanna."]);
    assert!(texts.iter().all(|text| text.from == Some(phone(81_000_001))));
    // The texts are the same two: nothing was promised or counted anew.
    let generations: Vec<Value> =
        one.messages().await.iter().map(|message| message["generation"].clone()).collect();
    assert_eq!(generations, [1, 1]);
    app.finish().await;
}

/// A provider may have taken what it was given: it is given the same again.
#[tokio::test]
async fn what_was_tried_keeps_its_words() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let busy = Faults { too_many_requests_share: 1.0, ..Faults::none() };
    app.simulator.set_faults(busy).unwrap();
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let tried = "SELECT count(*) FROM lane_item WHERE attempts > 0";
    until("it was tried and waits", async || {
        (app.database.sql.one::<i64>(tried, &[]).await == 1).then_some(())
    })
    .await;
    app.put(&one.path(""), &changed(1, "Harbour", 81_000_001)).send().await.expect(200);
    app.simulator.set_faults(Faults::none()).unwrap();
    one.until_fate("a", 1, "sent").await;
    let texts = accepted(&app.simulator);
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].body, "Reminder from Practice 1: 14:30 Zuzanna.");
    assert_eq!(texts[0].from, Some(phone(81_000_001)), "each try leaves from the number of now");
    app.finish().await;
}
