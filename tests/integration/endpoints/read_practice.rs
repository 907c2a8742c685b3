//! `GET /v1/practices/{practice_id}`

use contract::{Endpoint, shard_of};
use serde_json::{Value, json};
use tests::practice::settings;
use tests::{Ending, TestApp, until};

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadPractice;

#[tokio::test]
async fn reads_it_by_either_key() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let read = app.get(&one.path("")).key(&one.key).send();
    let by_its_key = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(by_its_key["name"], "Practice 1");
    assert_eq!(app.get(&one.path("")).send().await.json(200), by_its_key);
    let (_, spent) = app.spent(ENDPOINT, 1, app.get(&one.path("")).key(&one.key).send()).await;
    assert_eq!(spent.queries, 0.0, "the practice and its key are in memory");
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_is_wrong() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    let good = Good { app: &app, endpoint: ENDPOINT, path: one.path(""), body: Value::Null };
    good.is_refused_when_spoilt().await;
    app.get("/v1/practices/77").send().await.problem(404, "not_found");
    app.get("/v1/practices/abc").send().await.problem(400, "bad_path");
    app.finish().await;
}

/// Which revision is the newest is asked again, for all practices that anybody asked for at once:
/// one statement, however many they are. None of them is read again.
#[tokio::test]
async fn what_is_remembered_is_asked_for_together() {
    let app = TestApp::start().await;
    let shards: i16 = app.database.sql.one("SELECT shard_count FROM deployment", &[]).await;
    let of_one_shard = (1_i64..).filter(|&id| shard_of(id, shards) == shard_of(3, shards));
    let ids: Vec<i64> = of_one_shard.take(5).collect();
    for &id in &ids {
        app.practice(id).await;
    }
    let calls = async |query: &str, part: &str| {
        app.scrape().await.sum(&format!("{part}_sum"), &[("db_query_name", query)])
    };
    let rows = "db_client_response_returned_rows";
    let read_before = calls("practice_read", rows).await;
    until("the practices are asked for together", async || {
        for id in &ids {
            app.get(&format!("/v1/practices/{id}")).send().await.expect(200);
        }
        let scrape = app.scrape().await;
        let labels = [("db_query_name", "practice_revisions")];
        let asked = scrape.sum(&format!("{rows}_count"), &labels);
        let found = scrape.sum(&format!("{rows}_sum"), &labels);
        (asked >= 2.0 && found >= 4.0 * asked).then_some(())
    })
    .await;
    assert_eq!(calls("practice_read", rows).await, read_before, "nothing was read again");

    // Another process changes one of them: that one is read anew.
    let other = app.another(&[]).await;
    let mut changed = settings(ids[0]);
    changed["name"] = json!("Moved");
    let moved = format!("/v1/practices/{}", ids[0]);
    other.put(&moved, &changed).send().await.expect(200);
    until("the change is seen", async || {
        let read = app.get(&moved).send().await.json(200);
        (read["name"] == "Moved").then_some(())
    })
    .await;
    other.finish(Ending::default()).await;
    app.finish().await;
}
