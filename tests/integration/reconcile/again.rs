//! What was in order again and is found once more: it is told as it is now, and nothing of the
//! first time is told as of this one.
//!
//! Never here: what a replica finds that is behind (`broken`).

use serde_json::{Value, json};
use tests::binary::{Output, run};
use tests::{TestApp, appointment, at};

use super::FOUND;

/// The first rule's promise isn't there.
const AWAY: &str = "DELETE FROM intent WHERE rule_id = 1 AND state = 'p'";
/// What is known of it: when its appointment begins, when it is due, how late it was, and since
/// when it is out of order.
const KNOWN: &str = "\
    SELECT to_char(starts_at AT TIME ZONE 'America/Sao_Paulo', 'DD HH24:MI'), \
           to_char(due_at AT TIME ZONE 'America/Sao_Paulo', 'DD HH24:MI'), late_seconds, \
           found_at::text, mended_at IS NULL \
    FROM residual WHERE kind = 'm'";

type Known = (String, String, Option<i32>, String, bool);

async fn known(app: &TestApp) -> Known {
    let rows = app.database.sql.rows(KNOWN, &[]).await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))
}

/// Runs the command, which reads the primary: what it sees is later than what it closed before.
async fn reconcile(app: &TestApp, flags: &[&str]) -> (Output, Value) {
    let arguments = [["reconcile", "--json"].as_slice(), flags].concat();
    let output = run(&arguments, &[("PUNCTUAL_DATABASE_URL", &app.database.url())]).await;
    let report =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report)
}

#[tokio::test]
async fn what_is_found_again_begins_anew() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    let one = app.practice(1).await;
    app.put("/admin/stages/release", &json!({ "gate": "held" })).send().await.expect(200);
    one.book(&appointment("a")).await;
    assert_eq!(app.database.sql.run(AWAY, &[]).await, 1);
    app.hold(at("2026-05-05T13:00")).await;
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!(output.status, Some(0), "{report:#}");
    let (starts, due, late, first_found, is_open) = known(&app).await;
    assert_eq!((starts.as_str(), due.as_str(), late), ("06 14:30", "05 12:00", Some(3_600)));
    assert!(!is_open);

    // On the same day, for a later time.
    one.book(&appointment("a").version(2).starts("2026-05-06T17:00")).await;
    assert_eq!(app.database.sql.run(AWAY, &[]).await, 1);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!(output.status, Some(1), "{report:#}");
    let (starts, due, late, found, is_open) = known(&app).await;
    assert_eq!((starts.as_str(), due.as_str(), late), ("06 17:00", "05 16:00", None));
    assert!(is_open && found != first_found, "{found}");

    // While it is out of order it is told as it was found last.
    one.book(&appointment("a").version(3).starts("2026-05-06T17:30")).await;
    assert_eq!(app.database.sql.run(AWAY, &[]).await, 1);
    let (output, report) = reconcile(&app, &[]).await;
    assert_eq!((output.status, &report["late"]), (Some(1), &json!([])), "{report:#}");
    let (starts, _, _, still, _) = known(&app).await;
    assert_eq!((starts.as_str(), still), ("06 17:30", found));

    // In time, by when it is due now.
    let (output, report) = reconcile(&app, &["--repair"]).await;
    assert_eq!((output.status, &report["late"]), (Some(0), &json!([])), "{report:#}");
    assert_eq!(known(&app).await.2, Some(0));
    let (_, report) = reconcile(&app, &[]).await;
    assert_eq!(report["late"], json!([]), "{report:#}");
    app.finish_as(FOUND).await;
}
