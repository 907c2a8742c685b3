//! How a process leaves: in order when it is asked once, at once when it is asked twice.
//!
//! Never here: messages that are under way then (`side_by_side`), readiness
//! (`endpoints::read_readiness`).

use std::process::Command;

use tests::{Sql, TestApp, appointment, until};

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
