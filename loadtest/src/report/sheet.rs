//! A report as one neutral value: a title, a verdict with its reasons, facts, checks, and sections
//! of tables, charts and waterfalls. Every command that reports fills one; every face (`page`,
//! `markdown`, `junit`, `plain`) shows one, and knows nothing of the command.
//!
//! Numbers come as people read them (`units`), but for those of charts. Never here: what a number
//! means, or how it looks in a face.

use schemars::JsonSchema;
use serde::Serialize;

/// More checks than this nobody reads through.
const CHECKS_READ: usize = 60;

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// What was done, such as `loadtest run`.
    pub title: String,
    /// The verdict as a word, such as PASS.
    pub verdict: String,
    /// What kind of verdict that is.
    pub outcome: Outcome,
    /// One sentence for each thing that decided it.
    pub reasons: Vec<String>,
    /// What was run, a name and a value each.
    pub facts: Vec<(String, String)>,
    /// All that was checked.
    pub checks: Vec<Check>,
    /// Everything else.
    pub sections: Vec<Section>,
    /// A last line: which files hold more.
    pub foot: String,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// It can't be told.
    Invalid,
    /// It was not looked at.
    Skipped,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What it belongs to, such as a law or "objectives".
    pub group: String,
    /// What was checked.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The figures behind it, in a line.
    pub detail: String,
    /// Examples of what went wrong.
    pub examples: Vec<String>,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// How to read it; empty where that is clear.
    pub note: String,
    /// What stands in it, in this order.
    pub blocks: Vec<Block>,
}

/// What stands in a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A chart.
    Chart(Chart),
    /// What one request's time went on.
    Waterfall(Waterfall),
}

/// Rows of cells; the first cell of a row is its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, each with as many cells.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its cells.
    pub cells: Vec<String>,
    /// How it is marked.
    pub mark: Mark,
}

/// How a row stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Not at all.
    None,
    /// It belongs to the row above it.
    Sub,
    /// It is not as it should be.
    Bad,
}

/// Lines over an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows, with the unit.
    pub title: String,
    /// What lies across.
    pub across: Across,
    /// The unit of the values.
    pub unit: Unit,
    /// The lines.
    pub lines: Vec<Line>,
    /// Stretches of the axis across that are shaded, such as spoilt seconds.
    pub shaded: Vec<(f64, f64)>,
}

/// The axis across.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Across {
    /// Seconds since the start.
    Time,
    /// A number of this name.
    Number(String),
    /// A number of this name over orders of magnitude: both axes are logarithmic.
    Orders(String),
}

/// What a chart's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A plain number.
    Number,
    /// Things a second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A ratio, shown in per cent.
    Ratio,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its points, across and up.
    pub points: Vec<(f64, f64)>,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// From point to point.
    Solid,
    /// From point to point, with gaps: a model, or a bound.
    Dashed,
    /// Each point as a dot.
    Dots,
    /// From point to point, each of them a dot: few points, or one alone.
    Marked,
}

/// What the time of one request went on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waterfall {
    /// Which request.
    pub title: String,
    /// What else is known of it.
    pub note: String,
    /// The stretches, in the order of their beginnings.
    pub bars: Vec<Bar>,
}

/// A stretch of a waterfall.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// What the time went on.
    pub name: String,
    /// Who spent it.
    pub side: Side,
    /// When it began, in seconds from the whole's beginning.
    pub start_seconds: f64,
    /// How long it took.
    pub took_seconds: f64,
}

/// Who spent a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The harness, as seen from outside.
    Client,
    /// The service, as it says itself.
    Service,
}

impl Sheet {
    /// The checks that a person is shown: all of them or, of too many, those that did not pass or
    /// can't be told; and how many others there are. A machine gets all (`junit`).
    #[must_use]
    pub fn shown_checks(&self) -> (Vec<&Check>, usize) {
        if self.checks.len() <= CHECKS_READ {
            return (self.checks.iter().collect(), 0);
        }
        let tells = |check: &&Check| matches!(check.outcome, Outcome::Failed | Outcome::Invalid);
        let shown: Vec<&Check> = self.checks.iter().filter(tells).collect();
        let others = self.checks.len() - shown.len();
        (shown, others)
    }
}

