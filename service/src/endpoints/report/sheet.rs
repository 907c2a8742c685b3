//! A report as it is written: rows as JSON or as CSV (RFC 4180), a page at a time.
//!
//! Never here: which rows.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::Standing;
use crate::http::Format;

/// A row of a report.
pub(crate) trait Row: Serialize {
    /// The names of its cells.
    const COLUMNS: &'static [&'static str];

    /// Writes its cells, one for each column.
    fn write(&self, line: &mut Line);
}

/// Lines of CSV.
pub(crate) struct Line(csv::Writer<Vec<u8>>);

impl Line {
    fn new() -> Self {
        // What isn't a number is quoted: to some spreadsheets a semicolon parts cells too.
        let mut builder = csv::WriterBuilder::new();
        builder
            .flexible(true)
            .quote_style(csv::QuoteStyle::NonNumeric)
            .terminator(csv::Terminator::CRLF);
        Self(builder.from_writer(Vec::new()))
    }

    fn cell(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.write_field(bytes).expect("a vector takes every byte");
        self
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: impl itoa::Integer) -> &mut Self {
        self.cell(itoa::Buffer::new().format(number).as_bytes())
    }

    /// A whole number that may be missing.
    pub(crate) fn maybe_number(&mut self, number: Option<impl itoa::Integer>) -> &mut Self {
        match number {
            Some(number) => self.number(number),
            None => self.cell(b""),
        }
    }

    /// Seconds to the millisecond.
    pub(crate) fn seconds(&mut self, seconds: Option<f64>) -> &mut Self {
        match seconds {
            Some(seconds) => self.cell(format!("{seconds:.3}").as_bytes()),
            None => self.cell(b""),
        }
    }

    /// An instant, RFC 3339.
    pub(crate) fn time(&mut self, time: Option<Timestamp>) -> &mut Self {
        match time {
            Some(time) => self.cell(time.to_string().as_bytes()),
            None => self.cell(b""),
        }
    }

    /// Text of anybody's: what a spreadsheet would run as a formula has an apostrophe before it,
    /// which makes it text there (OWASP, CSV injection).
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        const BEGINS: [char; 11] =
            ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
        if text.starts_with(BEGINS) {
            self.cell(format!("'{text}").as_bytes())
        } else {
            self.cell(text.as_bytes())
        }
    }

    /// Text that may be missing.
    pub(crate) fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        self.text(text.unwrap_or_default())
    }

    fn end(&mut self) {
        self.0.write_record(None::<&[u8]>).expect("a vector takes every byte");
    }

    fn into_bytes(self) -> Bytes {
        self.0.into_inner().expect("a vector takes every byte").into()
    }
}

/// A report that is being written.
pub(crate) struct Sheet {
    format: Format,
    standing: Standing,
    /// Cells of a row, but for the standing.
    columns: usize,
    has_rows: bool,
}

impl Sheet {
    /// Begins with the first rows. As JSON, `head` is an object to which they are added as `rows`;
    /// as CSV, what it says is in the address and the headers, and its standing in each row: a
    /// table that was saved has no headers.
    pub(crate) fn begin<R: Row>(
        format: Format,
        standing: Standing,
        head: &impl Serialize,
        rows: &[R],
    ) -> (Self, Bytes) {
        let mut this = Self { format, standing, columns: R::COLUMNS.len(), has_rows: false };
        let mut text = match format {
            Format::Json => {
                let mut text = json(head);
                let brace = text.pop();
                debug_assert_eq!(brace, Some(b'}'));
                text.extend_from_slice(b",\"rows\":[");
                text
            }
            Format::Csv => {
                let mut line = Line::new();
                let columns = R::COLUMNS.iter().chain(&Standing::COLUMNS);
                columns.for_each(|column| _ = line.text(column));
                line.end();
                line.into_bytes().to_vec()
            }
        };
        text.extend_from_slice(&this.rows(rows));
        (this, text.into())
    }

    /// More rows.
    pub(crate) fn rows<R: Row>(&mut self, rows: &[R]) -> Bytes {
        match self.format {
            Format::Json => {
                let mut text = Vec::new();
                for row in rows {
                    if std::mem::replace(&mut self.has_rows, true) {
                        text.push(b',');
                    }
                    text.extend_from_slice(&json(row));
                }
                text.into()
            }
            Format::Csv => {
                let mut line = Line::new();
                self.has_rows |= !rows.is_empty();
                for row in rows {
                    row.write(&mut line);
                    self.standing.write(&mut line);
                    line.end();
                }
                line.into_bytes()
            }
        }
    }

