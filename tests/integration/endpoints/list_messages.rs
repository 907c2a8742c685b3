//! `GET /v1/practices/{practice_id}/messages`

use contract::Endpoint;
use serde_json::Value;
use tests::practice::FIRST_DUE;
use tests::provider::until_accepted;
use tests::{Ending, Practice, TestApp, appointment, at, phone, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ListMessages;

async fn page(app: &TestApp, one: &Practice, query: &str) -> (Vec<i64>, Value) {
    let path = one.path(&format!("/messages{query}"));
    let answer = app.get(&path).key(&one.key).send().await.json(200);
    let ids = answer["messages"].as_array().unwrap().iter();
    (
        ids.map(|message| message["message_id"].as_i64().unwrap()).collect(),
        answer["next_after"].clone(),
    )
}

#[tokio::test]
async fn pages_by_key_and_by_day() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let two = app.practice(2).await;
    assert_eq!(page(&app, &one, "").await, (vec![], Value::Null));
    let many: Vec<_> = (0..5).map(|n| appointment(&format!("a-{n}")).phone(n)).collect();
    one.send(&many).await;
    two.book(&appointment("theirs").phone(77)).await;
    app.hold(at(FIRST_DUE)).await;
    until_accepted(&app.simulator, 6).await;
    for n in 0..5 {
        one.until_fate(&format!("a-{n}"), 1, "sent").await;
    }

    let (all, next) = page(&app, &one, "").await;
    assert_eq!((all.len(), next), (5, Value::Null), "the other practice's is not among them");
    assert!(all.is_sorted());
    let (first, next) = page(&app, &one, "?limit=2").await;
    assert_eq!((&first[..], next.as_i64()), (&all[..2], Some(all[1])));
    let (rest, next) = page(&app, &one, &format!("?limit=3&after={}", all[1])).await;
    assert_eq!((&rest[..], next), (&all[2..], Value::Null));
    assert_eq!(page(&app, &one, "?day=2026-05-05").await.0, all);
    assert_eq!(page(&app, &one, "?day=2026-05-06").await.0, Vec::<i64>::new());

    let message = &one.messages().await[0];
    assert_eq!(message["fate"], "sent");
    assert_eq!(message["local_day"], "2026-05-05");
    assert_eq!(message["appointment_ids"].as_array().unwrap().len(), 1);
    assert!(message["phone"].as_str().unwrap().starts_with(&phone(0)[..8]));
    assert!(message["body"].as_str().unwrap().contains("14:30"), "{message}");
    let list = app.get(&one.path("/messages")).key(&one.key).send();
    let (_, spent) = app.spent(ENDPOINT, 1, is_counted(&app, ENDPOINT, 200, list)).await;
    assert_eq!(spent.queries, 1.0);
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let good =
        Good { app: &app, endpoint: ENDPOINT, path: one.path("/messages"), body: Value::Null };
    good.is_refused_when_spoilt().await;
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=",
        "after=x",
        "day=2026-02-30",
        "colour=red",
        "limit=1&limit=2",
    ] {
        let path = one.path(&format!("/messages?{query}"));
        app.get(&path).send().await.problem(400, "bad_query");
    }
    app.get("/v1/practices/x/messages").send().await.problem(400, "bad_path");
    app.finish().await;
}

/// A fault of ours says nothing of its cause to the caller, and all of it to the log.
#[tokio::test]
async fn a_fault_of_ours_is_told_as_one() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    app.database.sql.run("ALTER TABLE message RENAME TO mislaid", &[]).await;
    let problem = app.get(&one.path("/messages")).send().await.problem(500, "internal");
    assert!(!problem.to_string().contains("relation"), "{problem}");
    let id = problem["request_id"].as_str().unwrap();
    // It is written after the last byte of the answer.
    let line = until("its line in the log", async || {
        app.log().lines().find(|line| line.contains(id)).map(str::to_owned)
    })
    .await;
    assert!(line.contains("42P01") && line.contains("ERROR"), "{line}");
    let labels = [("http_route", ENDPOINT.name()), ("slo", "availability")];
    let scrape = app.scrape().await;
    let good = scrape.sum("slo_good_requests_total", &labels);
    assert_eq!(good + 1.0, scrape.sum("slo_requests_total", &labels));
    app.database.sql.run("ALTER TABLE mislaid RENAME TO message", &[]).await;
    app.finish_as(Ending { errors: &["42P01", "stage"], ..Ending::default() }).await;
}
