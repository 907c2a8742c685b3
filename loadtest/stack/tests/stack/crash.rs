//! Servers that are killed, stopped and paused: nothing committed is lost, and they come back
//! where they were.

use stack::postgres::{Options, PostgresPair, Profile};

use crate::support::{SOON, base, processes_of};

#[tokio::test]
async fn what_was_committed_survives_kill_9_of_either_server() {
    let base = base();
    let pair = PostgresPair::start(Options::new(Profile::Test).base(base.path())).await.unwrap();
    let client = pair.primary().connect("postgres").await.unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 7 AS x").await.unwrap();
    let url = pair.primary().url("postgres");

    pair.primary().kill().await.unwrap();
    assert_eq!(processes_of(pair.primary().data()), Vec::<u32>::new());
    assert!(pair.primary().pid().is_none());
    assert!(pair.primary().connect("postgres").await.is_err());

    pair.primary().start().await.unwrap();
    assert_eq!(pair.primary().url("postgres"), url);
    let client = pair.primary().connect("postgres").await.unwrap();
    let x: i32 = client.query_one("SELECT x FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(x, 7);

    pair.replica().kill().await.unwrap();
    client.batch_execute("UPDATE kept SET x = 8").await.unwrap();
    pair.replica().start().await.unwrap();
    pair.wait_until_caught_up(SOON).await.unwrap();
    let replica = pair.replica().connect("postgres").await.unwrap();
    let x: i32 = replica.query_one("SELECT x FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(x, 8);

    pair.stop().await;
    assert_eq!(processes_of(base.path()), Vec::<u32>::new());
}

#[tokio::test]
async fn a_paused_replica_lags_and_catches_up() {
    let base = base();
    let pair = PostgresPair::start(Options::new(Profile::Test).base(base.path())).await.unwrap();
    let client = pair.primary().connect("postgres").await.unwrap();
    let standing_still = pair.replica().pause();
    client.batch_execute("CREATE TABLE missed (x int)").await.unwrap();
    let late = pair.wait_until_caught_up(std::time::Duration::from_millis(200)).await;
    assert!(late.unwrap_err().to_string().contains("catching up"));

    drop(standing_still);

    pair.wait_until_caught_up(SOON).await.unwrap();
}

#[tokio::test]
async fn an_orderly_stop_and_a_start_keep_the_address() {
    let base = base();
    let pair = PostgresPair::start(Options::new(Profile::Test).base(base.path())).await.unwrap();
    let url = pair.primary().url("postgres");
    pair.primary().stop().await;
    pair.primary().start().await.unwrap();
    // A second start of a running server does nothing.
    pair.primary().start().await.unwrap();
    assert_eq!(pair.primary().url("postgres"), url);
    pair.primary().connect("postgres").await.unwrap();
    pair.wait_until_caught_up(SOON).await.unwrap();
}
