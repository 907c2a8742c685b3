//! A webhook's lost answer is cleared up by asking again under the same key. That may send the
//! text, so it is only done while the text might leave anyway.
//!
//! Never here: that it is done (`lost_answers`).

use serde_json::json;
use stack::provider::{Faults, Options};
use tests::practice::FIRST_DUE;
use tests::provider::accepted;
use tests::{Practice, TestApp, appointment, at, until};

const NIGHT: &str = "2026-05-05T22:30";
const OPENS: &str = "2026-05-06T08:00";
/// When an [`appointment`] begins.
const BEGINS: &str = "2026-05-06T14:30";

fn reset(options: Options) -> Options {
    Options { faults: Faults { reset_share: 1.0, ..Faults::none() }, ..options }
}

/// A text of an appointment `a` that the provider never got, and of which nothing else is known.
/// Nobody is asked until the stage is [`opened`]; then the provider would take it.
async fn lost() -> (TestApp, Practice) {
    let app = TestApp::with()
        .env("PUNCTUAL_STAGE_GATES", "open")
        .env("PUNCTUAL_PROVIDER_SETTLING_MS", 900)
        .webhook()
        .provider(reset)
        .start()
        .await;
    let one = app.practice(1).await;
    app.put("/admin/stages/resolve", &json!({ "gate": "held" })).send().await.expect(200);
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "ambiguous").await;
    app.simulator.set_faults(Faults::none()).unwrap();
    (app, one)
}

async fn opened(app: &TestApp) {
    app.put("/admin/stages/resolve", &json!({ "gate": "open" })).send().await.expect(200);
}

/// Waits until it was looked so many times more what became of lost answers.
async fn until_looked_at(app: &TestApp, more: f64) {
    let looks = async || {
        let scrape = app.scrape().await;
        scrape.sum("stage_items_total", &[("stage", "resolve")])
    };
    let before = looks().await;
    until("it is looked at", async || (looks().await >= before + more).then_some(())).await;
}

/// Lets it be looked at: the second look begins when the first has come to its end.
async fn nobody_was_asked(app: &TestApp, one: &Practice) {
    opened(app).await;
    until_looked_at(app, 2.0).await;
    assert_eq!(app.simulator.state().accepted, 0);
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "ambiguous");
}

async fn is_sent_once(app: &TestApp, one: &Practice) {
    one.until_fate("a", 1, "sent").await;
    assert_eq!(accepted(&app.simulator).len(), 1);
}

#[tokio::test]
async fn a_webhook_is_not_asked_again_before_it_opens() {
    let (app, one) = lost().await;
    app.hold(at(NIGHT)).await;
    nobody_was_asked(&app, &one).await;
    app.hold(at(OPENS)).await;
    is_sent_once(&app, &one).await;
    app.finish().await;
}

#[tokio::test]
async fn nor_after_stop_until_start() {
    let (app, one) = lost().await;
    // What STOP writes.
    let stop = "INSERT INTO consent SELECT shard, practice_id, phone, true, now() FROM lane";
    assert_eq!(app.database.sql.run(stop, &[]).await, 1);
    nobody_was_asked(&app, &one).await;
    app.database.sql.run("UPDATE consent SET opted_out = false", &[]).await;
    is_sent_once(&app, &one).await;
    app.finish().await;
}

#[tokio::test]
async fn nor_when_it_was_cancelled() {
    let (app, one) = lost().await;
    // It may have left: that is not in time. What remains is not to let it leave now.
    assert_eq!(one.cancel("a").await["in_time"], false);
    nobody_was_asked(&app, &one).await;
    app.hold(at(BEGINS)).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 0);
    app.finish().await;
}

#[tokio::test]
async fn nor_once_the_appointment_has_begun() {
    let (app, one) = lost().await;
    app.hold(at(BEGINS)).await;
    opened(&app).await;
    app.idle().await;
    assert_eq!(app.simulator.state().accepted, 0);
    // For good: it will never be known.
    assert_eq!(one.reminders("a", 1).await[0]["fate"], "ambiguous");
    app.finish().await;
}
