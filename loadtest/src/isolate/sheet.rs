//! What was found as a sheet: each stage's cost at each depth, its statements, what was checked.
//!
//! Never here: a number that isn't in the facts.

use std::collections::BTreeSet;

use super::facts::{BUFFERS_MIN, Cost, Ended, Facts, Guilty, SCHEMA, growth};
use crate::report::sheet::{
    Across, Block, Chart, Check, Line, Mark, Outcome, Section, Sheet, Stroke, Table, Unit,
};
use crate::report::units::{count, latency, rate};

const COLUMNS: [&str; 12] = [
    "stage",
    "by",
    "depth",
    "before it",
    "items",
    "a second",
    "statements",
    "buffers",
    "log",
    "service",
    "database",
    "growth",
];
const STAGES_NOTE: &str = "\
Depth is how many texts there are, before it how much of the stage's own work stands before the \
stage: to deliver, settle and receive no more is let through than they are measured on. \
Statements, buffers, log and processor time are those of one item. Growth is in buffers, against \
the smallest depth.";
const STATEMENTS_NOTE: &str = "\
Buffers for one item, by how many texts there are; calls and log at the largest depth, for one \
item as well.";

/// The whole sheet.
pub(super) fn of(facts: &Facts) -> Sheet {
    let (verdict, outcome) = match facts.verdict().ended {
        Ended::Passed => ("PASS", Outcome::Passed),
        Ended::Failed => ("FAIL", Outcome::Failed),
        Ended::Invalid => ("INVALID", Outcome::Invalid),
        Ended::Interrupted => ("INTERRUPTED", Outcome::Skipped),
    };
    let depths: Vec<String> = facts.depths.iter().map(|depth| count(*depth)).collect();
    let (sample, depths) = (count(facts.sample), depths.join(", "));
    let shown = [
        ("stages", format!("each alone on {sample} texts of {depths}")),
        (
            "bound",
            format!(
                "an item costs at most {} times as many buffers at the largest depth as at the \
                 smallest; less than {BUFFERS_MIN} more is none",
                facts.growth_max
            ),
        ),
    ];
    Sheet {
        title: "loadtest isolate".to_owned(),
        verdict: verdict.to_owned(),
        outcome,
        reasons: reasons(facts),
        facts: shown.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        checks: checks(facts),
        sections: vec![stages(facts), statements(facts)],
        foot: format!("{SCHEMA}. The same numbers for machines: isolate.json."),
    }
}

/// What it means, in words, one sentence for each thing that decided it.
fn reasons(facts: &Facts) -> Vec<String> {
    let verdict = facts.verdict();
    let mut reasons: Vec<String> = verdict.guilty.iter().map(guilty).collect();
    for audit in facts.audits.iter().filter(|audit| !audit.broken.is_empty()) {
        let broken = audit.broken.join("; ");
        reasons.push(format!("at a depth of {} a law was broken: {broken}", count(audit.depth)));
    }
    for missing in &facts.missing {
        let (stage, what, depth) = (missing.stage, &missing.what, count(missing.depth));
        reasons.push(format!("{stage} {what}, with {depth} texts there"));
    }
    reasons.extend(facts.broken.iter().map(|why| format!("the stack failed: {why}")));
    match verdict.ended {
        Ended::Passed => reasons.push(format!(
            "in no stage does an item cost {} times as many buffers at the largest depth",
            facts.growth_max
        )),
        Ended::Interrupted => reasons.push("this is what was measured until then".to_owned()),
        Ended::Failed | Ended::Invalid => {}
    }
    reasons
}

fn guilty(guilty: &Guilty) -> String {
    let Guilty { stage, statement, from_depth, to_depth, growth, buffers: [from, to] } = guilty;
    format!(
        "{stage} is guilty: an item costs {growth:.1} times as many buffers with {} texts there \
         as with {}; {statement} took {from:.1} of them and takes {to:.1}",
        count(*to_depth),
        count(*from_depth)
    )
}

