//! Counts as a sheet: what differs, who ran what, and each count as a check of its own.
//!
//! Never here: what is a difference (`compare`), or what it is worth (`told`).

use super::compare::{Compared, Place, Said, Spread};
use super::document::{Document, MadeWith};
use super::told::{Comparison, Repeats, SCHEMA, SPREAD_SCHEMA};
use crate::report::sheet::{Block, Check, Mark, Outcome, Section, Sheet, Table};
use crate::report::units::count;

/// The whole sheet of a comparison.
pub(super) fn of(comparison: &Comparison<'_>) -> Sheet {
    let mut sheet = short(comparison);
    sheet.checks = comparison.all.iter().map(check).collect();
    sheet.sections.extend([callers(comparison.counted), statements(comparison.counted)]);
    sheet
}

/// What is new in it: without what everybody ran, and without a check for each of some hundred
/// counts.
pub(super) fn short(comparison: &Comparison<'_>) -> Sheet {
    let Comparison { verdict, baseline, baseline_made_with, left_out, counted, .. } = comparison;
    let with = |MadeWith { postgres, profile }: &MadeWith| {
        format!("PostgreSQL {postgres}, a {profile} build")
    };
    let mut facts = vec![
        ("plan", counted.plan_hash.clone()),
        ("counted", format!("{}, with {}", counted.summary(), with(&counted.made_with))),
        ("baseline", format!("{baseline}, with {}", with(baseline_made_with))),
    ];
    facts.extend(left_out.iter().map(|why| ("left out", why.clone())));
    Sheet {
        title: "loadtest counts".to_owned(),
        verdict: verdict.value.name().to_owned(),
        outcome: verdict.value.outcome(),
        reasons: verdict.reasons.clone(),
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        checks: Vec::new(),
        sections: differences(&comparison.differences).into_iter().collect(),
        foot: format!(
            "{SCHEMA}. The same for machines: counts.json, in which \"counted\" is what a baseline \
             holds; each count is a case of junit.xml."
        ),
    }
}

/// The whole sheet of repeats.
pub(super) fn of_repeats(repeats: &Repeats<'_>) -> Sheet {
    let Repeats { verdict, plan_hash, made_with, times, spreads, .. } = repeats;
    let MadeWith { postgres, profile } = made_with;
    let facts = [
        ("plan", (*plan_hash).to_owned()),
        ("counted", format!("{times} times, with PostgreSQL {postgres}, a {profile} build")),
    ];
    let mut table = Table::new(&["what", "least", "most", "apart", "allowed"]);
    for spread in spreads {
        let Spread { place, least, most, tolerance } = spread;
        let apart = format!("{:.2} %", spread.share() * 100.0);
        let cells = vec![name(place), count(*least), count(*most), apart, tolerance.words()];
        table.push(if spread.is_within() { Mark::None } else { Mark::Bad }, cells);
    }
    let note = "Those that may be apart, and those that are; all others were the same each time.";
    Sheet {
        title: "loadtest counts --repeat".to_owned(),
        verdict: verdict.value.name().to_owned(),
        outcome: verdict.value.outcome(),
        reasons: verdict.reasons.clone(),
        facts: facts.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        checks: spreads.iter().map(check_spread).collect(),
        sections: vec![Section::new("How far apart", note, vec![Block::Table(table)])],
        foot: format!("{SPREAD_SCHEMA}. The same for machines: spread.json."),
    }
}

fn check(compared: &Compared) -> Check {
    let Compared { place, from, to, turns: _, tolerance, said } = compared;
    let (outcome, detail) = match said {
        Said::Same if from == to => (Outcome::Passed, count(*to)),
        Said::Same => {
            let allowed = tolerance.words();
            let detail = format!("was {}, is {}; {allowed} allowed", count(*from), count(*to));
            (Outcome::Passed, detail)
        }
        Said::Different => {
            let (change, allowed) = (change(compared), tolerance.words());
            let (from, to) = (count(*from), count(*to));
            (Outcome::Failed, format!("was {from}, is {to} ({change}); {allowed} allowed"))
        }
        Said::LeftOut => (Outcome::Skipped, "not compared".to_owned()),
    };
    case(place, outcome, detail)
}

fn check_spread(spread: &Spread) -> Check {
    let Spread { place, least, most, tolerance } = spread;
    let (least, most, allowed) = (count(*least), count(*most), tolerance.words());
    let detail = format!("{least} to {most}; {allowed} allowed");
    case(place, Outcome::of(spread.is_within()), detail)
}