    /// What follows the last row. A table without rows has none that could say that something is
    /// out of order: it gets one that says this alone.
    pub(crate) fn end(self) -> Cow<'static, [u8]> {
        match self.format {
            Format::Json => Cow::Borrowed(b"]}"),
            Format::Csv if self.has_rows || self.standing.residuals.all() == 0 => {
                Cow::Borrowed(b"")
            }
            Format::Csv => {
                let mut line = Line::new();
                (0..self.columns).for_each(|_| _ = line.cell(b""));
                self.standing.write(&mut line);
                line.end();
                Cow::Owned(line.into_bytes().to_vec())
            }
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("rows and heads are structs of plain fields")
}

#[cfg(test)]
mod tests {
    use super::super::Residuals;
    use super::*;

    #[derive(Serialize)]
    struct Cell<'a> {
        text: &'a str,
        n: i64,
    }

    impl Row for Cell<'_> {
        const COLUMNS: &'static [&'static str] = &["text", "n"];

        fn write(&self, line: &mut Line) {
            line.text(self.text).number(self.n);
        }
    }

    fn written(format: Format, pages: &[&[Cell<'_>]]) -> String {
        written_with(Residuals { missing: 2, ..Residuals::default() }, format, pages)
    }

    fn written_with(residuals: Residuals, format: Format, pages: &[&[Cell<'_>]]) -> String {
        let head = serde_json::json!({ "day": "2026-05-05" });
        let standing = Standing { as_of: Timestamp::UNIX_EPOCH, residuals };
        let (mut sheet, begun) = Sheet::begin(format, standing, &head, pages[0]);
        let mut text = begun.to_vec();
        for page in &pages[1..] {
            text.extend_from_slice(&sheet.rows(page));
        }
        text.extend_from_slice(&sheet.end());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn pages_make_one_document() {
        let one = |text, n| Cell { text, n };
        let pages: &[&[Cell<'_>]] = &[&[one("a", 1), one("b", -2)], &[], &[one("c", 3)]];
        assert_eq!(
            written(Format::Json, pages),
            concat!(
                r#"{"day":"2026-05-05","rows":[{"text":"a","n":1},{"text":"b","n":-2},"#,
                r#"{"text":"c","n":3}]}"#,
            )
        );
        let begun = "\"text\",\"n\",\"as_of\",\"residuals\"\r\n";
        let row = |cells| format!("{cells},\"1970-01-01T00:00:00Z\",2\r\n");
        let rows = ["\"a\",1", "\"b\",-2", "\"c\",3"].map(row).concat();
        assert_eq!(written(Format::Csv, pages), format!("{begun}{rows}"));
        assert_eq!(written(Format::Json, &[&[]]), r#"{"day":"2026-05-05","rows":[]}"#);
        let alone = row("\"\",\"\"");
        assert_eq!(written(Format::Csv, &[&[]]), format!("{begun}{alone}"), "nothing else says it");
        assert_eq!(written(Format::Csv, &[&[], &[]]), format!("{begun}{alone}"));
        assert_eq!(written_with(Residuals::default(), Format::Csv, &[&[]]), begun, "all in order");
    }

    /// What a spreadsheet reads back, and that none of it is a formula there.
    #[test]
    fn no_text_is_a_formula() {
        for text in [
            "=1+1",
            "+1",
            "-1+2",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "=cmd|' /C calc'!A0",
            "-2-3",
        ] {
            let csv = written(Format::Csv, &[&[Cell { text, n: 1 }]]);
            let mut reader = csv::Reader::from_reader(csv.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(&record[0], format!("'{text}"), "{csv}");
        }
        for text in ["a=1", "plain", "a,\"b\";c\r\nd", "", "1"] {
            let csv = written(Format::Csv, &[&[Cell { text, n: -1 }]]);
            let mut reader = csv::Reader::from_reader(csv.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!((&record[0], &record[1]), (text, "-1"), "{csv}");
        }
    }
}
