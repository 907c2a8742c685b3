//! The private stack with its gates: which stage runs, and what it cost while it ran.
//!
//! What a stage cost is read from outside: the statements that it ran, with their buffers and log,
//! from `/debug/queries` before and after; processor time from the processes. As all other stages
//! are held, nothing else is in the difference but what the process does for itself, and that is
//! left out by who ran it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::{Query, Stage};
use http::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::facts::{Cost, Served, Unit};
use crate::client::{Client, ClientError};
use crate::demo::StackArgs;
use crate::demo::stack_up::{Shape, StackUp};
use crate::exit::Failure;
use crate::replay::{Target, Watched};
use crate::scrape::Metrics;

/// What one stage does at a depth may take this long.
const RUN_WITHIN: Duration = Duration::from_secs(600);
/// Leases outlast what is measured while they stand; the longest that can be set.
const LEASE_MS: u64 = 600_000;

/// Who runs statements for nobody in particular.
const PROCESS: &str = "process";

/// A stack whose stages are held.
pub(super) struct Rig {
    stack: StackUp,
    pub(super) target: Target,
    /// Nobody may hold it when the stack is stopped.
    watched: Vec<Watched>,
    admin: Client,
    provider: Client,
}

/// What a run of a stage did.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Ran {
    batches: u64,
    pub(super) messages: u64,
    pub(super) idle: bool,
}

/// What is read before and after.
struct Reading {
    /// By statement.
    served: BTreeMap<String, Served>,
    /// Calls by stage and statement.
    calls: BTreeMap<(String, String), u64>,
    /// Items by stage, as counted by the service.
    items: BTreeMap<&'static str, f64>,
}

#[derive(Deserialize)]
struct Queries {
    statements: Vec<Statement>,
    callers: Vec<Caller>,
}

#[derive(Deserialize)]
struct Statement {
    name: String,
    server: Option<Server>,
}

#[derive(Deserialize)]
struct Server {
    calls: u64,
    blocks_hit: u64,
    blocks_read: u64,
    wal_bytes: u64,
}

#[derive(Deserialize)]
struct Caller {
    name: String,
    kind: String,
    statements: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    name: String,
    calls: u64,
}

impl Rig {
    /// Starts a stack in which every stage is held, and which reads nothing on the replica, where
    /// nobody would count it.
    pub(super) async fn start(args: &StackArgs, program: &Path) -> Result<Self, Failure> {
        let settings = [
            ("PUNCTUAL_STAGE_GATES", "held".to_owned()),
            ("PUNCTUAL_LEASE_MS", LEASE_MS.to_string()),
            ("PUNCTUAL_RECONCILE_ROUND_MS", "1000".to_owned()),
            ("PUNCTUAL_DATABASE_STATEMENT_TIMEOUT_MS", RUN_WITHIN.as_millis().to_string()),
        ];
        // Receipts come while their stage is held: few at a time, until they are let in.
        let receipts = ["--callbacks-in-flight-max", "64", "--callback-tries-max", "255"];
        let shape = Shape {
            replica: false,
            service: settings.map(|(name, value)| (name.to_owned(), value)).into(),
            provider: receipts.map(str::to_owned).into(),
            ..Shape::demo(args)
        };
        let stack = StackUp::start_as(&shape, args, program, 1).await?;
        let target = stack.target();
        let address = target.admin.first().map_or("", String::as_str);
        let admin = Client::new(address, None)?.within(RUN_WITHIN);
        let provider = Client::new(&target.provider, None)?;
        Ok(Self { watched: stack.watched(), target, stack, admin, provider })
    }

    /// Stops everything; the logs are kept where somebody says where.
    pub(super) async fn stop(self, logs: Option<PathBuf>) {
        let Self { stack, watched, .. } = self;
        drop(watched);
        if let Some(logs) = logs {
            stack.keep_logs(&logs);
            announce!("logs: {}", logs.display());
        }
        stack.stop().await;
    }

