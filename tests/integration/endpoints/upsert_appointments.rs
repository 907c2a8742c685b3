//! `POST /v1/practices/{practice_id}/appointments`

use contract::{Endpoint, Limit};
use serde_json::{Value, json};
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::UpsertAppointments;

#[tokio::test]
async fn stores_and_plans() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/appointments");
    let a = appointment("a");

    let send = app.post(&path, a.json()).key(&one.key).send();
    let stored = is_counted(&app, ENDPOINT, 200, send).await.json(200);
    let result = json!({ "appointment_id": "a", "version": 1, "outcome": "stored", "planned": 2 });
    assert_eq!(stored["results"], json!([result]));
    let reminders = one.appointment("a").await["messages"].clone();
    let reminder =
        |rule_id, due| json!({ "rule_id": rule_id, "due_at": at(due), "fate": "pending" });
    assert_eq!(reminders, json!([reminder(1, FIRST_DUE), reminder(2, SECOND_DUE)]));

    // The same version again changes nothing, a lower one neither.
    let unchanged = one.send(std::slice::from_ref(&a)).await;
    let same = json!({ "appointment_id": "a", "version": 1, "outcome": "unchanged" });
    assert_eq!(unchanged, [same]);
    one.book(&a.clone().version(5)).await;
    let older = one.send(&[a.clone().version(4).starts("2026-05-07T10:00")]).await;
    assert_eq!((&older[0]["outcome"], &older[0]["version"]), (&json!("superseded"), &json!(5)));
    assert_eq!(one.appointment("a").await["messages"], reminders);
    app.finish().await;
}

#[tokio::test]
async fn reads_one_many_and_lines() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/appointments");
    let many = app.post(&path, &json!([appointment("a").json(), appointment("b").json()]));
    let many = many.key(&one.key).send().await.json(200);
    assert_eq!(many["results"].as_array().unwrap().len(), 2);
    let lines = format!("{}\n\n{}\r\n", appointment("b").json(), appointment("c").json());
    let kind = "application/x-ndjson; charset=\"UTF-8\"";
    let lines = app.call(http::Method::POST, &path).body(kind, lines);
    let lines = lines.header("content-encoding", "identity").key(&one.key).send().await.json(200);
    let outcomes: Vec<&Value> =
        lines["results"].as_array().unwrap().iter().map(|result| &result["outcome"]).collect();
    assert_eq!(outcomes, ["unchanged", "stored"]);
    let none = app.post(&path, &json!([])).key(&one.key).send().await.json(200);
    assert_eq!(none, json!({ "results": [] }));
    app.finish().await;
}

#[tokio::test]
async fn a_line_that_is_no_json_does_not_sink_the_others() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let (a, b, c) =
        (appointment("a"), appointment("b").with("phone", json!("5")), appointment("c"));
    let lines = format!("{}\n\n{{\"phone\": \n{}\n\u{1}\n{}", a.json(), b.json(), c.json());
    let call = app.call(http::Method::POST, &one.path("/appointments")).key(&one.key);
    let answer = call.body("application/x-ndjson", lines).send().await.json(200);
    let results = answer["results"].as_array().unwrap();
    let outcomes: Vec<&Value> = results.iter().map(|result| &result["outcome"]).collect();
    assert_eq!(outcomes, ["stored", "rejected", "rejected", "rejected", "stored"]);
    let of =
        |n: usize| (results[n]["appointment_id"].as_str(), results[n]["error"]["code"].as_str());
    assert_eq!(of(1), (None, Some("bad_json")), "{answer}");
    assert_eq!(of(2), (Some("b"), Some("invalid")), "{answer}");
    assert_eq!(of(3), (None, Some("bad_json")), "{answer}");
    // Where it stands in the body, empty lines counted.
    for (n, place) in [(1, "(line 3, column "), (2, "(line 4, column "), (3, "(line 5, column ")] {
        let message = results[n]["error"]["message"].as_str().unwrap();
        assert!(message.contains(place), "{message}");
    }
    one.appointment("c").await;
    app.finish().await;
}

#[tokio::test]
async fn a_bad_item_does_not_sink_the_others() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let results = one
        .send(&[
            appointment("a"),
            appointment("b").with("phone", json!("54321")),
            appointment("a").version(3),
            appointment("c").with("starts_at", json!("tomorrow")),
            appointment("d"),
            appointment("a").version(2),
        ])
        .await;
    let outcomes: Vec<&Value> = results.iter().map(|result| &result["outcome"]).collect();
    assert_eq!(
        outcomes,
        ["superseded", "rejected", "stored", "rejected", "stored", "superseded"],
        "the highest version of each counts"
    );
    assert_eq!(results[1]["error"]["code"], "invalid");
    let ids = [1, 3].map(|n: usize| results[n]["appointment_id"].clone());
    assert_eq!(ids, [json!("b"), json!("c")], "whose item it was");
    assert!(results[1]["error"]["message"].as_str().unwrap().starts_with("phone"));
    assert!(!results[1].to_string().contains("54321"), "what was wrong is not repeated");
    assert!(results[3]["error"]["message"].as_str().unwrap().starts_with("starts_at"));
    assert_eq!(one.appointment("a").await["version"], 3);
    app.finish().await;
}