fn case(place: &Place, outcome: Outcome, detail: String) -> Check {
    let group = format!("{}: {}", place.phase, place.who);
    Check { group, name: what(place), outcome, detail, examples: Vec::new() }
}

/// What went from what to what; nothing where nothing did.
fn differences(all: &[Compared]) -> Option<Section> {
    let mut table = Table::new(&["what", "was", "is", "change", "a turn", "allowed"]);
    for compared in all {
        let Compared { place, from, to, turns, tolerance, said: _ } = compared;
        let by_turn = match turns {
            0 => String::new(),
            turns => format!("{:+.2}", (*to as f64 - *from as f64) / *turns as f64),
        };
        let cells = vec![
            name(place),
            count(*from),
            count(*to),
            change(compared),
            by_turn,
            tolerance.words(),
        ];
        table.push(Mark::Bad, cells);
    }
    let note = "A turn is a request, or a batch of a stage.";
    (!all.is_empty()).then(|| Section::new("Differences", note, vec![Block::Table(table)]))
}

fn change(compared: &Compared) -> String {
    format!("{:+}", i128::from(compared.to) - i128::from(compared.from))
}

fn name(place: &Place) -> String {
    format!("{}: {} {}", place.phase, place.who, what(place))
}

fn what(place: &Place) -> String {
    let Place { phase: _, who: _, what, statement } = place;
    if statement.is_empty() { (*what).to_owned() } else { format!("{what} of {statement}") }
}

/// Who ran how many statements.
fn callers(counted: &Document) -> Section {
    let mut table = Table::new(&["who", "turns", "statements", "rows", "bytes answered"]);
    for (name, phase) in &counted.phases {
        for (who, caller) in phase.endpoints.iter().chain(&phase.stages) {
            let cells = vec![
                format!("{name}: {who}"),
                count(caller.turns),
                count(caller.calls.values().sum()),
                count(caller.rows.values().sum()),
                caller.answered_bytes.map(count).unwrap_or_default(),
            ];
            table.push(Mark::None, cells);
        }
    }
    let note = "A turn is a request to an endpoint, or a batch of a stage.";
    Section::new("Endpoints and stages", note, vec![Block::Table(table)])
}

/// What the server did for each statement.
fn statements(counted: &Document) -> Section {
    let mut table = Table::new(&["statement", "buffers", "log bytes"]);
    for (name, phase) in &counted.phases {
        for (statement, served) in &phase.statements {
            let cells = [served.buffers, served.wal_bytes].map(count);
            let named = vec![format!("{name}: {statement}")];
            table.push(Mark::None, [named, cells.to_vec()].concat());
        }
    }
    Section::new("Statements", "", vec![Block::Table(table)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use expect_test::expect_file;

    use super::super::compare::tests::changed;
    use super::super::document::tests::document;
    use super::*;
    use crate::report::{junit, markdown, page, plain};

    #[test]
    fn differences_read_like_this() {
        let (baseline, counted) = (document(), changed());
        let comparison = Comparison::of(&baseline, &counted, Path::new("counts.json"));
        let text = plain::render(&short(&comparison));
        expect_file!["../../testdata/counts.txt"].assert_eq(&text);
        let sheet = of(&comparison);
        expect_file!["../../testdata/counts.md"].assert_eq(&markdown::render(&sheet));
        expect_file!["../../testdata/counts.junit.xml"].assert_eq(&junit::render(&sheet).unwrap());
        assert!(page::render(&sheet).unwrap().contains("loadtest counts: "));
    }

    #[test]
    fn what_is_the_same_is_a_line_and_what_is_left_out_no_pass() {
        let (baseline, mut counted) = (document(), document());
        counted.made_with.profile = "release".to_owned();
        let comparison = Comparison::of(&baseline, &counted, Path::new("counts.json"));
        let text = plain::render(&short(&comparison));
        let last =
            "PASS        10 requests and 40 texts, 21 statements, the same as in counts.json";
        assert_eq!(text.lines().last(), Some(last));
        let skipped = of(&comparison).checks;
        let skipped = skipped.iter().filter(|check| check.outcome == Outcome::Skipped);
        let skipped: Vec<&str> = skipped.map(|check| check.name.as_str()).collect();
        assert_eq!(skipped, ["memory bytes"]);
    }

    #[test]
    fn a_spread_reads_like_this() {
        let all = [document(), changed()];
        let sheet = of_repeats(&Repeats::of(&all).unwrap());
        expect_file!["../../testdata/counts-spread.txt"].assert_eq(&plain::render(&sheet));
        assert_eq!(sheet.checks.iter().filter(|c| c.outcome == Outcome::Failed).count(), 4);
    }
}
