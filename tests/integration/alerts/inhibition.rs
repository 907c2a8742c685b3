//! What mutes what, one rule of inhibition after the other, in a real Alertmanager with the routing
//! as it is: it is told of alerts with the labels that our rules give them, and a webhook takes
//! down what people would get.
//!
//! Never here: an incident from its beginning on, with the service (`incident`).

mod pairs;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::alertmanager::Notification;
use tests::{Alertmanager, Receiver, until};

use super::quick::{BEATS, quick_routing};
use super::{files, repository};
use pairs::{EXPLAINED, Firing, Pair, UNEXPLAINED};

type Labels = BTreeMap<String, String>;

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
    /// All of its labels, as of one installation: those of a rule that it agrees with, and its own.
    fn labels(&self, rules: &[Labels], job: &str) -> Labels {
        let Self { alert, severity, labels } = self;
        let agrees = |rule: &&Labels| {
            let is_same = |(name, value): &(&str, &str)| {
                rule.get(*name).is_none_or(|of_rule| of_rule == value)
            };
            rule["alertname"] == *alert
                && rule["severity"] == *severity
                && labels.iter().all(is_same)
        };
        let rule = rules.iter().find(agrees);
        let mut all = rule.unwrap_or_else(|| panic!("there is no rule for {self:?}")).clone();
        all.extend(labels.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        all.insert("job".to_owned(), job.to_owned());
        all
    }
}

fn of_pair((source, target): &Pair, rules: &[Labels], job: &str) -> [Labels; 2] {
    [source, target].map(|firing| firing.labels(rules, job))
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

/// Which of the rules mute the second of two.
fn muted_by(inhibitions: &[Rule], [source, target]: &[Labels; 2]) -> Vec<usize> {
    let all = inhibitions.iter().enumerate();
    all.filter_map(|(n, rule)| rule.mutes(source, target).then_some(n)).collect()
}

#[test]
fn each_rule_of_inhibition_has_its_pair_and_no_other_mutes_it() {
    let (rules, inhibitions) = (rules(), inhibitions());
    let mut proved = BTreeSet::new();
    for pair in &EXPLAINED {
        let by = muted_by(&inhibitions, &of_pair(pair, &rules, "x"));
        assert_eq!(by.len(), 1, "{pair:?} {by:?}");
        proved.extend(by);
    }
    assert_eq!(proved, (0..inhibitions.len()).collect::<BTreeSet<_>>(), "a rule without its pair");
    for pair in &UNEXPLAINED {
        let [one, other] = of_pair(pair, &rules, "x");
        let by = [[one.clone(), other.clone()], [other, one]];
        assert_eq!(by.map(|pair| muted_by(&inhibitions, &pair)), [[0; 0]; 2], "{pair:?}");
    }
}

/// A ticket that mutes a page is a page that nobody gets.
#[test]
fn nothing_mutes_what_matters_more() {
    let (rules, inhibitions) = (rules(), inhibitions());
    let rank = |labels: &Labels| {
        ["info", "warning", "critical"].iter().position(|s| labels["severity"] == *s)
    };
    let as_of = |labels: &Labels| -> Labels {
        // Each label of a series that rules look at, the same in both.
        let label = |name: &str| (name.to_owned(), "*".to_owned());
        let all = ["job", "pool", "limit", "stage", "http_route", "journey", "slo"].map(label);
        all.into_iter().chain(labels.clone()).collect()
    };
    for (source, target) in rules.iter().flat_map(|one| rules.iter().map(move |other| (one, other)))
    {
        if rank(source) < rank(target) {
            let by = muted_by(&inhibitions, &[as_of(source), as_of(target)]);
            assert_eq!(by, [0; 0], "{source:?} {target:?}");
        }
    }
}

#[tokio::test]
async fn what_is_explained_is_muted_and_an_incident_is_one_notification() {
    let receiver = Receiver::start().await;
    let alertmanager = Alertmanager::start(&quick_routing(&receiver)).await;
    let rules = rules();
    // Each pair in an installation of its own; beside it one in which nothing explains the other.
    let pair = |(i, pair): (usize, &Pair)| {
        let [source, target] = of_pair(pair, &rules, &format!("both-{i}"));
        [source, target, pair.1.labels(&rules, &format!("alone-{i}"))]
    };
    let pairs: Vec<[Labels; 3]> = EXPLAINED.iter().enumerate().map(pair).collect();
    let pair = |(i, pair): (usize, &Pair)| of_pair(pair, &rules, &format!("neither-{i}"));
    let neither: Vec<[Labels; 2]> = UNEXPLAINED.iter().enumerate().map(pair).collect();
    // And one in which everything is wrong at once.
    let job = ("job".to_owned(), "everything".to_owned());
    let everything: Vec<Labels> =
        rules.iter().map(|rule| rule.clone().into_iter().chain([job.clone()]).collect()).collect();
    let all = pairs.iter().flatten().chain(neither.iter().flatten()).chain(&everything);
    let alerts: Vec<Value> = all.clone().map(|labels| json!({ "labels": labels })).collect();
    alertmanager.tell(&Value::from(alerts)).await;

    let sent = || [receiver.at("/pages"), receiver.at("/tickets")].concat();
    let jobs: BTreeSet<&String> = all.map(|labels| &labels["job"]).collect();
    until("what must be told is told", async || {
        let sent = sent();
        jobs.iter().all(|job| !told(&sent, job).is_empty()).then_some(())
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
    for both in &neither {
        let of_job: BTreeSet<Labels> = told(&sent, &both[0]["job"]).into_iter().flatten().collect();
        assert_eq!(of_job, both.iter().cloned().collect(), "both are told");
    }
    judge_everything(&everything, &receiver);
}

/// When all fires at once, there is one page and one list of tickets, of what nothing explains.
fn judge_everything(everything: &[Labels], receiver: &Receiver) {
    let (pages, tickets) = (receiver.at("/pages"), receiver.at("/tickets"));
    let (pages, tickets) = (told(&pages, "everything"), told(&tickets, "everything"));
    assert_eq!(pages.len(), 1, "{pages:#?}");
    assert!(tickets.len() <= 1, "{tickets:#?}");
    let inhibitions = inhibitions();
    let is_told = |target: &&Labels| {
        ["critical", "warning"].contains(&&*target["severity"])
            && !everything.iter().any(|source| {
                !muted_by(&inhibitions, &[source.clone(), (*target).clone()]).is_empty()
            })
    };
    let expected: BTreeSet<Labels> = everything.iter().filter(is_told).cloned().collect();
    let found: BTreeSet<Labels> = pages.into_iter().chain(tickets).flatten().collect();
    assert_eq!(found, expected);
}
