//! That nothing is left out: each rule has its cases, for each row that it is about, and each
//! family that a rule is made of is missed where it is missing.

use std::collections::BTreeSet;

use contract::Family;

use super::case::{Case, is_of};
use super::model::{Alert, Board, Record, Rule, RuleFile, Severity, seconds};
use super::presence::{FAMILY, MAY_BE_ABSENT, NEEDED, WATCHDOG, series_of};
use super::{cases, rules};

/// Rules that have nothing to be silent about, with the reason.
const NEVER_SILENT: &[(&str, &str)] = &[(WATCHDOG, "it must always fire")];

/// A row that a rule is about: a label and its value. None where it is about no row.
type Row<'a> = Option<(&'static str, &'a str)>;

fn alerts(files: &[RuleFile]) -> Vec<&Alert> {
    files.iter().flat_map(RuleFile::alerts).collect()
}

fn all_cases() -> Vec<Case> {
    cases::all().unwrap().into_iter().flat_map(|file| file.cases).collect()
}

fn rows(alert: &Alert) -> Vec<Row<'static>> {
    match alert.watches.first() {
        Some((label, rows)) => rows.iter().map(|row| Some((*label, *row))).collect(),
        None => vec![None],
    }
}

/// Whether a case is about what a rule watches: there is a series with each of its labels.
fn concerns(case: &Case, alert: &Alert, row: Row<'_>) -> bool {
    let has = |series: &str, label: &str, value: &str| {
        let is_named = |family| series.starts_with(&format!("{}{{", series_of(family)));
        series.contains(&format!(",{label}=\"{value}\""))
            || (label == FAMILY && Family::from_name(value).is_some_and(is_named))
    };
    let all = |series: &str| {
        alert.watches.iter().all(|(label, values)| match row {
            Some((of, value)) if of == *label => has(series, label, value),
            Some(_) | None => values.iter().any(|value| has(series, label, value)),
        })
    };
    case.alert == alert.name && case.series.iter().any(|(series, _)| all(series))
}

fn fires(case: &Case, alert: &Alert, row: Row<'_>) -> bool {
    let by_text = case.fires.iter().filter(|fires| is_of(&fires.rule, alert)).any(|fires| {
        let has = |(label, value)| fires.labels.iter().any(|(l, v)| *l == label && v == value);
        row.is_none_or(has)
    });
    let by_row = case.rows.iter().filter(|fire| is_of(&fire.rule, alert)).any(|fire| {
        row.is_some_and(|(label, value)| fire.label == label && fire.rows.contains(&value))
    });
    case.alert == alert.name && (by_text || by_row)
}

/// A case that only counts rows says nothing of what else fires.
fn silent(case: &Case, alert: &Alert, row: Row<'_>) -> bool {
    case.rows.is_empty() && concerns(case, alert, row) && !fires(case, alert, row)
}

/// What has no case, by rule and row.
fn missing(alerts: &[&Alert], cases: &[Case]) -> Vec<String> {
    let mut missing = Vec::new();
    for alert in alerts {
        let labels: Vec<String> =
            alert.all_labels().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let may_never = NEVER_SILENT.iter().any(|(name, _)| *name == alert.name);
        for row in rows(alert) {
            let of = row.map_or_else(String::new, |(label, value)| format!(" for {label}={value}"));
            let rule = format!("{}{{{}}}{of}", alert.name, labels.join(","));
            if !cases.iter().any(|case| fires(case, alert, row)) {
                missing.push(format!("{rule}: no case in which it fires"));
            }
            if !may_never && !cases.iter().any(|case| silent(case, alert, row)) {
                missing.push(format!("{rule}: no case in which it stays silent"));
            }
        }
    }
    missing
}

#[test]
fn every_rule_has_a_case_that_fires_and_one_that_stays_silent_for_each_row() {
    let files = rules().unwrap();
    assert_eq!(missing(&alerts(&files), &all_cases()), Vec::<String>::new());
}

