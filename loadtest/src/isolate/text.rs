//! What was found as text: for a terminal, and as Markdown for whoever reviews a change.
//!
//! Never here: a number that isn't in the facts.

use super::facts::{Cost, Ended, Facts, Guilty, growth};
use crate::report::lines::put;
use crate::report::units::{count, latency, rate};

/// Figures of a row, in the order of the columns.
const COLUMNS: [&str; 10] = [
    "by",
    "depth",
    "items",
    "a second",
    "statements",
    "buffers",
    "log",
    "service",
    "database",
    "growth",
];

/// The whole report for a terminal.
pub(super) fn render(facts: &Facts) -> String {
    let mut out = String::new();
    put(&mut out, &head(facts));
    out.push('\n');
    let line = |stage: &str, cells: &[String]| {
        let cells = cells.iter().map(|cell| format!("{cell:>11}")).collect::<String>();
        format!("{stage:<10}{cells}")
    };
    put(&mut out, &line("STAGE", &COLUMNS.map(str::to_uppercase)));
    for costs in facts.stages() {
        for (at, cost) in costs.iter().enumerate() {
            let stage = if at == 0 { cost.stage } else { "" };
            put(&mut out, &line(stage, &cells(&costs, at)));
        }
    }
    out.push('\n');
    for line in verdict(facts) {
        put(&mut out, &line);
    }
    out
}

/// The same as Markdown.
pub(super) fn markdown(facts: &Facts) -> String {
    let mut out = String::new();
    put(&mut out, &format!("## Stages one at a time\n\n{}", head(facts)));
    out.push('\n');
    for line in verdict(facts) {
        put(&mut out, &format!("- {line}"));
    }
    put(&mut out, &format!("\n| stage | {} |", COLUMNS.join(" | ")));
    put(&mut out, &format!("|---{}|", "|---:".repeat(COLUMNS.len())));
    for costs in facts.stages() {
        for (at, cost) in costs.iter().enumerate() {
            put(&mut out, &format!("| {} | {} |", cost.stage, cells(&costs, at).join(" | ")));
        }
    }
    out
}

fn head(facts: &Facts) -> String {
    let depths: Vec<String> = facts.depths.iter().map(|depth| count(*depth)).collect();
    format!(
        "Each stage alone on {} texts, with {} before it. Statements, buffers, log and processor \
         time are those of one item.",
        count(facts.sample),
        depths.join(", ")
    )
}

fn cells(costs: &[&Cost], at: usize) -> [String; 10] {
    let cost = costs[at];
    let none = || "–".to_owned();
    let number = |value: Option<f64>| value.map_or_else(none, |value| format!("{value:.2}"));
    let cpu = |which: usize| cost.cpu_each().map_or_else(none, |each| latency(each[which]));
    let growth = growth(&costs[..=at]).map_or_else(none, |growth| format!("{growth:.2} ×"));
    [
        cost.unit.name().to_owned(),
        count(cost.depth),
        count(cost.items),
        rate(cost.per_second()),
        number(cost.statements_each()),
        number(cost.buffers_each()),
        cost.wal_each().map_or_else(none, |bytes| format!("{bytes:.0} B")),
        cpu(0),
        cpu(1),
        growth,
    ]
}

/// What it means, in words, one sentence a line.
pub(super) fn verdict(facts: &Facts) -> Vec<String> {
    let verdict = facts.verdict();
    let word = match verdict.ended {
        Ended::Passed => "PASS",
        Ended::Failed => "FAIL",
        Ended::Invalid => "INVALID",
        Ended::Interrupted => "INTERRUPTED",
    };
    let mut lines: Vec<String> = verdict.guilty.iter().map(guilty).collect();
    for audit in facts.audits.iter().filter(|audit| !audit.broken.is_empty()) {
        let broken = audit.broken.join("; ");
        lines.push(format!("at a depth of {} a law was broken: {broken}", count(audit.depth)));
    }
    lines.extend(facts.missing.iter().cloned());
    if verdict.ended == Ended::Passed {
        lines.push(format!(
            "in no stage does an item cost {} times as many buffers at the largest depth",
            facts.growth_max
        ));
    }
    if verdict.ended == Ended::Interrupted {
        lines.push("this is what was measured until then".to_owned());
    }
    let first = lines.first_mut();
    if let Some(first) = first {
        *first = format!("{word}: {first}");
    }
    lines
}

fn guilty(guilty: &Guilty) -> String {
    let Guilty { stage, statement, from_depth, to_depth, growth, buffers: [from, to] } = guilty;
    format!(
        "{stage} is guilty: an item costs {growth:.1} times as many buffers with {} before it as \
         with {}; {statement} took {from:.1} of them and takes {to:.1}",
        count(*to_depth),
        count(*from_depth)
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::facts::tests::sample;
    use super::*;

    #[test]
    fn a_report_looks_like_this() {
        expect_file!["../../testdata/isolate.txt"].assert_eq(&render(&sample()));
        expect_file!["../../testdata/isolate.md"].assert_eq(&markdown(&sample()));
    }

    #[test]
    fn each_end_has_its_word() {
        let mut facts = Facts::new(vec![10, 100], 10, 1.5);
        assert!(verdict(&facts)[0].starts_with("PASS: in no stage"), "{:?}", verdict(&facts));
        facts.missing.push("claim did 3 of 10 at 100".to_owned());
        assert_eq!(verdict(&facts), ["INVALID: claim did 3 of 10 at 100"]);
        facts.interrupted = true;
        assert!(verdict(&facts)[0].starts_with("INTERRUPTED: "));
    }
}
