//! When the build that runs was put in place, as its metrics say: a deploy is the first process of
//! another build. It is neither a restart nor the age of a file, which in an image is that of its
//! making, or none.
//!
//! Never here: which build it is (`build_info`), when a process began.

use tests::app::Service;
use tests::{Ending, TestApp};

async fn deployed_at(service: &Service) -> f64 {
    service.scrape().await.sum("deploy_timestamp_seconds", &[])
}

async fn started_at(service: &Service) -> f64 {
    service.scrape().await.sum("process_start_time_seconds", &[])
}

#[tokio::test]
async fn a_deploy_is_another_build_and_no_restart() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    let first = deployed_at(&app).await;
    let noted = "SELECT extract(epoch FROM deployed_at)::float8 FROM deployment";
    let noted: f64 = sql.one(noted, &[]).await;
    assert!((noted - first).abs() < 1e-3, "{noted}: {first}");

    let again = app.another(&[]).await;
    assert_eq!(deployed_at(&again).await, first, "the same build was put in place once");
    let started = started_at(&again).await;
    assert!(started > first, "{started}, {first}: its start is its own");
    again.finish(Ending::default()).await;

    // Another one was there, and then the first again: a deploy, though the file is the same.
    sql.run("UPDATE deployment SET build = '0.0.1 other'", &[]).await;
    let back = app.another(&[]).await;
    let (second, started) = (deployed_at(&back).await, started_at(&back).await);
    assert!(second > started, "{second}, {started}");
    assert_eq!(deployed_at(&app).await, first, "what runs since the first was put in place then");
    let build: String = sql.one("SELECT build FROM deployment", &[]).await;
    let info = back.scrape().await;
    let (version, revision) = build.split_once(' ').expect("version and revision");
    assert_eq!(info.sum("build_info", &[("version", version), ("revision", revision)]), 1.0);
    back.finish(Ending::default()).await;
    app.finish().await;
}
