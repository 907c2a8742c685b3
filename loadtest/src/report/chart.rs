//! A chart of a sheet as an SVG to stand in the page. Its colours are the page's, which has them
//! for light and for dark.
//!
//! Never here: numbers that decide something; a chart is to look at.

use std::time::Duration;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::sheet::{Across, Chart, Line, Stroke, Unit};
use super::units::{clock, count, latency, megabytes};

const SIZE: (u32, u32) = (900, 260);
/// Colours of lines that the page tells apart.
pub const COLOURS: usize = 7;

/// Places of the page's colours: the library writes these, and `render` puts the names there.
const INK: RGBColor = RGBColor(1, 2, 3);
const GRID: RGBColor = RGBColor(1, 2, 4);
const PAPER: RGBColor = RGBColor(1, 2, 5);
const SHADE: RGBColor = RGBColor(1, 2, 6);

const fn colour(line: usize) -> RGBColor {
    RGBColor(1, 3, (line % COLOURS) as u8)
}

/// A chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("chart {chart:?}: {reason}")]
pub struct ChartError {
    chart: String,
    reason: String,
}

/// The lines with the highest peaks, as many as can be told apart, and how many were left out.
#[must_use]
pub fn most_telling(mut lines: Vec<Line>) -> (Vec<Line>, usize) {
    let peak = |line: &Line| line.points.iter().map(|p| p.1).fold(0.0, f64::max);
    let left_out = lines.len().saturating_sub(COLOURS);
    if left_out > 0 {
        lines.sort_by(|a, b| peak(b).total_cmp(&peak(a)));
        lines.truncate(COLOURS);
        lines.sort_by(|a, b| a.name.cmp(&b.name));
    }
    (lines, left_out)
}

/// Draws it, without a legend: the page has it below, where it hides no line.
///
/// # Errors
/// When the drawing library refuses, which it has no reason to.
pub fn render(chart: &Chart) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let failed = |reason| ChartError { chart: chart.title.clone(), reason };
        draw_on(&area, chart).map_err(failed)?;
    }
    for (colour, name) in [(INK, "ink"), (GRID, "grid"), (PAPER, "paper"), (SHADE, "shade")] {
        svg = svg.replace(&hex(colour), &format!("var(--{name})"));
    }
    for line in 0..COLOURS {
        svg = svg.replace(&hex(colour(line)), &format!("var(--line-{line})"));
    }
    Ok(svg)
}

fn hex(colour: RGBColor) -> String {
    let RGBColor(r, g, b) = colour;
    format!("#{r:02X}{g:02X}{b:02X}")
}

fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Number if value < 10.0 && value.fract() != 0.0 => format!("{value:.1}"),
        Unit::PerSecond if value < 10.0 && value.fract() != 0.0 => format!("{value:.1}/s"),
        Unit::Number => count(value.max(0.0) as u64),
        Unit::PerSecond => format!("{}/s", count(value.max(0.0) as u64)),
        Unit::Seconds => latency(value),
        Unit::Bytes => megabytes(value.max(0.0) as u64),
        Unit::Ratio => format!("{:.0} %", value * 100.0),
    }
}

fn draw_on(area: &DrawingArea<SVGBackend<'_>, Shift>, chart: &Chart) -> Result<(), String> {
    let Chart { title, across, unit, lines, shaded } = chart;
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let text = |e: DrawingAreaErrorKind<_>| e.to_string();
    let least = if *across == Across::Time { 1.0 } else { 1e-9 };
    let (right, top) = (
        all().map(|p| p.0).fold(least, f64::max),
        // Nothing but zeros is a line at the bottom, whatever the unit.
        Some(all().map(|p| p.1).fold(0.0, f64::max) * 1.05).filter(|top| *top > 0.0).unwrap_or(1.0),
    );
    area.fill(&PAPER).map_err(text)?;
    let mut context = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15).into_font().color(&INK))
        .margin(8)
        .x_label_area_size(if *across == Across::Time { 24 } else { 40 })
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..right, 0.0..top)
        .map_err(text)?;
    let label = ("sans-serif", 12).into_font().color(&INK);
    let at = |x: &f64| match across {
        Across::Time => clock(Duration::from_secs_f64(x.max(0.0))),
        Across::Number(_) => value(Unit::Number, *x),
    };
    let mut mesh = context.configure_mesh();
    if let Across::Number(name) = across {
        mesh.x_desc(name);
    }
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(label.clone())
        .axis_desc_style(label.clone())
        .x_labels(10)
        .y_labels(6)
        .x_label_formatter(&at)
        .y_label_formatter(&|y| value(*unit, *y))
        .draw()
        .map_err(text)?;
    for (from, to) in shaded {
        let area = Rectangle::new([(*from, 0.0), (to.min(right), top)], SHADE.mix(0.35).filled());
        context.draw_series([area]).map_err(text)?;
    }
    for (i, line) in lines.iter().enumerate() {
        let colour = colour(i);
        let points = line.points.iter().copied();
        let drawn = match line.stroke {
            Stroke::Solid => context.draw_series(LineSeries::new(points, colour.stroke_width(2))),
            Stroke::Dashed => {
                context.draw_series(DashedLineSeries::new(points, 6, 4, colour.stroke_width(2)))
            }
            Stroke::Dots => context.draw_series(points.map(|p| Circle::new(p, 3, colour.filled()))),
        };
        drawn.map_err(text)?;
    }
    area.present().map_err(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chart(lines: Vec<Line>) -> Chart {
        Chart { shaded: vec![(1.0, 9.0)], ..Chart::over_time("p99", Unit::Seconds, lines) }
    }

    #[test]
    fn charts_are_svg_in_the_pages_colours_also_when_there_is_nothing_to_show() {
        let two = vec![(0.0, 0.0), (1.0, 0.02)];
        let strokes = [Stroke::Solid, Stroke::Dashed, Stroke::Dots];
        let all = strokes.map(|stroke| Line { stroke, ..Line::new("x <b>", two.clone()) });
        for chart in [chart(all.to_vec()), chart(vec![Line::new("x", Vec::new())]), chart(vec![])] {
            let svg = render(&chart).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
            assert!(!svg.contains('#') && !svg.contains("<b>"), "{svg}");
            assert!(svg.contains("var(--ink)") && svg.contains("var(--paper)"), "{svg}");
        }
    }

    #[test]
    fn values_read_by_their_unit() {
        let units = [
            (Unit::Number, 0.5, "0.5"),
            (Unit::PerSecond, 1_500.0, "1,500/s"),
            (Unit::Seconds, 0.002, "2.00 ms"),
            (Unit::Bytes, 2e6, "2.0 MB"),
            (Unit::Ratio, 0.25, "25 %"),
        ];
        for (unit, number, text) in units {
            assert_eq!(value(unit, number), text);
        }
    }

    #[test]
    fn of_many_lines_those_with_the_highest_peaks_are_shown() {
        let line = |n: u8| Line::new(n.to_string(), vec![(0.0, f64::from(n)), (1.0, 0.0)]);
        let (kept, left_out) = most_telling((0..9).map(line).collect());
        assert_eq!((kept.len(), left_out), (COLOURS, 2));
        assert_eq!((kept[0].name.as_str(), kept[6].name.as_str()), ("2", "8"));
        assert_eq!(most_telling(vec![line(1)]).1, 0);
    }
}
