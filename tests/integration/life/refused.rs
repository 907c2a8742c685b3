//! A provider that says no: for now, or for good. What it says no to for now waits until its
//! appointment begins, which is in `expired`.

use stack::provider::{Faults, Options};
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::provider::{accepted, signed, until_accepted};
use tests::refuser::Refuser;
use tests::{Practice, Sql, TestApp, appointment, at, until};

/// More tries than any number that somebody would have thought enough: with the waits between them,
/// these take more than eight minutes.
const MANY: u64 = 10;

#[tokio::test]
async fn for_now_it_is_tried_again() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    for (n, faults) in [
        Faults { too_many_requests_share: 1.0, ..Faults::none() },
        Faults { server_error_share: 1.0, ..Faults::none() },
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("a-{n}");
        app.simulator.set_faults(faults).unwrap();
        one.book(&appointment(&id).phone(u32::try_from(n).unwrap())).await;
        app.hold(at(FIRST_DUE)).await;
        let before = tried(&app);
        until("it was tried", async || (tried(&app) > before).then_some(())).await;
        assert_eq!(one.reminders(&id, 1).await[0]["fate"], "pending");
        app.simulator.set_faults(Faults::none()).unwrap();
        one.until_fate(&id, 1, "sent").await;
    }
    let texts = until_accepted(&app.simulator, 2).await;
    assert_eq!(texts.len(), 2, "each once");
    for message in one.messages().await {
        assert!(message["attempts"].as_i64().unwrap() >= 2, "{message}");
    }
    app.finish().await;
}

