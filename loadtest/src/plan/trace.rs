//! Traces: CSV and NDJSON with `t, method, path, body?, headers?, name?`.
//!
//! Never here: access logs, which say less (`access_log`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::at::{At, Timed};
use super::build::{Builder, Wanted};
use super::lines::{self, Bounded, Lines};
use super::{ARRIVALS_MAX, PlanError};

const COLUMNS: &str = "t, method, path, body, headers, name";

/// One line of NDJSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    t: Option<Box<RawValue>>,
    method: Option<String>,
    path: String,
    body: Option<Box<RawValue>>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    name: Option<String>,
    /// Of a mix: how often, relative to the others.
    pub(super) weight: Option<f64>,
}

impl Line {
    /// What is asked for. A body that isn't a string is JSON and says so.
    pub(super) fn wanted(self) -> Result<Wanted, String> {
        let Self { t: _, method, path, body, headers, name, weight: _ } = self;
        let mut headers: Vec<(String, String)> = headers.into_iter().collect();
        let body = match body {
            None => Vec::new(),
            Some(raw) if raw.get() == "null" => Vec::new(),
            Some(raw) if raw.get().starts_with('"') => {
                serde_json::from_str::<String>(raw.get()).map_err(|e| e.to_string())?.into_bytes()
            }
            Some(raw) => {
                if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    headers.push(("content-type".to_owned(), "application/json".to_owned()));
                }
                raw.get().as_bytes().to_vec()
            }
        };
        Ok(Wanted { method, path, headers, body, name })
    }

    fn at(&self) -> Result<At, String> {
        let raw = self.t.as_ref().map(|t| t.get()).ok_or("has no t; give each row its time")?;
        at(raw.trim_matches('"'))
    }
}

fn at(text: &str) -> Result<At, String> {
    At::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("t is {shown:?}; write seconds, such as 12.345, or RFC 3339")
    })
}

/// Reads either form; the first character says which.
pub(super) fn read(file: &Path, builder: &mut Builder) -> Result<Vec<Timed>, PlanError> {
    let rows = if is_json(file)? { ndjson(file, builder)? } else { csv(file, builder)? };
    Ok(rows)
}

/// Enters a row, unless there are too many.
pub(super) fn enter(rows: &mut Vec<Timed>, row: Timed, file: &Path) -> Result<(), PlanError> {
    if rows.len() == ARRIVALS_MAX {
        let file = file.display();
        return Err(PlanError::Wrong(format!("{file}: has more than {ARRIVALS_MAX} rows")));
    }
    rows.push(row);
    Ok(())
}

/// Whether a file's first character opens a JSON object.
fn is_json(file: &Path) -> Result<bool, PlanError> {
    let mut lines = Lines::open(file)?;
    Ok(lines.next()?.is_some_and(|(_, line)| line.trim_start().starts_with('{')))
}

fn ndjson(file: &Path, builder: &mut Builder) -> Result<Vec<Timed>, PlanError> {
    let mut lines = Lines::open(file)?;
    let mut rows = Vec::new();
    while let Some((number, text)) = lines.next()? {
        let row = serde_json::from_str::<Line>(&text).map_err(|e| said(&e)).and_then(|line| {
            let at = line.at()?;
            Ok(Timed { at, line: number, request: builder.request(line.wanted()?)? })
        });
        enter(&mut rows, row.map_err(|what| lines.wrong(what))?, file)?;
    }
    Ok(rows)
}

/// serde_json counts lines within the row, which is always its first.
pub(super) fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    format!("{text} (column {}); a row has {COLUMNS}", error.column())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    t: String,
    #[serde(default)]
    method: Option<String>,
    path: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    headers: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

fn csv(file: &Path, builder: &mut Builder) -> Result<Vec<Timed>, PlanError> {
    records(lines::open(file)?, file, builder)
}

fn records(from: impl Read, file: &Path, builder: &mut Builder) -> Result<Vec<Timed>, PlanError> {
    let (from, left) = Bounded::new(from);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(from);
    let wrong = |line, what| PlanError::Line { file: file.to_owned(), line, what };
    let header = reader.headers().map_err(|e| wrong(1, e.to_string()))?.clone();
    left.renew();
    if !header.iter().any(|column| column == "t") || !header.iter().any(|column| column == "path") {
        return Err(wrong(
            1,
            format!("the first line names the columns: {COLUMNS}; t and path must be there"),
        ));
    }
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => {}
            Err(_) if left.is_used_up() => return Err(wrong(line, lines::too_long())),
            Err(error) => {
                let line = error.position().map_or(line, csv::Position::line);
                return Err(wrong(line, cells(&error)));
            }
        }
        let line = record.position().map_or(line, csv::Position::line);
        let row = record.deserialize::<Record>(Some(&header)).map_err(|e| cells(&e));
        let row = row.and_then(|row| {
            Ok(Timed { at: at(row.t.trim())?, line, request: builder.request(row.wanted()?)? })
        });
        enter(&mut rows, row.map_err(|what| wrong(line, what))?, file)?;
        left.renew();
    }
}

/// What is wrong with a row, without the library's own count of lines.
fn cells(error: &csv::Error) -> String {
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            return format!(
                "has {len} cells, the first line has {expected_len}; put a cell with commas in \
                 double quotes"
            );
        }
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    format!("{what}; a row has {COLUMNS}")
}

impl Record {
    /// What is asked for. Spaces around a cell are nobody's, but for a body's, which is sent as it
    /// is.
    fn wanted(self) -> Result<Wanted, String> {
        let Self { t: _, method, path, body, headers, name } = self;
        let trimmed = |cell: String| cell.trim().to_owned();
        let filled = |cell: Option<String>| cell.map(trimmed).filter(|cell| !cell.is_empty());
        let headers = match filled(headers) {
            None => BTreeMap::new(),
            Some(text) => serde_json::from_str::<BTreeMap<String, String>>(&text).map_err(
                |_| "headers are a JSON object of strings, such as {\"accept\": \"text/html\"}",
            )?,
        };
        Ok(Wanted {
            method: filled(method),
            path: trimmed(path),
            headers: headers.into_iter().collect(),
            body: body.unwrap_or_default().into_bytes(),
            name: filled(name),
        })
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
