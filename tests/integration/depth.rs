//! Law 8 in small: how many pages a batch of release and of claim touches does not depend on how
//! much waits behind it, in each of the shapes that a backlog can have.
//!
//! A count of shared buffers, no time. Never here: the large sizes, which the benchmark has.

use std::path::Path;

use serde_json::Value;
use tests::{Sql, TestDatabase};

const SMALL: i64 = 1_000;
const LARGE: i64 = 50_000;
/// Texts in the batch that is measured.
const BATCH: i64 = 100;
/// What the law allows from the smallest to the largest.
const GROWTH_MAX: f64 = 1.5;

/// How a backlog is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Everybody has one.
    Uniform,
    /// Half of it belongs to one recipient.
    Busy,
    /// All but two batches lie in the future.
    Future,
    /// The first half is done, and an old snapshot keeps its remains from being cleaned up.
    Pinned,
}

/// What the seeds are due from, and what time it is when the batch is measured.
const FROM: &str = "2026-01-05T09:00:00Z";
const NOW: &str = "2026-01-05T20:00:00Z";
const FUTURE: &str = "2026-01-06T09:00:00Z";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../service/sql").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Pages that a prepared statement touches, from its plan, without leaving a trace.
async fn buffers(sql: &Sql, name: &str, arguments: &str) -> (f64, i64) {
    sql.texts("BEGIN").await;
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {name}({arguments})");
    let plan: Value = serde_json::from_str(&sql.texts(&explain).await.concat()).unwrap();
    sql.texts("ROLLBACK").await;
    let root = &plan[0]["Plan"];
    let blocks = |kind: &str| root[kind].as_f64().unwrap();
    (
        blocks("Shared Hit Blocks") + blocks("Shared Read Blocks"),
        root["Actual Rows"].as_f64().unwrap() as i64,
    )
}

/// Fills a backlog of a size and shape by one of the benchmark's seeds.
async fn seed(sql: &Sql, table: &str, shape: Shape, size: i64) {
    sql.texts("SELECT attach_weeks('intent', '2026-01-04', '2026-01-09')").await;
    sql.texts("UPDATE shard SET release_floor = '2000-01-01', ready_floor = '2000-01-01'").await;
    let name = format!("seed_{table}");
    sql.texts(&format!("PREPARE {name} AS {}", read(&format!("bench/{name}.sql")))).await;
    let busy = if shape == Shape::Busy { size / 2 } else { 0 };
    let near = if shape == Shape::Future { 2 * BATCH } else { size };
    for (first, end, from) in [(0, near, FROM), (near, size, FUTURE)] {
        let execute =
            format!("EXECUTE {name}(0, 50, {first}, {end}, {busy}, '{from}', '1 millisecond')");
        sql.texts(&execute).await;
    }
    for table in ["appointment", "intent", "message", "lane", "lane_item"] {
        sql.texts(&format!("VACUUM (ANALYZE) {table}")).await;
    }
}

/// The first half done behind an old snapshot, and the floors where the maintainer would put them.
async fn finish_half(sql: &Sql, size: i64) {
    let half = format!("'{FROM}'::timestamptz + {} * interval '1 millisecond'", size / 2);
    sql.texts(&format!("DELETE FROM lane WHERE ready_at < {half}")).await;
    sql.texts(&format!(
        "UPDATE intent SET state = 'r', message_id = 1 WHERE state = 'p' AND due_at < {half}"
    ))
    .await;
    sql.texts(&format!("UPDATE shard SET release_floor = {half}, ready_floor = {half}")).await;
    for table in ["intent", "lane"] {
        sql.texts(&format!("VACUUM {table}")).await; // as autovacuum would: it may clean nothing
    }
}

async fn claim_costs(shape: Shape, size: i64) -> f64 {
    measure("lane", "claim_lanes", shape, size, async |sql| {
        let arguments = format!("0, '{NOW}', {BATCH}, '2026-01-05T20:01:00Z'");
        buffers(sql, "claim_lanes", &arguments).await
    })
    .await
}

async fn release_costs(shape: Shape, size: i64) -> f64 {
    measure("intent", "release_due", shape, size, async |sql| {
        let floor = sql.texts("SELECT release_floor FROM shard WHERE shard = 0").await.concat();
        let due = format!("'2026-01-04', '2026-01-06', '{floor}', '{NOW}'");
        let arguments = format!("0, {due}, {BATCH}, '{{}}'");
        buffers(sql, "release_due", &arguments).await
    })
    .await
}

async fn measure(
    table: &str,
    statement: &str,
    shape: Shape,
    size: i64,
    run: impl AsyncFnOnce(&Sql) -> (f64, i64),
) -> f64 {
    let database = TestDatabase::new().await;
    let sql = &database.sql;
    seed(sql, table, shape, size).await;
    let old = Sql::connect(&database.url()).await;
    if shape == Shape::Pinned {
        old.texts("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
        old.texts("SELECT count(*) FROM practice").await;
        finish_half(sql, size).await;
    }
    // As the service's sessions have it that run this.
    for plan in ["enable_seqscan", "enable_hashjoin", "enable_mergejoin"] {
        sql.texts(&format!("SET {plan} = off")).await;
    }
    sql.texts("SET plan_cache_mode = force_generic_plan").await;
    let text = read(&format!("queries/{statement}.sql"));
    sql.texts(&format!("PREPARE {statement} AS {text}")).await;
    let (pages, rows) = run(sql).await;
    assert_eq!(rows, BATCH, "{statement} {shape:?} {size}: not a full batch");
    pages
}

fn check(name: &str, shape: Shape, small: f64, large: f64) {
    println!("{name} {shape:?}: {small} pages of {SMALL}, {large} of {LARGE}");
    assert!(
        large <= small * GROWTH_MAX,
        "{name} {shape:?}: {small} pages for a batch out of {SMALL}, {large} out of {LARGE}"
    );
}

macro_rules! shapes {
    ($($test:ident: $Shape:ident;)+) => {
        $(#[tokio::test]
        async fn $test() {
            let shape = Shape::$Shape;
            let claim = (claim_costs(shape, SMALL).await, claim_costs(shape, LARGE).await);
            check("claim", shape, claim.0, claim.1);
            let release = (release_costs(shape, SMALL).await, release_costs(shape, LARGE).await);
            check("release", shape, release.0, release.1);
        })+
    };
}

shapes! {
    everybody_has_one: Uniform;
    half_waits_behind_one: Busy;
    nearly_all_lies_ahead: Future;
    an_old_snapshot_is_pinned: Pinned;
}
