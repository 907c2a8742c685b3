//! The histograms' lines, in both formats, and what each of them repeats of the lines before it:
//! nine in ten lines of a scrape are these, so nothing is formatted or compared twice.
//!
//! Belongs here: how a family and its series are written down. Never here: what is measured, and
//! how repetitions are packed (`gzip`).

use std::fmt::Write as _;
use std::iter;
use std::sync::LazyLock;

use contract::Family;

use super::gzip::{Repeat, same_begin};
use super::{Format, Piece, head};
use crate::obs::buckets::Grid;
use crate::obs::exemplar::Exemplar;
use crate::obs::histogram::Histogram;
use crate::obs::kept::Traces;
use crate::obs::registry::Series;

/// What stands behind a bucket's labels.
struct Bound {
    /// `le="0.005"} `: the bounds never change, and writing a floating-point number costs more
    /// than all the rest of a line.
    text: String,
    /// Bytes from its begin on that the bound before has as well.
    begin: usize,
    /// The same from its end on, of what is left of both.
    end: usize,
}

/// By grid, format and cell.
static BOUNDS: LazyLock<[[Vec<Bound>; 2]; Grid::ALL.len()]> =
    LazyLock::new(|| Grid::ALL.map(|grid| [Format::Text, Format::OpenMetrics].map(bounds(grid))));

fn bounds(grid: Grid) -> impl Fn(Format) -> Vec<Bound> {
    move |format| {
        let told = grid.bounds().iter().map(|bound| match format {
            // OpenMetrics has canonical numbers: one is 1.0.
            Format::OpenMetrics => format!("le=\"{bound:?}\"}} "),
            Format::Text => format!("le=\"{bound}\"}} "),
        });
        let mut before = String::new();
        let told = told.chain(["le=\"+Inf\"} ".to_owned()]).map(|text| {
            let begin = same_begin(before.as_bytes(), text.as_bytes());
            let (left, of_before) = (&text.as_bytes()[begin..], &before.as_bytes()[begin..]);
            let both = iter::zip(left.iter().rev(), of_before.iter().rev());
            let end = both.take_while(|(a, b)| a == b).count();
            before.clone_from(&text);
            Bound { text, begin, end }
        });
        told.collect()
    }
}

/// What stands before an example's trace.
const EXAMPLE: &str = " # {trace_id=\"";

/// In a second.
const NANOS: u64 = 1_000_000_000;

/// Where an example stands in the piece.
#[derive(Clone, Copy)]
struct Shown {
    /// It begins here,
    at: usize,
    /// its second here.
    second: usize,
}

/// A piece of the scrape that becomes longer and longer, until it is turned over.
pub(super) struct Lines<'a> {
    format: Format,
    kept: &'a Traces,
    text: String,
    repeats: Vec<Repeat>,
    /// The begin of a bucket's line, up to its bound, of the series that is being printed.
    head: String,
    /// Where in this piece the newest line of a series before has its begin.
    bucket: Option<usize>,
    example: Option<Shown>,
    /// Whether nothing but a bound and numbers came since what was repeated last.
    is_after_numbers: bool,
}

impl<'a> Lines<'a> {
    /// An empty one that writes into a buffer.
    pub(super) fn of(format: Format, kept: &'a Traces, text: String) -> Self {
        let (repeats, head) = (Vec::new(), String::new());
        let (bucket, example, is_after_numbers) = (None, None, false);
        Self { format, kept, text, repeats, head, bucket, example, is_after_numbers }
    }

