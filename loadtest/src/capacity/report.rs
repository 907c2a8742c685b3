//! A search as a sheet and as JSON.
//!
//! Never here: a number that isn't in the document.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{Answer, PoolSize, Verdict};
use super::args::CapacityArgs;
use super::pools;
use super::step::{Ended, Limits, Step};
use super::trend;
use super::usl::Fitted;
use crate::report::sheet::{
    Across, Block, Chart, Check, Line, Mark, Outcome, Section, Sheet, Stroke, Table, Unit,
};
use crate::report::units::{count, latency, rate, share};

/// The JSON's shape; the number rises when a reader of the old one would go wrong.
pub(super) const SCHEMA: &str = "punctual-loadtest-capacity/1";
/// A curve is drawn with so many points.
const CURVE_POINTS: u32 = 100;

/// All that is written as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Document<'a> {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    pub(super) schema: &'static str,
    /// When it began, RFC 3339.
    pub(super) started_at: String,
    pub(super) targets: &'a [String],
    pub(super) asked: Asked,
    pub(super) limits: Limits,
    pub(super) answer: &'a Answer,
    pub(super) steps: &'a [Step],
}

/// Which rates were to be tried, and how they were sent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Asked {
    /// The first rate.
    start: f64,
    /// No rate was to be above this.
    most: f64,
    /// A step was to last this long at the least.
    step_seconds: f64,
    /// How far apart the edge's two rates may be, as a ratio.
    within: f64,
    /// How often each rate around the edge was to be tried.
    repeats: u32,
    /// Decides all that is left to chance.
    seed: u64,
    /// Connections of the harness.
    connections: u64,
    /// An answer was waited for so long; of a service of one's own address.
    timeout_seconds: f64,
    /// Statuses of good answers, from and to; of such a service.
    ok: [u16; 2],
    /// The gauge that must not grow.
    backlog: String,
}

impl Asked {
    pub(super) fn of(args: &CapacityArgs) -> Self {
        let CapacityArgs { search, work, how, judged, .. } = args;
        Self {
            start: search.start,
            most: search.most,
            step_seconds: search.step.as_secs_f64(),
            within: 1.0 + search.within / 100.0,
            repeats: search.repeats,
            seed: work.seed,
            connections: how.connections as u64,
            timeout_seconds: how.timeout.as_secs_f64(),
            ok: [*judged.ok.start(), *judged.ok.end()],
            backlog: search.backlog().to_owned(),
        }
    }
}

impl<'a> Document<'a> {
    pub(super) fn new(
        schema: &'static str,
        began: Timestamp,
        args: &'a CapacityArgs,
        steps: &'a [Step],
        answer: &'a Answer,
    ) -> Self {
        let limits = args.search.limits(&args.judged);
        let started_at = began.to_string();
        let asked = Asked::of(args);
        Self { schema, started_at, targets: &args.target, asked, limits, answer, steps }
    }
}

/// The whole sheet.
pub(super) fn sheet(document: &Document<'_>, args: &CapacityArgs) -> Sheet {
    let Document { answer, steps, limits, .. } = document;
    let mut planner: Vec<Block> = answer.sentences.iter().cloned().map(Block::Text).collect();
    planner.extend(pool_sizes(answer));
    if !steps.is_empty() {
        planner.push(Block::Text(format!("The first to give out: {}.", answer.gives_out)));
    }
    let (verdict, outcome) = match answer.verdict {
        Verdict::Pass => ("PASS", Outcome::Passed),
        Verdict::Fail => ("FAIL", Outcome::Failed),
        Verdict::Invalid => ("INVALID", Outcome::Invalid),
        Verdict::Interrupted => ("INTERRUPTED", Outcome::Skipped),
    };
    let target = match &args.target[..] {
        [] => "the reminder service, on a stack of its own; rates are texts a second".to_owned(),
        targets => targets.join(", "),
    };
    let facts = [
        ("target", format!("{target}, over {} connections", args.how.connections)),
        (
            "a step",
            format!(
                "passes when every kind is shown to meet its objective with {} confidence, at most \
                 {} fail, {} of the offered rate is achieved{}",
                share(limits.confidence),
                share(limits.errors_max),
                share(limits.achieved_min),
                and_backlog(steps)
            ),
        ),
        ("steps", count(steps.len() as u64)),
        ("began", document.started_at.clone()),
    ];
    Sheet {
        title: "loadtest capacity".to_owned(),
        verdict: verdict.to_owned(),
        outcome,
        reasons: answer.reasons.clone(),
        facts: facts.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        checks: steps.iter().enumerate().map(check).collect(),
        sections: sections(planner, answer, steps),
        foot: format!(
            "{SCHEMA}. The same numbers for machines: capacity.json; each step's interval logs and \
             goose's report: steps/ and pools/."
        ),
    }
}

