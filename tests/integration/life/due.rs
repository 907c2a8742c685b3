//! The business rate: what fell due by the plan, and what of that came to an end. Both sides are
//! about the same reminders, whenever they were booked, moved or cancelled.
//!
//! Never here: how many may be missing (`alerts/tests`).

use tests::metrics::Scrape;
use tests::practice::FIRST_DUE;
use tests::{TestApp, appointment, at, until};

/// What fell due, and what of it came to an end.
fn sides(scrape: &Scrape) -> [f64; 2] {
    ["messages_due_total", "messages_due_ended_total"].map(|family| scrape.sum(family, &[]))
}

/// Both sides, once one has ended.
async fn once_ended(app: &TestApp) -> [f64; 2] {
    until("one has come to its end", async || {
        let sides = sides(&app.scrape().await);
        (sides[1] > 0.0).then_some(sides)
    })
    .await
}

#[tokio::test]
async fn what_is_cancelled_or_moved_ahead_is_on_neither_side() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let other_day = appointment("b").phone(2).version(2).starts("2026-05-08T14:30");
    one.send(&[appointment("a"), appointment("b").phone(2), appointment("c").phone(3)]).await;
    one.cancel("a").await;
    one.book(&other_day).await;
    let scrape = app.scrape().await;
    assert_eq!(scrape.sum("messages_total", &[("fate", "suppressed_cancelled")]), 2.0);
    assert_eq!(sides(&scrape), [0.0; 2]);
    // Twelve seconds ahead: `observe` looks ten ahead, and goes on where it was before the clock
    // was set.
    app.run(at("2026-05-05T11:36"), 120.0).await;
    one.until_fate("c", 1, "sent").await;
    assert_eq!(once_ended(&app).await, [1.0; 2]);
    app.finish().await;
}

/// The count of what falls due has gone past it by then.
#[tokio::test]
async fn what_is_booked_when_it_is_due_is_on_both() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    app.hold(at(FIRST_DUE)).await;
    one.book(&appointment("a")).await;
    one.until_fate("a", 1, "sent").await;
    assert_eq!(once_ended(&app).await, [1.0; 2]);
    app.finish().await;
}