    /// Holds a stage or opens it.
    pub(super) async fn gate(&mut self, stage: Stage, is_open: bool) -> Result<(), ClientError> {
        let body = json!({ "gate": if is_open { "open" } else { "held" } }).to_string();
        let path = format!("/admin/stages/{}", stage.name());
        self.admin.send(Method::PUT, &path, body.into_bytes()).await.map(drop)
    }

    /// Lets a held stage run until it is idle, or has done so much; unmeasured.
    pub(super) async fn run(
        &mut self,
        stage: Stage,
        most: Option<u64>,
    ) -> Result<Ran, ClientError> {
        let body = json!({ "messages_max": most }).to_string();
        let path = format!("/admin/stages/{}/run", stage.name());
        self.admin.send_for(Method::POST, &path, body.into_bytes()).await
    }

    /// The same, with what it cost.
    pub(super) async fn measure(
        &mut self,
        (stage, unit, depth): (Stage, Unit, u64),
        most: Option<u64>,
    ) -> Result<(Ran, Cost), ClientError> {
        let before = self.read().await?;
        let (cpu, began) = (self.cpu(), Instant::now());
        let ran = self.run(stage, most).await?;
        let (seconds, now) = (began.elapsed().as_secs_f64(), self.cpu());
        let after = self.read().await?;
        let mut cost = after.since(&before, (stage, unit, depth));
        cost.batches = ran.batches;
        cost.seconds = seconds;
        [cost.service_cpu_seconds, cost.database_cpu_seconds] = [now[0] - cpu[0], now[1] - cpu[1]];
        // Of turns the turns count; of a look at promises, the promises.
        cost.items = match (unit, stage) {
            (Unit::Turn, _) => ran.batches.max(1),
            (_, Stage::Reconcile) => cost.items,
            (Unit::Text | Unit::Receipt | Unit::Change, _) => ran.messages,
        };
        Ok((ran, cost))
    }

    /// What something else does, charged to a stage that works by itself meanwhile.
    pub(super) async fn meanwhile<T>(
        &mut self,
        (stage, unit, depth): (Stage, Unit, u64),
        work: impl AsyncFnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<(T, Cost), Failure> {
        let before = self.read().await?;
        let (cpu, began) = (self.cpu(), Instant::now());
        let done = work(self).await?;
        let (seconds, now) = (began.elapsed().as_secs_f64(), self.cpu());
        let after = self.read().await?;
        let mut cost = after.since(&before, (stage, unit, depth));
        cost.seconds = seconds;
        [cost.service_cpu_seconds, cost.database_cpu_seconds] = [now[0] - cpu[0], now[1] - cpu[1]];
        Ok((done, cost))
    }

    /// A client of the public listener that may do everything.
    pub(super) fn public(&self) -> Result<Client, Failure> {
        let address = self.target.public.first().map_or("", String::as_str);
        Client::new(address, Some(&self.target.admin_key))
    }

    /// Asks the simulator something.
    pub(super) const fn provider(&mut self) -> &mut Client {
        &mut self.provider
    }

    /// Asks the admin listener something.
    pub(super) const fn admin(&mut self) -> &mut Client {
        &mut self.admin
    }

    /// Processor seconds of the service and of the primary so far.
    fn cpu(&self) -> [f64; 2] {
        ["service", "postgres primary"].map(|name| {
            let watched = self.watched.iter().find(|watched| watched.name == name);
            let usage = watched.and_then(|watched| (watched.usage)());
            usage.map_or(0.0, |usage| (usage.cpu_user + usage.cpu_system).as_secs_f64())
        })
    }

    async fn read(&mut self) -> Result<Reading, ClientError> {
        let metrics = Metrics::parse(&self.admin.text("/metrics").await?);
        let path = format!("/debug/queries?limit={}", Query::COUNT);
        let queries: Queries = self.admin.get(&path).await?;
        Ok(Reading::of(queries, &metrics))
    }
}

impl Reading {
    fn of(queries: Queries, metrics: &Metrics) -> Self {
        let served = queries.statements.into_iter().filter_map(|statement| {
            let Server { calls, blocks_hit, blocks_read, wal_bytes } = statement.server?;
            let buffers = blocks_hit + blocks_read;
            Some((statement.name, Served { calls, buffers, wal_bytes }))
        });
        let is_asked = |caller: &Caller| caller.kind == "stage" || caller.name == PROCESS;
        let stages = queries.callers.into_iter().filter(is_asked);
        let calls = stages.flat_map(|Caller { name, statements, .. }| {
            statements.into_iter().map(move |turn| ((name.clone(), turn.name), turn.calls))
        });
        let items = Stage::ALL.iter().map(|stage| {
            let labels = [("stage", stage.name())];
            (stage.name(), metrics.sum("stage_items_total", &labels))
        });
        Self { served: served.collect(), calls: calls.collect(), items: items.collect() }
    }

