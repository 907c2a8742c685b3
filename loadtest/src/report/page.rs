//! A report as one page that needs nothing else: no script, no font, no network; light or dark as
//! its reader likes.
//!
//! Never here: a number that isn't in the sheet; the page is in `page.html.j2`.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error};
use serde::Serialize;

use super::chart::{self, ChartError};
use super::sheet::{
    Bar, Block, Check, Line, Outcome, Section, Sheet, Side, Table, Waterfall, unshown,
};
use super::units::latency;

const TEMPLATE: &str = include_str!("page.html.j2");
/// A waterfall's names stand left of this, in the units of its picture, which is 900 wide.
const BARS_FROM: f64 = 300.0;
const BARS_WIDE: f64 = 520.0;
/// A stretch that is too short to be seen is drawn this wide.
const BAR_MIN: f64 = 1.5;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A chart could not be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The template could not be rendered.
    #[error("page: {0}")]
    Template(#[from] Error),
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    verdict: &'a str,
    outcome: &'static str,
    reasons: &'a [String],
    facts: &'a [(String, String)],
    checks: Vec<ShownCheck<'a>>,
    unshown: Option<String>,
    sections: Vec<ShownSection<'a>>,
    foot: &'a str,
}

#[derive(Serialize)]
struct ShownCheck<'a> {
    #[serde(flatten)]
    check: &'a Check,
    word: &'static str,
}

#[derive(Serialize)]
struct ShownSection<'a> {
    title: &'a str,
    note: &'a str,
    blocks: Vec<ShownBlock<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ShownBlock<'a> {
    Text { text: &'a str },
    Table { table: &'a Table },
    Chart { svg: String, legend: Vec<ShownLine<'a>> },
    Waterfall { title: &'a str, note: &'a str, bars: Vec<ShownBar<'a>> },
}

#[derive(Serialize)]
struct ShownLine<'a> {
    name: &'a str,
    colour: usize,
}

#[derive(Serialize)]
struct ShownBar<'a> {
    name: &'a str,
    side: Side,
    left: f64,
    width: f64,
    took: String,
}

/// The whole page.
///
/// # Errors
/// When a chart or the template fails.
pub fn render(sheet: &Sheet) -> Result<String, PageError> {
    let Sheet { title, verdict, outcome, reasons, facts, checks: _, sections, foot } = sheet;
    let shown = |check| ShownCheck { check, word: check.outcome.name() };
    let (checks, others) = sheet.shown_checks();
    let page = Page {
        title,
        verdict,
        outcome: class(*outcome),
        reasons,
        facts,
        checks: checks.into_iter().map(shown).collect(),
        unshown: (others > 0).then(|| unshown(others)),
        sections: sections.iter().map(section).collect::<Result<_, _>>()?,
        foot,
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    Ok(environment.render_named_str("page.html", TEMPLATE, Serde(page))?)
}

const fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Invalid => "invalid",
        Outcome::Skipped => "skipped",
    }
}

fn section(section: &Section) -> Result<ShownSection<'_>, ChartError> {
    let Section { title, note, blocks } = section;
    let blocks = blocks.iter().map(block).collect::<Result<_, _>>()?;
    Ok(ShownSection { title, note, blocks })
}

fn block(block: &Block) -> Result<ShownBlock<'_>, ChartError> {
    Ok(match block {
        Block::Text(text) => ShownBlock::Text { text },
        Block::Table(table) => ShownBlock::Table { table },
        Block::Chart(chart) => {
            ShownBlock::Chart { svg: chart::render(chart)?, legend: legend(&chart.lines) }
        }
        Block::Waterfall(waterfall) => {
            let Waterfall { title, note, bars: _ } = waterfall;
            ShownBlock::Waterfall { title, note, bars: bars(waterfall) }
        }
    })
}

/// The lines' names; one line alone is named by the chart's title.
fn legend(lines: &[Line]) -> Vec<ShownLine<'_>> {
    let all = lines.iter().enumerate().filter(|_| lines.len() > 1);
    all.map(|(i, line)| ShownLine { name: &line.name, colour: i % chart::COLOURS }).collect()
}

/// The stretches with their places in the picture.
fn bars(waterfall: &Waterfall) -> Vec<ShownBar<'_>> {
    let end = |bar: &Bar| bar.start_seconds + bar.took_seconds;
    let whole = waterfall.bars.iter().map(end).fold(1e-9, f64::max);
    let tenth = |x: f64| (x * 10.0).round() / 10.0;
    let place = |bar| {
        let Bar { name, side, start_seconds, took_seconds }: &Bar = bar;
        ShownBar {
            name,
            side: *side,
            left: tenth(BARS_FROM + start_seconds / whole * BARS_WIDE),
            width: tenth((took_seconds / whole * BARS_WIDE).max(BAR_MIN)),
            took: latency(*took_seconds),
        }
    };
    waterfall.bars.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::sheet;
    use super::*;

    /// The page without its charts: their coordinates are the library's, not ours.
    fn without_charts(page: &str) -> String {
        let mut out = String::new();
        let mut rest = page;
        while let Some((before, svg)) = rest.split_once("<svg width") {
            out.push_str(before);
            out.push_str("<svg/>");
            rest = svg.split_once("</svg>").unwrap().1;
        }
        out + rest
    }

    #[test]
    fn a_sheet_looks_like_this() {
        let page = render(&sheet::sample()).unwrap();
        expect_file!["../../testdata/sheet.html"].assert_eq(&without_charts(&page));
    }

    #[test]
    fn of_too_many_checks_those_that_tell_something_are_shown() {
        let page = render(&sheet::crowded()).unwrap();
        assert!(page.contains("objectives: &lt;write&gt;") && !page.contains("kind 7"), "{page}");
        assert!(page.contains("62 others passed, or were not judged"), "{page}");
    }

    #[test]
    fn text_from_outside_is_escaped_and_nothing_is_fetched() {
        let mut sheet = sheet::sample();
        sheet.title = "<script>alert(1)</script>".to_owned();
        let page = render(&sheet).unwrap();
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
        assert!(!page.contains("<b>"), "{page}");
        let fetched = ["src=", "href=", "@import", "url("];
        assert!(fetched.iter().all(|text| !page.contains(text)), "{page}");
    }
}
