//! `GET /v1/practices/{practice_id}/days/{day}/report`

use std::time::Duration;

use contract::{Endpoint, Limit};
use serde_json::{Value, json};
use tests::database::pair;
use tests::practice::FIRST_DUE;
use tests::provider::{reply, until_accepted};
use tests::slow::Locked;
use tests::{Ending, Practice, TestApp, appointment, at, phone, until};

use super::common::{Good, is_counted};
use super::reports::{csv, formats_are_agreed_on, is_complete_up_to};

const ENDPOINT: Endpoint = Endpoint::ReadJobReport;

async fn says(app: &TestApp, one: &Practice, n: u32, body: &str) {
    let sid = format!("SM{n:032x}");
    reply(&app.client, &phone(1), &one.sender(), &sid, body).await.expect(200);
}

#[tokio::test]
async fn says_who_was_told_and_who_answered_what() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let two = app.practice(2).await;
    // A family of two, and one whose name a spreadsheet would take for a formula.
    one.send(&[
        appointment("a").phone(1),
        appointment("b").phone(1).starts("2026-05-06T15:00"),
        appointment("-2-3").phone(2),
    ])
    .await;
    two.book(&appointment("theirs").phone(77)).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 3).await;
    for id in ["a", "b", "-2-3"] {
        one.until(id, 1, "delivered", |reminder| reminder["receipt"] == "delivered").await;
    }
    says(&app, &one, 1, "Yes").await;
    one.until("a", 1, "an answer", |reminder| reminder["reply"] == "yes").await;

    let path = one.path("/days/2026-05-05/report");
    let read = app.get(&path).key(&one.key).send();
    let (answer, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, read)).await;
    assert_eq!(spent.queries, 3.0);
    is_complete_up_to(&answer);
    let report = answer.json(200);
    assert_eq!(report["day"], "2026-05-05");
    let rows = report["rows"].as_array().unwrap();
    let told: Vec<_> = rows.iter().map(|row| row["appointment_id"].as_str().unwrap()).collect();
    assert_eq!(told.len(), 3, "{report}");
    let of = |id: &str| rows.iter().find(|row| row["appointment_id"] == id).unwrap();
    assert_eq!(of("a")["message_id"], of("b")["message_id"]);
    for (id, reply) in [("a", json!("yes")), ("b", json!("yes")), ("-2-3", Value::Null)] {
        let row = of(id);
        assert_eq!((&row["fate"], &row["receipt"]), (&json!("sent"), &json!("delivered")), "{row}");
        assert_eq!(row["reply"], reply, "{row}");
        assert_eq!(row["replied_at"].is_null(), reply.is_null(), "{row}");
        assert!(row["sent_at"].is_string() && row["receipt_at"].is_string(), "{row}");
        assert!(row["phone"].as_str().unwrap().contains('·'), "{row}");
    }
    let lines = csv(&app.get(&path).header("accept", "text/csv").send().await);
    assert_eq!(lines.len(), 4);
    assert!(
        lines[0].starts_with("appointment_id,starts_at,rule_id,message_id,phone,"),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.starts_with("'-2-3,")), "{lines:?}");
    let other_day = app.get(&one.path("/days/2026-05-06/report")).send().await.json(200);
    assert_eq!(other_day["rows"], json!([]));
    // One said yes, for two appointments.
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!((&counts["replied"], &counts["confirmed"]), (&json!(2), &json!(2)));
    says(&app, &one, 2, "No").await;
    one.until("a", 1, "another answer", |reminder| reminder["reply"] == "no").await;
    let counts = one.counts("2026-05-05", 1).await;
    assert_eq!((&counts["replied"], &counts["confirmed"]), (&json!(2), &json!(0)));
    app.finish().await;
}

/// More than a page, made by hand, from a replica: up to the end from one that has seen the pages
/// before.
#[tokio::test]
async fn is_read_page_by_page() {
    let app = TestApp::with().replica().start().await;
    let one = app.practice(1).await;
    let texts = "INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, \
                 generation, state, segments, revision, due_at, expires_at, released_at, \
                 appointment_ids, starts_at, body) \
                 SELECT p.shard, 1, 99900000000 + n, '2026-05-05', 1, 0, 1, 'e', 1, 1, now(), \
                 now(), now(), ARRAY['x-' || n], ARRAY[now()], '' \
                 FROM practice p, generate_series(1, 1500) AS n WHERE p.practice_id = 1";
    app.database.sql.run(texts, &[]).await;
    pair().await.wait_until_caught_up(Duration::from_secs(30)).await.unwrap();
    until("the replica is read", async || {
        (app.scrape().await.sum("db_server_readable", &[]) > 0.0).then_some(())
    })
    .await;
    let path = one.path("/days/2026-05-05/report");
    let labels = [("db_query_name", "job_report_page"), ("target", "replica")];
    // A view of the servers that came late, on a busy machine, leaves a page to the primary.
    let mut by_replica = 0.0;
    let (answer, spent) = until("every page is the replica's", async || {
        let asked = app.spent(ENDPOINT, 1, app.get(&path).send()).await;
        let before = by_replica;
        by_replica = app.scrape().await.sum("db_route_decisions_total", &labels);
        (by_replica - before == 4.0).then_some(asked)
    })
    .await;
    is_complete_up_to(&answer);
    // As of, residuals, three full pages, and one that says that there are no more.
    assert_eq!(spent.queries, 6.0);
    let report = answer.json(200);
    let rows = report["rows"].as_array().unwrap();
    let ids: Vec<i64> = rows.iter().map(|row| row["message_id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), 1500);
    assert!(ids.is_sorted());
    let lines = csv(&app.get(&path).header("accept", "text/csv").send().await);
    assert_eq!(lines.len(), 1501);
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

/// Each holds pages in memory.
#[tokio::test]
async fn no_more_are_sent_at_a_time_than_there_are_places() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_REPORTS", 1).start().await;
    let one = app.practice(1).await;
    let path = one.path("/days/2026-05-05/report");
    let locked = Locked::residuals(&app).await;
    let first = app.get(&path);
    let first = tokio::spawn(async move { first.send().await });
    until("the first one waits", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock' \
                         AND query LIKE '%residual_open%'";
        (app.database.sql.one::<i64>(waiting, &[]).await == 1).then_some(())
    })
    .await;
    let refused = app.get(&path).send().await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(503, "overloaded");
    let reports = [("limit", Limit::Reports.name())];
    assert_eq!(app.scrape().await.sum("limit_reached_total", &reports), 1.0);
    locked.release().await;
    assert_eq!(first.await.unwrap().json(200)["rows"], json!([]));
    until("there is room again", async || {
        (app.get(&path).send().await.status == 200).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/days/2026-05-05/report");
    formats_are_agreed_on(&app, &path).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    app.get(&one.path("/days/2026-02-30/report")).send().await.problem(400, "bad_path");
    app.get(&one.path("/days/2026-05-05/report?a=b")).send().await.problem(400, "bad_query");
    app.finish().await;
}
