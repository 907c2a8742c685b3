//! What mutes what, one rule of inhibition after the other, in a real Alertmanager with the routing
//! as it is: it is told of alerts with the labels that our rules give them, and a webhook takes
//! down what people would get.
//!
//! Never here: an incident from its beginning on, with the service (`incident`).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::alertmanager::Notification;
use tests::{Alertmanager, Receiver, until};

use super::incident::{BEATS, quick_routing};
use super::{files, repository};

type Labels = BTreeMap<String, String>;

/// One of our alerts as it fires: which rule, by labels that it sets, and labels of its series.
struct Firing {
    alert: &'static str,
    rule: &'static [(&'static str, &'static str)],
    series: &'static [(&'static str, &'static str)],
}

const fn firing(alert: &'static str, rule: &'static [(&'static str, &'static str)]) -> Firing {
    Firing { alert, rule, series: &[] }
}

const BOOKS: &[(&str, &str)] = &[("http_route", "upsert_appointments"), ("slo", "latency")];
const READS: &[(&str, &str)] = &[("http_route", "read_practice"), ("slo", "latency")];

/// For each rule of inhibition, in the order of the file: what explains, and what is muted by that
/// rule and by no other.
const PAIRS: [(Firing, Firing); 5] = [
    (
        firing("PunctualPoolExhausted", &[("slo_tier", "critical")]),
        firing("PunctualOldestPending", &[("slo_tier", "critical")]),
    ),
    (
        firing("PunctualDiskNearlyFull", &[("severity", "critical")]),
        firing("PunctualPoolNearlyFull", &[]),
    ),
    (
        firing("PunctualJourneyBudgetBurn", &[("severity", "critical"), ("window", "1h")]),
        Firing {
            alert: "PunctualLatencyBudgetBurn",
            rule: &[("slo_tier", "standard"), ("window", "1h")],
            series: READS,
        },
    ),
    (
        Firing {
            alert: "PunctualLatencyBudgetBurn",
            rule: &[("slo_tier", "critical"), ("window", "1h")],
            series: BOOKS,
        },
        Firing {
            alert: "PunctualLatencyBudgetBurn",
            rule: &[("slo_tier", "critical"), ("window", "3d")],
            series: BOOKS,
        },
    ),
    (firing("PunctualDown", &[]), firing("PunctualMetricsAbsent", &[])),
];

/// The labels that each of our alerting rules sets, its name among them.
fn rules() -> Vec<Labels> {
    let mut all = Vec::new();
    for path in files("alerts", ".rules.yaml") {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value = yaml_serde::from_str(&text).unwrap();
        let groups = file["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        all.extend(rules.filter(|rule| !rule["alert"].is_null()).map(|rule| {
            let labels = rule["labels"].as_object().unwrap().iter();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let mut labels: Labels =
                labels.map(|(name, value)| (name.clone(), text(value))).collect();
            labels.insert("alertname".to_owned(), text(&rule["alert"]));
            labels
        }));
    }
    all
}

impl Firing {
    /// All of its labels, as of one installation.
    fn labels(&self, rules: &[Labels], job: &str) -> Labels {
        let is_it = |labels: &&Labels| {
            labels["alertname"] == self.alert
                && self
                    .rule
                    .iter()
                    .all(|(name, value)| labels.get(*name).is_some_and(|v| v == value))
        };
        let rule = rules.iter().find(is_it);
        let mut labels =
            rule.unwrap_or_else(|| panic!("no rule {} {:?}", self.alert, self.rule)).clone();
        labels.extend(self.series.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        labels.insert("job".to_owned(), job.to_owned());
        labels
    }
}

/// A rule of inhibition as it stands in the file.
struct Rule {
    source: Vec<String>,
    target: Vec<String>,
    equal: Vec<String>,
}

fn inhibitions() -> Vec<Rule> {
    let text = std::fs::read_to_string(repository("alerts/alertmanager.yaml")).unwrap();
    let file: Value = yaml_serde::from_str(&text).unwrap();
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let rule = |rule: &Value| Rule {
        source: texts(&rule["source_matchers"]),
        target: texts(&rule["target_matchers"]),
        equal: texts(&rule["equal"]),
    };
    file["inhibit_rules"].as_array().unwrap().iter().map(rule).collect()
}

/// Whether labels are what a matcher (`a="x"` or `a=~"x|y"`) asks for.
fn matches(matcher: &str, labels: &Labels) -> bool {
    let (name, rest) = matcher.split_once('=').unwrap();
    let values = rest.trim_start_matches('~').trim_matches('"');
    labels.get(name).is_some_and(|found| values.split('|').any(|value| value == found))
}

impl Rule {
    fn mutes(&self, source: &Labels, target: &Labels) -> bool {
        self.source.iter().all(|matcher| matches(matcher, source))
            && self.target.iter().all(|matcher| matches(matcher, target))
            && self.equal.iter().all(|label| source.get(label) == target.get(label))
    }
}

fn job(body: &Value) -> &str {
    body["groupLabels"]["job"].as_str().unwrap_or_default()
}

/// What people got of one installation: the alerts of each notification.
fn told(sent: &[Notification], of: &str) -> Vec<Vec<Labels>> {
    let labels = |alert: &Value| serde_json::from_value(alert["labels"].clone()).unwrap();
    let alerts =
        |one: &Notification| one.body["alerts"].as_array().unwrap().iter().map(labels).collect();
    sent.iter().filter(|one| job(&one.body) == of).map(alerts).collect()
}

/// What Alertmanager has of an alert.
fn known<'a>(alerts: &'a [Value], labels: &Labels) -> &'a Value {
    let is_it = |alert: &&Value| alert["labels"] == json!(labels);
    alerts.iter().find(is_it).unwrap_or_else(|| panic!("it does not know {labels:?}"))
}

