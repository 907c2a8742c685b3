//! `POST /v1/practices/{practice_id}/api-keys`

use contract::Endpoint;
use serde_json::{Value, json};
use tests::TestApp;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::CreateApiKey;

#[tokio::test]
async fn each_is_another_and_only_its_hash_is_stored() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/api-keys");
    let create = app.call(http::Method::POST, &path).send();
    let made = is_counted(&app, ENDPOINT, 201, create).await.json(201);
    let key = made["api_key"].as_str().unwrap();
    assert_eq!(made["key_id"], 2, "the first one is the practice's own here");
    // The secret may hold what stands between the parts before it.
    let secret = key.strip_prefix("pk_1_2_").expect("its form");
    assert_ne!(key, one.key);
    app.get(&one.path("")).key(key).send().await.expect(200);
    app.get(&one.path("")).key(&one.key).send().await.expect(200);

    let stored: String =
        app.database.sql.one("SELECT string_agg(to_jsonb(k)::text, ' ') FROM api_key k", &[]).await;
    assert!(!stored.contains(secret), "the secret is stored");
    let (_, spent) = app.spent(ENDPOINT, 1, app.call(http::Method::POST, &path).send()).await;
    assert_eq!(spent.queries, 1.0);
    app.finish().await;
}

#[tokio::test]
async fn keys_made_at_the_same_time_are_two() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let path = one.path("/api-keys");
    let create = || app.call(http::Method::POST, &path).send();
    let answers = [
        tokio::join!(create(), create(), create(), create()),
        tokio::join!(create(), create(), create(), create()),
    ];
    let mut ids = Vec::new();
    for (a, b, c, d) in answers {
        for answer in [a, b, c, d] {
            match answer.status {
                201 => ids.push(answer.json(201)["key_id"].as_i64().unwrap()),
                // Two took the same number: one is told to try again.
                _ => drop(answer.problem(409, "conflict")),
            }
        }
    }
    let made = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), made, "a number was given twice");
    assert!(made >= 2);
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let good =
        Good { app: &app, endpoint: ENDPOINT, path: one.path("/api-keys"), body: Value::Null };
    good.is_refused_when_spoilt().await;
    // A practice can't make itself keys.
    good.call().key(&one.key).send().await.problem(403, "admin_only");
    let nowhere = app.post("/v1/practices/77/api-keys", &json!({})).send().await;
    nowhere.problem(404, "not_found");
    app.post("/v1/practices/x/api-keys", &json!({})).send().await.problem(400, "bad_path");
    app.finish().await;
}
