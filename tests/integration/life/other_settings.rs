//! A practice's settings change while reminders are planned: what was promised and can still leave
//! is lost by nothing, and what has left is not sent again.
//!
//! Never here: what a change of the rules plans (`endpoints::put_practice`).

use serde_json::{Value, json};
use tests::practice::{FIRST_DUE, SECOND_DUE, settings};
use tests::provider::accepted;
use tests::{Practice, TestApp, appointment, at, until};

/// Puts them and waits until all that is booked is planned under them.
async fn put(app: &TestApp, settings: &Value, revision: i32) {
    app.put("/v1/practices/1", settings).send().await.expect(200);
    until("planned again", async || {
        let old = "SELECT count(*) FROM appointment WHERE revision < $1";
        (app.database.sql.one::<i64>(old, &[&revision]).await == 0).then_some(())
    })
    .await;
}

/// How many of the reminders that rule 2 promises have which fate.
async fn fates(one: &Practice, phones: u32) -> (usize, usize) {
    let (mut pending, mut sent) = (0, 0);
    for n in 0..phones {
        for reminder in one.reminders(&format!("a{n}"), 2).await {
            pending += usize::from(reminder["fate"] == "pending");
            sent += usize::from(reminder["fate"] == "sent");
        }
    }
    (pending, sent)
}

#[tokio::test]
async fn what_was_promised_for_the_next_minutes_leaves_all_the_same() {
    let app = TestApp::start().await;
    let mut wanted = settings(1);
    wanted["rules"][1]["scatter_seconds"] = json!(3_600);
    let one = Practice::put(&app.client, 1, &wanted).await;
    let phones = 12;
    let many: Vec<_> = (0..phones).map(|n| appointment(&format!("a{n}")).phone(n + 1)).collect();
    one.send(&many).await;
    // Their exact time is 12:30; their own are spread from 12:00 to 13:00.
    app.hold(at("2026-05-06T12:31")).await;
    app.idle().await;
    let (pending, sent) = fates(&one, phones).await;
    assert!(pending > 0 && sent > 0 && pending + sent == phones as usize, "{pending}, {sent}");

    wanted["send_until"] = json!("19:00");
    put(&app, &wanted, 2).await;
    assert_eq!(fates(&one, phones).await, (pending, sent), "nothing is lost");
    // Another name plans nothing again; the next edit comes under it.
    wanted["name"] = json!("Renamed");
    app.put("/v1/practices/1", &wanted).send().await.expect(200);
    let edited: Vec<_> = many.iter().map(|a| a.clone().version(2)).collect();
    one.send(&edited).await;
    let stored = "SELECT count(*) FROM appointment WHERE revision = 3";
    assert_eq!(app.database.sql.one::<i64>(stored, &[]).await, i64::from(phones));
    assert_eq!(fates(&one, phones).await, (pending, sent), "nothing is lost");
    app.hold(at("2026-05-06T13:00")).await;
    app.idle().await;
    assert_eq!(fates(&one, phones).await, (0, phones as usize));
    app.finish().await;
}

#[tokio::test]
async fn what_left_under_other_rules_is_not_promised_again() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    // The same rule, on the day itself.
    let mut wanted = settings(1);
    wanted["rules"][0]["before_days"] = json!(0);
    wanted["rules"][0]["before_minutes"] = json!(300);
    put(&app, &wanted, 2).await;
    assert_eq!(one.reminders("a", 1).await.len(), 1);
    app.hold(at(SECOND_DUE)).await;
    one.until_fate("a", 2, "sent").await;
    assert_eq!(accepted(&app.simulator).len(), 2);
    // And nothing is missing.
    app.finish().await;
}

/// A wall time that comes twice is the second one, by the program's calendar and by PostgreSQL's,
/// which derives the promises once more.
#[tokio::test]
async fn the_hour_that_comes_twice_is_read_alike() {
    let app = TestApp::start().await;
    // 01:00 in London for the second time, and 02:00 for nobody.
    app.hold(at("2026-10-24T22:00")).await;
    app.idle().await;
    let mut wanted = settings(1);
    wanted["timezone"] = json!("Europe/London");
    wanted["send_from"] = json!("00:00");
    let one = Practice::put(&app.client, 1, &wanted).await;
    let booked = one.book(&appointment("a").starts("2026-10-25T00:30")).await;
    assert_eq!(booked["planned"], 1, "{booked}");
    one.until_fate("a", 2, "sent").await;
    app.finish().await;
}
