//! The plans of the hot statements, as far as they say how a row is reached: node types, tables and
//! indexes, on tables that are filled and analysed. A statement that begins to read a whole table
//! or another index shows here before it does in production.
//!
//! Never here: costs and times, which differ from machine to machine; pages (`depth`).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use contract::{Pool, Query};
use expect_test::expect_file;
use serde_json::Value;
use tests::{Sql, TestApp, TestDatabase, until};

/// Where the wide ones are: reports, which may not read a large table whole either.
const WIDE: [&str; 5] = [
    "endpoints/read_daily_counts.rs",
    "endpoints/read_delivery.rs",
    "endpoints/read_fleet.rs",
    "endpoints/read_job_report.rs",
    "endpoints/read_trend.rs",
];

/// What is small enough to be read whole by a report: unfolded counts are few or an alert, and
/// practices have a revision or two each.
const SMALL: [&str; 2] = ["tally_delta", "practice_revision"];

/// How the sessions of reports plan.
const REPORTING: [&str; 2] = ["SET enable_nestloop = off", "SET jit = off"];

/// How the service's sessions plan that run them, as `service/src/db/pools.rs` has it.
const SESSION: [&str; 8] = [
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_bitmapscan = off",
    "SET enable_material = off",
    "SET enable_memoize = off",
    "SET plan_cache_mode = force_generic_plan",
    "SET jit = off",
];

fn is_in(query: Query, files: &[&str]) -> bool {
    files.contains(&query.spec().file.trim_start_matches("service/src/"))
}

