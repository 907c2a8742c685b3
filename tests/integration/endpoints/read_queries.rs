//! `GET /debug/queries`

use contract::Endpoint;
use serde_json::Value;
use tests::practice::{FIRST_DUE, PATIENT, TEXT, phone};
use tests::{Ending, TestApp, appointment, at, until};
use tokio_postgres::NoTls;

use super::common::{Good, is_counted};

const ENDPOINT: Endpoint = Endpoint::ReadQueries;
/// All statements, and findings of all sessions.
const ALL: &str = "/debug/queries?limit=100&older_than_ms=0";

/// The entry of a list that has this name.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut entries = list.as_array().unwrap().iter();
    entries.find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("{name}: {list:#}"))
}

#[tokio::test]
async fn tells_who_ran_what_and_what_it_cost() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    app.idle().await;
    let read = app.get(ALL).anonymous().send();
    let report = is_counted(&app, ENDPOINT, 200, read).await.json(200);
    assert_eq!(report["notes"], serde_json::json!([]), "{report:#}");

    // One request, one statement, one row: figures that can be known beforehand.
    let statement = named(&report["statements"], "practice_upsert");
    assert_eq!((&statement["calls"], &statement["rows"]), (&1.into(), &1.into()), "{statement:#}");
    assert_eq!((&statement["failed"], &statement["func"]), (&0.into(), &"put".into()));
    let most = &statement["most_by"];
    assert_eq!((&most["name"], &most["kind"]), (&"put_practice".into(), &"endpoint".into()));
    assert_eq!(most["calls_per_turn"], 1.0);
    let seconds = |name: &str| statement[name].as_f64().unwrap();
    assert_eq!(seconds("total_seconds"), seconds("mean_seconds"));
    assert!(seconds("p50_seconds") > 0.0 && seconds("p50_seconds") <= seconds("p99_seconds"));
    let server = &statement["server"];
    assert_eq!((&server["calls"], &server["rows"]), (&1.into(), &1.into()), "{server:#}");
    assert!(server["queryid"].as_str().unwrap().parse::<i64>().is_ok());
    for figure in ["blocks_hit", "wal_bytes"] {
        assert!(server[figure].as_i64().unwrap() > 0, "{figure}: {server:#}");
    }
    // The other side of the matrix, and what the group commit ran for the request.
    let caller = named(&report["callers"], "put_practice");
    assert_eq!((&caller["turns"], &caller["kind"]), (&1.into(), &"endpoint".into()));
    assert_eq!(named(&caller["statements"], "practice_upsert")["calls"], 1);
    let plan = named(&report["callers"], "plan");
    assert_eq!(plan["kind"], "stage");
    let upsert = named(&plan["statements"], "appointment_upsert");
    assert_eq!((&upsert["calls_per_turn"], &upsert["rows"]), (&1.0.into(), &1.into()));

    let totals: Vec<f64> = report["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| statement["total_seconds"].as_f64().unwrap())
        .collect();
    assert!(totals.len() > 30 && totals.is_sorted_by(|a, b| a >= b), "{totals:?}");
    // The same clock as the histograms that are scraped.
    let label = [("db_query_name", "practice_upsert")];
    let scraped = app.scrape().await.sum("db_client_operation_duration_seconds_sum", &label);
    assert!((scraped - seconds("total_seconds")).abs() < 1e-9, "{scraped}");

    let (_, spent) = app.spent(ENDPOINT, 1, app.get("/debug/queries").send()).await;
    assert_eq!(spent.queries, 13.0);
    app.finish().await;
}

#[tokio::test]
async fn refuses_what_it_can_not_read() {
    let app = TestApp::start().await;
    for query in [
        "limit=0",
        "limit=many",
        "limit=-1",
        "limit=100000",
        "older_than_ms=x",
        "older_than_ms=86400001",
        "older_than_ms=-1",
        "limit=1&limit=2",
        "colour=red",
    ] {
        let refused = app.get(&format!("/debug/queries?{query}")).send().await;
        refused.problem(400, "bad_query");
    }
    let one = app.get("/debug/queries?limit=1").send().await.json(200);
    assert_eq!(one["statements"].as_array().map(Vec::len), Some(1));
    let path = "/debug/queries".to_owned();
    Good { app: &app, endpoint: ENDPOINT, path, body: Value::Null }.is_refused_when_spoilt().await;
    app.finish().await;
}