#[test]
fn each_rule_of_inhibition_has_its_pair_and_no_other_mutes_it() {
    let (rules, inhibitions) = (rules(), inhibitions());
    assert_eq!(inhibitions.len(), PAIRS.len());
    for (i, (source, target)) in PAIRS.iter().enumerate() {
        let (source, target) = (source.labels(&rules, "x"), target.labels(&rules, "x"));
        let by: Vec<usize> = inhibitions
            .iter()
            .enumerate()
            .filter_map(|(n, rule)| rule.mutes(&source, &target).then_some(n))
            .collect();
        assert_eq!(by, [i], "{source:?} {target:?}");
    }
}

#[tokio::test]
async fn what_is_explained_is_muted_and_an_incident_is_one_notification() {
    let receiver = Receiver::start().await;
    let alertmanager = Alertmanager::start(&quick_routing(&receiver)).await;
    let rules = rules();
    // Each pair in an installation of its own; beside it one in which nothing explains the other.
    let pair = |(i, (source, target)): (usize, &(Firing, Firing))| {
        let (both, alone) = (format!("both-{i}"), format!("alone-{i}"));
        [source.labels(&rules, &both), target.labels(&rules, &both), target.labels(&rules, &alone)]
    };
    let pairs: Vec<[Labels; 3]> = PAIRS.iter().enumerate().map(pair).collect();
    // And one in which everything is wrong at once.
    let everything: Vec<Labels> = rules
        .iter()
        .map(|rule| rule.clone().into_iter().chain([("job".into(), "everything".into())]).collect())
        .collect();
    let all = pairs.iter().flatten().chain(&everything);
    let alerts: Vec<Value> = all.map(|labels| json!({ "labels": labels })).collect();
    alertmanager.tell(&Value::from(alerts)).await;

    let sent = || [receiver.at("/pages"), receiver.at("/tickets")].concat();
    until("what must be told is told", async || {
        let sent = sent();
        let is_told = |job: &String| !told(&sent, job).is_empty();
        let jobs = pairs.iter().flatten().map(|labels| &labels["job"]);
        (jobs.clone().all(is_told) && is_told(&"everything".to_owned())).then_some(())
    })
    .await;
    // Whatever else was to be told has been after some beats of the watchdog.
    let beats = receiver.at("/watchdog").len() + BEATS;
    until("some beats", async || (receiver.at("/watchdog").len() >= beats).then_some(())).await;

    let (sent, known_all) = (sent(), alertmanager.alerts().await);
    for [source, muted, alone] in &pairs {
        let (is, by) = (known(&known_all, muted), known(&known_all, source));
        assert_eq!(is["status"]["state"], "suppressed", "{muted:?}");
        assert_eq!(is["status"]["inhibitedBy"], json!([by["fingerprint"]]), "{muted:?}");
        assert_eq!(by["status"]["state"], "active", "{source:?}");
        assert_eq!(known(&known_all, alone)["status"]["state"], "active", "{alone:?}");
        assert_eq!(told(&sent, &source["job"]), [[source.clone()]], "one notification");
        assert_eq!(told(&sent, &alone["job"]), [[alone.clone()]], "told where nothing explains it");
    }
    let (pages, tickets) = (receiver.at("/pages"), receiver.at("/tickets"));
    let pages = told(&pages, "everything");
    assert_eq!(pages.len(), 1, "{pages:#?}");
    assert!(pages[0].iter().all(|labels| labels.get("role").is_none_or(|role| role == "cause")));
    assert!(told(&tickets, "everything").len() <= 1);
}
