//! The scrape's text: Prometheus' format 0.0.4, or OpenMetrics with exemplars. The histograms are
//! printed here; what the exporter prints is taken over, line by line. `gzip` packs it.
//!
//! Belongs here: the two formats. Never here: what is measured.

mod gzip;

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::buckets::Grid;
use super::exemplar::{Exemplar, TraceId};
use super::registry::{self, Series};

pub(crate) use gzip::Packer;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// What everybody reads.
    Text,
    /// What carries exemplars.
    OpenMetrics,
}

impl Format {
    /// What a scraper that says `Accept: …` is answered: the one of the two that it likes better,
    /// and text where it doesn't know either.
    pub(crate) fn negotiate(accept: &str) -> Self {
        let mut best = (Self::Text, 0.0);
        for part in accept.split(',') {
            let mut fields = part.split(';').map(str::trim);
            let format = match fields.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => Self::OpenMetrics,
                "text/plain" | "text/*" | "*/*" => Self::Text,
                _ => continue,
            };
            let weight = fields
                .find_map(|field| field.strip_prefix("q="))
                .map_or(1.0, |q| q.parse().unwrap_or(0.0));
            if weight > best.1 {
                best = (format, weight);
            }
        }
        best.0
    }

    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A piece of a scrape is about as long. Whoever takes the pieces finds them in the processor's
/// cache, and a packed scrape takes no megabytes of fresh memory, whose first touch costs time.
const PIECE: usize = 64 * 1024;