/// Somebody works in the database by hand, with a patient's number and words in every place where
/// a text can be seen.
#[tokio::test]
async fn shows_nothing_of_people() {
    let app = TestApp::start().await;
    let (client, connection) = tokio_postgres::connect(&app.database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let secret = format!("'{} {PATIENT} {TEXT}'", phone(1));
    client.batch_execute(&format!("SET application_name = {secret}")).await.unwrap();
    client.batch_execute("PREPARE by_hand AS SELECT $1::text").await.unwrap();
    client.batch_execute(&format!("EXECUTE by_hand({secret}) /* {secret} */")).await.unwrap();
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute(&format!("SELECT {secret}, 99900000001")).await.unwrap();
    let answer = until("the session is seen", async || {
        let answer = app.get(ALL).send().await;
        let report = answer.json(200);
        let idle = &named(&report["checks"], "idle_in_transaction")["findings"][0];
        let is_seen = idle["says"].as_str().is_some_and(|says| says.contains("without a name"));
        is_seen.then_some(answer)
    })
    .await;
    let text = answer.text();
    assert!(text.contains("SET application_name = ?"), "{text}");
    for word in ["Zuzanna", TEXT, "99900000001"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    drop(client);
    // Law 12 finds what was done by hand: it has no name.
    app.finish_as(Ending { is_broken: true, ..Ending::default() }).await;
}

#[tokio::test]
async fn does_without_the_extension_and_says_so() {
    let app = TestApp::start().await;
    let first = app.get(ALL).send().await.json(200);
    assert_eq!(first["notes"], serde_json::json!([]));
    app.database.sql.run("DROP EXTENSION pg_stat_statements", &[]).await;
    let report = app.get(ALL).send().await.json(200);
    let notes = report["notes"].to_string();
    assert!(notes.contains("CREATE EXTENSION pg_stat_statements"), "{notes}");
    let statement = named(&report["statements"], "clock_read");
    assert!(statement["server"].is_null() && statement["calls"].as_u64().unwrap() > 0);
    assert_eq!(report["checks"].as_array().map(Vec::len), Some(11));
    app.finish().await;
}

/// A role that may use the tables and nothing else of the server.
#[tokio::test]
async fn does_without_the_right_and_says_so() {
    let database = tests::TestDatabase::new().await;
    let (sql, role) = (&database.sql, format!("plain_{}", database.name()));
    for statement in [
        format!("CREATE ROLE {role} LOGIN PASSWORD 'a-plain-password'"),
        format!("GRANT CREATE ON SCHEMA public TO {role}"),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"),
        format!("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"),
        format!("REVOKE ALL ON pg_stat_statements FROM public, {role}"),
    ] {
        sql.run(&statement, &[]).await;
    }
    let (scheme, rest) = database.url().split_once("://").map(owned).unwrap();
    let (_, place) = rest.split_once('@').map(owned).unwrap();
    let url = format!("{scheme}://{role}:a-plain-password@{place}");
    let app = TestApp::with().database(database).env("PUNCTUAL_DATABASE_URL", url).start().await;
    let report = app.get(ALL).send().await.json(200);
    let notes = report["notes"].to_string();
    assert!(notes.contains("GRANT pg_monitor"), "{notes}");
    assert!(notes.contains("pg_stat_statements may not be read: 42501"), "{notes}");
    assert!(named(&report["statements"], "clock_read")["server"].is_null());
    assert!(named(&report["checks"], "sequences")["refused"].is_null(), "{report:#}");
    let sql = &app.database.sql;
    sql.run(&format!("GRANT SELECT ON pg_stat_statements TO {role}"), &[]).await;
    let report = app.get(ALL).send().await.json(200);
    assert!(!report["notes"].to_string().contains("42501"), "{report:#}");
    app.finish().await;
}

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}
