//! How a process leaves: in order when it is asked once, at once when it is asked twice.
//!
//! Never here: messages that are under way then (`side_by_side`), readiness
//! (`endpoints::read_readiness`).

use std::process::{Command, Stdio};

use tests::client::Client;
use tests::{Sql, TestApp, TestDatabase, appointment, until};

fn signal(app: &TestApp, name: &str) {
    let pid = app.process.pid().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// A request that waits for the database, and the transaction that it waits for.
async fn held_request(
    app: &TestApp,
) -> (Sql, tokio::task::JoinHandle<Result<tests::Answer, tests::client::NoAnswer>>) {
    let one = app.practice(1).await;
    let sql = Sql::connect(&app.database.url()).await;
    sql.texts("BEGIN").await;
    sql.texts("SELECT 1 FROM shard FOR UPDATE").await;
    let booking = tokio::spawn(async move { one.try_book(&appointment("a")).await });
    until("it is under way", async || {
        let active = [("listener", "public")];
        (app.scrape().await.sum("http_server_active_requests", &active) == 1.0).then_some(())
    })
    .await;
    (sql, booking)
}

#[tokio::test]
async fn asked_once_it_answers_what_is_under_way() {
    let app = TestApp::start().await;
    let (sql, booking) = held_request(&app).await;
    signal(&app, "-TERM");
    until("no connection is taken", async || {
        tokio::net::TcpStream::connect(app.client.public).await.is_err().then_some(())
    })
    .await;
    // Whoever watches it still sees it, and what it waits for.
    let active = [("listener", "public")];
    assert_eq!(app.scrape().await.sum("http_server_active_requests", &active), 1.0);
    sql.texts("ROLLBACK").await;
    let answer = booking.await.unwrap().unwrap().expect(200);
    assert_eq!(answer.header("connection"), "close");
    let TestApp { service, database, .. } = app;
    service.finished(tests::Ending::default()).await;
    let stored = "SELECT count(*) FROM appointment WHERE appointment_id = 'a'";
    assert_eq!(database.sql.one::<i64>(stored, &[]).await, 1);
}

#[tokio::test]
async fn asked_twice_it_goes_at_once() {
    let app = TestApp::start().await;
    let (sql, booking) = held_request(&app).await;
    signal(&app, "-INT");
    until("it is leaving", async || app.log().contains("stopping").then_some(())).await;
    assert!(app.process.ended().is_none());
    signal(&app, "-INT");
    let status = tests::wait::soon("its end", app.process.wait()).await;
    assert_eq!(status.code(), Some(130));
    assert!(booking.await.unwrap().is_err(), "an answer from a process that is gone");
    sql.texts("ROLLBACK").await;
    let TestApp { service, .. } = app;
    service.kill().await;
}

/// Who reads its log may leave before it: lines are lost then, and nothing else.
#[tokio::test]
async fn it_works_and_leaves_in_order_though_nobody_reads_its_log() {
    let database = TestDatabase::new().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("addresses.json");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut process = tokio::process::Command::new(tests::binary::punctual())
        .arg("serve")
        .env("PUNCTUAL_DATABASE_URL", database.url())
        .env("PUNCTUAL_PUBLIC_ADDR", "127.0.0.1:0")
        .env("PUNCTUAL_ADMIN_ADDR", "127.0.0.1:0")
        .env("PUNCTUAL_ADDRESS_FILE", &file)
        .env("PUNCTUAL_DRAIN_GRACE_MS", "0")
        // Many lines, of which none can be written.
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stderr(writer)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let addresses = until("it listens", async || std::fs::read_to_string(&file).ok()).await;
    let addresses: serde_json::Value = serde_json::from_str(&addresses).unwrap();
    let address = |name: &str| addresses[name].as_str().unwrap().parse().unwrap();
    let client = Client::new(address("public"), address("admin"));
    until("it is ready", async || {
        let answer = client.get("/readyz").anonymous().send().await;
        (answer.status == 200).then_some(())
    })
    .await;
    // A caller's mistake is a line of the log as well.
    client.get("/v1/practices/1").anonymous().send().await.problem(401, "unauthenticated");
    let pid = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = tests::wait::soon("its end", process.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}
