//! The scrape's text: Prometheus' format 0.0.4, or OpenMetrics with exemplars. The histograms are
//! our own (`lines`), as are the numbers that the process reads itself (`scalars`); what the
//! exporter prints is taken over, line by line (`taken_over`). `gzip` packs it.
//!
//! Belongs here: which format, and in what order. Never here: what is measured.

mod gzip;
mod lines;
mod scalars;
mod taken_over;

use std::fmt::Write as _;

use contract::Family;
use contract::family::Kind;

use super::buckets::Grid;
use super::kept::Traces;
use super::registry;
use lines::Lines;
use taken_over::TakenOver;

pub(crate) use gzip::Packer;
use gzip::Repeat;

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

/// Some lines of a scrape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// As they are read.
    pub(crate) text: &'a str,
    /// What in them is repeated, if that is known.
    pub(crate) repeats: Option<&'a [Repeat]>,
}

impl Piece<'_> {
    /// Packs it behind what is packed already.
    pub(crate) fn pack(self, packer: &mut Packer) {
        match self.repeats {
            Some(repeats) => packer.write_known(self.text.as_bytes(), repeats),
            None => packer.write(self.text.as_bytes()),
        }
    }
}

/// Prints everything, a piece at a time: the exporter's text, which is in format 0.0.4, our own
/// numbers, and the histograms with those of their examples whose traces are still kept: the others
/// would lead nowhere.
pub(crate) fn print(
    exporter: &str,
    format: Format,
    kept: &Traces,
    mut each: impl FnMut(Piece<'_>),
) {
    let mut out = String::with_capacity(PIECE + PIECE / 8);
    let mut taken_over = TakenOver::default();
    for line in exporter.split_inclusive('\n') {
        match format {
            Format::Text => out.push_str(line),
            Format::OpenMetrics => taken_over.line(line, &mut out),
        }
        if out.len() >= PIECE {
            each(Piece { text: &out, repeats: None });
            out.clear();
        }
    }
    scalars::print(&mut out, format);
    each(Piece { text: &out, repeats: None });
    out.clear();
    let mut lines = Lines::of(format, kept, out);
    for family in registry::histograms() {
        lines.family(family);
        for series in registry::HISTOGRAMS.all(family) {
            lines.series(family, &series);
            if lines.piece().text.len() >= PIECE {
                each(lines.piece());
                lines.turn();
            }
        }
    }
    if format == Format::OpenMetrics {
        lines.end();
    }
    each(lines.piece());
}

/// What a family's samples come after. OpenMetrics has a counter's family without its `_total`.
fn head(out: &mut String, format: Format, row: Family) {
    let (name, help, kind) = (row.name(), row.help(), row.spec().kind);
    match format {
        Format::Text => {
            _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.name());
        }
        Format::OpenMetrics => {
            let family = if kind == Kind::Counter { name.trim_end_matches("_total") } else { name };
            _ = writeln!(out, "# TYPE {family} {}", kind.name());
            if kind == Kind::Histogram && Grid::of(row) == Grid::Seconds {
                _ = writeln!(out, "# UNIT {family} seconds");
            }
            _ = writeln!(out, "# HELP {family} {help}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
