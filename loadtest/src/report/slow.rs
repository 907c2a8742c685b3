//! The slowest requests, with what their time went on: as rows for the JSON, as a table and as
//! waterfalls. What the harness measured and what the service kept stand in one picture.
//!
//! Never here: which requests those are (`engine::slowest`), or asking the service (`inside`).

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::sheet::{Bar, Block, Mark, Section, Side, Table, Waterfall};
use super::units::latency;
use crate::engine::ledger::Ending;
use crate::engine::{Label, Slow, Trace};
use crate::inside::flights::{Flight, Found};

/// A page with more pictures is not read to its end.
const PICTURES_MAX: usize = 24;
const NOTE: &str = "\
The slowest of each kind from their intended start. What the service kept of them is drawn from \
the send on: how long the way there took is not known.";

/// One of the slowest requests.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SlowRow {
    /// Its kind.
    pub kind: &'static str,
    /// Its place in the plan, from 0.
    pub index: u64,
    /// The trace that it began.
    pub trace_id: Option<String>,
    /// Its intended start, in seconds since the run's.
    pub intended_seconds: f64,
    /// From the intended start to the last byte, or to the run's end.
    pub response_seconds: f64,
    /// How long it waited for a connection, as all were waiting for the service.
    pub connection_wait_seconds: f64,
    /// How late the harness itself was.
    pub harness_late_seconds: f64,
    /// From the first byte sent to the last byte; none if it was never sent.
    pub service_seconds: Option<f64>,
    /// HTTP status of the last answer.
    pub status: Option<u16>,
    /// How it ended.
    pub ended: &'static str,
    /// Sendings beyond the first.
    pub again: u64,
    /// `Server-Timing` of the last answer.
    pub server_timing: Option<String>,
    /// What the service kept of it.
    pub flights: Vec<Flight>,
    /// Why there is nothing kept.
    pub flights_missing: Option<String>,
}

impl SlowRow {
    /// A request with what was found of its trace.
    #[must_use]
    pub fn new(
        slow: &Slow,
        label: &Label,
        trace: Option<Trace>,
        found: &BTreeMap<String, Found>,
    ) -> Self {
        let Slow { index, label: _, response, times, ending, seen } = slow;
        let since = |from: Duration| from.as_secs_f64();
        let (intended, free) = (times.due.intended, times.due.free);
        let could = intended.max(free);
        let left = times.sent.unwrap_or(times.ended);
        let trace_id = trace.map(|trace| trace.to_string());
        let (flights, flights_missing) = match trace_id.as_ref().map(|id| found.get(id)) {
            Some(Some(Found::Flights(flights))) => (flights.clone(), None),
            Some(Some(Found::Nothing)) => {
                (Vec::new(), Some("the service kept nothing of it".to_owned()))
            }
            Some(Some(Found::Unasked(why))) => (Vec::new(), Some(why.clone())),
            Some(None) => (Vec::new(), Some("the service was not asked".to_owned())),
            None => (Vec::new(), Some("it began no trace".to_owned())),
        };
        Self {
            kind: label.name,
            index: *index as u64,
            trace_id,
            intended_seconds: since(times.due.offset),
            response_seconds: since(*response),
            connection_wait_seconds: since(left.min(could).saturating_duration_since(intended)),
            harness_late_seconds: since(left.saturating_duration_since(could)),
            service_seconds: times.service().map(since),
            status: seen.status,
            ended: match ending {
                Ending::Good => "good",
                Ending::Failed(reason) => reason,
                Ending::Unanswered => "unanswered at the end",
                Ending::Unsent => "unsent at the end",
            },
            again: times.again,
            server_timing: seen
                .server_timing
                .as_ref()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            flights,
            flights_missing,
        }
    }
}

/// The section of a sheet; none where nothing was sent.
#[must_use]
pub fn section(rows: &[SlowRow]) -> Option<Section> {
    if rows.is_empty() {
        return None;
    }
    let columns =
        ["", "intended at", "response", "waited", "harness late", "service", "ended", "trace"];
    let mut table = Table::new(&columns);
    for row in rows {
        table.push(Mark::None, cells(row));
    }
    let mut pictured: Vec<&SlowRow> = rows.iter().collect();
    pictured.sort_by(|a, b| b.response_seconds.total_cmp(&a.response_seconds));
    let mut blocks = vec![Block::Table(table)];
    blocks
        .extend(pictured.into_iter().take(PICTURES_MAX).map(|row| Block::Waterfall(picture(row))));
    Some(Section::new("The slowest requests", NOTE, blocks))
}

fn cells(row: &SlowRow) -> Vec<String> {
    vec![
        row.kind.to_owned(),
        format!("{:.3} s", row.intended_seconds),
        latency(row.response_seconds),
        latency(row.connection_wait_seconds),
        latency(row.harness_late_seconds),
        row.service_seconds.map_or("-".to_owned(), latency),
        row.ended.to_owned(),
        row.trace_id.clone().unwrap_or_default(),
    ]
}