/// Prints everything, a piece at a time: the exporter's text, which is in format 0.0.4, and the
/// histograms with those of their examples whose traces are still kept (in order): the others would
/// lead nowhere.
pub(crate) fn print(exporter: &str, format: Format, kept: &[TraceId], mut each: impl FnMut(&str)) {
    let mut out = String::with_capacity(2 * PIECE);
    let mut taken_over = TakenOver::default();
    let mut turn = |out: &mut String| {
        if out.len() >= PIECE {
            each(out);
            out.clear();
        }
    };
    for line in exporter.split_inclusive('\n') {
        match format {
            Format::Text => out.push_str(line),
            Format::OpenMetrics => taken_over.line(line, &mut out),
        }
        turn(&mut out);
    }
    for row in registry::families() {
        let (family, help) = (row.name(), row.help());
        match format {
            Format::Text => {
                _ = write!(out, "# HELP {family} {help}\n# TYPE {family} histogram\n");
            }
            Format::OpenMetrics => {
                _ = writeln!(out, "# TYPE {family} histogram");
                if Grid::of(row) == Grid::Seconds {
                    _ = writeln!(out, "# UNIT {family} seconds");
                }
                _ = writeln!(out, "# HELP {family} {help}");
            }
        }
        for series in registry::all(row) {
            histogram(&mut out, family, &series, format, kept);
            turn(&mut out);
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    each(&out);
}

/// What ends a bucket's labels, by grid, format and cell: `le="0.005"} `. The bounds never change,
/// and writing a floating-point number costs more than all the rest of a line.
static BOUNDS: LazyLock<[[Vec<String>; 2]; Grid::ALL.len()]> = LazyLock::new(|| {
    Grid::ALL.map(|grid| {
        [Format::Text, Format::OpenMetrics].map(|format| {
            let told = grid.bounds().iter().map(|bound| match format {
                // OpenMetrics has canonical numbers: one is 1.0.
                Format::OpenMetrics => format!("le=\"{bound:?}\"}} "),
                Format::Text => format!("le=\"{bound}\"}} "),
            });
            told.chain(["le=\"+Inf\"} ".to_owned()]).collect()
        })
    })
});

/// A series: nine in ten lines of a scrape are these, so nothing is formatted twice.
fn histogram(out: &mut String, family: &str, series: &Series, format: Format, kept: &[TraceId]) {
    let Series { labels, histogram } = series;
    let snapshot = histogram.snapshot();
    let separator = if labels.is_empty() { "" } else { "," };
    let head = [family, "_bucket{", labels, separator].concat();
    let mut number = itoa::Buffer::new();
    let mut sum = 0;
    let grid = histogram.grid();
    for (cell, bound) in BOUNDS[grid as usize][format as usize].iter().enumerate() {
        sum += snapshot.cells[cell];
        out.push_str(&head);
        out.push_str(bound);
        out.push_str(number.format(sum));
        if format == Format::OpenMetrics
            && snapshot.cells[cell] > 0
            && let Some(example) = histogram.exemplar(cell)
            && kept.binary_search(&example.trace).is_ok()
        {
            push_example(out, grid, &example);
        }
        out.push('\n');
    }
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    _ = write!(out, "{family}_sum{braced} {}\n{family}_count{braced} {sum}\n", snapshot.sum);
}

/// Of these there may be thousands: they are put together from whole numbers.
fn push_example(out: &mut String, grid: Grid, example: &Exemplar) {
    let digits = example.trace.digits();
    let mut number = itoa::Buffer::new();
    out.push_str(" # {trace_id=\"");
    out.push_str(std::str::from_utf8(&digits).expect("digits are ASCII"));
    out.push_str("\"} ");
    match grid {
        Grid::Seconds => {
            out.push_str(number.format(example.value / NANOS));
            out.push('.');
            // With a one in front, its zeros stay.
            out.push_str(&number.format(NANOS + example.value % NANOS)[1..]);
        }
        Grid::Items | Grid::Queries => out.push_str(number.format(example.value)),
    }
    out.push(' ');
    out.push_str(number.format(example.at));
}

/// In a second.
const NANOS: u64 = 1_000_000_000;

/// The exporter's lines as OpenMetrics: that names a counter's family without its `_total`, has no
/// empty lines, and bounds with a point in them.
#[derive(Default)]
struct TakenOver<'a> {
    /// The family of which the next samples are, if it is a counter.
    counter: &'a str,
}

impl<'a> TakenOver<'a> {
    fn line(&mut self, line: &'a str, out: &mut String) {
        let line = line.trim_end_matches('\n');
        if line.is_empty() {
            return;
        }
        let Some(comment) = line.strip_prefix("# ") else {
            sample(line, self.counter, out);
            out.push('\n');
            return;
        };
        let mut words = comment.splitn(3, ' ');
        let (what, family) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let rest = words.next().unwrap_or_default();
        let is_counter = rest == "counter" || (what == "HELP" && family.ends_with("_total"));
        self.counter = if is_counter { family } else { "" };
        let family = if is_counter { family.trim_end_matches("_total") } else { family };
        _ = writeln!(out, "# {what} {family} {rest}");
    }
}

fn sample(line: &str, counter: &str, out: &mut String) {
    // A counter that is not called so would be another family's sample.
    if !counter.is_empty() && !counter.ends_with("_total") {
        let (name, rest) = line.split_at(counter.len());
        _ = write!(out, "{name}_total{rest}");
        return;
    }
    let Some((head, tail)) = line.split_once("le=\"") else {
        out.push_str(line);
        return;
    };
    let (bound, tail) = tail.split_once('"').unwrap_or((tail, ""));
    let point = if bound.contains(['.', 'e', 'I']) { "" } else { ".0" };
    _ = write!(out, "{head}le=\"{bound}{point}\"{tail}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format, kept: &[TraceId]) -> String {
        let mut text = String::new();
        print("", format, kept, |piece| text.push_str(piece));
        text
    }

    #[test]
    fn the_scraper_gets_what_it_likes_best() {
        use Format::{OpenMetrics, Text};
        let prometheus = "application/openmetrics-text;version=1.0.0,\
                          application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            ("", Text),
            ("*/*", Text),
            ("text/html, image/png", Text),
            (prometheus, OpenMetrics),
            ("Application/OpenMetrics-Text", OpenMetrics),
            ("text/plain;q=0.5, application/openmetrics-text; q=0.4", Text),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=much", Text),
        ] {
            assert_eq!(Format::negotiate(accept), format, "{accept}");
        }
    }

    #[test]
    fn counters_and_bounds_are_named_anew() {
        let mut out = String::new();
        let mut taken_over = TakenOver::default();
        let text = "# HELP a_total Of a.\n# TYPE a_total counter\na_total{x=\"1\"} 3\n\n\
             # TYPE b gauge\nb 1\n\n# HELP c Of c.\n# TYPE c histogram\n\
             c_bucket{le=\"1\"} 0\nc_bucket{le=\"0.5\"} 0\nc_bucket{le=\"+Inf\"} 0\n\
             c_sum 0\nc_count 0\n# TYPE d counter\nd 7\nd{x=\"1\"} 8\n";
        text.split_inclusive('\n').for_each(|line| taken_over.line(line, &mut out));
        assert_eq!(
            out,
            "# HELP a Of a.\n# TYPE a counter\na_total{x=\"1\"} 3\n# TYPE b gauge\nb 1\n\
             # HELP c Of c.\n# TYPE c histogram\nc_bucket{le=\"1.0\"} 0\nc_bucket{le=\"0.5\"} 0\n\
             c_bucket{le=\"+Inf\"} 0\nc_sum 0\nc_count 0\n\
             # TYPE d counter\nd_total 7\nd_total{x=\"1\"} 8\n"
        );
    }

    #[test]
    fn a_histogram_in_both_formats() {
        let labels = [metrics::Label::new("journey", "test_print")];
        let histogram = registry::series("journey_duration_seconds", &labels).unwrap();
        histogram.record(2_000_000_000, None);
        let trace = TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
        histogram.record(1_000_000_000, Some(trace));
        histogram.record(70_000_020_000, Some(trace));
        let lines = |format, kept: &[TraceId]| {
            let text = printed(format, kept);
            let ours = text.lines().filter(|line| line.contains("test_print"));
            ours.map(str::to_owned).collect::<Vec<_>>()
        };
        let text = lines(Format::Text, &[trace]);
        assert_eq!(text.len(), Grid::Seconds.bounds().len() + 3);
        let series = r#"journey="test_print""#;
        let has = |lines: &[String], line: &str| lines.iter().any(|known| known == line);
        let bucket = format!("journey_duration_seconds_bucket{{{series},le=\"1\"}} 1");
        assert!(has(&text, &bucket), "{text:?}");
        let bucket = format!("journey_duration_seconds_bucket{{{series},le=\"+Inf\"}} 3");
        assert!(has(&text, &bucket));
        assert!(has(&text, &format!("journey_duration_seconds_sum{{{series}}} 73.00002")));
        assert!(has(&text, &format!("journey_duration_seconds_count{{{series}}} 3")));

        let bucket = format!("journey_duration_seconds_bucket{{{series},le=\"1.0\"}} 1");
        let open = lines(Format::OpenMetrics, &[trace]);
        for example in ["1.000000000", "70.000020000"] {
            let example = format!(" # {{trace_id=\"{trace}\"}} {example} ");
            assert!(open.iter().any(|line| line.contains(&example)), "{open:?}");
        }
        // Nobody could show it any more.
        let open = lines(Format::OpenMetrics, &[TraceId::from_random(1)]);
        assert!(has(&open, &bucket), "{open:?}");
        assert!(printed(Format::OpenMetrics, &[]).ends_with("# EOF\n"));
        assert!(!printed(Format::Text, &[]).contains("# EOF"));
    }
}
