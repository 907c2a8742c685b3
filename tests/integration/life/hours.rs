//! What is late does not leave while its practice is closed: it waits for the hours, or expires.
//!
//! Practices of the tests send from 08:00 to 20:00. Late is what fell due during an outage of ours,
//! for which the clock is moved on, or of the provider's.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stack::provider::{Faults, Options};
use tests::practice::{FIRST_DUE, settings};
use tests::provider::accepted;
use tests::{Practice, TestApp, appointment, at, until};

const NIGHT: &str = "2026-05-05T22:30";
const OPENS: &str = "2026-05-06T08:00";

/// Texts that a claim found ready while their practice was closed, so far.
async fn held_back(app: &TestApp) -> f64 {
    app.scrape().await.sum("closed_practice_messages_total", &[])
}

/// A practice whose texts tell the day in words.
async fn practice(app: &TestApp) -> Practice {
    let mut wanted = settings(1);
    for rule in wanted["rules"].as_array_mut().unwrap() {
        let words =
            "Reminder from {{ practice }}:{% for a in appointments %} {{ a.when }}{% endfor %}";
        rule["template"] = json!(words);
    }
    Practice::put(&app.client, 1, &wanted).await
}

/// Waits until texts were held back so many times more. While the clock stands, somebody looks
/// every second, as it may be set to any time.
async fn until_held_back(app: &TestApp, more: f64) {
    let before = held_back(app).await;
    until("it is held back", async || (held_back(app).await >= before + more).then_some(())).await;
}

#[tokio::test]
async fn after_an_outage_of_ours_it_waits_until_the_practice_opens() {
    let app = TestApp::start().await;
    let one = practice(&app).await;
    one.book(&appointment("a")).await;
    app.hold(at(NIGHT)).await;
    until_held_back(&app, 2.0).await;
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "pending");
    app.hold(at("2026-05-06T07:59")).await;
    // One may have been on its way.
    until_held_back(&app, 2.0).await;
    assert_eq!(app.simulator.state().accepted, 0);
    app.hold(at(OPENS)).await;
    one.until_fate("a", 1, "sent").await;
    let bodies: Vec<_> = accepted(&app.simulator).into_iter().map(|text| text.body).collect();
    assert_eq!(bodies, ["Reminder from Practice 1: today at 14:30"], "it was due the day before");
    assert_eq!(one.messages().await[0]["attempts"], 1, "waiting is no try");
    app.finish().await;
}

#[tokio::test]
async fn after_an_outage_of_the_provider_so_do_tries_again() {
    let down = |options: Options| Options {
        faults: Faults { server_error_share: 1.0, ..Faults::none() },
        ..options
    };
    let app = TestApp::with().provider(down).start().await;
    let one = practice(&app).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    let tried = || {
        let state = app.simulator.state();
        state.answered_with(500) + state.answered_with(503)
    };
    until("it was tried", async || (tried() > 0).then_some(())).await;
    app.hold(at(NIGHT)).await;
    app.simulator.set_faults(Faults::none()).unwrap();
    until_held_back(&app, 2.0).await;
    assert_eq!(app.simulator.state().accepted, 0);
    app.hold(at(OPENS)).await;
    one.until_fate("a", 1, "sent").await;
    assert!(one.messages().await[0]["attempts"].as_i64().unwrap() >= 2);
    assert_eq!(accepted(&app.simulator)[0].body, "Reminder from Practice 1: today at 14:30");
    app.finish().await;
}

/// With a clock that runs it is looked at when the practice opens, and hardly before. Until then it
/// can be cancelled.
#[tokio::test]
async fn nobody_looks_at_it_before() {
    const SPEED: f64 = 3_600.0;
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let late = |id, phone| appointment(id).phone(phone).starts("2026-05-06T19:30");
    one.send(&[late("a", 1), late("b", 2)]).await;
    app.run(at(NIGHT), SPEED).await;
    until("both wait", async || {
        let waiting = "SELECT count(*) FROM lane WHERE state = 'r' AND ready_at > now()";
        (app.database.sql.one::<i64>(waiting, &[]).await == 2).then_some(())
    })
    .await;
    let cancelled = one.cancel("b").await;
    assert_eq!(cancelled["in_time"], true, "{cancelled}");
    one.until_fate("a", 1, "sent").await;
    assert_eq!(one.reminders("b", 1).await[0]["fate"], "suppressed_cancelled");
    // The night was nine seconds long. A second look may come a rounding too early.
    let looks = held_back(&app).await;
    assert!((2.0..=4.0).contains(&looks), "{looks}");
    let clock = app.get("/admin/clock").send().await.json(200);
    let origin: Timestamp = clock["real_origin"].as_str().unwrap().parse().unwrap();
    let text = &accepted(&app.simulator)[0];
    let real = text.real.duration_since(origin).as_secs_f64();
    let left_at = at(NIGHT) + SignedDuration::from_secs_f64(real * SPEED);
    assert!(left_at >= at(OPENS), "it left at {left_at}");
    app.finish().await;
}

/// A reminder that would leave when what it reminds of has begun makes no sense.
#[tokio::test]
async fn it_expires_if_its_appointment_begins_before_the_practice_opens() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a").starts("2026-05-06T07:30")).await;
    app.hold(at(NIGHT)).await;
    until_held_back(&app, 1.0).await;
    app.hold(at("2026-05-06T07:30")).await;
    one.until_fate("a", 1, "expired").await;
    app.hold(at(OPENS)).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 0);
    assert_eq!(one.counts("2026-05-05", 1).await["expired"], 1);
    app.finish().await;
}

/// The hours are those of now, and not of when the reminder was made.
#[tokio::test]
async fn longer_hours_let_it_leave() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(NIGHT)).await;
    until_held_back(&app, 1.0).await;
    let mut longer = settings(1);
    longer["send_until"] = json!("23:00");
    app.put("/v1/practices/1", &longer).send().await.expect(200);
    one.until_fate("a", 1, "sent").await;
    app.finish().await;
}
