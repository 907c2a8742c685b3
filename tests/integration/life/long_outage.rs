//! Reminders that fell due while nothing could leave for weeks, of appointments still ahead.

use serde_json::json;
use tests::{TestApp, appointment, at};

#[tokio::test]
async fn a_reminder_leaves_weeks_after_it_was_due_if_its_appointment_is_ahead() {
    let app = TestApp::start().await;
    let sql = &app.database.sql;
    let one = app
        .practice_with(1, |settings| {
            let rules = settings["rules"].as_array_mut().unwrap();
            rules.truncate(1);
            rules[0]["before_days"] = json!(30);
        })
        .await;
    // Due on the 14th of May. It can leave for another ten days.
    one.book(&appointment("a").starts("2026-06-13T14:30")).await;
    app.hold(at("2026-06-03T12:00")).await;
    one.until_fate("a", 1, "sent").await;
    let counts = one.counts("2026-05-14", 1).await;
    assert_eq!((&counts["sent"], &counts["expired"]), (&json!(1), &json!(0)));
    // Its try is recorded where it belongs.
    let tries = "SELECT count(*) FROM attempt_20260511 a JOIN attempt_outcome_20260511 o \
                 USING (practice_id, message_id, attempt_no) WHERE o.outcome = 's'";
    assert_eq!(sql.one::<i64>(tries, &[]).await, 1);
    app.finish().await;
}
