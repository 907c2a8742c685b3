//! `GET /v1/practices/{practice_id}/appointments/{appointment_id}`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::practice::{FIRST_DUE, SECOND_DUE};
use tests::{TestApp, appointment, at, phone};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadAppointment;

#[tokio::test]
async fn reads_it_with_its_reminders() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a").with("instructions", json!("Come fasting."))).await;
    let path = one.path("/appointments/a");
    let read = app.get(&path).key(&one.key).send();
    let found = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(
        found,
        json!({
            "appointment_id": "a", "version": 1, "status": "booked",
            "starts_at": at("2026-05-06T14:30"), "phone": phone(1),
            "patient_name": tests::practice::PATIENT, "instructions": "Come fasting.",
            "messages": [
                { "rule_id": 1, "due_at": at(FIRST_DUE), "fate": "pending" },
                { "rule_id": 2, "due_at": at(SECOND_DUE), "fate": "pending" },
            ],
        })
    );
    let (_, spent) = app.spent(ENDPOINT, 1, app.get(&path).send()).await;
    assert_eq!(spent.queries, 2.0);
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    let path = one.path("/appointments/a");
    let good = Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null };
    good.is_refused_when_spoilt().await;
    for (path, status, code) in [
        (one.path("/appointments/unknown"), 404, "not_found"),
        (one.path("/appointments/a%20b"), 404, "not_found"),
        (one.path("/appointments/a%2Fb"), 404, "not_found"),
        ("/v1/practices/77/appointments/a".to_owned(), 404, "not_found"),
        ("/v1/practices/x/appointments/a".to_owned(), 400, "bad_path"),
    ] {
        app.get(&path).send().await.problem(status, code);
    }
    app.finish().await;
}
