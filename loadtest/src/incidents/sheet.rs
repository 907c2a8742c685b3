//! What became of the incidents as a sheet: each expectation is a check of its incident.
//!
//! Never here: a word that isn't in the facts.

use super::facts::{Alert, Check as Held, Ended, Facts, Outcome as Became, SCHEMA, Seen};
use crate::report::sheet::{Block, Check, Mark, Outcome, Section, Sheet, Table};
use crate::report::units::{count, latency};

/// The whole sheet.
pub(super) fn of(facts: &Facts) -> Sheet {
    let (verdict, outcome) = match facts.ended() {
        Ended::Passed => ("PASS", Outcome::Passed),
        Ended::Failed => ("FAIL", Outcome::Failed),
        Ended::Invalid => ("INVALID", Outcome::Invalid),
        Ended::Interrupted => ("INTERRUPTED", Outcome::Skipped),
    };
    let texts = format!(
        "{} in most; 400 in above_pool, none in endpoint_creeps, half of it twice in report_beside",
        count(facts.size)
    );
    let shown = [("texts", texts)];
    let shown = shown.into_iter().chain([("alerts", facts.watched_by.clone())]);
    let checks: Vec<Check> = facts.outcomes.iter().flat_map(checks).collect();
    let mut sections = vec![incidents(facts)];
    sections.extend(alerts(facts));
    Sheet {
        title: "loadtest incidents".to_owned(),
        verdict: verdict.to_owned(),
        outcome,
        reasons: reasons(facts, &checks),
        facts: shown.map(|(name, value)| (name.to_owned(), value)).collect(),
        checks,
        sections,
        foot: format!("{SCHEMA}. The same for machines: incidents.json."),
    }
}

fn reasons(facts: &Facts, checks: &[Check]) -> Vec<String> {
    let failed = checks.iter().filter(|check| check.outcome == Outcome::Failed);
    let mut reasons: Vec<String> =
        failed.map(|check| format!("{}: {}: {}", check.group, check.name, check.detail)).collect();
    reasons.extend(facts.broken.iter().map(|why| format!("the stack failed: {why}")));
    match facts.ended() {
        Ended::Passed => reasons.push("every incident ended well, and was seen".to_owned()),
        Ended::Interrupted => reasons.push("this is what was done until then".to_owned()),
        Ended::Failed | Ended::Invalid => {}
    }
    reasons
}

/// What had to hold, and what had to be seen. What is expected twice (of two rounds) has a number.
fn checks(became: &Became) -> Vec<Check> {
    let held = became
        .found
        .checks
        .iter()
        .map(|Held { what, holds, found }| (what.clone(), Outcome::of(*holds), found.clone()));
    let seen = became.found.seen.iter().map(|seen| {
        let is_seen = Outcome::of(seen.after_seconds.is_some());
        (format!("seen: {} ≥ {}", seen.signal, seen.from), is_seen, said(seen))
    });
    let mut checks: Vec<Check> = Vec::new();
    for (what, outcome, detail) in held.chain(seen) {
        let again = format!("{what} (");
        let same = |check: &&Check| check.name == what || check.name.starts_with(&again);
        let before = checks.iter().filter(same).count();
        let name = if before == 0 { what } else { format!("{what} ({})", before + 1) };
        let group = became.name.to_owned();
        checks.push(Check { group, name, outcome, detail, examples: Vec::new() });
    }
    checks
}

fn said(seen: &Seen) -> String {
    let Seen { signal: _, from: _, highest, after_seconds } = seen;
    match after_seconds {
        Some(after) => format!("after {}, up to {highest:.2}", latency(*after)),
        None => format!("never; {highest:.2} at the most"),
    }
}

fn incidents(facts: &Facts) -> Section {
    let mut table = Table::new(&["incident", "ended", "after", "what happened"]);
    for became in &facts.outcomes {
        let (ended, mark) =
            if became.is_well() { ("well", Mark::None) } else { ("not well", Mark::Bad) };
        let cells = [became.name, ended, &latency(became.seconds), became.story];
        table.push(mark, cells.map(str::to_owned).to_vec());
    }
    let note = "An incident ends well when all that must hold held, and its signals were seen.";
    Section::new("Incidents", note, vec![Block::Table(table)])
}

fn alerts(facts: &Facts) -> Option<Section> {
    let mut table = Table::new(&["incident", "alert", "about", "state", "after"]);
    for became in &facts.outcomes {
        for Alert { name, state, about, after_seconds } in &became.found.alerts {
            let cells = [became.name, name, about, state, &latency(*after_seconds)];
            table.push(Mark::None, cells.map(str::to_owned).to_vec());
        }
    }
    let note =
        "Who would have been told. Pending is what has not held for as long as its rule says.";
    (!table.rows.is_empty()).then(|| Section::new("Alerts", note, vec![Block::Table(table)]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::facts::tests::sample;
    use super::*;
    use crate::report::{junit, markdown, page, plain};

    #[test]
    fn a_report_looks_like_this() {
        let sheet = of(&sample());
        expect_file!["../../testdata/incidents.txt"].assert_eq(&plain::render(&sheet));
        expect_file!["../../testdata/incidents.md"].assert_eq(&markdown::render(&sheet));
        expect_file!["../../testdata/incidents.junit.xml"]
            .assert_eq(&junit::render(&sheet).unwrap());
        assert!(page::render(&sheet).unwrap().contains("loadtest incidents: "));
    }

    #[test]
    fn what_is_expected_twice_is_two_cases() {
        let mut facts = sample();
        let found = &mut facts.outcomes[0].found;
        let more: Vec<Held> = found.checks.iter().cycle().take(2).cloned().collect();
        found.checks.extend(more);
        let checks = checks(&facts.outcomes[0]);
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let wanted = ["all texts arrive", "all texts arrive (2)", "all texts arrive (3)"];
        assert_eq!(names[..3], wanted);
        assert!(names[3].starts_with("seen: oldest_pending_seconds"), "{names:?}");
    }

    #[test]
    fn each_end_has_its_word() {
        let mut facts = sample();
        let said = |facts: &Facts| {
            let sheet = of(facts);
            format!("{}: {}", sheet.verdict, sheet.reasons.join("; "))
        };
        assert_eq!(said(&facts), "FAIL: above_pool: all texts arrive: 150 of 400");
        facts.outcomes.truncate(1);
        assert_eq!(said(&facts), "PASS: every incident ended well, and was seen");
        facts.broken = Some("postgres is gone".to_owned());
        assert_eq!(said(&facts), "INVALID: the stack failed: postgres is gone");
        facts.broken = None;
        facts.interrupted = true;
        assert_eq!(said(&facts), "INTERRUPTED: this is what was done until then");
        let mut facts = sample();
        facts.interrupted = true;
        let ended = "INTERRUPTED: above_pool: all texts arrive: 150 of 400; this is what";
        assert!(said(&facts).starts_with(ended), "{}", said(&facts));
    }
}
