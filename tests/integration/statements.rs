//! The statements as PostgreSQL sees them: each has its file, prepares on the migrated schema, and
//! is told apart from all others in `pg_stat_statements`.
//!
//! Never here: what they do (`life`, `endpoints`), what they cost (`depth`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use contract::Query;
use serde_json::Value;
use tests::practice::FIRST_DUE;
use tests::{Sql, TestApp, TestDatabase, appointment, at};

/// Statements that PostgreSQL doesn't plan, and so can't prepare.
const UNPLANNED: [Query; 1] = [Query::WakeListen];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/sql/queries")
}

fn text(query: Query) -> String {
    let path = folder().join(format!("{}.sql", query.name()));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_row_has_its_file_and_every_file_its_row() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let rows: BTreeSet<String> =
        Query::ALL.iter().map(|query| format!("{}.sql", query.name())).collect();
    assert_eq!(files, rows);
}

/// The number under which PostgreSQL counts a statement, by planning it with all parameters null.
async fn query_id(sql: &Sql, query: Query) -> i64 {
    let name = query.name();
    sql.texts(&format!("PREPARE {name} AS {}", text(query))).await;
    let types = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1";
    let parameters: i32 = sql.one(types, &[&name]).await;
    let nulls = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
    let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    let explain = format!("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {name}{arguments}");
    let plan: Value = serde_json::from_str(&sql.texts(&explain).await.concat()).unwrap();
    let id = plan[0]["Query Identifier"].as_i64();
    id.unwrap_or_else(|| panic!("{name} has no identifier: {plan:#}"))
}

/// Every statement's identifier, by planning it once for whatever its parameters may be.
/// Parameters have the types that the server finds for them: so the service prepares them too.
async fn query_ids(sql: &Sql) -> BTreeMap<&'static str, i64> {
    sql.texts("SET plan_cache_mode = force_generic_plan").await;
    let mut ids = BTreeMap::new();
    for &query in Query::ALL.iter().filter(|query| !UNPLANNED.contains(query)) {
        ids.insert(query.name(), query_id(sql, query).await);
    }
    ids
}

#[tokio::test]
async fn each_prepares_and_has_an_identifier_of_its_own() {
    let database = TestDatabase::new().await;
    let sql = &database.sql;
    let mut by_id: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (name, id) in query_ids(sql).await {
        by_id.entry(id).or_default().push(name);
    }
    let shared: Vec<_> = by_id.values().filter(|names| names.len() > 1).collect();
    assert!(shared.is_empty(), "counted as one: {shared:?}");
    assert_eq!(by_id.len(), Query::COUNT - UNPLANNED.len());
    for query in UNPLANNED {
        sql.texts(&text(query)).await;
    }
}

/// Columns of the type that labels of metrics can be made of (`obs::label`), and where they come
/// from. Whoever adds one makes sure that nobody can write into it what should be no label.
const NAMES: [(Query, &str); 3] = [
    // The name under which a replica connects: its operator's.
    (Query::ObserveReplicas, "replica"),
    // The schema's.
    (Query::ReviewIdSpaces, "subject"),
    (Query::ReviewSequences, "subject"),
];

#[tokio::test]
async fn what_can_be_a_label_is_a_closed_list() {
    let database = TestDatabase::new().await;
    let mut found = Vec::new();
    for &query in Query::ALL.iter().filter(|query| !UNPLANNED.contains(query)) {
        let columns = database.sql.columns(&text(query)).await;
        let names = columns.into_iter().filter(|(_, of)| of == "name");
        found.extend(names.map(|(column, _)| (query.name(), column)));
    }
    let expected = NAMES.map(|(query, column)| (query.name(), column.to_owned()));
    found.sort();
    assert_eq!(found, expected);
}

/// What the service sent is counted under the identifiers of its files, and under no others.
#[tokio::test]
async fn what_ran_is_counted_under_the_identifier_of_its_file() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    let ids = query_ids(&app.database.sql).await;
    let counted = "SELECT DISTINCT n.name, s.queryid \
                   FROM pg_stat_statements s \
                   CROSS JOIN LATERAL ( \
                       SELECT substring(s.query FROM '^/\\*db_query=''([a-z0-9_]+)'',file=') \
                   ) AS n(name) \
                   WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                     AND n.name IS NOT NULL";
    let rows = app.database.sql.rows(counted, &[]).await;
    assert!(rows.len() > 30, "{} statements", rows.len());
    for row in rows {
        let (name, id): (String, i64) = (row.get(0), row.get(1));
        if name != Query::WakeListen.name() {
            assert_eq!(ids.get(name.as_str()), Some(&id), "{name}");
        }
    }
    app.finish().await;
}

/// A sharded statement names its shard at every table: on a distributed PostgreSQL it is one
/// node's then.
#[test]
fn a_sharded_statement_names_its_shard_at_every_table() {
    const SHARDED: [&str; 15] = [
        "shard",
        "maintainer",
        "practice",
        "practice_revision",
        "rule",
        "api_key",
        "appointment",
        "intent",
        "message",
        "lane",
        "lane_item",
        "attempt",
        "attempt_outcome",
        "consent",
        "reply",
    ];
    let mut wrong = Vec::new();
    for &query in Query::ALL.iter().filter(|query| query.spec().sharded) {
        let text = text(query);
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .collect::<Vec<_>>()
            .join("\n");
        let words: Vec<&str> = code
            .split(|c: char| c.is_whitespace() || ",()".contains(c))
            .filter(|w| !w.is_empty())
            .collect();
        let tables = words.windows(2).filter(|pair| {
            ["FROM", "JOIN", "USING"].contains(&pair[0]) && SHARDED.contains(&pair[1])
        });
        let named = code.matches("shard = $1").count();
        if named < tables.clone().count() {
            wrong.push(format!("{}: {} tables, {named} shards", query.name(), tables.count()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