/// As in two requests: the first is stored, and the second isn't told that a newer one is known.
#[tokio::test]
async fn of_one_version_twice_the_first_is_stored() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let a = appointment("a").version(2);
    let other = a.clone().starts("2026-05-07T10:00");
    for first in ["stored", "unchanged"] {
        let results = one.send(&[a.clone(), a.clone(), other.clone()]).await;
        let told: Vec<_> = results
            .iter()
            .map(|result| (result["outcome"].as_str().unwrap(), result["version"].as_i64()))
            .collect();
        assert_eq!(told, [first, "unchanged", "conflict"].map(|outcome| (outcome, Some(2))));
    }
    assert_eq!(one.appointment("a").await["starts_at"], a.json()["starts_at"]);
    let higher = a.clone().version(3);
    one.book(&higher).await;
    let results = one.send(&[a, other]).await;
    assert!(results.iter().all(|result| result["outcome"] == "superseded"), "{results:?}");
    app.finish().await;
}

#[tokio::test]
async fn what_is_past_or_near_is_planned_as_far_as_it_can_be() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let planned = async |id: &str, starts: &str| {
        one.book(&appointment(id).starts(starts)).await["planned"].as_i64().unwrap()
    };
    assert_eq!(planned("yesterday", "2026-05-03T12:00").await, 0);
    assert_eq!(planned("today", "2026-05-04T14:00").await, 1, "no day before is left");
    assert_eq!(planned("tomorrow", "2026-05-05T14:00").await, 2);
    assert_eq!(planned("beyond", "2026-07-01T14:00").await, 0, "beyond the horizon: planned later");
    app.finish().await;
}

#[tokio::test]
async fn a_batch_costs_as_many_statements_as_one() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("warm")).await;
    let (_, single) = app.spent(ENDPOINT, 1, one.book(&appointment("a"))).await;
    let many: Vec<_> = (0..200).map(|n| appointment(&format!("m-{n}")).phone(n)).collect();
    let (results, batch) = app.spent(ENDPOINT, 1, one.send(&many)).await;
    assert!(results.iter().all(|result| result["outcome"] == "stored"));
    assert_eq!(single.queries, batch.queries);
    assert!(batch.queries <= 6.0, "{batch:?}");
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let good = Good {
        app: &app,
        endpoint: ENDPOINT,
        path: one.path("/appointments"),
        body: appointment("a").json().clone(),
    };
    good.is_refused_when_spoilt().await;
    good.reads_json_alone().await;
    let lines = || good.call().body("application/x-ndjson", "{}\n");
    let packed = lines().header("content-encoding", "gzip").send().await;
    packed.problem(415, "unsupported_media_type");
    // No array, no items.
    let array = "[{},{]".to_owned();
    good.call().body("application/json", array).send().await.problem(400, "bad_json");

    app.post("/v1/practices/77/appointments", &good.body).send().await.problem(404, "not_found");
    app.post("/v1/practices/x/appointments", &good.body).send().await.problem(400, "bad_path");
    for (field, value) in [
        ("appointment_id", json!("a b")),
        ("appointment_id", json!("x".repeat(65))),
        ("version", json!(-1)),
        ("version", json!(9_007_199_254_740_992_u64)),
        ("starts_at", json!("2026-05-06T14:30:00")),
        ("starts_at", json!("2026-02-30T14:30:00-03:00")),
        ("starts_at", json!("2026-05-06T24:00:00-03:00")),
        ("starts_at", json!("1999-05-06T14:30:00Z")),
        ("phone", json!("+0123456789")),
        ("patient_name", json!("x".repeat(81))),
        ("instructions", json!("x".repeat(301))),
        ("status", json!("maybe")),
    ] {
        let wrong = appointment("a").with(field, value.clone());
        let problem = app.post(&good.path, wrong.json()).send().await.problem(422, "invalid");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(field), "{field} = {value}: {detail}");
    }
    let most = usize::try_from(Limit::BatchItems.spec().default).unwrap();
    let items = vec![json!({}); most + 1];
    app.post(&good.path, &json!(items)).send().await.problem(413, "too_many_items");
    let reached = [("limit", Limit::BatchItems.name())];
    assert_eq!(app.scrape().await.sum("limit_reached_total", &reached), 1.0);
    app.finish().await;
}