fn picture(row: &SlowRow) -> Waterfall {
    let bar = |name: String, side, start_seconds, took_seconds| Bar {
        name,
        side,
        start_seconds,
        took_seconds,
    };
    let left = row.connection_wait_seconds + row.harness_late_seconds;
    let mut bars = Vec::new();
    for (name, start, took) in [
        ("wait for a connection", 0.0, row.connection_wait_seconds),
        ("harness late", row.connection_wait_seconds, row.harness_late_seconds),
        ("service, from outside", left, row.service_seconds.unwrap_or(0.0)),
    ] {
        if took > 0.0 {
            bars.push(bar(name.to_owned(), Side::Client, start, took));
        }
    }
    if row.flights.is_empty() {
        // How long each part took, not when: all are drawn from the send on.
        let parts = row.server_timing.as_deref().map(server_timing).unwrap_or_default();
        let part = |(name, seconds)| bar(format!("· {name}"), Side::Service, left, seconds);
        bars.extend(parts.into_iter().map(part));
    }
    for flight in &row.flights {
        let name = format!("{}: {}", flight.route, flight.outcome);
        bars.push(bar(name, Side::Service, left, flight.took_ms / 1e3));
        for span in &flight.spans {
            let rows = if span.rows > 0 { format!(" ({} rows)", span.rows) } else { String::new() };
            let name = format!("· {} {}{rows}", span.kind, span.name);
            bars.push(bar(name, Side::Service, left + span.start_ms / 1e3, span.took_ms / 1e3));
        }
    }
    let status = row.status.map_or(String::new(), |status| format!(", status {status}"));
    let again =
        if row.again > 0 { format!(", sent {} times more", row.again) } else { String::new() };
    let trace = row.trace_id.as_deref().unwrap_or("none");
    let mut notes = vec![format!("{}{status}{again}; trace {trace}", row.ended)];
    notes.extend(row.server_timing.as_ref().map(|timing| format!("Server-Timing: {timing}")));
    notes.extend(row.flights_missing.clone());
    Waterfall {
        title: format!("{}: {}", row.kind, latency(row.response_seconds)),
        note: notes.join("; "),
        bars,
    }
}

/// The parts of a `Server-Timing` that took time, in seconds: `db;dur=40, cache;dur=0.2;desc="…"`.
fn server_timing(text: &str) -> Vec<(String, f64)> {
    let part = |part: &str| {
        let mut words = part.split(';').map(str::trim);
        let name = words.next()?.to_owned();
        let millis: f64 = words.find_map(|word| word.strip_prefix("dur="))?.parse().ok()?;
        (millis > 0.0).then_some((name, millis / 1e3))
    };
    text.split(',').filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;
    use tokio::time::Instant;

    use super::*;
    use crate::engine::Traces;
    use crate::engine::ledger::{Due, Times};
    use crate::engine::slowest::Seen;
    use crate::inside::flights::Span;

    const LABEL: Label = Label {
        name: "read_user",
        method: "GET",
        objective: Duration::from_millis(100),
        share: 0.99,
        critical: true,
    };

    /// Intended at 0, a connection free at 30 ms, sent at 32 ms, answered at 100 ms.
    fn slow() -> Slow {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let due = Due { offset: Duration::from_secs(4), intended: start, free: at(30) };
        let server_timing = Some(HeaderValue::from_static("db;dur=40"));
        Slow {
            index: 7,
            label: 0,
            response: Duration::from_millis(100),
            times: Times { due, sent: Some(at(32)), refused: false, ended: at(100), again: 0 },
            ending: Ending::Good,
            seen: Seen { status: Some(200), server_timing },
        }
    }

    fn row(found: &BTreeMap<String, Found>) -> SlowRow {
        SlowRow::new(&slow(), &LABEL, Some(Traces::new("5f0c", false).of(7)), found)
    }

    fn flights() -> BTreeMap<String, Found> {
        let trace = Traces::new("5f0c", false).of(7).to_string();
        let span = Span {
            kind: "query".into(),
            name: "user_read".into(),
            start_ms: 10.0,
            took_ms: 40.0,
            rows: 1,
        };
        let flight = Flight {
            route: "read_user".into(),
            took_ms: 60.0,
            outcome: "ok".into(),
            why: "slow".into(),
            spans: vec![span],
        };
        BTreeMap::from([(trace, Found::Flights(vec![flight]))])
    }

    #[test]
    fn the_parts_of_a_request_add_up_to_its_response() {
        let row = row(&BTreeMap::new());
        let parts = row.connection_wait_seconds + row.harness_late_seconds;
        assert!((parts + row.service_seconds.unwrap() - row.response_seconds).abs() < 1e-9);
        assert_eq!((row.connection_wait_seconds, row.harness_late_seconds), (0.03, 0.002));
        assert_eq!(row.flights_missing.as_deref(), Some("the service was not asked"));
    }

    #[test]
    fn what_the_service_kept_is_drawn_from_the_send_on() {
        let waterfall = picture(&row(&flights()));
        let names: Vec<&str> = waterfall.bars.iter().map(|bar| bar.name.as_str()).collect();
        let outside = ["wait for a connection", "harness late", "service, from outside"];
        assert_eq!(names[..3], outside);
        assert_eq!(names[3..], ["read_user: ok", "· query user_read (1 rows)"]);
        assert!((waterfall.bars[4].start_seconds - 0.042).abs() < 1e-9);
        assert!(waterfall.note.contains("status 200; trace ") && waterfall.note.contains("db;dur"));
    }

    #[test]
    fn without_flights_the_parts_that_the_service_names_are_drawn() {
        let waterfall = picture(&row(&BTreeMap::new()));
        let last = waterfall.bars.last().unwrap();
        assert_eq!(
            (last.name.as_str(), last.start_seconds, last.took_seconds),
            ("· db", 0.032, 0.04)
        );
        let parts = server_timing("a;dur=1.5;desc=\"x\", b, c;desc=\"y\";dur=2, d;dur=0");
        assert_eq!(parts, [("a".to_owned(), 0.0015), ("c".to_owned(), 0.002)]);
    }

    #[test]
    fn every_row_stands_in_the_table_and_the_slowest_are_drawn() {
        let rows = vec![row(&flights()); PICTURES_MAX + 5];
        let section = section(&rows).unwrap();
        let Block::Table(table) = &section.blocks[0] else { panic!("{section:?}") };
        assert_eq!((table.rows.len(), section.blocks.len()), (rows.len(), 1 + PICTURES_MAX));
        assert_eq!(super::section(&[]), None);
    }
}
