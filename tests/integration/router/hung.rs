//! The primary hangs: it takes connections and says nothing.
//!
//! Never here: one that is gone (`promotion`), a replica that hangs (`failures`).

use std::time::Duration;

use tests::{Ending, TestApp, appointment, until};

use super::{decided, start};

const PATH: &str = "/v1/practices/1/appointments";

/// Books an appointment until that is answered so.
async fn until_booked(app: &TestApp, id: &str, status: u16, code: &str) {
    until(code, async || {
        let answer = app.post(PATH, appointment(id).json()).send().await;
        let is_so = answer.status == status && (status == 200 || answer.text().contains(code));
        is_so.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_writes_is_refused_at_once_and_reads_go_on() {
    let (pair, app) = start().await;
    app.practice(1).await.book(&appointment("a")).await;
    pair.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    let hung = pair.primary().pause();
    until_booked(&app, "b", 503, "\"unavailable\"").await;
    app.get(&format!("{PATH}/a")).send().await.expect(200);
    assert!(decided(&app.scrape().await, "primary_lost") > 0.0);
    drop(hung);
    until_booked(&app, "b", 200, "it is written to again").await;
    // Who had begun to write waited in vain.
    app.finish_as(Ending { errors: &["deadline_exceeded"], is_broken: false }).await;
    pair.stop().await;
}
