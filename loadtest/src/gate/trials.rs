//! How often the gate is wrong, measured: base against itself many times, where every red is false,
//! and base against a head that is known to be slower, where every red is right.
//!
//! By hand, not in CI: three hundred trials take hours. Never here: a judgement (`judge`).

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::GateArgs;
use super::judge::judge;
use super::side::Contest;
use super::stats::{Interval, exact};
use super::{Seeds, duets_of};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::report::files::ReportDir;
use crate::report::plain;
use crate::report::sheet::{
    Across, Block, Chart, Check, Line, Mark, Outcome, Section, Sheet, Stroke, Table, Unit,
};
use crate::report::units::count;
use crate::run::verdict::{Value, Verdict};

/// The JSON's shape; the number rises when a reader of the old one would go wrong.
const SCHEMA: &str = "punctual-loadtest-trials/1";

/// How often something was red.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
struct Tally {
    /// What stood against base: itself, or head.
    against: String,
    /// Judgements that could tell.
    judged: u64,
    /// Of these, those whose first duet was red.
    first_red: u64,
    /// Of these, those whose second duet agreed: FAIL.
    failed: u64,
    /// Judgements that could not tell.
    invalid: u64,
    /// Why each of these could not, the first reason of each.
    invalid_because: Vec<String>,
    /// The plan's hash of each duet, in the order in which they were played.
    plan_hashes: Vec<String>,
    /// The middle ratio of the first figure, of each judgement that could tell.
    ratios: Vec<f64>,
}

/// All that is written as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct Document<'a> {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// What was compared: base, head.
    sides: [String; 2],
    /// What was sent.
    source: String,
    /// What chance began with; each trial's own follows from it.
    seed: u64,
    /// Of the intervals, as a ratio.
    confidence: f64,
    /// How often base was red against itself, and then head, if it is another.
    tallies: &'a [Tally],
    /// Why there are fewer trials than were asked for, if there are.
    broken: Option<String>,
}

/// Runs the trials and prints the rates; they are the result, so it ends well whatever they are.
pub(super) async fn run(
    contest: &Contest,
    args: &GateArgs,
    times: u32,
    reports: &ReportDir,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let against = |what: &str| Tally { against: what.to_owned(), ..Tally::default() };
    let mut tallies = vec![against("itself")];
    if !contest.is_same() {
        tallies.push(against("head"));
    }
    let confidence = args.duet.confidence / 100.0;
    let mut ended = Ok(());
    // In turn, so that an hour in which the machine is busy is in both.
    'trials: for trial in 0..times {
        for (n, tally) in tallies.iter_mut().enumerate() {
            ended = one(contest, args, trial, n == 0, tally, interrupt).await;
            if ended.is_err() {
                break 'trials;
            }
            complain!("{:<8} {} of {times}: {}", "trial", trial + 1, line(tally, confidence));
        }
    }
    let document = Document {
        schema: SCHEMA,
        sides: contest.names(),
        source: contest.source(),
        seed: args.work.seed,
        confidence,
        tallies: &tallies,
        broken: ended.as_ref().err().map(ToString::to_string),
    };
    let sheet = sheet(&document);
    let exit = ended.as_ref().err().map_or(Exit::Passed, Failure::exit);
    let exit = reports.tell("trials", &document, &plain::render(&sheet), &sheet, exit);
    // What was measured until then is told all the same.
    ended.map(|()| exit)
}

async fn one(
    contest: &Contest,
    args: &GateArgs,
    trial: u32,
    base_alone: bool,
    tally: &mut Tally,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    // Far enough apart that no second duet has the seed of another trial's first.
    let seed = args.work.seed.wrapping_add(u64::from(trial) * 1_000 + u64::from(!base_alone) * 10);
    let seeds = Seeds { seed, first: trial as usize % 2, base_alone };
    let mut duets = Vec::new();
    duets_of(contest, args, seeds, &mut duets, interrupt).await?;
    tally.plan_hashes.extend(duets.iter().map(|duet| duet.plan_hash.clone()));
    let Verdict { value, reasons } = judge(&duets);
    if value == Value::Invalid {
        tally.invalid += 1;
        tally.invalid_because.extend(reasons.into_iter().next());
        return Ok(());
    }
    tally.judged += 1;
    tally.first_red += u64::from(duets.first().is_some_and(super::judge::Duet::is_red));
    tally.failed += u64::from(value == Value::Fail);
    let first = duets.first().and_then(|duet| duet.figures.iter().find_map(|f| f.ratio));
    tally.ratios.extend(first);
    Ok(())
}

