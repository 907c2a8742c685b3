//! Counts that don't say what the promises and their texts say: found by the stage, a practice, day
//! and rule at a time, shown everywhere, and put right on demand.
//!
//! Never here: that an audit finds them too (`audit_finds`), how they are folded (`folding`).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::app::Ending;
use tests::database::pair;
use tests::practice::FIRST_DUE;
use tests::{Practice, SOON, TestApp, TestDatabase, appointment, at, until};

use super::{FOUND, every_report_says, reconcile};

/// So many more of a fate are counted on a day of practice 1, under a rule.
const COUNT: &str = "\
    INSERT INTO tally_delta (shard, practice_id, local_day, rule_id, fate, n) \
    SELECT shard, practice_id, $1::text::date, $2, $3, $4 FROM practice WHERE practice_id = 1";

/// What has another sum than expected, by the words that are told.
const NO_SUM: &str = "expected is not what became of it and what waits";
const OTHER_FATE: &str = "a fate is counted otherwise than the promises say";

/// The counts that are named: rule, day, why.
fn unbalanced(residuals: &Value) -> BTreeSet<(i64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let counts =
        residuals.as_array().unwrap().iter().filter(|residual| residual["kind"] == "unbalanced");
    let name = |residual: &Value| {
        assert_eq!(
            (&residual["practice_id"], &residual["appointment_id"]),
            (&json!(1), &json!(""))
        );
        let rule = residual["rule_id"].as_i64().unwrap();
        (rule, text(&residual["day"]), text(&residual["reason"]))
    };
    counts.map(name).collect()
}

async fn until_found(app: &TestApp, counts: f64) {
    until("the stage says so", async || {
        let kind = [("kind", "unbalanced")];
        let found = app.scrape().await.sum("conservation_residual_messages", &kind);
        (found == counts).then_some(())
    })
    .await;
}

/// A service that looks at everything every second, on the replica, and has found that all balances
/// while texts left.
async fn world() -> (TestApp, Practice) {
    let database = TestDatabase::new().await;
    pair().await.wait_until_caught_up(SOON).await.unwrap();
    let app = TestApp::with()
        .database(database)
        .env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000)
        .replica()
        .start()
        .await;
    let one = app.practice(1).await;
    let many: Vec<_> = (0..20).map(|n| appointment(&format!("a{n}")).phone(n + 1)).collect();
    one.send(&many).await;
    one.cancel("a0").await;
    app.hold(at(FIRST_DUE)).await;
    app.idle().await;
    let looked = app.scrape().await.sum("reconciled_promises_total", &[]);
    until("it has looked at all that, and all balances", async || {
        let scrape = app.scrape().await;
        (scrape.sum("reconciled_promises_total", &[]) > looked + 40.0).then_some(())
    })
    .await;
    until_found(&app, 0.0).await;
    let sql = &app.database.sql;
    let ever = "SELECT count(*) FROM residual";
    assert_eq!(sql.one::<i64>(ever, &[]).await, 0, "while texts left all balanced too");
    (app, one)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_otherwise_than_it_is_is_found_by_day_and_rule_and_put_right() {
    let (app, one) = world().await;
    let sql = &app.database.sql;
    // One that nobody expected was sent; one is counted as failed, and waits; one more expected
    // and sent than there are; receipts, which the promises know nothing of; and a day of which no
    // promise is.
    for (day, rule, fate, n) in [
        ("2026-05-05", 1_i16, 1_i16, 1_i32),
        ("2026-05-06", 2, 6, 1),
        ("2026-05-05", 2, 0, 1),
        ("2026-05-05", 2, 1, 1),
        ("2026-05-06", 1, 9, 1),
        ("2026-05-07", 1, 0, -2),
    ] {
        assert_eq!(sql.run(COUNT, &[&day, &rule, &fate, &n]).await, 1);
    }
    until_found(&app, 4.0).await;
    let wanted = [
        (1, "2026-05-05", NO_SUM),
        (2, "2026-05-06", NO_SUM),
        (2, "2026-05-05", OTHER_FATE),
        (1, "2026-05-07", NO_SUM),
    ];
    let wanted = BTreeSet::from(wanted.map(|(rule, day, why)| (rule, day.into(), why.into())));
    until("the replica lists them too", async || {
        let listed = app.get("/admin/residuals").send().await.json(200);
        (unbalanced(&listed["residuals"]) == wanted).then_some(())
    })
    .await;
    let told =
        json!({ "missing": 0, "surplus": 0, "unfinished": 0, "unbalanced": 4, "uncompared": 0 });
    every_report_says(&app, told).await;
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, &report["residual"]), (Some(1), &json!(4)), "{report:#}");
    assert_eq!(unbalanced(&report["residuals"]), wanted);
    let scrape = app.scrape().await;
    let labels = [("db_query_name", "reconcile_counts"), ("target", "primary")];
    assert_eq!(scrape.sum("db_route_decisions_total", &labels), 0.0, "it reads the replica");

    // Two repairs at once, while counts change: by as much as is wrong, once.
    let booked = async {
        for n in 0..30 {
            one.book(&appointment(&format!("b{n}")).phone(100 + n)).await;
            one.cancel(&format!("b{n}")).await;
        }
    };
    let repair = ["--repair"];
    let (first, second, ()) =
        tokio::join!(reconcile(&app, &repair), reconcile(&app, &repair), booked);
    for (output, report) in [&first, &second] {
        assert_eq!((output.status, &report["residual"]), (Some(0), &json!(0)), "{report:#}");
    }
    let repaired = |report: &Value| unbalanced(&report["repaired"]);
    assert_eq!(&repaired(&first.1) | &repaired(&second.1), wanted);
    until_found(&app, 0.0).await;
    let (output, _) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    // The audit, which shares no statement with this, finds that the counts are right; but for the
    // receipt that there was not, which it knows nothing of.
    app.finish_as(FOUND).await;
}

/// What became wrong and nobody has looked at for days is told like everything else.
#[tokio::test]
async fn counts_of_a_day_that_is_over_stay_until_somebody_is_told() {
    let app = TestApp::start().await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    assert_eq!(app.database.sql.run(COUNT, &[&"2026-05-05", &1_i16, &0_i16, &1]).await, 1);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, unbalanced(&report["residuals"]).len()), (Some(1), 1));
    app.hold(at("2026-05-08T20:30")).await;
    one.until_fate("a", 2, "expired").await;
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!((output.status, unbalanced(&report["too_late"]).len()), (Some(1), 1), "{report:#}");
    let (output, _) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(0), "{output:?}");
    app.finish_as(Ending { is_broken: true, ..FOUND }).await;
}