/// What somebody waits for: that is what those pools are for.
fn is_hot(query: Query) -> bool {
    let pools = query.spec().pools;
    pools.iter().any(|pool| matches!(pool, Pool::Interactive | Pool::Pipeline))
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/sql").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A tenth of it is due, none of it alike, less than the 30,000 rows of which statistics would be
/// drawn by lot. $1 is a shard, days are those that the template has weeks for.
const SEEDS: [&str; 8] = [
    "SELECT attach_weeks(t, '2026-01-05', '2026-01-06') FROM unnest('{intent,attempt}'::text[]) t",
    "SELECT attach_weeks(t, '2026-05-04', '2026-05-11') \
     FROM unnest('{intent,attempt,attempt_outcome}'::text[]) t",
    "EXECUTE seed_practice(0, 100)",
    "EXECUTE seed_intent(0, 100, 0, 5000, 0, '2026-05-04T09:00:00Z', '10 seconds')",
    "EXECUTE seed_lane(0, 100, 5000, 10000, 0, '2026-05-04T09:00:00Z', '1 second')",
    "INSERT INTO attempt SELECT '2026-05-04', 0, 1 + n % 100, n, 1, 1, 999000000001, \
            '2026-05-04T09:00:00Z' \
     FROM generate_series(1, 5000) AS n",
    "INSERT INTO tally SELECT 0, 1 + n % 100, '2026-05-04'::date + n / 1000, 1, n / 100 % 10, 5 \
     FROM generate_series(0, 4999) AS n",
    "INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n) \
     SELECT 0, 1 + n % 100, '2026-05-04', 1, n % 9, 1 FROM generate_series(1, 2000) AS n",
];

/// What else the hot statements look into.
const MORE_SEEDS: [&str; 4] = [
    "INSERT INTO api_key SELECT 0, 1 + n / 3, 1 + n % 3, decode(repeat('00', 32), 'hex'), now() \
     FROM generate_series(0, 299) AS n",
    "INSERT INTO sender SELECT 999000000000 + n, 0, n, true FROM generate_series(1, 100) AS n",
    "INSERT INTO consent SELECT 0, 1 + n % 100, 999200000000 + n, true, now() \
     FROM generate_series(1, 2000) AS n",
    "INSERT INTO reply SELECT 0, 1 + n % 100, 'SM' || n, 999200000000 + n, n, 'y', 'yes', now() \
     FROM generate_series(1, 2000) AS n",
];

async fn seed(sql: &Sql) {
    for seed in ["seed_practice", "seed_intent", "seed_lane"] {
        sql.texts(&format!("PREPARE {seed} AS {}", read(&format!("bench/{seed}.sql")))).await;
    }
    sql.texts("UPDATE shard SET release_floor = '2026-05-04', ready_floor = '2026-05-04'").await;
    for statement in SEEDS.into_iter().chain(MORE_SEEDS) {
        sql.texts(statement).await;
    }
    let tables = "SELECT relname::text FROM pg_class \
                  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
                  ORDER BY relkind DESC, relname";
    for row in sql.rows(tables, &[]).await {
        let table: String = row.get(0);
        sql.texts(&format!("VACUUM (ANALYZE) {table}")).await;
    }
}

/// A value of a type, such as the seeds have.
fn value(kind: &str) -> String {
    if let Some(element) = kind.strip_suffix("[]") {
        // As many as a middling batch has.
        return format!("array_fill({}, ARRAY[100])", value(element));
    }
    let text = match kind {
        "smallint" | "boolean" => "0",
        "integer" => "1",
        "bigint" => "100",
        "double precision" => "1",
        "\"char\"" => "p",
        "text" => "seed-1",
        "date" => "2026-05-04",
        "timestamp with time zone" => "2026-05-04T10:00:00Z",
        "time without time zone" => "09:00",
        "bytea" => "\\x00",
        _ => panic!("no value of type {kind} yet"),
    };
    format!("'{text}'::{kind}")
}

async fn explain(sql: &Sql, query: Query) -> Value {
    let name = query.name();
    sql.texts(&format!("PREPARE {name} AS {}", read(&format!("queries/{name}.sql")))).await;
    let types = "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = $1";
    let types: Vec<String> = sql.one(types, &[&name]).await;
    let values = types.iter().map(|kind| value(kind)).collect::<Vec<_>>().join(", ");
    let arguments = if values.is_empty() { values } else { format!("({values})") };
    let explain = format!("EXPLAIN (COSTS OFF, VERBOSE, FORMAT JSON) EXECUTE {name}{arguments}");
    let plan: Value = serde_json::from_str(&sql.texts(&explain).await.concat()).unwrap();
    plan[0]["Plan"].clone()
}

/// A node a line, below the one that it serves.
fn shape(node: &Value, depth: usize, text: &mut String) {
    let field = |name: &str| node[name].as_str();
    let subplan = field("Subplan Name").map(|name| format!("{name}: ")).unwrap_or_default();
    let kind = field("Node Type").unwrap();
    write!(text, "{:1$}{subplan}{kind}", "", 2 * depth).unwrap();
    for (before, name) in [
        (" ", "Operation"),
        (" ", "Join Type"),
        (" ", "Scan Direction"),
        (" on ", "Relation Name"),
        (" by ", "Index Name"),
        (" of ", "CTE Name"),
        (" ", "Function Name"),
    ] {
        let usual = ["Forward", "Inner"];
        if let Some(value) = field(name).filter(|value| !usual.contains(value)) {
            write!(text, "{before}{value}").unwrap();
        }
    }
    text.push('\n');
    for below in node["Plans"].as_array().into_iter().flatten() {
        shape(below, depth + 1, text);
    }
}

async fn session(database: &TestDatabase, settings: &[&str]) -> Sql {
    let sql = Sql::connect(&database.url()).await;
    for setting in settings {
        sql.texts(setting).await;
    }
    sql
}

#[tokio::test]
async fn hot_statements_reach_their_rows_by_their_indexes() {
    let database = TestDatabase::new().await;
    seed(&database.sql).await;
    let sql = session(&database, &SESSION).await;
    let (mut text, mut products) = (String::new(), Vec::new());
    for &query in Query::ALL.iter().filter(|query| is_hot(**query)) {
        writeln!(text, "{}", query.name()).unwrap();
        let plan = explain(&sql, query).await;
        shape(&plan, 1, &mut text);
        if reads_its_batch_for_each_row(&plan) {
            products.push(query.name());
        }
    }
    assert!(products.is_empty(), "read a batch once for each row: {products:?}");
    let sql = session(&database, &REPORTING).await;
    for &query in Query::ALL.iter().filter(|query| is_in(**query, &WIDE)) {
        writeln!(text, "{}", query.name()).unwrap();
        shape(&explain(&sql, query).await, 1, &mut text);
    }
    let small = SMALL.map(|table| format!("Seq Scan on {table}"));
    let is_large =
        |line: &&str| line.contains("Seq Scan on ") && !small.contains(&line.trim().into());
    let whole: Vec<&str> = text.lines().filter(is_large).collect();
    assert!(whole.is_empty(), "a table is read whole: {whole:?} in {text}");
    expect_file!["expected/plans.txt"].assert_eq(&text);
}

/// A list that the statement was given, and not one that stands in a row.
fn is_its_batch(node: &Value) -> bool {
    let call = node["Function Call"].as_str().unwrap_or_default();
    node["Node Type"] == "Function Scan" && call.contains('$')
}

/// The batch of a statement, read again for each row of a table that is cut into weeks: what a kept
/// plan likes best while the weeks are empty, and what then takes the product of the two.
fn reads_its_batch_for_each_row(node: &Value) -> bool {
    let below = node["Plans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_that = |outer: &Value, inner: &Value| {
        holds(outer, &|node| node["Node Type"] == "Append") && holds(inner, &is_its_batch)
    };
    matches!(below, [outer, inner] if node["Node Type"] == "Nested Loop" && is_that(outer, inner))
        || below.iter().any(reads_its_batch_for_each_row)
}

fn holds(node: &Value, what: &dyn Fn(&Value) -> bool) -> bool {
    what(node) || node["Plans"].as_array().into_iter().flatten().any(|below| holds(below, what))
}

#[tokio::test]
async fn promises_are_reached_by_their_keys_also_where_there_are_no_statistics_yet() {
    let database = TestDatabase::new().await;
    let weeks = "SELECT attach_weeks(t, '2026-05-04', '2026-11-09') \
                 FROM unnest('{intent,attempt,attempt_outcome}'::text[]) t";
    database.sql.texts(weeks).await;
    let sql = session(&database, &SESSION).await;
    let mut wrong = Vec::new();
    for &query in Query::ALL.iter().filter(|query| is_hot(**query)) {
        if reads_its_batch_for_each_row(&explain(&sql, query).await) {
            wrong.push(query.name());
        }
    }
    assert!(wrong.is_empty(), "read a batch once for each row: {wrong:?}");
}

/// What the sessions of this file are told is what the service tells its own.
#[test]
fn the_sessions_here_plan_as_the_services_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/src/db/pools.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let plans =
        |name: &str| name.starts_with("enable_") || ["jit", "plan_cache_mode"].contains(&name);
    let told = text.split("-c ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once('=')?;
        let value = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
        plans(name).then(|| format!("SET {name} = {value}"))
    });
    let told: BTreeSet<String> = told.collect();
    let here = SESSION.iter().chain(&REPORTING).map(|setting| (*setting).to_owned());
    assert_eq!(told, here.collect());
}

/// What was empty when it was last looked at is planned for as such: for a second, not for ever.
#[tokio::test]
async fn statistics_follow_tables_that_fill() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    sql.texts("ANALYZE reply").await;
    let known = "SELECT reltuples FROM pg_class WHERE oid = 'reply'::regclass";
    assert!(sql.one::<f32>(known, &[]).await < 1.0);
    sql.run(
        "INSERT INTO reply SELECT 0, 1, 'SM' || n, 999200000000 + n, n, 'y', 'yes', now() \
         FROM generate_series(1, 300) AS n",
        &[],
    )
    .await;
    until("statistics", async || (sql.one::<f32>(known, &[]).await >= 300.0).then_some(())).await;
    app.finish().await;
}

/// A file that moved would take its statements out of sight.
#[test]
fn every_wide_file_has_its_statements() {
    for file in WIDE {
        let path = format!("service/src/{file}");
        assert!(Query::ALL.iter().any(|query| query.spec().file == path), "{path}");
    }
}
