//! The project's rules and routing as they are, but for the times: what takes minutes there takes
//! seconds here.
//!
//! Never here: what is to fire, and who is to be told of it.

use std::path::PathBuf;

use stack::RunDir;
use tests::{Prometheus, Receiver};

use super::{files, repository};

/// How often rules are evaluated, how long they are held where it was a minute, and how long
/// Alertmanager waits for company, in seconds. With the times in the files it is as
/// `docs/alerts.md` says.
pub(super) const EVERY: u32 = 1;
pub(super) const HOLD: u32 = 2;
pub(super) const WAIT: u32 = 1;

/// How long a cause is kept for what looks back on it: on 15 seconds, here.
const KEPT: u32 = 25;

/// Beats of the watchdog (one a second) after which whatever was to be told has been.
pub(super) const BEATS: usize = 5;

/// The files of rules whose names end so, with what takes its time shortened: evaluated each
/// second, and held two where it was a minute. What some look back on is shortened less, up to the
/// half hour of the budgets that page, and so is how long what they look back on is kept. What is
/// held for longer stays: that is a trend or a mean, and that of a few seconds is none. Those about
/// presence are held as long: until its first scrape Prometheus knows of no process.
pub(crate) fn quick_rules(run: &RunDir, end: &str) -> Vec<PathBuf> {
    let quick = |line: &str, path: &str| {
        let is_of = |name: &str| path.ends_with(&format!("/{name}.rules.yaml"));
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.split_once(": ") {
            Some(("interval", _)) => format!("{indent}interval: {EVERY}s"),
            Some(("for", "1m")) if !is_of("presence") => {
                format!("{indent}for: {HOLD}s")
            }
            Some(("keep_firing_for", "35m")) => format!("{indent}keep_firing_for: {KEPT}s"),
            // Many scrapes: some fail where the processor is busy with what the test does to it.
            _ if is_of("burn") || is_of("saturation") => {
                let lengths = ["[1m]", "[5m]", "[30m]"].iter();
                lengths.fold(line.to_owned(), |line, length| line.replace(length, "[15s]"))
            }
            _ => line.replace("[1m]", "[15s]"),
        }
    };
    let copy = |path: String| {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<String> = text.lines().map(|line| quick(line, &path)).collect();
        let to = run.path().join(PathBuf::from(path).file_name().unwrap());
        std::fs::write(&to, lines.join("\n") + "\n").unwrap();
        to
    };
    files("alerts", end).into_iter().map(copy).collect()
}

/// The routing as it is, told to the test's receiver: quickly, but for what joins an incident that
/// is known, and the watchdog, which beats each second.
pub(super) fn quick_routing(receiver: &Receiver) -> String {
    let text = std::fs::read_to_string(repository("alerts/alertmanager.yaml")).unwrap();
    let mut is_watchdog = false;
    let quick = |line: &str| {
        is_watchdog = line.contains("receiver: watchdog") || (is_watchdog && !line.contains("- r"));
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.split_once(": ") {
            Some(("group_wait", _)) => format!("{indent}group_wait: {WAIT}s"),
            Some((name @ ("group_interval" | "repeat_interval"), _)) if is_watchdog => {
                format!("{indent}{name}: 1s")
            }
            _ => line.to_owned(),
        }
    };
    let text: Vec<String> = text.lines().map(quick).collect();
    receiver.in_place(&text.join("\n"))
}

/// The series of an alert that fires.
pub(super) fn firing(alert: &str, labels: &str) -> String {
    format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"{labels}}}")
}

/// Waits until an alert fires.
pub(super) async fn fires(prometheus: &Prometheus, alert: &str, labels: &str) {
    prometheus.until(&firing(alert, labels), |found| !found.is_empty()).await;
}
