//! A chart of a sheet as an SVG to stand in the page. Its colours are the page's, which has them
//! for light and for dark.
//!
//! Never here: numbers that decide something; a chart is to look at.

use std::error::Error;
use std::ops::Range;
use std::time::Duration;

use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use super::sheet::{Across, Chart, Line, Stroke, Unit};
use super::units::{clock, count, latency, megabytes};

const SIZE: (u32, u32) = (900, 260);
/// Labels of the axis across; of a shorter one whole numbers can't tell them apart.
const TICKS: f64 = 10.0;
/// Room for the half of the last label that stands beyond the axis.
const RIGHT: i32 = 34;
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

/// A value beside an axis of this length: with as many digits as tell its neighbours apart.
fn tick(unit: Unit, number: f64, length: f64) -> String {
    let (times, behind) = match unit {
        Unit::Number => (1.0, ""),
        Unit::PerSecond => (1.0, "/s"),
        Unit::Ratio => (100.0, " %"),
        Unit::Seconds | Unit::Bytes => return value(unit, number),
    };
    let (shown, length) = (number * times, length * times);
    if length >= TICKS || length <= 0.0 {
        return value(unit, number);
    }
    if shown == 0.0 {
        return format!("0{behind}");
    }
    let digits = 1 + (-length.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{shown:.digits$}{behind}")
}

/// An instant beside an axis of so many seconds.
fn instant(seconds: f64, length: f64) -> String {
    if length < TICKS {
        return format!("{seconds:.1} s");
    }
    clock(Duration::from_secs_f64(seconds.max(0.0)))
}

fn draw_on(area: &DrawingArea<SVGBackend<'_>, Shift>, chart: &Chart) -> Result<(), String> {
    let Chart { title, across, unit: _, lines, shaded: _ } = chart;
    let xs = || lines.iter().flat_map(|line| line.points.iter().map(|p| p.0));
    let ys = || lines.iter().flat_map(|line| line.points.iter().map(|p| p.1));
    area.fill(&PAPER).map_err(text)?;
    let mut builder = ChartBuilder::on(area);
    builder
        .caption(title, ("sans-serif", 15).into_font().color(&INK))
        .margin(8)
        .margin_right(RIGHT)
        .x_label_area_size(if *across == Across::Time { 24 } else { 40 })
        .y_label_area_size(70);
    match across {
        Across::Time | Across::Number(_) => {
            let least = if *across == Across::Time { 1.0 } else { 1e-9 };
            let right = xs().fold(least, f64::max);
            // Nothing but zeros is a line at the bottom, whatever the unit.
            let top = Some(ys().fold(0.0, f64::max) * 1.05).filter(|top| *top > 0.0);
            let (x, y) = (0.0..right, 0.0..top.unwrap_or(1.0));
            let context = builder.build_cartesian_2d(x.clone(), y.clone()).map_err(text)?;
            draw_in(context, chart, &(x, y))?;
        }
        Across::Orders(_) => {
            let (x, y) = (around(xs()), around(ys()));
            let scales = (x.clone().log_scale(), y.clone().log_scale());
            let context = builder.build_cartesian_2d(scales.0, scales.1).map_err(text)?;
            draw_in(context, chart, &(x, y))?;
        }
    }
    area.present().map_err(text)
}

fn text<E: Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> String {
    error.to_string()
}

/// From half of the least to twice the most: on a logarithmic axis no point stands on the edge.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let ends = values.filter(|value| *value > 0.0).fold(None, |ends, value| {
        let (least, most) = ends.unwrap_or((value, value));
        Some((value.min(least), value.max(most)))
    });
    ends.map_or(1.0..10.0, |(least, most)| least / 2.0..most * 2.0)
}