/// The part of what passing means that holds where a backlog is known.
fn and_backlog(steps: &[Step]) -> String {
    let known = steps.iter().filter(|step| trend::slope(&step.measured.backlog).is_some()).count();
    match known {
        0 => "; no backlog is known".to_owned(),
        n if n == steps.len() => " and no backlog grows".to_owned(),
        n => format!(" and no backlog grows, which is known of {n} steps"),
    }
}

/// What was searched, and what was swept.
fn sections(planner: Vec<Block>, answer: &Answer, steps: &[Step]) -> Vec<Section> {
    let mut all = Vec::new();
    if !planner.is_empty() {
        all.push(Section::new("For the planner", "", planner));
    }
    all.extend(answer.sweep.as_ref().map(pools::sheet::section));
    if !steps.is_empty() {
        all.push(Section::new("The steps", "", vec![Block::Table(table(steps)), edge(steps)]));
        all.push(scalability(steps, answer.law.as_ref()));
    }
    all
}

fn pool_sizes(answer: &Answer) -> Option<Block> {
    if answer.pools.is_empty() {
        return None;
    }
    let mut table = Table::new(&[
        "pool of connections",
        "checkouts",
        "held for",
        "held in the mean",
        "size for 1 % of checkouts to wait",
    ]);
    for PoolSize { pool, rate: checkouts, hold_seconds, held, size } in &answer.pools {
        let held = format!("{held:.2}");
        let cells =
            vec![pool.clone(), rate(*checkouts), latency(*hold_seconds), held, size.to_string()];
        table.push(Mark::None, cells);
    }
    Some(Block::Table(table))
}

/// A step is what was asked, not what must hold: none of them fails by not passing.
fn check((number, step): (usize, &Step)) -> Check {
    let outcome = match step.ended {
        Ended::Passed | Ended::Failed => Outcome::Passed,
        Ended::Untold => Outcome::Invalid,
    };
    let word = match step.ended {
        Ended::Passed => "passes",
        Ended::Failed => "does not pass",
        Ended::Untold => "can't be told",
    };
    Check {
        group: "steps".to_owned(),
        name: format!("{}: {}", number + 1, rate(step.rate)),
        outcome,
        detail: word.to_owned(),
        examples: step.reasons.clone(),
    }
}

fn table(steps: &[Step]) -> Table {
    let mut table =
        Table::new(&["rate", "why", "ended", "worst p99", "achieved", "at work", "most used"]);
    for step in steps {
        let measured = &step.measured;
        let worst = measured.kinds.iter().map(|kind| kind.p99_seconds).fold(0.0, f64::max);
        let used = measured.used.first();
        let mark = match step.ended {
            Ended::Passed => Mark::None,
            Ended::Failed | Ended::Untold => Mark::Bad,
        };
        let cells = vec![
            rate(step.rate),
            format!("{:?}", step.phase).to_lowercase(),
            format!("{:?}", step.ended).to_lowercase(),
            latency(worst),
            share(measured.achieved_ratio),
            measured.point.map_or("–".to_owned(), |(n, _)| format!("{n:.1}")),
            used.map_or("–".to_owned(), |u| format!("{} {}", u.name, share(u.ratio.min(1.0)))),
        ];
        table.push(mark, cells);
    }
    table
}

/// The worst p99 over the rate: steps that passed and steps that did not.
fn edge(steps: &[Step]) -> Block {
    let dots = |name: &str, of: fn(&Ended) -> bool| {
        let points = steps.iter().filter(|step| of(&step.ended)).map(|step| {
            let p99s = step.measured.kinds.iter().map(|kind| kind.p99_seconds);
            (step.rate, p99s.fold(0.0, f64::max))
        });
        Line { stroke: Stroke::Dots, ..Line::new(name, points.collect()) }
    };
    Block::Chart(Chart {
        title: "worst p99 of the response, by the rate".to_owned(),
        across: Across::Number("requests a second".to_owned()),
        unit: Unit::Seconds,
        lines: vec![
            dots("passed", |ended| *ended == Ended::Passed),
            dots("did not", |ended| *ended != Ended::Passed),
        ],
        shaded: Vec::new(),
    })
}

fn scalability(steps: &[Step], law: Option<&Fitted>) -> Section {
    let points: Vec<(f64, f64)> = steps.iter().filter_map(|step| step.measured.point).collect();
    let dots = Line { stroke: Stroke::Dots, ..Line::new("measured", points) };
    let mut lines = vec![dots];
    let said = match law {
        None => "The steps are too few or too much alike to fit the law.".to_owned(),
        Some(fitted) => {
            lines.push(curve(fitted));
            say(fitted)
        }
    };
    let chart = Chart {
        title: "throughput by requests at work in the service".to_owned(),
        across: Across::Number("requests at work (throughput × mean service time)".to_owned()),
        unit: Unit::PerSecond,
        lines,
        shaded: Vec::new(),
    };
    let title = "The Universal Scalability Law";
    Section::new(title, "", vec![Block::Text(said), Block::Chart(chart)])
}

