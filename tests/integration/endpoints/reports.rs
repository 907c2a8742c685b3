//! What reports have in common: their formats, and up to when they are complete.
//!
//! Never here: what one report alone says.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::{Answer, TestApp};

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

/// A report says up to when it is complete: now, or a few seconds ago on a replica.
///
/// # Panics
/// When it doesn't.
pub(super) fn is_complete_up_to(answer: &Answer) -> Timestamp {
    let as_of: Timestamp = answer.header("x-as-of").parse().unwrap();
    let age = Timestamp::now().duration_since(as_of);
    assert!(age < SignedDuration::from_secs(30), "{as_of}");
    assert!(age > SignedDuration::from_secs(-5), "{as_of}");
    if answer.header("content-type") == "application/json" {
        assert_eq!(answer.json(200)["as_of"], as_of.to_string());
        let none = json!({ "missing": 0, "surplus": 0, "unfinished": 0 });
        assert_eq!(answer.json(200)["residuals"], none);
    }
    assert_eq!(answer.header("x-residuals"), "missing=0, surplus=0, unfinished=0");
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
