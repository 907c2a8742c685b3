//! What became of the incidents as text: for a terminal, and as Markdown.
//!
//! Never here: a word that isn't in the facts.

use super::facts::{Alert, Ended, Facts, Outcome, Seen};
use super::scenarios;
use crate::report::lines::put;
use crate::report::units::{count, latency};

/// What a list of them says.
pub(super) fn list() -> String {
    let mut out = String::new();
    for scenario in scenarios::ALL {
        put(&mut out, &format!("{:<16} {}", scenario.name(), scenario.story()));
    }
    out
}

/// The whole report for a terminal.
pub(super) fn render(facts: &Facts) -> String {
    let mut out = String::new();
    put(&mut out, &format!("{} texts in each; alerts: {}", count(facts.size), facts.watched_by));
    out.push('\n');
    put(&mut out, &format!("{:<16} {:<10} {:>8}  WHAT", "INCIDENT", "ENDED", "AFTER"));
    for outcome in &facts.outcomes {
        let ended = if outcome.is_well() { "well" } else { "NOT WELL" };
        let after = latency(outcome.seconds);
        let mut first = format!("{:<16} {ended:<10} {after:>8}  ", outcome.name);
        for line in lines(outcome) {
            put(&mut out, &format!("{first:<38}{line}"));
            first.clear();
        }
    }
    out.push('\n');
    put(&mut out, verdict(facts));
    out
}

/// The same as Markdown.
pub(super) fn markdown(facts: &Facts) -> String {
    let mut out = String::new();
    put(&mut out, "## Incidents\n");
    put(&mut out, &format!("{} texts in each; alerts: {}.", count(facts.size), facts.watched_by));
    put(&mut out, &format!("{}\n", verdict(facts)));
    put(&mut out, "| incident | ended | after | what |\n|---|---|---:|---|");
    for outcome in &facts.outcomes {
        let ended = if outcome.is_well() { "well" } else { "**not well**" };
        let after = latency(outcome.seconds);
        let what = lines(outcome).join("<br>").replace('|', "\\|");
        put(&mut out, &format!("| {} | {ended} | {after} | {what} |", outcome.name));
    }
    out
}

fn verdict(facts: &Facts) -> &'static str {
    match facts.ended() {
        Ended::Passed => "PASS: every incident ended well, and was seen",
        Ended::Failed => "FAIL: not every incident ended well and was seen",
        Ended::Interrupted => "INTERRUPTED: this is what was done until then",
    }
}

/// What holds, what was seen, and who would have been told.
fn lines(outcome: &Outcome) -> Vec<String> {
    let checks = outcome.found.checks.iter().map(|check| {
        let holds = if check.holds { "" } else { "NOT: " };
        format!("{holds}{}: {}", check.what, check.found)
    });
    let seen = outcome.found.seen.iter().map(seen);
    let alerts = outcome.found.alerts.iter().map(alert);
    checks.chain(seen).chain(alerts).collect()
}

fn seen(seen: &Seen) -> String {
    let Seen { signal, from, highest, after_seconds } = seen;
    match after_seconds {
        Some(after) => {
            format!("seen: {signal} ≥ {from} after {}, up to {highest:.2}", latency(*after))
        }
        None => format!("NOT SEEN: {signal} ≥ {from}, only up to {highest:.2}"),
    }
}

fn alert(alert: &Alert) -> String {
    let Alert { name, state, about, after_seconds } = alert;
    let about = if about.is_empty() { String::new() } else { format!(" ({about})") };
    format!("alert: {name}{about} {state} after {}", latency(*after_seconds))
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::facts::tests::sample;
    use super::*;

    #[test]
    fn a_report_looks_like_this() {
        expect_file!["../../testdata/incidents.txt"].assert_eq(&render(&sample()));
        expect_file!["../../testdata/incidents.md"].assert_eq(&markdown(&sample()));
    }

    #[test]
    fn the_list_names_each_once() {
        let list = list();
        assert_eq!(list.lines().count(), scenarios::ALL.len());
        for scenario in scenarios::ALL {
            assert!(list.contains(scenario.name()), "{list}");
        }
    }
}
