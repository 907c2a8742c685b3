//! What was found as one page that needs nothing else: the table, and buffers by depth as a plot.
//!
//! Never here: a number that isn't in the facts; the page is in `page.html.j2`.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Serialize;

use super::facts::{Facts, growth};
use super::text::verdict;
use crate::report::units::{count, latency, rate};

const TEMPLATE: &str = include_str!("page.html.j2");
const SIZE: (u32, u32) = (900, 360);
/// Colours that stay apart for people who see red and green alike (Okabe and Ito 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(80, 80, 80),
];

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// The plot could not be drawn.
    #[error("plot: {0}")]
    Plot(String),
    /// The template could not be rendered.
    #[error("page: {0}")]
    Template(#[from] minijinja::Error),
}

#[derive(Serialize)]
struct Page {
    verdict: Vec<String>,
    sample: String,
    plot: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    stage: &'static str,
    cells: Vec<String>,
    /// The statements behind it, those with most buffers first.
    statements: Vec<Vec<String>>,
}

/// The whole page.
pub(super) fn render(facts: &Facts) -> Result<String, PageError> {
    let page = Page {
        verdict: verdict(facts),
        sample: count(facts.sample),
        plot: plot(facts)?,
        rows: rows(facts),
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    Ok(environment.render_named_str("isolate.html", TEMPLATE, Serde(page))?)
}

fn rows(facts: &Facts) -> Vec<Row> {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    let mut rows = Vec::new();
    for costs in facts.stages() {
        for (at, cost) in costs.iter().enumerate() {
            let cpu = cost.cpu_each().unwrap_or_default();
            let each = |n: u64| number((cost.items > 0).then(|| n as f64 / cost.items as f64));
            let mut statements: Vec<_> = cost.statements.iter().collect();
            statements.sort_by_key(|(_, served)| std::cmp::Reverse(served.buffers));
            rows.push(Row {
                stage: cost.stage,
                cells: vec![
                    cost.unit.name().to_owned(),
                    count(cost.depth),
                    count(cost.items),
                    rate(cost.per_second()),
                    number(cost.statements_each()),
                    number(cost.buffers_each()),
                    number(cost.wal_each()),
                    latency(cpu[0]),
                    latency(cpu[1]),
                    growth(&costs[..=at]).map_or("–".to_owned(), |it| format!("{it:.2} ×")),
                ],
                statements: statements
                    .into_iter()
                    .map(|(name, served)| {
                        vec![
                            name.clone(),
                            each(served.calls),
                            each(served.buffers),
                            each(served.wal_bytes),
                        ]
                    })
                    .collect(),
            });
        }
    }
    rows
}

/// Buffers of one item by depth, a line for each stage that is judged.
fn plot(facts: &Facts) -> Result<String, PageError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area, &lines(facts)).map_err(PageError::Plot)?;
    }
    Ok(svg)
}

type Line = (&'static str, Vec<(f64, f64)>);

fn lines(facts: &Facts) -> Vec<Line> {
    let judged = facts.stages().into_iter().filter(|costs| costs[0].judged);
    let lines = judged.map(|costs| {
        let points = costs.iter().filter_map(|cost| {
            let buffers = cost.buffers_each().filter(|buffers| *buffers > 0.0)?;
            Some((cost.depth as f64, buffers))
        });
        (costs[0].stage, points.collect())
    });
    lines.filter(|(_, points): &Line| !points.is_empty()).collect()
}

fn draw(area: &DrawingArea<SVGBackend<'_>, Shift>, lines: &[Line]) -> Result<(), String> {
    let text = |e: DrawingAreaErrorKind<_>| e.to_string();
    let all = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let left = all().map(|p| p.0).fold(f64::INFINITY, f64::min).min(1e9);
    let right = all().map(|p| p.0).fold(left * 10.0, f64::max);
    let top = all().map(|p| p.1).fold(1.0, f64::max) * 2.0;
    let bottom = all().map(|p| p.1).fold(top, f64::min) / 2.0;
    area.fill(&WHITE).map_err(text)?;
    let mut chart = ChartBuilder::on(area)
        .caption("shared buffers for one item, by what stands before the stage", ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(60)
        .build_cartesian_2d((left..right).log_scale(), (bottom..top).log_scale())
        .map_err(text)?;
    chart
        .configure_mesh()
        .light_line_style(RGBColor(240, 240, 240))
        .x_label_formatter(&|depth| count(*depth as u64))
        .y_label_formatter(&|buffers| format!("{buffers:.1}"))
        .draw()
        .map_err(text)?;
    for (i, (name, points)) in lines.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))
            .map_err(text)?
            .label(*name)
            .legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 14, y)], colour.stroke_width(2))
            });
        chart
            .draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))
            .map_err(text)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .label_font(("sans-serif", 12))
        .draw()
        .map_err(text)?;
    area.present().map_err(text)
}

#[cfg(test)]
mod tests {
    use super::super::facts::tests::sample;
    use super::*;

    #[test]
    fn a_page_has_the_verdict_the_plot_and_each_statement() {
        let page = render(&sample()).expect("it is rendered");
        for piece in ["FAIL: claim is guilty", "<svg", "claim_lanes", "12.77 ×", "message_insert"]
        {
            assert!(page.contains(piece), "{piece}: {page}");
        }
        assert!(!page.contains("<script") && !page.contains("<link"), "it needs nothing else");
    }

    #[test]
    fn nothing_to_show_is_a_page_as_well() {
        let page = render(&Facts::new(vec![10], 10, 1.5)).expect("it is rendered");
        assert!(page.contains("<svg") && page.contains("PASS"), "{page}");
    }
}
