//! The control API, and what a simulator refuses to start with.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::Fixture;
use super::client::{get, send, text};
use crate::provider::{Faults, Latency, Options, Simulator, StartError, State, control};

fn put(body: &str) -> Request<Full<Bytes>> {
    Request::put("/control/faults").header("host", "x").body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn faults_change_while_it_runs() {
    let fixture = Fixture::new().await;
    let simulator = &fixture.simulator;
    let body = json!({"too_many_requests_share": 1, "latency": "uniform:1:2"}).to_string();
    let answered = send(simulator, put(&body)).await.unwrap();
    assert_eq!(answered.status, StatusCode::OK);
    assert_eq!(answered.json["latency"], "uniform:1:2");
    let wanted = Faults {
        too_many_requests_share: 1.0,
        latency: Latency::Uniform { min_ms: 1.0, max_ms: 2.0 },
        ..Faults::none()
    };
    assert_eq!(simulator.faults(), wanted);
    assert_eq!(text(simulator, "+99912345678", "hello", "").await.status.as_u16(), 429);

    let read = send(simulator, get("/control/faults")).await.unwrap();
    assert_eq!(serde_json::from_value::<Faults>(read.json).unwrap(), wanted);
    send(simulator, put("{}")).await.unwrap();
    assert_eq!(text(simulator, "+99912345678", "hello", "").await.status.as_u16(), 201);

    let read = send(simulator, get("/control/state")).await.unwrap();
    let state: State = serde_json::from_value(read.json).unwrap();
    assert_eq!((state.accepted, state.messages), (1, 1));
    assert_eq!((state.answered_with(429), state.answered_with(201)), (1, 1));
}

#[tokio::test]
async fn wrong_faults_change_nothing() {
    let fixture = Fixture::new().await;
    for (body, status, part) in [
        ("nonsense", 400, "the body is no faults"),
        (r#"{"hang":1}"#, 400, "unknown field `hang`"),
        (r#"{"latency":"slow"}"#, 400, "lognormal:P50:P99"),
        (r#"{"hang_share":2}"#, 422, "hang_share is 2"),
    ] {
        let answered = send(&fixture.simulator, put(body)).await.unwrap();
        assert_eq!(answered.status.as_u16(), status);
        let message = answered.json["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(fixture.simulator.faults(), Faults::none());
    let missing = send(&fixture.simulator, get("/control/other")).await.unwrap();
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn other_machines_control_nothing() {
    let fixture = Fixture::new().await;
    let engine = &fixture.simulator.engine;
    let put = |peer: &str| {
        let peer = peer.parse().unwrap();
        control::answer(engine, peer, &Method::PUT, "/control/faults", br#"{"hang_share":1}"#)
    };
    assert_eq!(put("192.0.2.1:1").status(), StatusCode::FORBIDDEN);
    assert_eq!(fixture.simulator.faults(), Faults::none());
    assert_eq!(put("[::ffff:127.0.0.1]:1").status(), StatusCode::OK);
}

#[tokio::test]
async fn it_does_not_start_where_others_could_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path().join("log"));
    options.listen = "0.0.0.0:0".parse().unwrap();
    let error = Simulator::start(options).await.unwrap_err();
    assert!(matches!(error, StartError::Options(_)), "{error}");
    assert!(error.to_string().contains("--allow-remote"), "{error}");
}