/// Each bound for each stage that it is for, and the laws at each depth.
fn checks(facts: &Facts) -> Vec<Check> {
    let verdict = facts.verdict();
    // What is not whole is shown, and not judged.
    let judged = |outcome| match verdict.ended {
        Ended::Interrupted => Outcome::Skipped,
        Ended::Passed | Ended::Failed | Ended::Invalid => outcome,
    };
    let check = |group: &str, name: String, outcome, detail, examples| Check {
        group: group.to_owned(),
        name,
        outcome: judged(outcome),
        detail,
        examples,
    };
    let mut checks = Vec::new();
    for costs in facts.stages().iter().filter(|costs| costs[0].judged) {
        let stage = costs[0].stage;
        let told = verdict.guilty.iter().filter(|guilty| guilty.stage == stage);
        let examples: Vec<String> = told.map(guilty).collect();
        let (outcome, detail) = match growth(costs) {
            Some(growth) => (Outcome::of(examples.is_empty()), format!("{growth:.2} ×")),
            None => (Outcome::Skipped, "nothing to compare".to_owned()),
        };
        let detail = format!("{detail}; {} × at most", facts.growth_max);
        checks.push(check("buffers an item", stage.to_owned(), outcome, detail, examples));
    }
    for costs in facts.stages() {
        let stage = costs[0].stage;
        let missing = facts.missing.iter().filter(|missing| missing.stage == stage);
        let examples: Vec<String> = missing
            .map(|missing| format!("{}, with {} texts there", missing.what, count(missing.depth)))
            .collect();
        let outcome = if examples.is_empty() { Outcome::Passed } else { Outcome::Invalid };
        let items: Vec<String> = costs.iter().map(|cost| count(cost.items)).collect();
        let detail = format!("{} by {}", items.join(", "), costs[0].unit.name());
        checks.push(check("what it was given", stage.to_owned(), outcome, detail, examples));
    }
    for audit in &facts.audits {
        let (depth, cases) = (count(audit.depth), count(audit.cases));
        let outcome = Outcome::of(audit.broken.is_empty());
        let (name, detail) = (format!("with {depth} texts there"), format!("{cases} cases"));
        checks.push(check("laws", name, outcome, detail, audit.broken.clone()));
    }
    checks
}

fn stages(facts: &Facts) -> Section {
    let guilty = facts.verdict().guilty;
    let mut table = Table::new(&COLUMNS);
    for costs in facts.stages() {
        let is_guilty = guilty.iter().any(|guilty| guilty.stage == costs[0].stage);
        for (at, cost) in costs.iter().enumerate() {
            let is_bad = is_guilty && at + 1 == costs.len();
            table.push(if is_bad { Mark::Bad } else { Mark::None }, cells(&costs, at, cost));
        }
    }
    let mut blocks = vec![Block::Table(table)];
    blocks.extend(Some(chart(facts)).filter(Chart::has_points).map(Block::Chart));
    Section::new("Each stage alone", STAGES_NOTE, blocks)
}

fn cells(costs: &[&Cost], at: usize, cost: &Cost) -> Vec<String> {
    let cpu = |which: usize| cost.cpu_each().map_or_else(none, |each| latency(each[which]));
    vec![
        cost.stage.to_owned(),
        cost.unit.name().to_owned(),
        count(cost.depth),
        count(cost.before),
        count(cost.items),
        rate(cost.per_second()),
        number(cost.statements_each()),
        number(cost.buffers_each()),
        cost.wal_each().map_or_else(none, |bytes| format!("{bytes:.0} B")),
        cpu(0),
        cpu(1),
        growth(&costs[..=at]).map_or_else(none, |growth| format!("{growth:.2} ×")),
    ]
}

fn none() -> String {
    "–".to_owned()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(none, |value| format!("{value:.2}"))
}

/// Buffers of one item by depth, a line for each stage that is judged.
fn chart(facts: &Facts) -> Chart {
    let judged = facts.stages().into_iter().filter(|costs| costs[0].judged);
    let lines = judged.filter_map(|costs| {
        // What touches no buffer, such as a delivery, has no place on a logarithmic axis.
        let point = |cost: &&Cost| Some((cost.depth as f64, cost.buffers_each()?));
        let points: Vec<(f64, f64)> =
            costs.iter().filter_map(point).filter(|(_, buffers)| *buffers > 0.0).collect();
        let line = Line { stroke: Stroke::Marked, ..Line::new(costs[0].stage, points) };
        (!line.points.is_empty()).then_some(line)
    });
    Chart {
        title: "shared buffers for one item".to_owned(),
        across: Across::Orders("texts there".to_owned()),
        unit: Unit::Number,
        lines: lines.collect(),
        shaded: Vec::new(),
    }
}

