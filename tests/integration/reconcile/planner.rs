//! A planner with a bug: what it dropped and what it planned for a wrong day as well.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::database::{Sql, TestDatabase, pair};
use tests::{SOON, TestApp, appointment, until};

use super::{FOUND, every_report_says, named, reconcile};

/// Which the bug hit, by what stands in the tables.
async fn spoilt(sql: &Sql) -> BTreeSet<(String, i64, String, String)> {
    let rows = sql
        .texts(
            "WITH right_ones (rule_id, due_day) AS (
                 VALUES (1, date '2026-05-05'), (2, date '2026-05-06')
             )
             SELECT concat_ws('/', a.appointment_id, r.rule_id, r.due_day, 'missing')
             FROM appointment a CROSS JOIN right_ones r
             WHERE NOT EXISTS (SELECT FROM intent i WHERE i.appointment_id = a.appointment_id
                 AND i.rule_id = r.rule_id AND i.due_day = r.due_day)
             UNION ALL
             SELECT concat_ws('/', i.appointment_id, i.rule_id, i.due_day, 'surplus')
             FROM intent i
             WHERE NOT EXISTS (SELECT FROM right_ones r
                 WHERE i.rule_id = r.rule_id AND i.due_day = r.due_day)",
        )
        .await;
    let parts = rows.iter().map(|row| {
        let parts: Vec<&str> = row.split('/').collect();
        (parts[0].into(), parts[1].parse().unwrap(), parts[2].into(), parts[3].into())
    });
    parts.collect()
}

#[tokio::test]
async fn exactly_what_the_planner_dropped_and_planned_twice_is_named_and_mended() {
    let database = TestDatabase::new().await;
    // On a busy machine the replica may not have heard of it yet, and the primary is read instead.
    pair().await.wait_until_caught_up(SOON).await.unwrap();
    let app = TestApp::with()
        .database(database)
        .env("TEST_PLANNER_BUG", "1000,3001")
        .env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000)
        .replica()
        .start()
        .await;
    let one = app.practice(1).await;
    for batch in 0..2 {
        let ids = (batch * 1_000)..(batch + 1) * 1_000;
        let booked: Vec<_> = ids.map(|n| appointment(&format!("a{n}")).phone(n + 1)).collect();
        one.send(&booked).await;
    }
    let sql = Sql::connect(&app.database.url()).await;
    let spoilt = spoilt(&sql).await;
    assert_eq!(spoilt.len(), 5, "four of 4,000 dropped, one twice: {spoilt:?}");

    let residual =
        async |kind| app.scrape().await.sum("conservation_residual_messages", &[("kind", kind)]);
    until("the stage has found them", async || {
        ((residual("missing").await, residual("surplus").await) == (4.0, 1.0)).then_some(())
    })
    .await;
    let listed = app.get("/admin/residuals").send().await.json(200);
    assert_eq!(named(&listed["residuals"]), spoilt);
    every_report_says(
        &app,
        json!({ "missing": 4, "surplus": 1, "unfinished": 0, "unbalanced": 0, "uncompared": 0 }),
    )
    .await;

    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{output:?}");
    assert_eq!((&report["holds"], &report["residual"]), (&false.into(), &5.into()));
    assert_eq!(named(&report["residuals"]), spoilt);
    assert_eq!(report["promises"], 4_001, "{report:#}");

    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    assert_eq!(named(&report["repaired"]), spoilt);
    assert_eq!(report["residuals"], Value::Array(Vec::new()));
    assert!(report["repaired"][0]["late_seconds"] == 0, "{report:#}");
    until("the stage has seen that they are mended", async || {
        ((residual("missing").await, residual("surplus").await) == (0.0, 0.0)).then_some(())
    })
    .await;
    let kept: i64 = sql.one("SELECT count(*) FROM residual WHERE mended_at IS NOT NULL", &[]).await;
    assert_eq!(kept, 5, "what was wrong stays to be read");
    every_report_says(
        &app,
        json!({ "missing": 0, "surplus": 0, "unfinished": 0, "unbalanced": 0, "uncompared": 0 }),
    )
    .await;

    let scrape = app.scrape().await;
    let decided = |target| {
        let labels = [("db_query_name", "reconcile_promises"), ("target", target)];
        scrape.sum("db_route_decisions_total", &labels)
    };
    assert!(decided("replica") > 0.0 && decided("primary") == 0.0, "it reads the replica");
    assert!(scrape.sum("reconciled_until_timestamp_seconds", &[]) > 0.0);
    // The audit holds, the counts included.
    app.finish_as(FOUND).await;
}