/// What a face says of the checks that it doesn't show.
pub(super) fn unshown(others: usize) -> String {
    format!("{others} others passed, or were not judged")
}

impl Outcome {
    /// As people read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Invalid => "can't tell",
            Self::Skipped => "not judged",
        }
    }

    /// Passed or failed.
    #[must_use]
    pub const fn of(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; cells that it lacks are empty.
    pub fn push(&mut self, mark: Mark, mut cells: Vec<String>) {
        cells.resize(self.columns.len(), String::new());
        self.rows.push(Row { cells, mark });
    }
}

impl Chart {
    /// A chart over time without shades.
    #[must_use]
    pub fn over_time(title: impl Into<String>, unit: Unit, lines: Vec<Line>) -> Self {
        Self { title: title.into(), across: Across::Time, unit, lines, shaded: Vec::new() }
    }

    /// True when there is a point to show.
    #[must_use]
    pub fn has_points(&self) -> bool {
        self.lines.iter().any(|line| !line.points.is_empty())
    }
}

impl Line {
    /// A solid line.
    #[must_use]
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), stroke: Stroke::Solid, points }
    }
}

impl Section {
    /// A section of these blocks.
    #[must_use]
    pub fn new(title: &str, note: &str, blocks: Vec<Block>) -> Self {
        Self { title: title.to_owned(), note: note.to_owned(), blocks }
    }
}

/// The same with more checks than anybody reads.
#[cfg(test)]
pub(crate) fn crowded() -> Sheet {
    let mut sheet = sample();
    let check = |n: usize| Check { name: format!("kind {n}"), ..sheet.checks[0].clone() };
    let more: Vec<Check> = (0..CHECKS_READ).map(check).collect();
    sheet.checks.extend(more);
    sheet
}

/// A small sheet with one of everything, for the tests of its faces.
#[cfg(test)]
pub(crate) fn sample() -> Sheet {
    let mut table = Table::new(&["kind", "requests", "p99"]);
    table.push(Mark::None, vec!["read|user".into(), "1,000".into(), "12.0 ms".into()]);
    table.push(Mark::Sub, vec!["service".into(), String::new(), "9.00 ms".into()]);
    table.push(Mark::Bad, vec!["<write>".into(), "10".into(), "1.20 s".into()]);
    let bar = |name: &str, side, start_seconds, took_seconds| Bar {
        name: name.into(),
        side,
        start_seconds,
        took_seconds,
    };
    let check = |name: &str, outcome, detail: &str| Check {
        group: "objectives".into(),
        name: name.into(),
        outcome,
        detail: detail.into(),
        examples: Vec::new(),
    };
    let failed = check("<write>", Outcome::Failed, "90.00 % within 1.00 s, 99.00 % asked for");
    Sheet {
        title: "loadtest sample".into(),
        verdict: "FAIL".into(),
        outcome: Outcome::Failed,
        reasons: vec!["<write>: too slow".into()],
        facts: vec![("plan".into(), "5f0c".into()), ("source".into(), "a_b* of `x`".into())],
        checks: vec![
            check("read|user", Outcome::Passed, "99.90 % within 100 ms, 99.00 % asked for"),
            Check { examples: vec!["the one at 0:04".into()], ..failed },
            check("steal", Outcome::Invalid, "no figures"),
            check("audit", Outcome::Skipped, ""),
        ],
        sections: vec![
            Section::new("Requests", "From the intended start.", vec![Block::Table(table)]),
            Section::new(
                "Over time",
                "",
                vec![
                    Block::Chart(Chart {
                        shaded: vec![(1.0, 2.0)],
                        ..Chart::over_time(
                            "p99",
                            Unit::Seconds,
                            vec![Line::new("read", vec![(0.0, 0.001), (1.0, 0.01)])],
                        )
                    }),
                    Block::Waterfall(Waterfall {
                        title: "GET <b>".into(),
                        note: "trace 4bf9".into(),
                        bars: vec![
                            bar("wait for a connection", Side::Client, 0.0, 0.1),
                            bar("query claim_due", Side::Service, 0.1, 0.05),
                        ],
                    }),
                    Block::Text("Nothing was left out.".into()),
                ],
            ),
        ],
        foot: "more in run.json".into(),
    }
}