/// What is behind it: a row for each stage's statement, a column for each depth.
fn statements(facts: &Facts) -> Section {
    let depths = facts.depths.iter().map(|depth| format!("at {}", count(*depth)));
    let mut columns = vec!["stage".to_owned(), "statement".to_owned(), "calls".to_owned()];
    columns.push("log".to_owned());
    columns.extend(depths);
    let mut table = Table { columns, rows: Vec::new() };
    let guilty = facts.verdict().guilty;
    for costs in facts.stages() {
        let Some(last) = costs.last() else { continue };
        let names: BTreeSet<&String> =
            costs.iter().flat_map(|cost| cost.statements.keys()).collect();
        let mut names: Vec<&String> = names.into_iter().collect();
        names.sort_by(|a, b| last.of_statement(b).total_cmp(&last.of_statement(a)));
        for name in names {
            let served = last.statements.get(name).copied().unwrap_or_default();
            let each = |n: u64| (last.items > 0).then(|| n as f64 / last.items as f64);
            let log = each(served.wal_bytes).map_or_else(none, |bytes| format!("{bytes:.0} B"));
            let mut cells = vec![last.stage.to_owned(), name.clone()];
            cells.extend([number(each(served.calls)), log]);
            for depth in &facts.depths {
                let cost = costs.iter().find(|cost| cost.depth == *depth);
                cells.push(number(cost.map(|cost| cost.of_statement(name))));
            }
            let is_bad = guilty.iter().any(|it| it.stage == last.stage && it.statement == *name);
            table.push(if is_bad { Mark::Bad } else { Mark::None }, cells);
        }
    }
    Section::new("Statements", STATEMENTS_NOTE, vec![Block::Table(table)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::facts::tests::{missing, sample};
    use super::*;
    use crate::report::{junit, markdown, page, plain};

    #[test]
    fn a_report_looks_like_this() {
        let sheet = of(&sample());
        expect_file!["../../testdata/isolate.txt"].assert_eq(&plain::render(&sheet));
        expect_file!["../../testdata/isolate.md"].assert_eq(&markdown::render(&sheet));
        let page = page::render(&sheet).unwrap();
        for piece in ["loadtest isolate: ", "claim is guilty", "<svg", "claim_lanes", "12.77 ×"] {
            assert!(page.contains(piece), "{piece}: {page}");
        }
    }

    #[test]
    fn a_case_is_a_stage_by_a_bound() {
        let outcomes = |facts: &Facts| -> Vec<(String, Outcome)> {
            let named = |check: Check| (format!("{}: {}", check.group, check.name), check.outcome);
            checks(facts).into_iter().map(named).collect()
        };
        let mut facts = sample();
        facts.missing.push(missing());
        let told = outcomes(&facts);
        let wanted = [
            ("buffers an item: release", Outcome::Passed),
            ("buffers an item: claim", Outcome::Failed),
            ("what it was given: release", Outcome::Passed),
            ("what it was given: claim", Outcome::Invalid),
            ("what it was given: observe", Outcome::Passed),
            ("laws: with 100 texts there", Outcome::Passed),
            ("laws: with 1,000 texts there", Outcome::Passed),
            ("laws: with 10,000 texts there", Outcome::Passed),
        ];
        assert_eq!(told, wanted.map(|(name, outcome)| (name.to_owned(), outcome)));
        let xml = junit::render(&of(&facts)).unwrap();
        assert!(xml.contains("tests=\"9\" skipped=\"0\" failures=\"2\" errors=\"1\""), "{xml}");
        facts.interrupted = true;
        assert!(outcomes(&facts).iter().all(|(_, outcome)| *outcome == Outcome::Skipped));
    }

    #[test]
    fn each_end_has_its_word() {
        let mut facts = Facts::new(vec![10, 100], 10, 1.5);
        let said = |facts: &Facts| (of(facts).verdict, reasons(facts).join("; "));
        let (word, why) = said(&facts);
        assert!(word == "PASS" && why.starts_with("in no stage"), "{why}");
        facts.missing.push(missing());
        let missed = "claim did 3 of 100, with 10,000 texts there";
        assert_eq!(said(&facts), ("INVALID".to_owned(), missed.to_owned()));
        facts.broken = Some("postgres is gone".to_owned());
        assert!(said(&facts).1.ends_with("; the stack failed: postgres is gone"));
        facts.interrupted = true;
        assert_eq!(said(&facts).0, "INTERRUPTED");
    }

    #[test]
    fn nothing_to_show_is_a_page_as_well() {
        let page = page::render(&of(&Facts::new(vec![10], 10, 1.5))).unwrap();
        assert!(!page.contains("<svg") && page.contains("PASS"), "{page}");
    }
}
