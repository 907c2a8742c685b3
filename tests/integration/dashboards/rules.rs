//! Names in use against names that are emitted, in both directions, over dashboards and alerts; the
//! values that they ask for against those that labels have; and where the alerts' texts lead.
//!
//! Never here: whether an alert fires when it should (promtool's own tests).

use std::collections::BTreeSet;

use serde_json::Value;
use tests::metrics::Scrape;

use super::file::{TIME_ON_SCREEN, dashboards, list, root, text};
use super::promql::{Parsed, Selected};
use crate::alerts::OF_NODE_EXPORTER;

/// Series that Prometheus makes itself.
pub(super) const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

/// Labels that come with the place where a process was found.
const OF_TARGETS: [&str; 2] = ["job", "instance"];

/// Families that no panel and no rule needs, with the reason.
const UNUSED: &[(&str, &str)] = &[
    (
        "http_server_unforeseen_answers_total",
        "a row of the service's own tables is missing: no test may end with one, and each is a \
         line of the log",
    ),
    ("stage_held", "no production has it: the live page and the log say it where it can be"),
    ("jemalloc_requested_bytes_total", "what is asked for is compared by builds, not by time"),
];

/// The name of a family: a histogram's series have one of three endings.
fn family(series: &str) -> &str {
    let ends = ["_bucket", "_sum", "_count"];
    ends.iter().find_map(|end| series.strip_suffix(end)).unwrap_or(series)
}

/// Every rule in `alerts/`, as it stands there; none before there are any.
fn rules() -> Vec<Value> {
    let Ok(entries) = std::fs::read_dir(root().join("alerts")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.to_string_lossy().ends_with(".rules.yaml"));
    files
        .flat_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let file: Value = yaml_serde::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let groups = list(&file["groups"]).to_vec();
            groups.into_iter().flat_map(|group| list(&group["rules"]).to_vec())
        })
        .collect()
}

