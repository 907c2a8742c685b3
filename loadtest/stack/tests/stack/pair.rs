//! A pair streams, runs as nobody special, and leaves nothing.

use std::os::unix::fs::MetadataExt;

use stack::postgres::{Options, PostgresPair, Profile, shared};

use crate::support::{SOON, base, processes_of, runs};

#[tokio::test]
async fn the_replica_follows_and_takes_no_writes() {
    let pair = shared().await.unwrap();
    let primary = pair.primary().connect("postgres").await.unwrap();
    primary
        .batch_execute("CREATE TABLE follows (x int); INSERT INTO follows VALUES (42)")
        .await
        .unwrap();

    pair.wait_until_caught_up(SOON).await.unwrap();

    let replica = pair.replica().connect("postgres").await.unwrap();
    let x: i32 = replica.query_one("SELECT x FROM follows", &[]).await.unwrap().get(0);
    assert_eq!(x, 42);
    let refused = replica.batch_execute("CREATE TABLE no (x int)").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006");
    let streaming: i64 = primary
        .query_one("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(streaming, 1);
}

#[tokio::test]
async fn commits_that_were_not_waited_for_are_caught_up_with_too() {
    let pair = shared().await.unwrap();
    let primary = pair.primary().connect("postgres").await.unwrap();
    primary
        .batch_execute("SET synchronous_commit = off; CREATE TABLE not_flushed (x int)")
        .await
        .unwrap();
    pair.wait_until_caught_up(SOON).await.unwrap();
    let replica = pair.replica().connect("postgres").await.unwrap();
    replica.query_one("SELECT count(*) FROM not_flushed", &[]).await.unwrap();
}

#[tokio::test]
async fn statements_are_counted_and_a_password_is_needed() {
    let pair = shared().await.unwrap();
    let client = pair.primary().connect("postgres").await.unwrap();
    client.query_one("SELECT count(*) FROM pg_stat_statements", &[]).await.unwrap();

    let without =
        format!("postgres://postgres@127.0.0.1:{}/postgres", pair.primary().address().port);
    assert!(tokio_postgres::connect(&without, tokio_postgres::NoTls).await.is_err());
}

#[tokio::test]
async fn usage_is_seen_and_root_is_dropped() {
    let pair = shared().await.unwrap();
    let usage = pair.primary().usage().unwrap();
    assert!(usage.resident_bytes > 1024 * 1024, "{usage:?}");
    assert!(usage.resident_peak_bytes > 1024 * 1024, "{usage:?}");

    let pid = pair.primary().pid().unwrap();
    let owner = std::fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert_ne!(owner, 0, "PostgreSQL runs as root");
}

#[tokio::test]
async fn a_stopped_pair_leaves_no_process_and_no_file() {
    let base = base();
    let pair = PostgresPair::start(Options::new(Profile::Test).base(base.path())).await.unwrap();
    assert_eq!(runs(base.path()).len(), 1);
    assert!(processes_of(base.path()).len() > 5);

    pair.stop().await;

    assert_eq!(processes_of(base.path()), Vec::<u32>::new());
    assert!(runs(base.path()).is_empty());
}

#[tokio::test]
async fn the_demo_profile_is_durable_and_dropping_it_leaves_nothing() {
    let base = base();
    let pair = PostgresPair::start(Options::new(Profile::Demo).base(base.path())).await.unwrap();
    let client = pair.primary().connect("postgres").await.unwrap();
    let fsync: String = client.query_one("SHOW fsync", &[]).await.unwrap().get(0);
    assert_eq!(fsync, "on");

    drop(pair);

    assert_eq!(processes_of(base.path()), Vec::<u32>::new());
    assert!(runs(base.path()).is_empty());
}

#[tokio::test]
async fn a_setting_that_postgres_refuses_is_told_with_its_reason() {
    let base = base();
    let options = Options::new(Profile::Test).base(base.path()).setting("shared_buffers", "many");
    let refused = PostgresPair::start(options).await.unwrap_err().to_string();
    assert!(refused.contains("shared_buffers"), "{refused}");
    assert_eq!(processes_of(base.path()), Vec::<u32>::new());
    assert!(runs(base.path()).is_empty());
}
