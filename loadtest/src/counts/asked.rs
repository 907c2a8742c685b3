//! What the service has counted so far, asked over its admin listener: `/debug/queries` for
//! statements, `/metrics` for memory.
//!
//! Never here: what is made of two answers (`document`).

use std::collections::{BTreeMap, BTreeSet};

use contract::endpoint::Listener;
use contract::{Endpoint, Query};
use serde::Deserialize;

use crate::client::Client;
use crate::exit::Failure;

/// Bytes that the service's threads ever asked jemalloc for.
const REQUESTED: &str = "jemalloc_requested_bytes_total";

/// All counts at one instant.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Asked {
    /// Endpoints of the public listener and stages, by name.
    pub(super) callers: BTreeMap<String, Caller>,
    /// Statements that only those run, as the server counted them.
    pub(super) served: BTreeMap<String, Served>,
    /// Bytes asked for.
    pub(super) requested_bytes: u64,
    /// How the service was compiled.
    pub(super) profile: String,
}

/// Somebody who runs statements.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Caller {
    /// Requests, or batches.
    pub(super) turns: u64,
    /// True for an endpoint.
    pub(super) is_endpoint: bool,
    /// Each statement, how often, and its rows.
    pub(super) statements: BTreeMap<String, (u64, u64)>,
}

/// What the server counted of a statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Served {
    blocks_hit: u64,
    blocks_read: u64,
    pub(super) wal_bytes: u64,
}

impl Served {
    /// Buffers, wherever they were.
    pub(super) fn buffers(self) -> u64 {
        self.blocks_hit + self.blocks_read
    }
}

#[derive(Deserialize)]
struct Report {
    notes: Vec<String>,
    statements: Vec<Statement>,
    callers: Vec<Told>,
}

#[derive(Deserialize)]
struct Statement {
    name: String,
    server: Option<Served>,
}

#[derive(Deserialize)]
struct Told {
    name: String,
    kind: Kind,
    turns: u64,
    statements: Vec<Turn>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Endpoint,
    Stage,
    Process,
}

#[derive(Deserialize)]
struct Turn {
    name: String,
    calls: u64,
    rows: u64,
}

impl Asked {
    /// Asks.
    pub(super) async fn now(admin: &mut Client) -> Result<Self, Failure> {
        let path = format!("/debug/queries?limit={}", Query::COUNT);
        let report: Report = admin.get(&path).await?;
        if !report.notes.is_empty() {
            return Err(Failure::Unavailable(format!("{path}: {}", report.notes.join("; "))));
        }
        let metrics = admin.text("/metrics").await?;
        let requested_bytes = requested(&metrics).ok_or_else(|| {
            Failure::Unavailable(format!("/metrics has no {REQUESTED}: is the service older?"))
        })?;
        let profile = profile(&metrics).unwrap_or_default();
        Ok(Self { requested_bytes, profile, ..Self::of(report) })
    }

    fn of(report: Report) -> Self {
        let mut callers = BTreeMap::new();
        // Watching, probing and what the harness itself asks comes as often as there is time for.
        let mut elsewhere = BTreeSet::new();
        for Told { name, kind, turns, statements } in report.callers {
            let endpoint = Endpoint::from_name(&name);
            let is_counted = match kind {
                Kind::Stage => true,
                Kind::Endpoint => endpoint.is_some_and(|it| it.spec().listener == Listener::Public),
                Kind::Process => false,
            };
            if !is_counted {
                elsewhere.extend(statements.into_iter().map(|turn| turn.name));
                continue;
            }
            let statements =
                statements.into_iter().map(|turn| (turn.name, (turn.calls, turn.rows))).collect();
            let is_endpoint = kind == Kind::Endpoint;
            callers.insert(name, Caller { turns, is_endpoint, statements });
        }
        let counted: BTreeSet<&String> =
            callers.values().flat_map(|caller| caller.statements.keys()).collect();
        let served = report
            .statements
            .into_iter()
            .filter(|s| counted.contains(&s.name) && !elsewhere.contains(&s.name))
            .filter_map(|s| Some((s.name, s.server?)))
            .collect();
        Self { callers, served, ..Self::default() }
    }

    /// An endpoint of which the service counts another number of requests than were answered, with
    /// that number. Those that run no statement it doesn't tell of.
    pub(super) fn other_than(&self, answered: &BTreeMap<&str, u64>) -> Option<(&str, u64)> {
        let endpoints = self.callers.iter().filter(|(_, caller)| caller.is_endpoint);
        endpoints
            .map(|(name, caller)| (name.as_str(), caller.turns))
            .find(|(name, turns)| answered.get(name).copied().unwrap_or(0) != *turns)
    }
}

fn requested(metrics: &str) -> Option<u64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(REQUESTED))?;
    line.trim().parse::<f64>().ok().map(|bytes| bytes as u64)
}

fn profile(metrics: &str) -> Option<String> {
    let line = metrics.lines().find(|line| line.starts_with("build_info{"))?;
    let (_, rest) = line.split_once("profile=\"")?;
    rest.split_once('"').map(|(profile, _)| profile.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_requests_and_stages_ran_is_counted_and_nothing_else() {
        let caller = |name: &str, kind: &str, query: &str| {
            json!({"name": name, "kind": kind, "turns": 3, "statements": [
                {"name": query, "kind": kind, "calls": 4, "rows": 5, "calls_per_turn": 1.3},
            ]})
        };
        let statement = |name: &str| {
            let server = json!({"blocks_hit": 7, "blocks_read": 1, "wal_bytes": 9});
            json!({"name": name, "calls": 4, "server": server})
        };
        let report = json!({
            "notes": [],
            "callers": [
                caller("read_appointment", "endpoint", "appointment_read"),
                caller("release", "stage", "release_due"),
                caller("release", "stage", "release_due"),
                caller("run_audit", "endpoint", "audit_order"),
                caller("process", "process", "readiness_probe"),
                caller("list_messages", "endpoint", "readiness_probe"),
            ],
            "statements": [
                statement("appointment_read"),
                statement("audit_order"),
                statement("readiness_probe"),
            ],
        });
        let asked = Asked::of(serde_json::from_value(report).unwrap());
        let names: Vec<&String> = asked.callers.keys().collect();
        assert_eq!(names, ["list_messages", "read_appointment", "release"]);
        let answered = BTreeMap::from([("read_appointment", 3), ("list_messages", 4)]);
        assert_eq!(asked.other_than(&answered), Some(("list_messages", 3)));
        let answered = BTreeMap::from([("read_appointment", 3), ("list_messages", 3), ("x", 9)]);
        assert_eq!(asked.other_than(&answered), None, "what runs no statement isn't told of");
        assert_eq!(asked.callers["release"].statements["release_due"], (4, 5));
        let served: Vec<(&String, u64)> =
            asked.served.iter().map(|(name, served)| (name, served.buffers())).collect();
        assert_eq!(
            served,
            [(&"appointment_read".to_owned(), 8)],
            "what runs elsewhere is left out"
        );
    }

    #[test]
    fn memory_is_read_from_the_metrics() {
        let text = "# TYPE jemalloc_requested_bytes_total counter\n\
                    jemalloc_requested_bytes_total 1.5e6\nother 3\n";
        assert_eq!(requested(text), Some(1_500_000));
        assert_eq!(requested("other 3\n"), None);
        let build = "build_info{version=\"0.1.0\",profile=\"dev\"} 1\n";
        assert_eq!(profile(build).as_deref(), Some("dev"));
    }
}