/// The names of the series that rules record.
pub(super) fn recorded() -> BTreeSet<String> {
    let names = rules().into_iter().map(|rule| text(&rule["record"]).to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// What queries of dashboards and rules select, with where.
fn used() -> Vec<(Selected, String)> {
    let mut used = Vec::new();
    let mut take = |place: &str, expr: &str| {
        let parsed = Parsed::read(expr).unwrap_or_else(|error| panic!("{place}: {error}: {expr}"));
        used.extend(parsed.selectors().into_iter().map(|one| (one, place.to_owned())));
    };
    for board in dashboards() {
        // What is chosen on the page stays a variable: it is no value in particular.
        let substituted =
            |expr: &str| expr.replace("$__rate_interval", "1m").replace("$__range", TIME_ON_SCREEN);
        for query in board.queries() {
            take(&query.place, &substituted(&query.expr));
        }
        for mark in board.annotations() {
            take(&board.uid, &substituted(text(&mark["target"]["expr"])));
        }
        for variable in board.variables().iter().filter(|one| one["type"] == "query") {
            if let Some(expr) = selector_of(text(&variable["query"]["query"])) {
                take(&board.uid, &substituted(expr));
            }
        }
    }
    for rule in rules() {
        let name = text(if rule["alert"].is_null() { &rule["record"] } else { &rule["alert"] });
        take(name, text(&rule["expr"]));
    }
    used
}

/// The selector in `label_values(selector, label)`.
pub(super) fn selector_of(query: &str) -> Option<&str> {
    let inside = query.strip_prefix("label_values(")?.strip_suffix(')')?;
    inside.rsplit_once(", ").map(|(selector, _)| selector)
}

/// Compares with what a process emits.
pub(super) fn check(scrape: &Scrape) {
    let used = used();
    check_names(&scrape.names(), &used);
    let recorded = recorded();
    let spelt_wrong: Vec<_> = used.iter().filter_map(|one| lacks(scrape, &recorded, one)).collect();
    assert!(spelt_wrong.is_empty(), "no series has it: {spelt_wrong:#?}");
}

/// A value that a selector spells out and that none of its series has, or of the service's where
/// rules make them.
fn lacks(
    scrape: &Scrape,
    recorded: &BTreeSet<String>,
    (selected, place): &(Selected, String),
) -> Option<String> {
    let name = &selected.name;
    let is_emitted = scrape.has(name, &[]);
    if !is_emitted && !recorded.contains(name) {
        return None;
    }
    let of = if is_emitted { Some(&**name) } else { None };
    let is_known = |(label, value): &&(String, String)| {
        OF_TARGETS.contains(&&**label) || scrape.shows(of, label, value)
    };
    let (label, value) = selected.values.iter().find(|one| !is_known(one))?;
    Some(format!("{place}: {name}: {label}=\"{value}\""))
}

fn check_names(emitted: &BTreeSet<&str>, used: &[(Selected, String)]) {
    let recorded = recorded();
    let missing: Vec<_> = used
        .iter()
        .map(|(selected, place)| (selected.name.as_str(), place))
        .filter(|(name, _)| !emitted.contains(name))
        .filter(|(name, _)| !recorded.contains(*name) && !OF_PROMETHEUS.contains(name))
        .filter(|(name, _)| OF_NODE_EXPORTER.iter().all(|(foreign, _)| foreign != name))
        .collect();
    assert!(missing.is_empty(), "shown or watched, but emitted by nothing: {missing:#?}");

    let families: BTreeSet<&str> = used.iter().map(|(one, _)| family(&one.name)).collect();
    let excepted: BTreeSet<&str> = UNUSED.iter().map(|(name, _)| *name).collect();
    let unused: Vec<&str> = emitted
        .iter()
        .map(|name| family(name))
        .filter(|name| !families.contains(name) && !excepted.contains(name))
        .collect();
    assert!(unused.is_empty(), "emitted, but in no panel, no rule and not on the list: {unused:?}");
    let stale: Vec<_> = excepted.intersection(&families).collect();
    assert!(stale.is_empty(), "on the list, but used: {stale:?}");
}

/// The anchor of a heading, as the forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The anchors of a document's headings.
pub(super) fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn alerts_lead_to_the_runbook_and_to_dashboards() {
    let runbook = std::fs::read_to_string(root().join("docs/runbook.md")).unwrap_or_default();
    let anchors = anchors(&runbook);
    let boards = dashboards();
    for rule in rules().iter().filter(|rule| !rule["alert"].is_null()) {
        let (name, notes) = (text(&rule["alert"]), &rule["annotations"]);
        if let Some((_, anchor)) = text(&notes["runbook_url"]).split_once('#') {
            assert!(anchors.contains(anchor), "{name}: the runbook has no #{anchor}");
        }
        if let Some((_, path)) = text(&notes["dashboard_url"]).split_once("/d/") {
            let (uid, chosen) = path.split_once('?').unwrap_or((path, ""));
            let board = boards.iter().find(|board| board.uid == uid);
            let board = board.unwrap_or_else(|| panic!("{name}: there is no dashboard {uid}"));
            let chosen: Vec<&str> = chosen.split('&').filter(|one| !one.is_empty()).collect();
            for one in &chosen {
                let variable = one.strip_prefix("var-").and_then(|one| one.split_once('='));
                let (variable, value) = variable.unwrap_or_else(|| panic!("{name}: {one}"));
                let is_there = board.variables().iter().any(|has| has["name"] == variable);
                assert!(is_there, "{name}: {uid} has no variable {variable}");
                assert_eq!(value, format!("{{{{$labels.{variable}}}}}"), "{name}");
            }
            // It shows one endpoint at a time: the one that is meant.
            let shows_it = chosen.iter().any(|one| one.starts_with("var-http_route="));
            assert!(shows_it || uid != "punctual-endpoint", "{name}: of which endpoint?");
        }
    }
    assert_eq!(anchor(" Punctual: pool `full`, now "), "punctual-pool-full-now");
}