/// Never drawn beyond what was measured, unless the peak is known.
fn curve(fitted: &Fitted) -> Line {
    let to = fitted.peak.map_or(fitted.measured_to, |(n, _)| n.max(fitted.measured_to));
    let at = |i: u32| {
        let n = to * f64::from(i) / f64::from(CURVE_POINTS);
        (n, fitted.law.throughput(n))
    };
    let points = (1..=CURVE_POINTS).map(at).filter(|p| p.1.is_finite() && p.1 > 0.0);
    Line { stroke: Stroke::Dashed, ..Line::new("fitted", points.collect()) }
}

fn say(fitted: &Fitted) -> String {
    let Fitted { law, sigma_between, kappa_between, measured_to, peak } = fitted;
    let between = |(low, high): &(f64, f64)| format!("{low:.5} to {high:.5}");
    let end = match peak {
        Some((n, x)) => format!("throughput peaks at {n:.0} at work with {}", rate(*x)),
        None => format!(
            "nothing is said beyond the {measured_to:.1} at work that were measured: kappa may as \
             well be zero, or the peak lies far beyond"
        ),
    };
    format!(
        "λ {:.1}/s, σ {:.5} ({}), κ {:.6} ({}), 95 % of resampled steps within the brackets; \
         {end}.",
        law.lambda,
        law.sigma,
        between(sigma_between),
        law.kappa,
        between(kappa_between)
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::answer::sized;
    use super::super::search::{Bracket, Phase, Tally};
    use super::super::step::sample;
    use super::super::usl::Law;
    use super::*;
    use crate::report::schema;

    fn step(ended: Ended) -> Step {
        let reasons = vec!["because".to_owned()];
        Step { rate: 100.0, phase: Phase::Sweep, ended, reasons, measured: sample(10_000) }
    }

    fn answer() -> Answer {
        let tally = |rate, passed| Some(Tally { rate, passed, tried: 3 });
        Answer {
            verdict: Verdict::Pass,
            reasons: vec!["100/s passes".to_owned()],
            bracket: Bracket { passes: tally(100.0, 3), fails: tally(110.0, 0) },
            broke_off: Some("the target is away".to_owned()),
            gives_out: "the service".to_owned(),
            law: Some(Fitted {
                law: Law { lambda: 20.0, sigma: 0.01, kappa: 0.0001 },
                sigma_between: (0.0, 0.02),
                kappa_between: (0.0, 0.0002),
                measured_to: 12.0,
                peak: Some((100.0, 700.0)),
            }),
            pools: vec![sized("interactive", 100.0, 1.5)],
            sweep: Some(pools::sample()),
            sentences: vec!["It carries a day.".to_owned()],
        }
    }

    #[test]
    fn where_no_backlog_is_known_none_is_said_not_to_grow() {
        let with = |points: u32| {
            let mut step = step(Ended::Passed);
            step.measured.backlog = (0..points).map(|s| (f64::from(s), 1.0)).collect();
            step
        };
        assert_eq!(and_backlog(&[with(0), with(0)]), "; no backlog is known");
        assert_eq!(and_backlog(&[with(30), with(30)]), " and no backlog grows");
        // Two looks are not enough to see it grow.
        let some = and_backlog(&[with(30), with(2), with(30)]);
        assert_eq!(some, " and no backlog grows, which is known of 2 steps");
    }

    #[test]
    fn the_json_is_as_it_is_written_down() {
        let answer = answer();
        let nothing = Answer {
            bracket: Bracket { passes: None, fails: None },
            broke_off: None,
            law: None,
            pools: Vec::new(),
            sweep: None,
            ..answer.clone()
        };
        let targets = ["127.0.0.1:8080".to_owned()];
        let limits = Limits { confidence: 0.95, errors_max: 0.001, achieved_min: 0.99 };
        let asked = Asked {
            start: 50.0,
            most: 20_000.0,
            step_seconds: 20.0,
            within: 1.1,
            repeats: 3,
            seed: 1,
            connections: 128,
            timeout_seconds: 15.0,
            ok: [200, 399],
            backlog: "pending_messages:stage".to_owned(),
        };
        let steps = [Ended::Passed, Ended::Failed, Ended::Untold].map(step);
        let document = |answer, steps| Document {
            schema: SCHEMA,
            started_at: "2027-03-09T12:00:00Z".to_owned(),
            targets: &targets,
            asked: asked.clone(),
            limits,
            answer,
            steps,
        };
        let samples = [document(&answer, &steps[..]), document(&nothing, &[])];
        schema::check(expect_file!["../../../docs/capacity.schema.json"], &samples);
    }
}
