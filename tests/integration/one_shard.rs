//! A stage that works in every shard but one: what tells of it. All others do their work, so that
//! neither their turns nor the share of failures show it.
//!
//! Never here: how long is too long (`alerts/tests`), what has work standing before it (`in_hand`).

use tests::metrics::Scrape;
use tests::{TestApp, until};

/// Raises the floor of each shard once a second.
const STAGE: [(&str, &str); 1] = [("stage", "floor")];

fn failures(scrape: &Scrape) -> f64 {
    scrape.sum("stage_failures_total", &STAGE)
}

fn last_turn(scrape: &Scrape) -> f64 {
    scrape.sum("stage_last_run_timestamp_seconds", &STAGE)
}

async fn after_failures(app: &TestApp, at_least: f64) -> Scrape {
    until("it has failed so often", async || {
        let scrape = app.scrape().await;
        (failures(&scrape) >= at_least).then_some(scrape)
    })
    .await
}

#[tokio::test]
async fn a_single_shard_whose_turns_fail_is_the_stages_last_turn() {
    let app = TestApp::start().await;
    let broken = "ALTER TABLE shard ADD CONSTRAINT broken CHECK (shard <> 3) NOT VALID";
    app.database.sql.run(broken, &[]).await;
    // From one failure to the next every other shard has had its turn.
    let before = after_failures(&app, 2.0).await;
    let after = after_failures(&app, failures(&before) + 2.0).await;
    let turns = |scrape: &Scrape| scrape.sum("stage_duration_seconds_count", &STAGE);
    assert!(turns(&after) >= turns(&before) + 15.0, "the others work");
    assert_eq!(last_turn(&after), last_turn(&before));

    app.database.sql.run("ALTER TABLE shard DROP CONSTRAINT broken", &[]).await;
    until("its turns come to their end again", async || {
        (last_turn(&app.scrape().await) > last_turn(&after)).then_some(())
    })
    .await;
    app.finish().await;
}