/// Axes and lines, between these ends across and up.
fn draw_in<X, Y>(
    mut context: ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    chart: &Chart,
    (xs, ys): &(Range<f64>, Range<f64>),
) -> Result<(), String>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let Chart { title: _, across, unit, lines, shaded } = chart;
    let label = ("sans-serif", 12).into_font().color(&INK);
    let at = |x: &f64| match across {
        Across::Time => instant(*x, xs.end),
        Across::Number(_) => tick(Unit::Number, *x, xs.end),
        // Each order of magnitude has the digits that it needs.
        Across::Orders(_) => tick(Unit::Number, *x, x * TICKS),
    };
    let up = |y: &f64| match across {
        Across::Time | Across::Number(_) => tick(*unit, *y, ys.end),
        Across::Orders(_) => tick(*unit, *y, y * TICKS),
    };
    let mut mesh = context.configure_mesh();
    if let Across::Number(name) | Across::Orders(name) = across {
        mesh.x_desc(name);
    }
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(label.clone())
        .axis_desc_style(label.clone())
        .x_labels(TICKS as usize)
        .y_labels(6)
        .x_label_formatter(&at)
        .y_label_formatter(&up)
        .draw()
        .map_err(text)?;
    for (from, to) in shaded {
        let corners = [(from.max(xs.start), ys.start), (to.min(xs.end), ys.end)];
        let area = Rectangle::new(corners, SHADE.mix(0.35).filled());
        context.draw_series([area]).map_err(text)?;
    }
    for (i, line) in lines.iter().enumerate() {
        let colour = colour(i);
        // Zero has no place on a logarithmic axis.
        let within = |p: &&(f64, f64)| p.0 >= xs.start && p.1 >= ys.start;
        let points = line.points.iter().filter(within).copied();
        let solid = LineSeries::new(points.clone(), colour.stroke_width(2));
        let dashed = DashedLineSeries::new(points.clone(), 6, 4, colour.stroke_width(2));
        let dots = points.map(|p| Circle::new(p, 3, colour.filled()));
        let drawn = match line.stroke {
            Stroke::Solid => context.draw_series(solid),
            Stroke::Dashed => context.draw_series(dashed),
            Stroke::Dots => context.draw_series(dots),
            Stroke::Marked => {
                context.draw_series(solid).map_err(text)?;
                context.draw_series(dots)
            }
        };
        drawn.map_err(text)?;
    }
    Ok(())
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
        let strokes = [Stroke::Solid, Stroke::Dashed, Stroke::Dots, Stroke::Marked];
        let all = strokes.map(|stroke| Line { stroke, ..Line::new("x <b>", two.clone()) });
        for chart in [chart(all.to_vec()), chart(vec![Line::new("x", Vec::new())]), chart(vec![])] {
            let svg = render(&chart).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
            assert!(!svg.contains('#') && !svg.contains("<b>"), "{svg}");
            assert!(svg.contains("var(--ink)") && svg.contains("var(--paper)"), "{svg}");
        }
    }

    /// The texts of a drawing with their places across.
    fn texts(svg: &str) -> Vec<(f64, String)> {
        let texts = svg.split("<text ").skip(1).map(|text| {
            let place = text.split("x=\"").nth(1).unwrap().split('"').next().unwrap();
            let said = text.split('>').nth(1).unwrap().split('<').next().unwrap();
            (place.parse().unwrap(), said.trim().to_owned())
        });
        texts.collect()
    }

    #[test]
    fn labels_tell_their_neighbours_apart_and_have_room() {
        let of = |across: Across, unit, right: f64, top: f64| {
            let line = Line::new("x", vec![(0.0, 0.0), (right, top)]);
            texts(&render(&Chart { across, unit, ..chart(vec![line]) }).unwrap())
        };
        let number = || Across::Number("at work".to_owned());
        for (across, unit, right, top) in [
            (Across::Time, Unit::Ratio, 4.0, 0.02),
            (Across::Time, Unit::PerSecond, 600.0, 3.0),
            (number(), Unit::Number, 0.04, 0.0004),
            (number(), Unit::PerSecond, 12.0, 4_000.0),
        ] {
            let labels = of(across.clone(), unit, right, top);
            let mut said: Vec<&String> = labels.iter().map(|(_, said)| said).collect();
            let zeros =
                said.iter().filter(|said| said.starts_with("0 ") || said.as_str() == "0").count();
            said.sort();
            said.dedup();
            assert!(labels.len() - said.len() <= zeros, "{across:?}: {labels:?}");
            let last = labels.iter().map(|(place, _)| *place).fold(0.0, f64::max);
            assert!(last <= f64::from(SIZE.0) - f64::from(RIGHT), "{labels:?}");
        }
        let short = of(Across::Time, Unit::Seconds, 4.0, 1.0);
        assert!(short.iter().any(|(_, said)| said == "0.5 s"), "{short:?}");
        let small = of(number(), Unit::Number, 0.04, 1.0);
        assert!(small.iter().any(|(_, said)| said == "0.010"), "{small:?}");
    }

    #[test]
    fn orders_of_magnitude_stand_equally_far_apart() {
        let points = vec![(10.0, 0.0), (100.0, 2.0), (1_000.0, 20.0), (10_000.0, 200.0)];
        let line = Line { stroke: Stroke::Marked, ..Line::new("x", points) };
        let across = Across::Orders("texts".to_owned());
        let svg = render(&Chart { across, shaded: Vec::new(), ..chart(vec![line]) }).unwrap();
        let place = |name| -> Vec<f64> {
            let circles = svg.split("<circle ").skip(1);
            let of = |circle: &str| {
                circle
                    .split(&format!("{name}=\""))
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
                    .parse()
            };
            circles.map(|circle| of(circle).unwrap()).collect()
        };
        let (x, y) = (place("cx"), place("cy"));
        assert_eq!(x.len(), 3, "what is zero has no place: {svg}");
        for places in [x, y] {
            let apart = (places[1] - places[0], places[2] - places[1]);
            assert!((apart.0 - apart.1).abs() <= 1.0 && apart.0.abs() > 50.0, "{apart:?}");
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
