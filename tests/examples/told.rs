//! How soon somebody is told that a pool is exhausted, with the times that are in the files: the
//! real service, a Prometheus and an Alertmanager with `alerts/` as it is, and a webhook.
//!
//! `cargo run -p tests --example told`, after `cargo build --workspace --bins`. It takes about two
//! minutes and prints the seconds from the first caller who waits; it exits 1 if nobody is told
//! within what `docs/alerts.md` states, or more than once.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tests::exhausted::{self, Exhausted};
use tests::wait::until_within;
use tests::{Alertmanager, Prometheus, PrometheusConfig, Receiver, TestApp};
use tokio::time::{Instant, sleep};

/// As `docs/alerts.md` says.
const STATED: Duration = Duration::from_secs(120);
/// Scrapes and rounds, as in `compose.yaml`.
const EVERY: Duration = Duration::from_secs(15);
/// The dead man's switch is told of when all else would be.
const WATCHED_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Where people are told.
const PEOPLE: [&str; 2] = ["/pages", "/tickets"];

#[tokio::main]
async fn main() -> ExitCode {
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../alerts");
    let app = exhausted::setup().start().await;
    let one = app.practice(1).await;
    let receiver = Receiver::start().await;
    let routing = std::fs::read_to_string(alerts.join("alertmanager.yaml")).expect("it is there");
    let alertmanager = Alertmanager::start(&receiver.in_place(&routing)).await;
    let _prometheus = Prometheus::start(&PrometheusConfig {
        targets: vec![app.client.admin],
        rule_files: rules(&alerts),
        scrape_interval: EVERY,
        evaluation_interval: EVERY,
        alertmanager: Some(alertmanager.address),
        ..PrometheusConfig::default()
    })
    .await;
    until_within(WATCHED_WITHIN, "the dead man's switch", async || {
        (!receiver.at("/watchdog").is_empty()).then_some(())
    })
    .await;

    let exhausted = Exhausted::begin(&app, &one).await;
    let began = Instant::now();
    let told = loop {
        let told = receiver.at_any(&PEOPLE);
        if !told.is_empty() || began.elapsed() > STATED {
            break told;
        }
        sleep(LOOK).await;
    };
    exhausted.end().await;
    stop(app).await;
    for one in &told {
        let alerts = one.body["alerts"].as_array().into_iter().flatten();
        let names: Vec<&str> =
            alerts.filter_map(|alert| alert["labels"]["alertname"].as_str()).collect();
        println!("{}: {}", one.path, names.join(", "));
    }
    match told.len() {
        1 => println!("told after {:.0} s", began.elapsed().as_secs_f64()),
        0 => println!("nobody was told within {STATED:?}"),
        more => println!("told {more} times"),
    }
    ExitCode::from(u8::from(told.len() != 1))
}

fn rules(alerts: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(alerts).expect("there are rules");
    let paths = entries.map(|entry| entry.expect("it is there").path());
    paths.filter(|path| path.to_string_lossy().ends_with(".rules.yaml")).collect()
}

async fn stop(app: TestApp) {
    app.service.stop().await;
    app.simulator.stop().await;
}