#[test]
fn what_has_no_case_is_named() {
    let alert = |name| {
        let alert = Alert::new(name, Severity::Warning, Board::Overview);
        alert.watching("pool", ["a", "b"]).watching("slo", ["latency"])
    };
    let known = alert("Known").label("tier", "x");
    let other = alert("Known").label("tier", "y");
    let series = |case: Case, labels| case.series("x", labels, "1");
    let in_a = series(Case::new("Known", "a", "1m"), "pool=\"a\",slo=\"latency\"").fires_of(
        &known,
        vec![("pool", "a".to_owned())],
        "It fires.",
    );
    let of_b = series(Case::new("Known", "b", "1m"), "pool=\"b\",slo=\"latency\"");
    let elsewhere = series(Case::new("Known", "a", "1m"), "pool=\"a\",slo=\"availability\"");
    let found = missing(&[&known, &other, &alert("New")], &[in_a, of_b, elsewhere]);
    let expected = [
        "Known{severity=warning,tier=x} for pool=a: no case in which it stays silent",
        "Known{severity=warning,tier=x} for pool=b: no case in which it fires",
        "Known{severity=warning,tier=y} for pool=a: no case in which it fires",
        "Known{severity=warning,tier=y} for pool=b: no case in which it fires",
        "New{severity=warning} for pool=a: no case in which it fires",
        "New{severity=warning} for pool=a: no case in which it stays silent",
        "New{severity=warning} for pool=b: no case in which it fires",
        "New{severity=warning} for pool=b: no case in which it stays silent",
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_case_is_about_rules_that_there_are() {
    let files = rules().unwrap();
    let alerts = alerts(&files);
    let mut wrong = Vec::new();
    for case in all_cases() {
        let of = |rule: &[(&'static str, String)]| {
            alerts.iter().filter(|alert| alert.name == case.alert && is_of(rule, alert)).count()
        };
        let named = case.fires.iter().map(|fires| &fires.rule);
        let named = named.chain(case.rows.iter().map(|fire| &fire.rule));
        wrong.extend(named.filter(|rule| of(rule) != 1).map(|rule| (case.alert, rule.clone())));
        if of(&[]) == 0 {
            wrong.push((case.alert, Vec::new()));
        }
    }
    assert_eq!(wrong, [], "no rule, or several");
}

/// Families whose series an expression names.
fn families(expr: &str) -> BTreeSet<Family> {
    let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
    let stem =
        |word| ["_bucket", "_sum", "_count"].iter().find_map(|end| str::strip_suffix(word, end));
    words.filter_map(|word| Family::from_name(stem(word).unwrap_or(word))).collect()
}

#[test]
fn every_family_that_a_rule_is_made_of_is_missed_when_it_is_missing() {
    let files = rules().unwrap();
    let all = files.iter().flat_map(|file| &file.groups).flat_map(|group| &group.rules);
    let used: BTreeSet<Family> = all
        .flat_map(|rule| match rule {
            Rule::Record(record) => families(&record.expr),
            // It names them all, to find out.
            Rule::Alert(alert) if alert.name == "PunctualMetricsAbsent" => BTreeSet::new(),
            Rule::Alert(alert) => families(&alert.expr),
        })
        .collect();
    let known = NEEDED.iter().copied().chain(MAY_BE_ABSENT.iter().map(|(family, _)| *family));
    let listed: BTreeSet<Family> = known.clone().collect();
    assert_eq!(known.count(), listed.len(), "one is listed twice");
    let names = |families: BTreeSet<Family>| families.into_iter().map(Family::name).collect();
    let unknown: Vec<&str> = names(&used - &listed);
    assert_eq!(unknown, [""; 0], "in an alert, and neither NEEDED nor excepted with a reason");
    let idle: Vec<&str> = names(&listed - &used);
    assert_eq!(idle, [""; 0], "listed, and in no alert");
}

/// So long Prometheus shows a sample.
const SEEN_SECONDS: u64 = 300;

#[test]
fn what_is_looked_at_at_an_instant_is_there_at_any_instant() {
    let files = rules().unwrap();
    let groups = || files.iter().flat_map(|file| &file.groups);
    // One evaluation may be missed.
    for seldom in groups().filter(|group| 2 * seconds(group.interval) > SEEN_SECONDS) {
        for rule in &seldom.rules {
            let Rule::Record(Record { name, .. }) = rule else {
                panic!("{}: an alert that fires for some minutes of an hour", seldom.name);
            };
            let others = groups().filter(|group| group.name != seldom.name);
            for rule in others.flat_map(|group| &group.rules) {
                let (Rule::Record(Record { expr, .. }) | Rule::Alert(Alert { expr, .. })) = rule;
                let mut after = expr.split(name.as_str()).skip(1);
                assert!(after.all(|rest| rest.starts_with('[')), "{name} in {expr}");
            }
        }
    }
    assert!(groups().any(|group| 2 * seconds(group.interval) > SEEN_SECONDS), "none to look at");
}

#[test]
fn families_are_found_in_an_expression() {
    let found = families("sum(rate(stage_duration_seconds_count{stage=\"x\"}[5m])) > path:up:x");
    assert_eq!(found, BTreeSet::from([Family::StageDuration]));
}