/// The rates as a sheet. They are neither good nor bad.
fn sheet(document: &Document<'_>) -> Sheet {
    let Document { schema: _, sides, source, seed, confidence, tallies, broken } = document;
    let (verdict, outcome) = match broken {
        None => ("MEASURED", Outcome::Passed),
        Some(_) => ("STOPPED", Outcome::Skipped),
    };
    let said = |tally: &Tally| format!("against {}: {}", tally.against, line(tally, *confidence));
    let mut reasons: Vec<String> = tallies.iter().map(said).collect();
    reasons.extend(broken.iter().map(|why| format!("fewer than were asked for: {why}")));
    let [base, head] = sides;
    let source = &format!("{source} (seed {seed})");
    let facts = [("base", base), ("head", head), ("sent", source)];
    let mut table =
        Table::new(&["against", "judged", "first duet red", "FAIL", "invalid", "middle ratio"]);
    for tally in *tallies {
        let middle = super::stats::median(&mut tally.ratios.clone());
        let cells = vec![
            tally.against.clone(),
            count(tally.judged),
            rate(tally.first_red, tally.judged, *confidence),
            rate(tally.failed, tally.judged, *confidence),
            count(tally.invalid),
            middle.map_or("–".to_owned(), |middle| format!("{middle:.3}")),
        ];
        table.push(Mark::None, cells);
    }
    let check = |tally: &Tally| Check {
        group: "trials".to_owned(),
        name: format!("against {}", tally.against),
        outcome,
        detail: line(tally, *confidence),
        examples: Vec::new(),
    };
    let mut blocks = vec![Block::Table(table), ratios(tallies)];
    blocks.extend(because(tallies));
    Sheet {
        title: "loadtest gate --aa".to_owned(),
        verdict: verdict.to_owned(),
        outcome,
        reasons,
        facts: facts.map(|(name, value)| (name.to_owned(), value.clone())).to_vec(),
        checks: tallies.iter().map(check).collect(),
        sections: vec![Section::new("Rates", "", blocks)],
        foot: format!("{SCHEMA}. The same for machines: trials.json."),
    }
}

/// Why those that could not tell could not: what to change before they are tried again.
fn because(tallies: &[Tally]) -> Option<Block> {
    let mut table = Table::new(&["against", "could not tell, because of"]);
    for tally in tallies {
        for why in &tally.invalid_because {
            table.push(Mark::Bad, vec![tally.against.clone(), why.clone()]);
        }
    }
    tallies.iter().any(|tally| tally.invalid > 0).then_some(Block::Table(table))
}

/// Each judgement's first figure.
fn ratios(tallies: &[Tally]) -> Block {
    let lines = tallies.iter().map(|tally| {
        let points = (1_u32..).zip(&tally.ratios).map(|(n, ratio)| (f64::from(n), *ratio));
        let line = Line::new(format!("against {}", tally.against), points.collect());
        Line { stroke: Stroke::Dots, ..line }
    });
    Block::Chart(Chart {
        title: "middle ratio of the first figure, head over base".to_owned(),
        across: Across::Number("judgements that could tell".to_owned()),
        unit: Unit::Ratio,
        lines: lines.collect(),
        shaded: Vec::new(),
    })
}

fn rate(hits: u64, of: u64, confidence: f64) -> String {
    let Interval { low, high } = exact::fraction(hits, of, confidence);
    let percent = hits as f64 / of.max(1) as f64 * 100.0;
    format!("{hits} ({percent:.1} %, {:.1} to {:.1} %)", low * 100.0, high * 100.0)
}

fn line(tally: &Tally, confidence: f64) -> String {
    let Tally { judged, first_red, failed, invalid, ratios, .. } = tally;
    let rate = |hits: u64| rate(hits, *judged, confidence);
    let mut out = format!(
        "{judged} judged, first duet red {}, FAIL {}, {invalid} invalid",
        rate(*first_red),
        rate(*failed)
    );
    if let Some(middle) = super::stats::median(&mut ratios.clone()) {
        // Writing to a String can't fail.
        _ = write!(out, "; middle ratio {middle:.3}");
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::*;
    use crate::report::{page, schema};

    fn tallies() -> [Tally; 1] {
        [Tally {
            against: "itself".to_owned(),
            judged: 300,
            first_red: 6,
            invalid: 1,
            invalid_because: vec!["duet 1: 9 of 16 seconds were spoilt by steal".to_owned()],
            plan_hashes: vec!["5f0c".to_owned()],
            ratios: vec![1.0, 1.02, 0.99],
            ..Tally::default()
        }]
    }

    fn document<'a>(tallies: &'a [Tally], broken: Option<&str>) -> Document<'a> {
        Document {
            schema: SCHEMA,
            sides: ["main".to_owned(), "main".to_owned()],
            source: "a day of 12000 texts in 120s".to_owned(),
            seed: 1,
            confidence: 0.95,
            tallies,
            broken: broken.map(str::to_owned),
        }
    }

    #[test]
    fn rates_are_told_with_exact_intervals() {
        let tallies = tallies();
        let sheet = sheet(&document(&tallies, None));
        assert_eq!(
            sheet.reasons,
            ["against itself: 300 judged, first duet red 6 (2.0 %, 0.7 to 4.3 %), \
              FAIL 0 (0.0 %, 0.0 to 1.2 %), 1 invalid; middle ratio 1.000"]
        );
        let page = page::render(&sheet).unwrap();
        assert!(page.contains("0 (0.0 %, 0.0 to 1.2 %)"));
        assert!(page.contains("duet 1: 9 of 16 seconds were spoilt by steal"));
    }

    #[test]
    fn trials_that_were_stopped_are_told_as_such() {
        let tallies = tallies();
        let sheet = sheet(&document(&tallies, Some("interrupted")));
        assert_eq!((sheet.verdict.as_str(), sheet.outcome), ("STOPPED", Outcome::Skipped));
        assert_eq!(sheet.reasons[1], "fewer than were asked for: interrupted");
    }

    #[test]
    fn the_json_is_as_it_is_written_down() {
        let tallies = tallies();
        let samples = [document(&tallies, None), document(&tallies, Some("interrupted"))];
        schema::check(expect_file!["../../../docs/trials.schema.json"], &samples);
    }
}
