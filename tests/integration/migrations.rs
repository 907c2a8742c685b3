//! Migrating: several processes at once, and the previous release on the next one's schema.
//!
//! Never here: what the tables are.

use tests::database::{Sql, empty};
use tests::practice::FIRST_DUE;
use tests::{Ending, TestApp, appointment, at, binary};

#[tokio::test]
async fn processes_that_start_at_once_migrate_once() {
    let database = empty().await;
    let url = database.url();
    let migrate = async || binary::run(&["migrate"], &[("PUNCTUAL_DATABASE_URL", &url)]).await;
    let (a, b, c) = tokio::join!(migrate(), migrate(), migrate());
    let mut applied: Vec<u32> = [a, b, c]
        .iter()
        .map(|output| {
            assert_eq!(output.status, Some(0), "{output:?}");
            let said = output.stdout.strip_prefix("punctual: ").expect("what it did");
            said.split(' ').next().unwrap().parse().unwrap()
        })
        .collect();
    applied.sort_unstable();
    assert_eq!((applied[0], applied[1]), (0, 0), "{applied:?}");
    assert!(applied[2] >= 1, "{applied:?}");
    let sql = Sql::connect(&url).await;
    let versions = sql.one::<i64>("SELECT count(*) FROM refinery_schema_history", &[]).await;
    assert_eq!(versions, i64::from(applied[2]));
    drop(sql);
    let again = migrate().await;
    assert!(again.stdout.starts_with("punctual: 0 migrations"), "{again:?}");
}

/// A release knows its own migrations and leaves newer ones alone, so that the next one can be
/// rolled out process by process: its columns have defaults, and this one goes on working.
#[tokio::test]
async fn the_previous_release_works_on_the_next_ones_schema() {
    let database = tests::TestDatabase::new().await;
    let sql = &database.sql;
    for table in ["appointment", "practice", "message", "lane", "intent", "tally_delta", "reply"] {
        let added = format!("ALTER TABLE {table} ADD COLUMN from_next_release text DEFAULT 'x'");
        sql.run(&added, &[]).await;
    }
    let version = "SELECT max(version) + 1 FROM refinery_schema_history";
    let next: i32 = sql.one(version, &[]).await;
    sql.run(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
         VALUES ($1, 'next_release', '2026-01-01T00:00:00Z', '1234567890')",
        &[&next],
    )
    .await;
    let app = TestApp::with().database(database).start().await;
    let other = app.another(&[]).await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    one.through(&other.client).book(&appointment("b").phone(2)).await;
    app.hold(at(FIRST_DUE)).await;
    for id in ["a", "b"] {
        one.until(id, 1, "delivered", |reminder| reminder["receipt"] == "delivered").await;
    }
    let kept: i32 =
        app.database.sql.one("SELECT max(version) FROM refinery_schema_history", &[]).await;
    assert_eq!(kept, next);
    // The migration tool says at this level that it knows nothing of what is newer.
    let ending = Ending { errors: &["next_release is missing"], ..Ending::default() };
    other.finish(ending).await;
    app.finish_as(ending).await;
}

/// Both sides of a first start at once: the second process waits for the first one's migration.
#[tokio::test]
async fn two_services_start_on_an_empty_database() {
    let database = empty().await;
    let sql = Sql::connect(&database.url()).await;
    let app = TestApp::with().env("PUNCTUAL_DATABASE_URL", database.url()).start_unready().await;
    let other = app.another(&[]).await;
    app.ready().await;
    let migrated = sql.one::<i64>("SELECT count(*) FROM shard", &[]).await;
    assert_eq!(migrated, 16, "the shards were made once");
    other.finish(Ending::default()).await;
    app.finish().await;
}
