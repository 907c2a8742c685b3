//! The run as three charts, each an SVG to stand in the page.
//!
//! Never here: numbers that decide something; a chart is to look at.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Series;
use super::units::{clock, count};

const SIZE: (u32, u32) = (900, 260);
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

/// A line with its name.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// A chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("chart {chart:?}: {reason}")]
pub struct ChartError {
    chart: &'static str,
    reason: String,
}

/// Texts accepted a second.
///
/// # Errors
/// When the drawing library refuses, which it has no reason to.
pub fn accepted(series: &Series) -> Result<String, ChartError> {
    let points = rates(&series.accepted);
    draw("texts accepted a second", &[Line { name: "accepted".to_owned(), points }], &|value| {
        count(value.max(0.0) as u64)
    })
}

/// The 99th percentile of each endpoint's response, second by second, in milliseconds.
///
/// # Errors
/// As [`accepted`].
pub fn p99(series: &Series) -> Result<String, ChartError> {
    let lines: Vec<_> = series
        .p99
        .iter()
        .map(|(name, points)| Line {
            name: name.clone(),
            points: points.iter().map(|(at, seconds)| (*at, seconds * 1e3)).collect(),
        })
        .collect();
    draw("p99 of the response in each second, ms", &lines, &|value| format!("{value:.0} ms"))
}

/// The memory of each process in megabytes.
///
/// # Errors
/// As [`accepted`].
pub fn memory(series: &Series) -> Result<String, ChartError> {
    let lines: Vec<_> = series
        .memory
        .iter()
        .map(|(name, points)| Line {
            name: name.clone(),
            points: points.iter().map(|(at, bytes)| (*at, *bytes as f64 / 1e6)).collect(),
        })
        .collect();
    draw("resident memory, MB", &lines, &|value| format!("{value:.0} MB"))
}

/// A rising count as a rate between its points.
fn rates(points: &[(f64, u64)]) -> Vec<(f64, f64)> {
    points
        .windows(2)
        .filter(|pair| pair[1].0 > pair[0].0)
        .map(|pair| {
            let (from, to) = (pair[0], pair[1]);
            (to.0, to.1.saturating_sub(from.1) as f64 / (to.0 - from.0))
        })
        .collect()
}

fn draw(
    chart: &'static str,
    lines: &[Line],
    label: &dyn Fn(f64) -> String,
) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw_on(&area, chart, lines, label).map_err(|reason| ChartError { chart, reason })?;
    }
    Ok(svg)
}

fn draw_on(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    caption: &str,
    lines: &[Line],
    label: &dyn Fn(f64) -> String,
) -> Result<(), String> {
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let right = all().map(|p| p.0).fold(1.0, f64::max);
    let top = all().map(|p| p.1).fold(1.0, f64::max) * 1.05;
    let text = |e: DrawingAreaErrorKind<_>| e.to_string();
    area.fill(&WHITE).map_err(text)?;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..right, 0.0..top)
        .map_err(text)?;
    chart
        .configure_mesh()
        .light_line_style(RGBColor(240, 240, 240))
        .x_labels(10)
        .y_labels(6)
        .x_label_formatter(&|at| clock(std::time::Duration::from_secs_f64(at.max(0.0))))
        .y_label_formatter(&|value| label(*value))
        .draw()
        .map_err(text)?;
    for (i, line) in lines.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))
            .map_err(text)?
            .label(line.name.as_str())
            .legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 14, y)], colour.stroke_width(2))
            });
    }
    if lines.len() > 1 {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .label_font(("sans-serif", 12))
            .draw()
            .map_err(text)?;
    }
    area.present().map_err(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::sample;
    use super::*;

    #[test]
    fn a_count_becomes_a_rate() {
        let points = [(0.0, 0), (1.0, 100), (3.0, 400), (3.0, 401)];
        assert_eq!(rates(&points), [(1.0, 100.0), (3.0, 150.0)]);
        assert!(rates(&[]).is_empty());
    }

    #[test]
    fn charts_are_svg_also_when_there_is_nothing_to_show() {
        for series in [sample::report().series, Series::default()] {
            for svg in [accepted(&series), p99(&series), memory(&series)] {
                let svg = svg.unwrap();
                assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
            }
        }
    }
}