/// A connection that is refused has taken nothing: no doubt, and no look-up.
#[tokio::test]
async fn a_provider_that_takes_no_connections_is_tried_again() {
    let unreachable = |options: Options| Options {
        faults: Faults { reset_connection_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(unreachable).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until("it was tried", async || (tried(&app) > 0).then_some(())).await;
    app.simulator.set_faults(Faults::none()).unwrap();
    one.until_fate("a", 1, "sent").await;
    assert_eq!(accepted(&app.simulator).len(), 1);
    app.finish().await;
}

/// Ways from due to handed over: all that count for the objective, the good ones, and those that
/// came to their end; once so many count.
async fn journeys(app: &TestApp, all: f64) -> [f64; 3] {
    let of = [("journey", "due_to_handed_over")];
    until("the journey is counted", async || {
        let scrape = app.scrape().await;
        let families =
            ["slo_journeys_total", "slo_good_journeys_total", "journey_duration_seconds_count"];
        let found = families.map(|family| scrape.sum(family, &of));
        (found[0] >= all).then_some(found)
    })
    .await
}

/// Requests that the provider would not take so far.
fn tried(app: &TestApp) -> u64 {
    let state = app.simulator.state();
    [429, 500, 503].into_iter().map(|status| state.answered_with(status)).sum::<u64>()
        + state.connections_reset
}

/// An outage says nothing of the texts that fall due in it, however long it is.
#[tokio::test]
async fn an_outage_fails_no_text() {
    let down = |options: Options| Options {
        faults: Faults { server_error_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(down).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    until_tried(&app, MANY, || tried(&app)).await;
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending");
    app.simulator.set_faults(Faults::none()).unwrap();
    sent_at_last(&app, &one).await;
    assert_eq!(accepted(&app.simulator).len(), 1);
    app.finish().await;
}

/// Waits until there were so many tries, without the waits between them.
async fn until_tried(app: &TestApp, tries: u64, count: impl Fn() -> u64) {
    until("it was tried many times", async || {
        hurry(&app.database.sql).await;
        (count() >= tries).then_some(())
    })
    .await;
}

/// Ends the waits of all texts, as if their time had passed. They are ready in a moment: nothing
/// may become ready below a floor, which is never above now.
async fn hurry(sql: &Sql) {
    let soon = "UPDATE lane SET ready_at = clock_timestamp() + interval '0.2 s' \
                WHERE state = 'r' AND ready_at > clock_timestamp() + interval '0.5 s'";
    sql.run(soon, &[]).await;
}

/// The provider has recovered: the reminder leaves, and how often it was tried is told.
async fn sent_at_last(app: &TestApp, one: &Practice) {
    until("it is sent", async || {
        hurry(&app.database.sql).await;
        (one.reminders("a", 1).await[0]["fate"] == "sent").then_some(())
    })
    .await;
    let message = &one.messages().await[0];
    assert!(message["attempts"].as_u64().unwrap() > MANY, "{message}");
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!((&counts["sent"], &counts["failed"]), (&1.into(), &0.into()), "{counts}");
}

/// A failing text blocks its own lane alone.
#[tokio::test]
async fn others_are_not_held_up_by_it() {
    let down = |options: Options| Options {
        faults: Faults { server_error_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(down).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a").phone(1)).await;
    app.hold(at(FIRST_DUE)).await;
    until("it was tried", async || (tried(&app) > 0).then_some(())).await;
    app.simulator.set_faults(Faults::none()).unwrap();
    // Another text to the same phone, of the other rule, and one to somebody else.
    one.send(&[appointment("b").phone(2), appointment("c").phone(1).starts("2026-05-05T14:45")])
        .await;
    one.until_fate("b", 1, "sent").await;
    one.until_fate("c", 2, "sent").await;
    one.until_fate("a", 1, "sent").await;
    let to_one: Vec<String> = accepted(&app.simulator)
        .into_iter()
        .filter(|text| text.to == tests::phone(1))
        .map(|text| text.body)
        .collect();
    assert!(to_one[0].contains("14:30") && to_one[1].contains("14:45"), "in order: {to_one:?}");
    app.finish().await;
}

/// A number that doesn't exist: said once, and believed.
#[tokio::test]
async fn for_good_it_is_not_tried_again() {
    let provider = Refuser::start(400, r#"{"code":21211,"message":"x","status":400}"#).await;
    let (app, one) = due_at(&provider).await;
    one.until_fate("a", 1, "failed").await;
    let message = &one.messages().await[0];
    assert_eq!((&message["error_code"], &message["attempts"]), (&21211.into(), &1.into()));
    assert_eq!(provider.posts(), 1);
    assert_eq!(journeys(&app, 1.0).await, [1.0, 0.0, 0.0], "it never came to the provider");
    app.finish().await;
}

/// The provider is told which trace the text belongs to, and we can tell what that was.
#[tokio::test]
async fn its_trace_goes_on_to_the_provider() {
    let provider = Refuser::start(400, r#"{"code":21211,"message":"x","status":400}"#).await;
    let (app, one) = due_at(&provider).await;
    one.until_fate("a", 1, "failed").await;
    let given = provider.header("traceparent").expect("the text has a trace");
    let parts: Vec<&str> = given.split('-').collect();
    assert!(matches!(parts[..], ["00", _, _, "01"]), "{given}");
    assert_eq!((parts[1].len(), parts[2].len()), (32, 16), "{given}");
    let path = format!("/debug/requests/{}", parts[1]);
    let found = until("the text's flight is kept", async || {
        let answer = app.get(&path).anonymous().send().await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    let flight = &found.json(200)["flights"][0];
    assert_eq!((&flight["route"], &flight["why"]), (&"message".into(), &"failed".into()));
    let spans = flight["spans"].as_array().unwrap();
    assert!(spans.iter().any(|span| span["kind"] == "call"), "{flight}");
    app.finish().await;
}

/// Who told the provider STOP is asked no more by us either.
#[tokio::test]
async fn who_opted_out_at_the_provider_is_opted_out_here() {
    let provider = Refuser::start(400, r#"{"code":21610,"message":"x","status":400}"#).await;
    let (app, one) = due_at(&provider).await;
    one.until("a", 1, "an end", |reminder| reminder["fate"] != "pending").await;
    app.hold(at(SECOND_DUE)).await;
    one.until_fate("a", 2, "suppressed_opted_out").await;
    assert_eq!(provider.posts(), 1);
    app.finish().await;
}

/// A wrong token says nothing about the text: it waits until somebody has put that right.
#[tokio::test]
async fn what_is_our_own_fault_is_tried_again() {
    let provider = Refuser::start(401, r#"{"code":20003,"message":"x","status":401}"#).await;
    let (app, one) = due_at(&provider).await;
    until_tried(&app, MANY, || provider.posts()).await;
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending");
    provider.answers(201, r#"{"sid":"SM00000000000000000000000000000001","status":"queued"}"#);
    sent_at_last(&app, &one).await;
    app.finish().await;
}

/// Providers have delivered what they refused: it is not sent again once that is known.
#[tokio::test]
async fn what_was_delivered_all_the_same_is_not_sent_again() {
    let provider = Refuser::start(503, r#"{"code":20500,"message":"x","status":503}"#).await;
    let (app, one) = due_at(&provider).await;
    let sql = &app.database.sql;
    // Nothing leaves until its receipt is here.
    let wait = "UPDATE lane SET ready_at = ready_at + interval '1 hour' \
                WHERE state = 'r' AND EXISTS (SELECT FROM lane_item WHERE attempts > 0)";
    until("it waits to be tried again", async || (sql.run(wait, &[]).await > 0).then_some(()))
        .await;
    let posts = provider.posts();
    let url = provider.field("StatusCallback").expect("where to call back");
    let delivered = [("MessageSid", "SM1"), ("MessageStatus", "delivered")];
    signed(&app.client, &url, &delivered).await.expect(204);
    until("it is known to be sent", async || {
        hurry(sql).await;
        (one.reminders("a", 1).await[0]["fate"] == "sent").then_some(())
    })
    .await;
    assert_eq!(one.reminders("a", 1).await[0]["receipt"], "delivered");
    assert_eq!(one.messages().await[0]["attempts"], posts);
    assert_eq!(provider.posts(), posts, "sent again");
    let counts = one.counts("2026-05-05", 1).await;
    let fates = ["sent", "delivered", "ambiguous", "pending"].map(|fate| counts[fate].as_i64());
    assert_eq!(fates, [Some(1), Some(1), Some(0), Some(0)], "{counts}");
    // It is that text's: what another one is called changes nothing.
    let other = [("MessageSid", "SM2"), ("MessageStatus", "read")];
    signed(&app.client, &url, &other).await.expect(204);
    assert_eq!(one.reminders("a", 1).await[0]["receipt"], "delivered");
    app.finish().await;
}

/// The service with this provider, and a practice whose first reminder is due.
async fn due_at(provider: &Refuser) -> (TestApp, Practice) {
    let url = format!("http://{}", provider.address);
    let app = TestApp::with().env("PUNCTUAL_PROVIDER_URL", url).start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    (app, one)
}
