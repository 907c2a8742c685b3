//! Who may be texted: not after STOP, and outside production only who is on the list.

use serde_json::json;
use tests::practice::{FIRST_DUE, SECOND_DUE, settings};
use tests::provider::{accepted, reply};
use tests::{Practice, TestApp, appointment, at, phone};

#[tokio::test]
async fn nothing_after_stop_until_start() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let two = app.practice(2).await;
    one.book(&appointment("a")).await;
    two.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    two.until_fate("a", 1, "sent").await;
    reply(&app.client, &phone(1), &one.sender(), "SM1", "STOP").await.expect(200);

    app.hold(at(SECOND_DUE)).await;
    one.until_fate("a", 2, "suppressed_opted_out").await;
    // What was said to one practice is not said to the other.
    two.until_fate("a", 2, "sent").await;
    assert_eq!(accepted(&app.simulator).len(), 3);
    let counts = one.counts("2026-05-06", 2).await;
    assert_eq!(counts["suppressed"]["opted_out"], 1, "{counts}");

    reply(&app.client, &phone(1), &one.sender(), "SM2", "START").await.expect(200);
    one.book(&appointment("b").starts("2026-05-07T14:30")).await;
    one.until_fate("b", 1, "sent").await;
    app.finish().await;
}

/// Patients answer the number that texted them, whatever number the practice has by now.
#[tokio::test]
async fn a_stop_to_a_former_number_is_heard_until_another_practice_takes_it() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    let (former, number) = (one.sender(), phone(70_000_001));
    let mut wanted = settings(1);
    wanted["sender"] = json!(number);
    app.put("/v1/practices/1", &wanted).send().await.expect(200);
    reply(&app.client, &phone(1), &former, "SM1", "STOP").await.expect(200);
    app.hold(at(SECOND_DUE)).await;
    one.until_fate("a", 2, "suppressed_opted_out").await;

    // The number that it has now is its own; the former one is whose it becomes, from then on and
    // also where it was asked for a moment ago.
    let mut theirs = settings(2);
    theirs["sender"] = json!(number);
    app.put("/v1/practices/2", &theirs).send().await.problem(409, "conflict");
    theirs["sender"] = json!(former);
    let two = Practice::put(&app.client, 2, &theirs).await;
    let reply_is_of = async |to: &str, sid: &str| {
        reply(&app.client, &phone(1), to, sid, "START").await.expect(200);
        let whose = "SELECT practice_id FROM reply WHERE provider_ref = $1";
        app.database.sql.one::<i64>(whose, &[&sid]).await
    };
    assert_eq!(reply_is_of(&former, "SM2").await, two.id);
    wanted["sender"] = json!(former);
    app.put("/v1/practices/1", &wanted).send().await.problem(409, "conflict");
    // START was said to the other practice.
    let opted_out = "SELECT opted_out FROM consent WHERE practice_id = 1";
    assert!(app.database.sql.one::<bool>(opted_out, &[]).await);
    assert_eq!(reply_is_of(&number, "SM3").await, one.id);
    app.finish().await;
}

/// A real provider outside of production: only numbers on the list are ever sent to it.
#[tokio::test]
async fn off_the_list_nobody_is_texted() {
    let app = TestApp::with()
        .env("PUNCTUAL_PROVIDER_SIMULATED", "false")
        .env("PUNCTUAL_ALLOW_LIST", phone(2))
        .start()
        .await;
    let one = app.practice(1).await;
    one.send(&[appointment("a").phone(1), appointment("b").phone(2)]).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "suppressed_not_allowed").await;
    one.until_fate("b", 1, "sent").await;
    app.idle().await;
    let reached: Vec<_> = accepted(&app.simulator).into_iter().map(|text| text.to).collect();
    assert_eq!(reached, [phone(2)]);
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!(counts["suppressed"]["not_allowed"], json!(1));
    app.finish().await;
}
