//! A replica that is further behind than a read allows: whoever shows no token is read on the
//! primary, and on the replica again once it has caught up.
//!
//! Never here: readers that show a token (`tokens`), a second replica (`several`).

use std::time::Duration;

use contract::{Query, READ_AFTER, Read};
use serde_json::json;
use tests::wait::until_within;
use tests::{Answer, TestApp, appointment, until};

use super::failures::until_replica_answers;
use super::{because, pause, start, tell};

const APPOINTMENT: &str = "/v1/practices/1/appointments/b";
const COUNTS: &str = "/v1/practices/1/days/2026-05-05/counts";

/// Reads until it is answered for a reason, and returns the first such answer.
async fn first(app: &TestApp, query: Query, path: &str, reason: &str, within: Duration) -> Answer {
    let before = because(&app.scrape().await, query, reason);
    until_within(within, reason, async || {
        let answer = app.get(path).send().await;
        (because(&app.scrape().await, query, reason) > before).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_further_behind_than_a_read_allows_is_read_again_once_it_has_caught_up() {
    let (pair, app) = start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    pair.wait_until_caught_up(tests::SOON).await.unwrap();
    until_replica_answers(&app).await;
    pause(pair.replica()).await;
    one.book(&appointment("b").phone(2)).await;

    // As long as it is within the bound, the past is shown.
    app.get(APPOINTMENT).send().await.problem(404, "not_found");
    let expected = |answer: &Answer| answer.json(200)["rules"][0]["expected"].clone();
    for (read, path) in [(Read::AppointmentRead, APPOINTMENT), (Read::DailyCounts, COUNTS)] {
        let query = read.query();
        assert_eq!(because(&app.scrape().await, query, "lagging"), 0.0, "{}", query.name());
        let bound = Duration::from_secs(read.staleness_max_seconds().into());
        let answer = first(&app, query, path, "lagging", bound + tests::SOON).await;
        // The primary's answer.
        if read == Read::DailyCounts {
            assert_eq!(expected(&answer), json!(2));
        } else {
            assert_eq!(answer.json(200)["version"], 1);
            // A report may be older, and is.
            assert_eq!(expected(&app.get(COUNTS).send().await), json!(1));
        }
    }

    tell(pair.replica(), "SELECT pg_wal_replay_resume()").await;
    for (query, path) in [(Query::AppointmentRead, APPOINTMENT), (Query::DailyCounts, COUNTS)] {
        let answer = first(&app, query, path, "fresh", tests::SOON).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header(READ_AFTER), "", "a read is not a write");
    }
    until("it has all", async || (expected(&app.get(COUNTS).send().await) == 2).then_some(()))
        .await;
    app.finish().await;
    pair.stop().await;
}
