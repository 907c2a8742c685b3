//! `POST /v1/practices/{practice_id}/appointments/{appointment_id}/cancel`

use contract::Endpoint;
use serde_json::json;
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::{TestApp, appointment, at};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::CancelAppointment;

#[tokio::test]
async fn stops_what_has_not_left() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let path = one.path("/appointments/a/cancel");

    let cancel = app.post(&path, &json!({})).key(&one.key).send();
    let cancelled = is_counted(&app, ENDPOINT, 200, cancel).await.json(200);
    let stopped = |rule_id, due| {
        let due_at = at(due);
        json!({ "rule_id": rule_id, "message_id": null, "due_at": due_at, "in_time": true })
    };
    assert_eq!(
        cancelled,
        json!({
            "appointment_id": "a", "version": 2, "status": "cancelled", "in_time": true,
            "messages": [stopped(1, FIRST_DUE), stopped(2, SECOND_DUE)],
        })
    );
    let appointment = one.appointment("a").await;
    assert_eq!(appointment["status"], "cancelled");
    for reminder in appointment["messages"].as_array().unwrap() {
        assert_eq!(reminder["fate"], "suppressed_cancelled");
    }

    // Again: the same answer, without a body as well.
    let (again, spent) = app.spent(ENDPOINT, 1, app.post(&path, &json!({})).send()).await;
    assert_eq!(again.json(200), cancelled);
    assert!(spent.queries <= f64::from(ENDPOINT.spec().query_budget), "{spent:?}");
    assert_eq!(app.call(http::Method::POST, &path).send().await.json(200), cancelled);
    app.finish().await;
}

#[tokio::test]
async fn versions_are_heeded() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a").version(7)).await;
    let path = one.path("/appointments/a/cancel");
    let older = app.post(&path, &json!({ "version": 6 })).send().await;
    older.problem(409, "conflict");
    assert_eq!(one.appointment("a").await["status"], "booked");
    let newer = app.post(&path, &json!({ "version": 9 })).send().await.json(200);
    assert_eq!((&newer["version"], &newer["in_time"]), (&json!(9), &json!(true)));
    // Booked anew, by a version above.
    one.book(&appointment("a").version(10)).await;
    assert_eq!(one.appointment("a").await["status"], "booked");
    // The highest has no successor, and is cancelled all the same.
    let highest = 9_007_199_254_740_991_u64;
    one.book(&appointment("a").version(highest)).await;
    for _again in 0..2 {
        let cancelled = app.post(&path, &json!({})).send().await.json(200);
        let stated = (&cancelled["version"], &cancelled["in_time"]);
        assert_eq!(stated, (&json!(highest), &json!(true)));
        assert_eq!(one.appointment("a").await["status"], "cancelled");
    }
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let good = Good {
        app: &app,
        endpoint: ENDPOINT,
        path: one.path("/appointments/a/cancel"),
        body: json!({ "version": 2 }),
    };
    good.is_refused_when_spoilt().await;
    let wrong = good.call().body("text/plain", "{}").send().await;
    wrong.problem(415, "unsupported_media_type");
    for text in ["{", "7", "{\"version\":\"x\"}", "{\"colour\":1}"] {
        good.call().body("application/json", text).send().await.problem(400, "bad_json");
    }
    let too_high = json!({ "version": 9_007_199_254_740_992_u64 });
    app.post(&good.path, &too_high).send().await.problem(422, "invalid");
    for (path, status, code) in [
        (one.path("/appointments/unknown/cancel"), 404, "not_found"),
        (one.path("/appointments/a%20b/cancel"), 404, "not_found"),
        ("/v1/practices/77/appointments/a/cancel".to_owned(), 404, "not_found"),
        ("/v1/practices/x/appointments/a/cancel".to_owned(), 400, "bad_path"),
    ] {
        app.post(&path, &json!({})).send().await.problem(status, code);
    }
    assert_eq!(one.appointment("a").await["status"], "booked");
    app.finish().await;
}
