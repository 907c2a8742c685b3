//! The files as the tools see them.

use std::collections::BTreeSet;
use std::time::Duration;

use promql_parser::parser::{Expr, MatrixSelector, VectorSelector, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use tests::binary::{Output, run, tool};
use tests::{Prometheus, PrometheusConfig};

use super::{OF_NODE_EXPORTER, family, files, repository};

/// All cases take a minute of one core; the machine may be busy.
const WITHIN: Duration = Duration::from_secs(300);

/// Labels that Prometheus and our recorded series add.
const ADDED: [&str; 2] = ["job", "instance"];

async fn passes(program: &str, arguments: &[&str], files: &[String]) -> Output {
    let all: Vec<&str> =
        arguments.iter().copied().chain(files.iter().map(String::as_str)).collect();
    let output = tool(program, &all, WITHIN).await;
    assert_eq!(output.status, Some(0), "{program}: {}{}", output.stdout, output.stderr);
    output
}

#[tokio::test]
async fn prometheus_takes_the_rules_and_has_nothing_against_them() {
    let rules = files("alerts", ".rules.yaml");
    passes("promtool", &["check", "rules", "--lint=all", "--lint-fatal"], &rules).await;
}

#[tokio::test]
async fn each_alert_fires_when_it_should_and_is_silent_when_it_should_be() {
    passes("promtool", &["test", "rules"], &files("alerts/tests", ".yaml")).await;
}

#[tokio::test]
async fn alertmanager_takes_its_file_and_tells_the_right_people() {
    let file = repository("alerts/alertmanager.yaml").to_str().unwrap().to_owned();
    passes("amtool", &["check-config", &file], &[]).await;
    let config = format!("--config.file={file}");
    for (receiver, labels) in [
        ("pages", &["alertname=PunctualPoolExhausted", "severity=critical"][..]),
        ("tickets", &["alertname=PunctualPoolExhausted", "severity=warning"]),
        ("nobody", &["alertname=PunctualLatencyBudgetBurn", "severity=info"]),
        ("watchdog", &["alertname=PunctualWatchdog", "severity=info"]),
        // What somebody else's rules send is a ticket.
        ("tickets", &["alertname=Unknown"]),
    ] {
        let verify = format!("--verify.receivers={receiver}");
        passes("amtool", &[&["config", "routes", "test", &config, &verify], labels].concat(), &[])
            .await;
    }
    let text = std::fs::read_to_string(repository("alerts/alertmanager.yaml")).unwrap();
    for secret in ["password:", "credentials:", "token:", "routing_key:", "api_url:"] {
        assert!(!text.contains(secret), "a secret in the file: {secret}");
    }
}

/// What an expression selects: a series' name, and the labels that it is matched by.
#[derive(Default)]
struct Selected(Vec<(String, Vec<String>)>);

impl ExprVisitor for Selected {
    type Error = ();

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, ()> {
        let selector = match expr {
            Expr::VectorSelector(selector)
            | Expr::MatrixSelector(MatrixSelector { vs: selector, .. }) => selector,
            _ => return Ok(true),
        };
        let VectorSelector { name, matchers, .. } = selector;
        let labels = matchers.matchers.iter().map(|matcher| matcher.name.clone()).collect();
        self.0.push((name.clone().unwrap_or_default(), labels));
        Ok(true)
    }
}

fn selected(query: &str) -> Vec<(String, Vec<String>)> {
    let expr = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut found = Selected::default();
    walk_expr(&mut found, &expr).unwrap();
    found.0
}

#[tokio::test]
async fn every_rule_is_about_series_that_exist() {
    let rule_files = files("alerts", ".rules.yaml").into_iter().map(Into::into).collect();
    let prometheus =
        Prometheus::start(&PrometheusConfig { rule_files, ..PrometheusConfig::default() }).await;
    let rules = prometheus.rules().await;
    let text = |rule: &serde_json::Value, field: &str| rule[field].as_str().unwrap().to_owned();
    let recorded: BTreeSet<String> = rules
        .iter()
        .filter(|rule| rule["type"] == "recording")
        .map(|rule| text(rule, "name"))
        .collect();
    let mut wrong = Vec::new();
    for rule in &rules {
        let name = text(rule, "name");
        for (series, labels) in selected(&text(rule, "query")) {
            // `up` is Prometheus' own.
            if series == "up" || recorded.contains(&series) {
                continue;
            }
            let foreign = OF_NODE_EXPORTER.iter().find(|(known, _)| *known == series);
            let own = family(&series).map(|family| family.spec().labels);
            let Some(of_series) = own.or(foreign.map(|(_, labels)| *labels)) else {
                wrong.push(format!("{name}: there is no series {series}"));
                continue;
            };
            let is_known = |label: &String| {
                let has = [of_series, &ADDED].concat();
                has.contains(&label.as_str()) || (label == "le" && series.ends_with("_bucket"))
            };
            wrong.extend(
                labels
                    .iter()
                    .filter(|label| !is_known(label))
                    .map(|l| format!("{series} has no {l}")),
            );
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(rules.len() > 80 && recorded.len() > 15, "{} and {}", rules.len(), recorded.len());
}

#[test]
fn what_does_not_exist_is_found() {
    let found = selected("sum by (job) (rate(x_total{pool=\"a\"}[5m] offset 1d)) > on (job) y");
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x_total", "y"]);
    assert_eq!(found[0].1, ["pool"]);
    assert!(family("journey_duration_seconds_bucket").is_some());
    assert!(family("journey_duration_seconds").is_none() && family("x_total").is_none());
}

#[tokio::test]
async fn stale_files_are_shown_and_the_exit_status_says_so() {
    let root = repository("");
    let fresh = run(&["render", "--check", "--root", root.to_str().unwrap()], &[]).await;
    assert_eq!((fresh.status, fresh.stdout.as_str()), (Some(0), ""), "{fresh:?}");

    let run_dir = stack::RunDir::create(None).unwrap();
    let there = run_dir.path().to_str().unwrap();
    let written = run(&["render", "--root", there], &[]).await;
    assert_eq!(written.status, Some(0), "{written:?}");
    let rules = run_dir.path().join("alerts/burn.rules.yaml");
    let text = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, text.replacen("> 0.144", "> 0.2", 1)).unwrap();
    let stale = run(&["render", "--check", "--root", there], &[]).await;
    assert_eq!(stale.status, Some(1), "{stale:?}");
    for piece in ["+++ alerts/burn.rules.yaml (rendered)", "> 0.2", "> 0.144"] {
        assert!(stale.stdout.contains(piece), "{piece}: {}", stale.stdout);
    }
    assert!(stale.stderr.contains("punctual render"), "{}", stale.stderr);
}
