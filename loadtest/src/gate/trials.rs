//! How often the gate is wrong, measured: base against itself many times, where every red is false,
//! and base against a head that is known to be slower, where every red is right.
//!
//! By hand, not in CI: three hundred trials take hours. Never here: a judgement (`judge`).

use std::fmt::Write as _;

use serde::Serialize;

use super::args::GateArgs;
use super::judge::judge;
use super::side::Contest;
use super::stats::{Interval, exact};
use super::{Seeds, duets_of};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::report::files::ReportDir;
use crate::report::lines::put;
use crate::run::verdict::Value;

/// The JSON's shape; the number rises when a reader of the old one would go wrong.
const SCHEMA: &str = "punctual-loadtest-trials/1";

/// How often something was red.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Tally {
    /// What stood against base.
    against: String,
    /// Judgements that could tell.
    judged: u64,
    /// Of these, those whose first duet was red.
    first_red: u64,
    /// Of these, those whose second duet agreed: FAIL.
    failed: u64,
    /// Judgements that could not tell.
    invalid: u64,
    /// The middle ratio of the first figure, of each judgement that could tell.
    ratios: Vec<f64>,
}

/// All that is written as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Document<'a> {
    schema: &'static str,
    sides: [String; 2],
    source: String,
    confidence: f64,
    tallies: &'a [Tally],
}

/// Runs the trials and prints the rates; they are the result, so it ends well whatever they are.
pub(super) async fn run(
    contest: &Contest,
    args: &GateArgs,
    times: u32,
    reports: &ReportDir,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let [base, head] = contest.names();
    let mut tallies = vec![Tally { against: format!("itself ({base})"), ..Tally::default() }];
    if !contest.is_same() {
        tallies.push(Tally { against: head, ..Tally::default() });
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
            eprintln!("{:<8} {} of {times}: {}", "trial", trial + 1, line(tally, confidence));
        }
    }
    print!("{}", text(&tallies, confidence));
    let document = Document {
        schema: SCHEMA,
        sides: contest.names(),
        source: contest.source(),
        confidence,
        tallies: &tallies,
    };
    let json = serde_json::to_string_pretty(&document).expect("numbers and strings only");
    match reports.put("trials.json", &json) {
        Ok(path) => println!("trials: {}", path.display()),
        Err(error) => eprintln!("loadtest: {error}"),
    }
    ended.map(|()| Exit::Passed)
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
    let value = judge(&duets).value;
    if value == Value::Invalid {
        tally.invalid += 1;
        return Ok(());
    }
    tally.judged += 1;
    tally.first_red += u64::from(duets.first().is_some_and(super::judge::Duet::is_red));
    tally.failed += u64::from(value == Value::Fail);
    let first = duets.first().and_then(|duet| duet.figures.iter().find_map(|f| f.ratio));
    tally.ratios.extend(first);
    Ok(())
}

fn text(tallies: &[Tally], confidence: f64) -> String {
    let mut out = String::new();
    for tally in tallies {
        put(&mut out, &format!("against {}: {}", tally.against, line(tally, confidence)));
    }
    out
}

fn line(tally: &Tally, confidence: f64) -> String {
    let Tally { judged, first_red, failed, invalid, ratios, .. } = tally;
    let rate = |hits: u64| {
        let Interval { low, high } = exact::fraction(hits, *judged, confidence);
        let percent = hits as f64 / (*judged).max(1) as f64 * 100.0;
        format!("{hits} ({percent:.1} %, {:.1} to {:.1} %)", low * 100.0, high * 100.0)
    };
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
    use super::*;

    #[test]
    fn rates_are_told_with_exact_intervals() {
        let tally = Tally {
            against: "itself (main)".to_owned(),
            judged: 300,
            first_red: 6,
            ratios: vec![1.0, 1.02, 0.99],
            ..Tally::default()
        };
        assert_eq!(
            text(&[tally], 0.95),
            "against itself (main): 300 judged, first duet red 6 (2.0 %, 0.7 to 4.3 %), \
             FAIL 0 (0.0 %, 0.0 to 1.2 %), 0 invalid; middle ratio 1.000\n"
        );
    }
}
