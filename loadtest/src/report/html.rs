//! The report as one page that needs nothing else: no script, no font, no network.
//!
//! Never here: a number that isn't in the report; the page is in `report.html.j2`.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error};
use serde::Serialize;

use super::charts::{self, ChartError};
use super::{Report, units};

const TEMPLATE: &str = include_str!("report.html.j2");

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// A chart could not be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The template could not be rendered.
    #[error("page: {0}")]
    Template(#[from] Error),
}

#[derive(Serialize)]
struct Page<'a> {
    report: &'a Report,
    rate: f64,
    growth: Vec<Option<f64>>,
    chart_accepted: String,
    chart_p99: String,
    chart_memory: String,
}

/// The whole page.
///
/// # Errors
/// When a chart or the template fails.
pub fn render(report: &Report) -> Result<String, HtmlError> {
    let page = Page {
        report,
        rate: report.rate(),
        growth: report.processes.iter().map(super::ProcessRow::growth).collect(),
        chart_accepted: charts::accepted(&report.series)?,
        chart_p99: charts::p99(&report.series)?,
        chart_memory: charts::memory(&report.series)?,
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("count", |n: u64| units::count(n));
    environment.add_filter("latency", |seconds: Option<f64>| {
        seconds.map_or("–".to_owned(), units::latency)
    });
    environment
        .add_filter("share", |ratio: Option<f64>| ratio.map_or("–".to_owned(), units::share));
    environment.add_filter("megabytes", |bytes: u64| units::megabytes(bytes));
    environment.add_filter("rate", |per_second: f64| units::rate(per_second));
    Ok(environment.render_named_str("report.html", TEMPLATE, Serde(page))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::sample;
    use super::*;

    /// The page without its charts: their coordinates are the library's, not ours.
    fn without_charts(page: &str) -> String {
        let mut out = String::new();
        let mut rest = page;
        while let Some((before, svg)) = rest.split_once("<svg") {
            out.push_str(before);
            out.push_str("<svg/>");
            rest = svg.split_once("</svg>").unwrap().1;
        }
        out + rest
    }

    #[test]
    fn a_report_looks_like_this() {
        let page = render(&sample::report()).unwrap();
        expect_file!["../../testdata/report.html"].assert_eq(&without_charts(&page));
    }

    #[test]
    fn text_from_outside_is_escaped() {
        let mut report = sample::report();
        report.run.source = "<script>alert(1)</script>".to_owned();
        let page = render(&report).unwrap();
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"));
    }
}
