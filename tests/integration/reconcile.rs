//! Reconciliation: what is promised and isn't planned, what is planned and isn't promised, what
//! still waits, what is counted otherwise than it is, and what the provider's list says otherwise,
//! found by name, shown everywhere until it is mended or somebody was told.
//!
//! Belongs here: the stage and the command. Never here: the endpoint that lists what was found
//! (`endpoints::read_residuals`), the other laws (`audit_finds`).

mod again;
mod balance;
pub(crate) mod broken;
mod listed;
mod planner;
mod put_off;
mod reasons;
mod recipient;
mod told;
mod withdrawn;

use std::collections::BTreeSet;

use serde_json::Value;
use tests::app::Ending;
use tests::binary::{Output, run};
use tests::database::pair;
use tests::{SOON, TestApp, until};

/// The line that the stage writes.
const FOUND: Ending = Ending { errors: &["promises are out of order"], is_broken: false };

/// Runs the command, which reads the replica, once that has all that was done before.
async fn reconcile(app: &TestApp, flags: &[&str]) -> (Output, Value) {
    pair().await.wait_until_caught_up(SOON).await.unwrap();
    let (url, replica) = (app.database.url(), app.database.replica_url());
    let environment =
        [("PUNCTUAL_DATABASE_URL", url.as_str()), ("PUNCTUAL_DATABASE_REPLICA_URLS", &replica)];
    let arguments: Vec<&str> = ["reconcile", "--json"].into_iter().chain(flags.to_vec()).collect();
    let output = run(&arguments, &environment).await;
    let report =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report)
}

/// What a report names of promises: appointment, rule, day and in which way. Whoever changes them
/// by hand makes counts wrong too; that is `balance`'s.
fn named(residuals: &Value) -> BTreeSet<(String, i64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let name = |residual: &Value| {
        let rule = residual["rule_id"].as_i64().unwrap();
        let (day, kind) = (text(&residual["day"]), text(&residual["kind"]));
        (text(&residual["appointment_id"]), rule, day, kind)
    };
    residuals.as_array().unwrap().iter().filter(is_promise).map(name).collect()
}

fn is_promise(residual: &&Value) -> bool {
    residual["kind"] != "unbalanced"
}

/// Waits until all reports say so, which may be read from a replica.
async fn every_report_says(app: &TestApp, residuals: Value) {
    let of_practice = [
        "/days/2026-05-05/counts",
        "/days/2026-05-05/report",
        "/reports/delivery",
        "/reports/trend",
    ];
    let paths = of_practice.map(|path| format!("/v1/practices/1{path}"));
    for path in paths.iter().map(String::as_str).chain(["/admin/fleet"]) {
        until(path, async || {
            let said = app.get(path).send().await.json(200);
            (said["residuals"] == residuals).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_database_that_is_away_and_a_wrong_flag_are_one_line() {
    let url = [("PUNCTUAL_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")];
    let away = run(&["reconcile"], &url).await;
    assert_eq!(away.status, Some(3), "{away:?}");
    assert_eq!(away.stderr.lines().filter(|line| line.starts_with("punctual:")).count(), 1);
    let wrong = run(&["reconcile", "--mend"], &url).await;
    assert_eq!((wrong.status, wrong.stderr.lines().count()), (Some(2), 1), "{wrong:?}");
}
