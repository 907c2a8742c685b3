//! `GET /debug/requests/{trace_id}`

use contract::Endpoint;
use serde_json::Value;
use tests::slow::slow_read;
use tests::{TestApp, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::DebugRequest;

#[tokio::test]
async fn resolves_a_trace_to_what_its_time_went_on() {
    let app = TestApp::start().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    slow_read(&app, trace).await;
    let path = format!("/debug/requests/{trace}");
    let found = until("the flight is kept", async || {
        let answer = app.get(&path).anonymous().send().await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    let found = found.json(200);
    assert_eq!(found["trace_id"], trace);
    let flight = &found["flights"][0];
    assert_eq!((&flight["route"], &flight["why"]), (&"read_appointment".into(), &"slow".into()));
    assert_eq!((&flight["outcome"], &flight["status"]), (&"ok".into(), &200.into()));
    let spans = flight["spans"].as_array().unwrap();
    let span = |kind: &str, name: &str| -> &Value {
        let named = |span: &&Value| span["kind"] == kind && span["name"] == name;
        spans.iter().find(named).unwrap_or_else(|| panic!("{kind} {name} is not in {spans:?}"))
    };
    // It waited for a lock on the table, in its statement, having had its connection at once.
    let (waited, ran) = (span("pool", "interactive"), span("query", "appointment_read"));
    let ms = |span: &Value, field: &str| span[field].as_f64().unwrap();
    assert!(ms(ran, "took_ms") >= 250.0 && ms(waited, "took_ms") < ms(ran, "took_ms"));
    assert!(ms(ran, "start_ms") >= ms(waited, "start_ms"));
    assert!(ms(ran, "start_ms") + ms(ran, "took_ms") <= flight["took_ms"].as_f64().unwrap() + 0.01);
    assert_eq!(ran["rows"], 1);

    let page = app.get(&path).anonymous().header("accept", "text/html,*/*;q=0.1").send().await;
    let page = page.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let text = page.text();
    assert!(text.contains("query appointment_read") && text.contains("class=\"bar query\""));
    assert!(!text.contains("http://") && !text.contains("https://"), "asks for nothing outside");

    let again = app.get(&path).anonymous().send();
    is_counted(&app, ENDPOINT, 200, again).await;
    Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null }.is_refused_when_spoilt().await;
    app.finish().await;
}

#[tokio::test]
async fn a_trace_that_is_not_one_or_not_kept_is_said_to_be_so() {
    let app = TestApp::start().await;
    for wrong in ["1", "0AF7651916CD43DD8448EB211C80319C", "00000000000000000000000000000000"] {
        let path = format!("/debug/requests/{wrong}");
        app.get(&path).anonymous().send().await.problem(400, "bad_path");
    }
    let unknown = "/debug/requests/0af7651916cd43dd8448eb211c80319d";
    let answer = is_counted(&app, ENDPOINT, 404, app.get(unknown).anonymous().send()).await;
    answer.problem(404, "not_found");
    app.get(&format!("{unknown}?x=1")).anonymous().send().await.problem(400, "bad_query");
    app.finish().await;
}
