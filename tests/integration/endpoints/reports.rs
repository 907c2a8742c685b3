//! What reports have in common: their formats, and up to when they are complete.
//!
//! Never here: what one report alone says.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::practice::FIRST_DUE;
use tests::{Answer, Ending, TestApp, appointment, at, until};

/// The lines of a CSV, each as it would be written without quotes, and without its last two
/// columns, which say what the headers say. Ours hold no commas.
///
/// # Panics
/// When it isn't one, or says something else there.
pub(super) fn csv(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    let text = answer.text();
    let lines = text.strip_suffix("\r\n").expect("a line's end at the end").split("\r\n");
    let residuals = answer.header("x-residuals").split(", ").map(|kind| {
        let (_, n) = kind.split_once('=').unwrap();
        n.parse::<u64>().unwrap()
    });
    let standing = format!(",{},{}", answer.header("x-as-of"), residuals.sum::<u64>());
    let ends = std::iter::once(",as_of,residuals").chain(std::iter::repeat(standing.as_str()));
    let bare = lines.map(|line| line.replace('"', "")).zip(ends).map(|(line, end)| {
        line.strip_suffix(end).unwrap_or_else(|| panic!("{line} ends with {end}")).to_owned()
    });
    bare.collect()
}

/// A report says up to when it is complete: now, or a few seconds ago on a replica; and that
/// nothing is out of order.
///
/// # Panics
/// When it doesn't.
pub(super) fn is_complete_up_to(answer: &Answer) -> Timestamp {
    stands(answer, [0, 0, 0])
}

/// The same, with so many promises missing, surplus and unfinished.
fn stands(answer: &Answer, [missing, surplus, unfinished]: [u64; 3]) -> Timestamp {
    let as_of: Timestamp = answer.header("x-as-of").parse().unwrap();
    let age = Timestamp::now().duration_since(as_of);
    assert!(age < SignedDuration::from_secs(30), "{as_of}");
    assert!(age > SignedDuration::from_secs(-5), "{as_of}");
    if answer.header("content-type") == "application/json" {
        assert_eq!(answer.json(200)["as_of"], as_of.to_string());
        let residuals = json!({
            "missing": missing, "surplus": surplus, "unfinished": unfinished,
            "unbalanced": 0, "uncompared": 0,
        });
        assert_eq!(answer.json(200)["residuals"], residuals);
    }
    let counted = format!("missing={missing}, surplus={surplus}, unfinished={unfinished}");
    let residuals = format!("{counted}, unbalanced=0, uncompared=0");
    assert_eq!(answer.header("x-residuals"), residuals);
    as_of
}

/// A report comes in the form that the request likes best, and is refused in any other.
pub(super) async fn formats_are_agreed_on(app: &TestApp, path: &str) {
    for (accept, kind) in [
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("application/json;q=0.4, text/csv;q=0.5", "text/csv; charset=utf-8; header=present"),
        ("*/*", "application/json"),
        ("text/csv, application/json", "application/json"),
    ] {
        let answer = app.get(path).header("accept", accept).send().await;
        assert_eq!(answer.header("content-type"), kind, "{accept}: {}", answer.text());
        is_complete_up_to(&answer);
    }
    let refused = app.get(path).header("accept", "text/html, text/csv;q=0").send().await;
    let problem = refused.problem(406, "not_acceptable");
    assert!(problem["detail"].as_str().unwrap().contains("text/csv"), "{problem}");
}

/// Where a test's practice has each report.
fn places() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("/v1/practices/{practice_id}/days/{day}/counts", "/v1/practices/1/days/2026-05-05/counts"),
        ("/v1/practices/{practice_id}/days/{day}/report", "/v1/practices/1/days/2026-05-05/report"),
        ("/v1/practices/{practice_id}/reports/delivery", "/v1/practices/1/reports/delivery"),
        ("/v1/practices/{practice_id}/reports/trend", "/v1/practices/1/reports/trend"),
    ])
}

/// The paths that the description says are answered as CSV too: the reports.
fn described(openapi: &Value) -> Vec<&str> {
    let paths = openapi["paths"].as_object().unwrap();
    let is_sheet = |path: &Value| !path["get"]["responses"]["200"]["content"]["text/csv"].is_null();
    paths.iter().filter(|(_, path)| is_sheet(path)).map(|(name, _)| name.as_str()).collect()
}

/// Counts are the same before they are folded, when they are, and when some are.
#[tokio::test]
async fn counts_are_what_is_folded_and_what_is_not() {
    let app = TestApp::with().env("PUNCTUAL_STAGE_GATES", "open").start().await;
    app.put("/admin/stages/fold", &json!({ "gate": "held" })).send().await.expect(200);
    let one = app.practice(1).await;
    let days = "from=2026-05-05&until=2026-05-06";
    let counted = async || {
        let day = app.get(&one.path("/days/2026-05-05/counts")).send().await.json(200);
        let trend = app.get(&one.path(&format!("/reports/trend?{days}"))).send().await.json(200);
        let fleet = app.get(&format!("/admin/fleet?{days}")).send().await.json(200);
        [&day["rules"][0], &trend["days"][0], &fleet["days"][0]]
            .map(|of| of["expected"].as_i64().unwrap_or_else(|| panic!("{day} {trend} {fleet}")))
    };
    let rows = async |table: &str| -> bool {
        let any = format!("SELECT EXISTS (SELECT FROM {table})");
        app.database.sql.one(&any, &[]).await
    };
    one.send(&[appointment("a").phone(1), appointment("b").phone(2)]).await;
    assert_eq!((counted().await, rows("tally").await), ([2; 3], false));
    app.post("/admin/stages/fold/run", &json!({})).send().await.expect(200);
    assert_eq!((counted().await, rows("tally_delta").await), ([2; 3], false));
    one.book(&appointment("c").phone(3)).await;
    assert_eq!((counted().await, rows("tally_delta").await), ([3; 3], true));
    app.finish().await;
}

#[tokio::test]
async fn each_says_in_each_form_up_to_when_it_is_complete_and_what_is_out_of_order() {
    let app = TestApp::with()
        .env("TEST_PLANNER_BUG", "2,0") // the second rule's reminders
        .env("PUNCTUAL_RECONCILE_ROUND_MS", 1_000)
        .start()
        .await;
    let one = app.practice(1).await;
    one.book(&appointment("a")).await;
    app.hold(at(FIRST_DUE)).await;
    one.until_fate("a", 1, "sent").await;
    until("the stage has found it", async || {
        let missing = [("kind", "missing")];
        let found = app.scrape().await.sum("conservation_residual_messages", &missing);
        (found == 1.0).then_some(())
    })
    .await;

    let openapi = app.get("/v1/openapi.json").anonymous().send().await.json(200);
    let places = places();
    assert_eq!(described(&openapi), places.keys().copied().collect::<Vec<_>>());
    // The one that is for operators is described nowhere.
    for place in places.values().chain(&["/admin/fleet"]) {
        stands(&app.get(place).send().await, [1, 0, 0]);
        let sheet = app.get(place).header("accept", "text/csv").send().await;
        stands(&sheet, [1, 0, 0]);
        let lines = csv(&sheet);
        assert!(lines.len() > 1, "{place} has no row that could say it: {lines:?}");
    }
    let errors = &["promises are out of order"];
    app.finish_as(Ending { errors, is_broken: true }).await;
}
