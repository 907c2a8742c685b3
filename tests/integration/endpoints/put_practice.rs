//! `PUT /v1/practices/{practice_id}`

use contract::{Endpoint, Limit};
use serde_json::{Value, json};
use tests::{TestApp, practice, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::PutPractice;

#[tokio::test]
async fn makes_changes_and_repeats() {
    let app = TestApp::start().await;
    let path = "/v1/practices/1";
    let mut wanted = practice::settings(1);

    let put = app.put(path, &wanted).send();
    let made = is_counted(&app, ENDPOINT, 201, put).await.json(201);
    assert_eq!((&made["practice_id"], &made["revision"]), (&json!(1), &json!(1)));
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(made[field], *value, "{field}");
    }

    let (repeated, spent) = app.spent(ENDPOINT, 1, app.put(path, &wanted).send()).await;
    assert_eq!(repeated.json(200), made, "repeating it changes nothing");
    assert_eq!(spent.queries, 2.0, "locked and read");

    wanted["name"] = json!("Renamed");
    let (changed, spent) = app.spent(ENDPOINT, 1, app.put(path, &wanted).send()).await;
    let changed = changed.json(200);
    assert_eq!((&changed["revision"], &changed["name"]), (&json!(2), &json!("Renamed")));
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    assert_eq!(app.get(path).send().await.json(200), changed);
    app.finish().await;
}

#[tokio::test]
async fn without_rules_there_are_two() {
    let app = TestApp::start().await;
    let mut wanted = practice::settings(1);
    wanted.as_object_mut().unwrap().remove("rules");
    let made = app.put("/v1/practices/1", &wanted).send().await.json(201);
    let rules: Vec<_> =
        made["rules"].as_array().unwrap().iter().map(|rule| rule["name"].clone()).collect();
    assert_eq!(rules, ["day_before", "two_hours_before"]);
    app.finish().await;
}

#[tokio::test]
async fn a_change_of_the_rules_plans_again() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&practice::appointment("a")).await;
    let mut wanted = practice::settings(1);
    wanted["rules"].as_array_mut().unwrap().remove(0);
    wanted["rules"][0]["before_minutes"] = json!(240);
    app.put("/v1/practices/1", &wanted).send().await.expect(200);
    let reminders = until("planned again", async || {
        let reminders = one.appointment("a").await["messages"].as_array().unwrap().clone();
        let due: Vec<Value> = reminders.iter().map(|reminder| reminder["due_at"].clone()).collect();
        (due == [json!(tests::at("2026-05-06T10:00"))]).then_some(reminders)
    })
    .await;
    assert_eq!(reminders.len(), 1);
    app.finish().await;
}

/// Before anybody has asked for them, and when one has been forgotten for another.
#[tokio::test]
async fn what_was_put_is_seen_to_be_in_memory() {
    let app = TestApp::with().env("PUNCTUAL_LIMIT_PRACTICE_CACHE", 4).start().await;
    for (id, share) in [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0), (5, 1.0)] {
        let path = format!("/v1/practices/{id}");
        app.put(&path, &practice::settings(id)).send().await.expect(201);
        let used = [("limit", Limit::PracticeCache.name())];
        assert_eq!(app.scrape().await.sum("limit_used_ratio", &used), share, "{id} of four");
    }
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let good = Good {
        app: &app,
        endpoint: ENDPOINT,
        path: "/v1/practices/1".into(),
        body: practice::settings(1),
    };
    good.is_refused_when_spoilt().await;
    good.reads_json_alone().await;

    for id in ["0", "-1", "x", "9007199254740992", "1.0", "%31%20"] {
        let path = format!("/v1/practices/{id}");
        app.put(&path, &good.body).send().await.problem(400, "bad_path");
    }
    let taken = practice::settings(2);
    app.put("/v1/practices/2", &taken).send().await.expect(201);
    let mut theirs = practice::settings(1);
    theirs["sender"] = taken["sender"].clone();
    app.put("/v1/practices/1", &theirs).send().await.problem(409, "conflict");

    for (pointer, value) in [
        ("/name", json!("")),
        ("/name", json!("x".repeat(121))),
        ("/name", json!("a\u{7}b")),
        ("/timezone", json!("Mars/Olympus")),
        ("/timezone", json!("Etc/Unknown")),
        ("/timezone", json!("localtime")),
        ("/send_from", json!("8:00")),
        ("/send_from", json!("+8:00")),
        ("/send_until", json!("25:00")),
        ("/send_until", json!("07:00")),
        ("/rules", json!([])),
        ("/rules/0/rule_id", json!(0)),
        ("/rules/0/rule_id", json!(2)),
        ("/rules/0/name", json!("")),
        ("/rules/0/before_days", json!(61)),
        ("/rules/1/before_minutes", json!(0)),
        ("/rules/0/grouping_minutes", json!(0)),
        ("/rules/0/scatter_seconds", json!(3601)),
        ("/rules/0/template", json!("{{ nothing }}")),
        ("/rules/0/template", json!("{% if")),
    ] {
        let mut wrong = good.body.clone();
        *wrong.pointer_mut(pointer).unwrap() = value.clone();
        let problem = app.put(&good.path, &wrong).send().await.problem(422, "invalid");
        let field = pointer.rsplit('/').next().unwrap();
        let named = if field == "before_minutes" { "before_days" } else { field };
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{pointer} = {value}: {detail}");
    }
    // All mistakes at once.
    let mut wrong = good.body.clone();
    (wrong["name"], wrong["timezone"]) = (json!(""), json!("x"));
    let problem = app.put(&good.path, &wrong).send().await.problem(422, "invalid");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("name") && detail.contains("timezone"), "{detail}");
    app.get(&good.path).send().await.problem(404, "not_found");
    app.finish().await;
}

/// A service whose tz data has one zone more than the database's: such a zone is refused as any
/// other that isn't one, also where a practice changes to it, and nothing is stored.
#[tokio::test]
async fn a_zone_that_the_database_does_not_know_is_no_zone() {
    let folder = tempfile::tempdir().unwrap();
    // Local time is UTC always (RFC 9636, version 1: one type of local time and nothing else).
    let mut utc = b"TZif".to_vec();
    utc.extend([0; 16]);
    for count in [0_u32, 0, 0, 0, 1, 4] {
        utc.extend(count.to_be_bytes());
    }
    utc.extend(b"\0\0\0\0\0\0UTC\0");
    for name in ["UTC", "Mars"] {
        std::fs::write(folder.path().join(name), &utc).unwrap();
    }
    let app = TestApp::with().env("TZDIR", folder.path().display()).start().await;
    let (path, mut wanted) = ("/v1/practices/1", practice::settings(1));
    let refused = async |wanted: &Value| {
        let problem = app.put(path, wanted).send().await.problem(422, "invalid");
        let detail = problem["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.starts_with("timezone: must be a zone") && !detail.contains(';'),
            "{detail}"
        );
    };
    wanted["timezone"] = json!("Mars");
    refused(&wanted).await;
    app.get(path).send().await.problem(404, "not_found");
    wanted["timezone"] = json!("UTC");
    let made = app.put(path, &wanted).send().await.json(201);
    wanted["timezone"] = json!("Mars");
    refused(&wanted).await;
    assert_eq!(app.get(path).send().await.json(200), made);
    app.finish().await;
}
