//! A practice that can't be computed with: PostgreSQL's tz data has lost its zone. It is named, and
//! keeps nobody from looking at the others.
//!
//! Never here: that such a zone can't be put (`endpoints::put_practice`).

use std::collections::BTreeSet;

use contract::shard::shard_of;
use serde_json::json;
use stack::postgres::{Options, PostgresPair, Profile};
use tests::app::Ending;
use tests::binary::run;
use tests::practice::settings;
use tests::{Sql, TestApp, TestDatabase, appointment, until};

use super::{FOUND, named, reconcile};
use crate::router::{pause, tell, until_read};

/// What is logged at level ERROR of it, and of the promise that is gone.
const ERRORS: &[&str] = &[FOUND.errors[0], "a practice can't be compared"];

/// What the database's tz data may lose by an upgrade; the table itself takes no such zone.
pub(crate) async fn lose_zone(sql: &Sql) {
    let lost = "UPDATE practice_revision SET timezone = 'Etc/Unknown' WHERE practice_id = 1";
    assert!(sql.refused(lost).await.contains("not recognized"), "the table computes with it");
    let computes = "SELECT conname::text FROM pg_constraint \
                    WHERE conrelid = 'practice_revision'::regclass AND contype = 'c' \
                      AND pg_get_constraintdef(oid) LIKE '%timezone%'";
    let name: String = sql.one(computes, &[]).await;
    sql.texts(&format!("ALTER TABLE practice_revision DROP CONSTRAINT {name}")).await;
    sql.run(lost, &[]).await;
}

#[tokio::test]
async fn a_practice_whose_zone_is_lost_is_named_and_the_others_are_looked_at() {
    let app = TestApp::with().env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000).start().await;
    let sql = &app.database.sql;
    let shards: i16 = sql.one("SELECT shard_count FROM deployment", &[]).await;
    let neighbour = (2..).find(|&id| shard_of(id, shards) == shard_of(1, shards)).unwrap();
    for id in [1, neighbour] {
        let practice = app.practice(id).await;
        practice.book(&appointment("a")).await;
        practice.book(&appointment("of-last-month").starts("2026-04-06T14:00")).await;
    }
    lose_zone(sql).await;
    let lost = "DELETE FROM intent WHERE practice_id = $1 AND rule_id = 1";
    sql.run(lost, &[&neighbour]).await;

    until("the stage has met the one and found what the other lacks", async || {
        let scrape = app.scrape().await;
        let failures = scrape.sum("stage_failures_total", &[("stage", "reconcile")]);
        let of = |kind| scrape.sum("conservation_residual_messages", &[("kind", kind)]);
        (failures >= 1.0 && of("missing") == 1.0 && of("uncompared") == 1.0).then_some(())
    })
    .await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    let missing = ("a".to_owned(), 1, "2026-05-05".to_owned(), "missing".to_owned());
    assert_eq!(named(&report["residuals"]), BTreeSet::from([missing]), "{report:#}");
    assert_eq!(report["residuals"][0]["practice_id"], neighbour);
    let not_compared = report["not_compared"].as_array().unwrap();
    assert_eq!((not_compared.len(), &not_compared[0]["practice_id"]), (1, &json!(1)), "{report:#}");
    let why = not_compared[0]["why"].as_str().unwrap();
    assert!(why.contains("time zone \"Etc/Unknown\" not recognized"), "{why}");

    // Every report of the practice says so, and only of that one.
    for (id, uncompared) in [(1, 1), (neighbour, 0)] {
        let path = format!("/v1/practices/{id}/days/2026-05-05/counts");
        let report = app.get(&path).send().await.json(200);
        assert_eq!(report["residuals"]["uncompared"], uncompared, "{report:#}");
    }

    // Whoever mends is not told that all is well.
    let url = app.database.url();
    let mended = run(&["reconcile", "--repair"], &[("PUNCTUAL_DATABASE_URL", &url)]).await;
    assert_eq!(mended.status, Some(1), "{mended:?}");
    let told = "NOT COMPARED: 1, nothing else out of order\n";
    assert!(mended.stdout.ends_with(told), "{mended:?}");
    assert!(mended.stdout.contains("not compared: practice 1: "), "{mended:?}");

    // The audit can't say that law 1 holds there; it checks the rest all the same.
    let report = app.get("/admin/audit").send().await.json(200);
    let of = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap().clone()
    };
    assert_eq!((&report["holds"], &of("expected")["violations"]), (&json!(false), &json!(1)));
    let named = of("expected")["examples"].to_string();
    assert!(named.contains(&format!("shard {} can't be checked", shard_of(1, shards))), "{named}");
    assert_eq!(of("conservation")["cases"], 4, "{report:#}");

    // Its settings are put right, and somebody can look again: what is over needs no calendar.
    app.put("/v1/practices/1", &settings(1)).send().await.expect(200);
    until("it is compared again", async || {
        let uncompared = [("kind", "uncompared")];
        let scrape = app.scrape().await;
        (scrape.sum("conservation_residual_messages", &uncompared) == 0.0).then_some(())
    })
    .await;
    app.finish_as(Ending { errors: ERRORS, is_broken: true }).await;
}

/// A replica that stands still has not seen that a practice was put right. Its servers are the
/// test's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_of_before_opens_nothing_again() {
    let pair = PostgresPair::start(Options::new(Profile::Test)).await.unwrap();
    let app = TestApp::with()
        .database(TestDatabase::on(&pair).await)
        .env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000)
        .replica()
        .start()
        .await;
    until_read(&app, &pair).await;
    app.practice(1).await.book(&appointment("a")).await;
    let sql = &app.database.sql;
    lose_zone(sql).await;
    pair.wait_until_caught_up(tests::SOON).await.unwrap();
    let failures =
        async || app.scrape().await.sum("stage_failures_total", &[("stage", "reconcile")]);
    until("it is met", async || (failures().await >= 1.0).then_some(())).await;
    pause(pair.replica()).await;
    app.put("/v1/practices/1", &settings(1)).send().await.expect(200);

    // Who reads the primary sees that it is in order.
    let url = app.database.url();
    until("it is planned again and in order", async || {
        let looked = run(&["reconcile"], &[("PUNCTUAL_DATABASE_URL", &url)]).await;
        (looked.status == Some(0)).then_some(())
    })
    .await;
    let before = failures().await;
    until("the replica is asked again", async || (failures().await > before).then_some(())).await;
    let open = "SELECT count(*) FROM residual WHERE kind = 'i' AND mended_at IS NULL";
    assert_eq!(sql.one::<i64>(open, &[]).await, 0, "by a look of before it was put right");

    tell(pair.replica(), "SELECT pg_wal_replay_resume()").await;
    app.finish_as(Ending { errors: ERRORS, is_broken: true }).await;
    pair.stop().await;
}
