//! The primary hangs: it takes connections and says nothing.
//!
//! Never here: one that is gone (`promotion`), a replica that hangs (`failures`).

use std::time::Duration;

use contract::Pool;
use tests::{Ending, TestApp, appointment, until};

use super::{decided, start};

const PATH: &str = "/v1/practices/1/appointments";
/// Bookings while it is known to hang.
const REFUSED: u32 = 5;

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
    // From then on nobody waits there for a connection; one wait that began before may still end.
    let waited = async || {
        let labels = [("pool", Pool::Interactive.name())];
        app.scrape().await.sum("db_client_connections_timeouts_total", &labels)
    };
    let before = waited().await;
    for n in 1..=REFUSED {
        let booking = appointment(&format!("x-{n}"));
        app.post(PATH, booking.json()).send().await.problem(503, "unavailable");
    }
    assert!(waited().await - before <= 1.0, "they are refused at once");
    drop(hung);
    until_booked(&app, "b", 200, "it is written to again").await;
    // Who had begun to write waited in vain.
    app.finish_as(Ending { errors: &["deadline_exceeded"], is_broken: false }).await;
    pair.stop().await;
}
