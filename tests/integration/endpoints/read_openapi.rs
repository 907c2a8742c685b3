//! `GET /v1/openapi.json`

use contract::Endpoint;
use contract::endpoint::Listener;
use serde_json::Value;
use tests::TestApp;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadOpenapi;

#[tokio::test]
async fn describes_every_public_endpoint_to_anybody() {
    let app = TestApp::start().await;
    let path = "/v1/openapi.json";
    let read = app.get(path).anonymous().send();
    let document = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for endpoint in Endpoint::ALL {
        let spec = endpoint.spec();
        let operation = &document["paths"][spec.path][spec.method.name().to_lowercase()];
        let is_public = spec.listener == Listener::Public;
        assert_eq!(operation["operationId"] == endpoint.name(), is_public, "{}", endpoint.name());
    }
    let (_, spent) = app.spent(ENDPOINT, 1, app.get(path).anonymous().send()).await;
    assert_eq!(spent.queries, 0.0);
    Good { app: &app, endpoint: ENDPOINT, path: path.into(), body: Value::Null }
        .is_refused_when_spoilt()
        .await;
    app.finish().await;
}

/// Codes are stable and each is answered somewhere: a code that no test knows is one that nobody
/// has ever seen.
#[tokio::test]
async fn every_code_that_it_names_is_in_some_test() {
    let app = TestApp::start().await;
    let document = app.get("/v1/openapi.json").anonymous().send().await.json(200);
    let codes = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("integration");
    let mut texts = String::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                texts += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let codes: Vec<&str> = codes.as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    let unseen: Vec<&&str> =
        codes.iter().filter(|code| !texts.contains(&format!("\"{code}"))).collect();
    assert!(codes.len() > 15 && unseen.is_empty(), "no test knows {unseen:?}");
    app.finish().await;
}
