//! The report for a terminal: where the time goes, who runs what, what is wrong.

use std::fmt::Write as _;

use super::{Caller, Check, Finding, Kind, Report, Statement, Turn};
use crate::bench::table::{Table, grouped};

/// Statements of one caller that are told of; the rest is counted.
const OF_A_CALLER_MAX: usize = 6;

impl Report {
    /// The report as tables.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        text += &top(&self.statements);
        if !self.others.is_empty() {
            text.push('\n');
            text += &self.others();
        }
        text.push('\n');
        text += &matrix(&self.callers);
        if !self.checks.is_empty() {
            text.push('\n');
            text += &review(&self.checks);
        }
        text
    }

    fn others(&self) -> String {
        let header = ["SERVER TIME", "MEAN", "CALLS", "BUFFERS", "STATEMENT OF OTHERS"];
        let mut table = Table::new(&header).left(&[4]);
        for other in &self.others {
            let served = &other.server;
            let calls = served.calls.max(1) as f64;
            table.row(vec![
                seconds(served.total_seconds),
                seconds(served.total_seconds / calls),
                grouped(served.calls.unsigned_abs()),
                number((served.blocks_hit + served.blocks_read) as f64 / calls),
                other.text.clone(),
            ]);
        }
        table.text()
    }
}

/// Figures by call, but for the first one.
fn top(statements: &[Statement]) -> String {
    let header =
        ["STATEMENT", "TOTAL", "MEAN", "P50", "P99", "CALLS", "ROWS", "BUFFERS", "LOG", "MOST BY"];
    let mut table = Table::new(&header).left(&[0, 9]);
    for statement in statements {
        let or_none = |value: Option<f64>| value.map_or_else(none, seconds);
        let served = statement.server.as_ref();
        let by_call = |n: i64| n as f64 / served.map_or(1, |s| s.calls.max(1)) as f64;
        table.row(vec![
            statement.name.clone(),
            seconds(statement.total_seconds),
            or_none(statement.mean_seconds),
            or_none(statement.p50_seconds),
            or_none(statement.p99_seconds),
            grouped(statement.calls),
            number(statement.rows as f64 / statement.calls.max(1) as f64),
            served.map_or_else(none, |s| number(by_call(s.blocks_hit + s.blocks_read))),
            served.map_or_else(none, |s| bytes(by_call(s.wal_bytes))),
            statement.most_by.as_ref().map_or_else(none, most_by),
        ]);
    }
    table.text()
}

fn most_by(turn: &Turn) -> String {
    match (turn.kind, turn.calls_per_turn) {
        (Kind::Endpoint, Some(n)) => format!("{}, {n:.2} a request", turn.name),
        (Kind::Stage, Some(n)) => format!("{}, {n:.2} a batch", turn.name),
        (Kind::Endpoint | Kind::Stage | Kind::Process, _) => turn.name.clone(),
    }
}

fn matrix(callers: &[Caller]) -> String {
    let mut table = Table::new(&["WHO", "TURNS", "STATEMENTS A TURN"]).left(&[0, 2]);
    for caller in callers {
        let turns = match caller.kind {
            Kind::Endpoint => several(caller.turns, "request", "requests"),
            Kind::Stage => several(caller.turns, "batch", "batches"),
            Kind::Process => none(),
        };
        let told = caller.statements.iter().take(OF_A_CALLER_MAX).map(cell);
        let mut told = told.collect::<Vec<_>>().join(", ");
        let rest = caller.statements.len().saturating_sub(OF_A_CALLER_MAX);
        if rest > 0 {
            told += &format!(", and {rest} more");
        }
        table.row(vec![caller.name.clone(), turns, told]);
    }
    table.text()
}

fn several(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

fn cell(turn: &Turn) -> String {
    match turn.calls_per_turn {
        Some(n) => format!("{} {n:.2}", turn.name),
        None => format!("{} {} in all", turn.name, grouped(turn.calls)),
    }
}

fn review(checks: &[Check]) -> String {
    let mut table = Table::new(&["CHECK", "IS", "VALUE", "WHAT"]).left(&[0, 1, 3]);
    for check in checks {
        let Check { name, findings, nearest, refused, looks_for: _ } = check;
        let mut name = name.clone();
        for found in findings {
            let is = found.severity.name().to_owned();
            let what = format!("{}: {}", found.subject, found.says);
            table.row(vec![std::mem::take(&mut name), is, value(found), what]);
        }
        if let Some(why) = refused {
            table.row(vec![name, "unknown".into(), none(), why.clone()]);
        } else if findings.is_empty() {
            let shown = nearest.as_ref().map_or_else(none, value);
            let what = nearest.as_ref().map_or_else(String::new, |found| found.subject.clone());
            table.row(vec![name, "fine".into(), shown, what]);
        }
    }
    table.text()
}

fn value(found: &Finding) -> String {
    match found.unit.as_str() {
        "seconds" => seconds(found.value),
        "bytes" => bytes(found.value),
        "ratio" => format!("{:.1} %", found.value * 100.0),
        _ => number(found.value),
    }
}

fn none() -> String {
    "-".to_owned()
}

/// Three digits.
fn digits(value: f64) -> String {
    let places = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

fn seconds(seconds: f64) -> String {
    let (value, unit) = if seconds >= 0.9995 {
        (seconds, "s")
    } else if seconds >= 0.000_999_5 {
        (seconds * 1e3, "ms")
    } else {
        (seconds * 1e6, "µs")
    };
    if value >= 999.5 {
        format!("{} {unit}", grouped(value.round() as u64))
    } else {
        scaled(value, unit)
    }
}

fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} B") } else { scaled(value, UNITS[unit]) }
}

fn scaled(value: f64, unit: &str) -> String {
    let mut text = digits(value);
    _ = write!(text, " {unit}"); // writing to a String can't fail
    text
}

/// A number of things by call: three digits, and whole where it is.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value >= 999.5 {
        grouped(value.round() as u64)
    } else {
        digits(value)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