    /// What there is.
    pub(super) fn piece(&self) -> Piece<'_> {
        Piece { text: &self.text, repeats: Some(&self.repeats) }
    }

    /// Begins another.
    pub(super) fn turn(&mut self) {
        self.text.clear();
        self.repeats.clear();
        (self.bucket, self.example, self.is_after_numbers) = (None, None, false);
    }

    /// What says that the scrape is whole.
    pub(super) fn end(&mut self) {
        self.text.push_str("# EOF\n");
    }

    /// What a family's series come after.
    pub(super) fn family(&mut self, row: Family) {
        self.is_after_numbers = false;
        head(&mut self.text, self.format, row);
    }

    /// A series: its buckets, sum and count.
    pub(super) fn series(&mut self, row: Family, series: &Series<Histogram>) {
        let (family, labels) = (row.name(), &*series.labels);
        let (last, sum, count) = self.buckets(family, series);
        let mut before = last;
        // Where the labels stand in the line before.
        let mut labels_before = last + family.len() + "_bucket{".len();
        for (what, is_sum) in [("sum", true), ("count", false)] {
            let line = self.text.len();
            // With its line break, and without what it is called.
            self.repeats(line - 1, 1 + family.len() + 1, line - before);
            self.text.push_str(family);
            self.text.push('_');
            self.text.push_str(what);
            if !labels.is_empty() {
                self.text.push('{');
                let at = self.text.len();
                self.repeats(at, labels.len(), at - labels_before);
                self.text.push_str(labels);
                self.text.push('}');
                labels_before = at;
            }
            _ = if is_sum {
                writeln!(self.text, " {sum}")
            } else {
                writeln!(self.text, " {count}")
            };
            before = line;
        }
        self.bucket = Some(last);
    }

    /// All buckets. The line of the last one begins where is said first, and then come the sum and
    /// the count of all.
    fn buckets(&mut self, family: &str, series: &Series<Histogram>) -> (usize, f64, u64) {
        let Series { labels, cell: histogram } = series;
        let snapshot = histogram.snapshot();
        let separator = if labels.is_empty() { "" } else { "," };
        self.head.clear();
        for part in [family, "_bucket{", labels, separator] {
            self.head.push_str(part);
        }
        let grid = histogram.grid();
        let mut number = itoa::Buffer::new();
        let mut sum = 0;
        // Where the line before begins, and how much of its end the one before that has as well.
        let (mut before, mut tail) = (None, 1);
        let mut has_example = true;
        for (cell, bound) in BOUNDS[grid as usize][self.format as usize].iter().enumerate() {
            let line = self.text.len();
            match before {
                Some(before) => {
                    // Before the piece's first line there is nothing.
                    let tail = tail.min(before);
                    let length = tail + self.head.len() + bound.begin;
                    self.repeats(line - tail, length, line - before);
                }
                None => self.begins_like_the_series_before(),
            }
            sum += snapshot.cells[cell];
            let number = number.format(sum);
            self.text.push_str(&self.head);
            self.text.push_str(&bound.text);
            self.text.push_str(number);
            // Where nothing was counted, the number is the one before.
            let is_same = snapshot.cells[cell] == 0 && before.is_some() && !has_example;
            tail = if is_same { bound.end + number.len() + 1 } else { 1 };
            has_example = self.format == Format::OpenMetrics
                && snapshot.cells[cell] > 0
                && match histogram.exemplar(cell) {
                    Some(example) if self.kept.contains(&example.trace) => {
                        self.example(grid, &example);
                        true
                    }
                    Some(_) | None => false,
                };
            self.text.push('\n');
            before = Some(line);
        }
        (before.expect("there is a bucket above all bounds"), snapshot.sum, sum)
    }

    /// Its labels may differ in the last one only.
    fn begins_like_the_series_before(&mut self) {
        if let Some(before) = self.bucket {
            let line = self.text.len();
            let same = same_begin(&self.text.as_bytes()[before..], self.head.as_bytes());
            self.repeats(line - 1, 1 + same, line - before);
        }
        self.is_after_numbers = false;
    }

    /// Of these there may be thousands: they are put together from whole numbers.
    fn example(&mut self, grid: Grid, example: &Exemplar) {
        let at = self.text.len();
        if let Some(shown) = self.example {
            self.repeats(at, EXAMPLE.len(), at - shown.at);
        }
        let digits = example.trace.digits();
        let mut number = itoa::Buffer::new();
        self.text.push_str(EXAMPLE);
        self.text.push_str(std::str::from_utf8(&digits).expect("digits are ASCII"));
        self.text.push_str("\"} ");
        match grid {
            Grid::Seconds => {
                self.text.push_str(number.format(example.value / NANOS));
                self.text.push('.');
                // With a one in front, its zeros stay.
                self.text.push_str(&number.format(NANOS + example.value % NANOS)[1..]);
            }
            Grid::Items | Grid::Queries => self.text.push_str(number.format(example.value)),
        }
        self.text.push(' ');
        let second = self.text.len();
        let told = number.format(example.at);
        if let Some(shown) = self.example {
            let same = same_begin(&self.text.as_bytes()[shown.second..], told.as_bytes());
            self.repeats(second, same, second - shown.second);
        }
        self.text.push_str(told);
        self.example = Some(Shown { at, second });
    }

    /// Says that so many bytes will stand here that stand so many bytes before as well.
    fn repeats(&mut self, at: usize, length: usize, away: usize) {
        let is_after_numbers = std::mem::replace(&mut self.is_after_numbers, true);
        self.repeats.push(Repeat { at, length, away, is_after_numbers });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obs::exemplar::{self, TraceId};
    use crate::obs::registry;

    fn printed(format: Format, kept: &[TraceId]) -> String {
        let mut text = String::new();
        let kept = kept.iter().copied().collect();
        super::super::print("", format, &kept, |piece| text.push_str(piece.text));
        text
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

    /// With counts in some cells, in none and in all, alike and not, and examples of some.
    #[test]
    fn what_is_said_to_be_repeated_is() {
        // Whose series are empty, or have no labels.
        crate::obs::install().unwrap();
        let trace = |n: u64| TraceId::from_random(u128::from(n) + 1);
        for (n, family) in registry::histograms().enumerate() {
            for every in 1..12_u64 {
                let label = metrics::Label::new("test_repeats", format!("{n}-{every}"));
                let histogram = registry::series(family.name(), &[label]).unwrap();
                let bounds = Grid::of(family).bounds().iter().enumerate();
                for (cell, bound) in bounds.filter(|(cell, _)| (*cell as u64).is_multiple_of(every))
                {
                    exemplar::tick_at(1_700_000_000 + 7 * cell as u64);
                    let value = (bound * Grid::of(family).scale()) as u64;
                    histogram.record_many(value, 10_u64.pow(cell as u32 % 6));
                    histogram.record(value, (every % 3 == 0).then_some(trace(cell as u64)));
                }
                // Above all bounds.
                histogram.record_many(u64::MAX / 1_000, every % 2);
            }
        }
        // One of them is not kept.
        let kept = (0..100).filter(|n| *n != 6).map(trace).collect();
        for format in [Format::Text, Format::OpenMetrics] {
            let (mut bytes, mut repeated) = (0, 0);
            super::super::print("", format, &kept, |piece| {
                let text = piece.text.as_bytes();
                let mut from = 0;
                for &Repeat { at, length, away, .. } in piece.repeats.unwrap_or_default() {
                    assert!(from <= at && away <= at, "{at} after {from}, {away} away");
                    from = at + length;
                    let (here, there) = (&text[at..from], &text[at - away..from - away]);
                    let told = |bytes| String::from_utf8_lossy(bytes);
                    assert!(here == there, "{:?} is {:?}", told(here), told(there));
                    repeated += length;
                }
                assert!(from <= text.len());
                bytes += text.len();
            });
            assert!(repeated > bytes * 3 / 4, "{repeated} of {bytes}");
        }
    }
}
