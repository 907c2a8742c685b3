//! An incident made on purpose, from the service to the person who is told: the real service, a
//! real Prometheus that scrapes it, a real Alertmanager, and a webhook.

use std::time::Duration;

use serde_json::Value;
use stack::RunDir;
use tests::alertmanager::Notification;
use tests::exhausted::{self, Exhausted};
use tests::wait::until_within;
use tests::{Alertmanager, Ending, Prometheus, PrometheusConfig, Receiver, until};

use super::quick::{BEATS, EVERY, HOLD, WAIT, fires, firing, quick_routing, quick_rules};

/// From the round that finds the first caller waiting to the notification. Rounds, as a machine
/// that is busy makes fewer of them; five times as many for what is busy beside Prometheus.
const TOLD_WITHIN_ROUNDS: f64 = (5 * (HOLD + WAIT) / EVERY) as f64;

/// From the last caller who waits to its end: what looks back on it, and how long it is kept.
const OVER_WITHIN: Duration = Duration::from_secs(120);

const EXHAUSTED: &str = "PunctualPoolExhausted";

/// Where people are told.
const PEOPLE: [&str; 2] = ["/pages", "/tickets"];

/// What joins an incident that is known is told as soon as anything else, so that nobody has to
/// wait for minutes to see that there is none.
fn quick_joining(routing: &str) -> String {
    let quick = |line: &str| match line.split_once("group_interval: ") {
        Some((indent, _)) => format!("{indent}group_interval: 1s"),
        None => line.to_owned(),
    };
    routing.lines().map(quick).collect::<Vec<_>>().join("\n")
}

/// Waits until all is watched: the processes, the families that alerts need, the watchdog, and
/// nothing fires.
async fn until_watched(prometheus: &Prometheus, receiver: &Receiver) {
    fires(prometheus, "PunctualWatchdog", "").await;
    prometheus.until("up == 1", |found| !found.is_empty()).await;
    until("the dead man's switch", async || (!receiver.at("/watchdog").is_empty()).then_some(()))
        .await;
    // What the dead man's switch looks for is there.
    let rules = prometheus.rules().await;
    let absent = rules.iter().find(|rule| rule["name"] == "PunctualMetricsAbsent").unwrap();
    let absent = format!("count({}) or vector(0)", absent["query"].as_str().unwrap());
    prometheus.until(&absent, |found| found[0].value == 0.0).await;
    let quiet = prometheus.query("ALERTS{alertname!=\"PunctualWatchdog\",alertstate=\"firing\"}");
    assert_eq!(quiet.await.unwrap(), [], "something is wrong with this machine already");
}

/// Rounds of evaluation that found the pool exhausted so far.
async fn rounds(prometheus: &Prometheus) -> f64 {
    let of = format!("alertname=\"{EXHAUSTED}\",pool=\"interactive\"");
    let count = format!("sum(count_over_time(ALERTS{{{of}}}[10m]))");
    prometheus.query(&count).await.unwrap()[0].value
}

/// Waits until the endpoint's own alert would tell as well, and isn't told.
async fn until_the_symptom_is_muted(prometheus: &Prometheus, alertmanager: &Alertmanager) {
    let reads = ",http_route=\"read_appointment\"";
    fires(prometheus, "PunctualAvailabilityBudgetBurn", reads).await;
    until("the symptom is muted", async || {
        let alerts = alertmanager.alerts().await;
        let is_it = |alert: &&Value| alert["labels"]["http_route"] == "read_appointment";
        alerts
            .iter()
            .find(is_it)
            .filter(|alert| alert["status"]["state"] == "suppressed")
            .map(|_| ())
    })
    .await;
}

/// Waits until people are told that it is over, and returns all that they were told: whatever
/// looks back on it has ended by then, or would have been told with it.
async fn told_until_it_is_over(prometheus: &Prometheus, receiver: &Receiver) -> Vec<Notification> {
    until_within(OVER_WITHIN, "its end is told", async || {
        let told = receiver.at_any(&PEOPLE);
        told.iter().any(|one| one.body["status"] == "resolved").then_some(())
    })
    .await;
    let budgets = firing("PunctualAvailabilityBudgetBurn", ",severity=\"critical\"");
    assert_eq!(prometheus.query(&budgets).await.unwrap(), [], "they outlive what explains them");
    let beats = receiver.at("/watchdog").len() + BEATS;
    until("as many beats", async || (receiver.at("/watchdog").len() >= beats).then_some(())).await;
    receiver.at_any(&PEOPLE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_pool_is_one_notification_that_names_it() {
    let app = exhausted::setup().start().await;
    let one = app.practice(1).await;
    let receiver = Receiver::start().await;
    let alertmanager = Alertmanager::start(&quick_joining(&quick_routing(&receiver))).await;
    let run = RunDir::create(None).unwrap();
    let prometheus = Prometheus::start(&PrometheusConfig {
        targets: vec![app.client.admin],
        rule_files: quick_rules(&run, ".rules.yaml"),
        alertmanager: Some(alertmanager.address),
        ..PrometheusConfig::default()
    })
    .await;
    until_watched(&prometheus, &receiver).await;

    let exhausted = Exhausted::begin(&app, &one).await;
    until("a page", async || (!receiver.at("/pages").is_empty()).then_some(())).await;
    let until_told = rounds(&prometheus).await;
    assert!(until_told <= TOLD_WITHIN_ROUNDS, "{until_told} rounds");
    until_the_symptom_is_muted(&prometheus, &alertmanager).await;
    let so_far = receiver.at_any(&PEOPLE);
    assert_eq!(so_far.len(), 1, "{so_far:#?}");

    exhausted.end().await;
    let told = told_until_it_is_over(&prometheus, &receiver).await;
    let [page, end] = &*told else { panic!("{told:#?}") };
    assert_eq!((&*page.path, &*end.path), ("/pages", "/pages"));
    judge(&page.body, "firing");
    judge(&end.body, "resolved");
    app.finish_as(Ending { errors: exhausted::ERRORS, ..Ending::default() }).await;
}

/// It names the pool and where it is, says it in words, and leads on.
fn judge(page: &Value, status: &str) {
    assert_eq!(page["status"], status, "{page:#}");
    let alerts = page["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{page:#}");
    let (labels, texts) = (&alerts[0]["labels"], &alerts[0]["annotations"]);
    assert_eq!(labels["alertname"], EXHAUSTED, "{page:#}");
    assert_eq!(labels["pool"], "interactive", "{page:#}");
    let description = texts["description"].as_str().unwrap();
    assert!(
        description.starts_with("All connections of pool interactive at 127.0.0.1:"),
        "{page:#}"
    );
    let runbook = texts["runbook_url"].as_str().unwrap();
    assert!(runbook.ends_with("/runbook.md#punctualpoolexhausted"), "{page:#}");
    let board = texts["dashboard_url"].as_str().unwrap();
    assert!(board.ends_with("/d/punctual-database"), "{page:#}");
}