    /// What came since an earlier reading of what a stage ran.
    fn since(&self, before: &Self, (stage, unit, depth): (Stage, Unit, u64)) -> Cost {
        let more = |(cell, calls): (&(String, String), &u64)| {
            let was = before.calls.get(cell).copied().unwrap_or(0);
            (*calls > was).then(|| cell.1.clone())
        };
        // What a replica could answer is asked for by the process, in the stage's own files.
        let home = format!("service/src/{}", stage.name());
        let is_own = |statement: &str| {
            Query::from_name(statement).is_some_and(|query| query.spec().file.starts_with(&home))
        };
        let is_its = |caller: &str, statement: &str| {
            caller == stage.name() || (caller == PROCESS && is_own(statement))
        };
        let ran: BTreeSet<String> = self
            .calls
            .iter()
            .filter(|((caller, statement), _)| is_its(caller, statement))
            .filter_map(more)
            .collect();
        let statements = ran.into_iter().filter_map(|name| {
            let is = self.served.get(&name)?;
            let was = before.served.get(&name).copied().unwrap_or_default();
            let served = Served {
                calls: is.calls.saturating_sub(was.calls),
                buffers: is.buffers.saturating_sub(was.buffers),
                wal_bytes: is.wal_bytes.saturating_sub(was.wal_bytes),
            };
            Some((name, served))
        });
        let items = |reading: &Self| reading.items.get(stage.name()).copied().unwrap_or(0.0);
        Cost {
            stage: stage.name(),
            depth,
            before: depth,
            unit,
            judged: true,
            items: (items(self) - items(before)).max(0.0) as u64,
            batches: 0,
            seconds: 0.0,
            service_cpu_seconds: 0.0,
            database_cpu_seconds: 0.0,
            statements: statements.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(claimed: u64, beside: u64, items: u64) -> Reading {
        let queries = json!({
            "statements": [
                { "name": "claim_lanes", "server": {
                    "calls": claimed, "blocks_hit": claimed * 7, "blocks_read": 3,
                    "wal_bytes": claimed * 100 } },
                { "name": "readiness_probe", "server": {
                    "calls": beside, "blocks_hit": beside, "blocks_read": 0, "wal_bytes": 0 } },
                { "name": "never_served", "server": null },
            ],
            "callers": [
                { "name": "claim", "kind": "stage",
                  "statements": [{ "name": "claim_lanes", "calls": claimed }] },
                { "name": "process", "kind": "process",
                  "statements": [{ "name": "readiness_probe", "calls": beside }] },
            ],
        });
        let queries: Queries = serde_json::from_value(queries).expect("it is of this shape");
        let text = format!("stage_items_total{{stage=\"claim\"}} {items}\n");
        Reading::of(queries, &Metrics::parse(&text))
    }

    #[test]
    fn a_stage_is_charged_with_what_it_ran_and_with_nothing_else() {
        let (before, after) = (reading(2, 10, 100), reading(5, 90, 400));
        let cost = after.since(&before, (Stage::Claim, Unit::Text, 1_000));
        let served = Served { calls: 3, buffers: 21, wal_bytes: 300 };
        assert_eq!(cost.statements, BTreeMap::from([("claim_lanes".to_owned(), served)]));
        assert_eq!((cost.items, cost.depth, cost.stage), (300, 1_000, "claim"));
        let nothing = after.since(&before, (Stage::Settle, Unit::Text, 1_000));
        assert!(nothing.statements.is_empty() && nothing.items == 0);
    }
}
