//! The private stack on which incidents happen, one after the other: each has a week of its own,
//! and appointments of its own.
//!
//! Never here: what goes wrong (`scenarios`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::Stage;
use http::Method;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use stack::postgres::Database;
use stack::prometheus::PrometheusConfig;
use stack::provider::State;
use stack::{Process, RunDir, StackError};

use super::facts::Found;
use super::watch::{Signal, Watch, metrics};
use super::{IncidentsArgs, PrometheusArgs};
use crate::client::{Client, ClientError};
use crate::demo::stack_up::{Shape, StackUp};
use crate::demo::watcher::rule_files;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::laws::audit::Audit;
use crate::piled::{self, Pile};
use crate::replay::drain::drain;
use crate::replay::target::Target;
use crate::report::units::count;
use crate::scrape::Metrics;

/// Few deliveries at a time, so that a provider that is slow is noticed with few texts.
pub(super) const DELIVERIES: u64 = 64;
/// Everything that waited is done within this after the trouble is over.
const DRAINED_WITHIN: Duration = Duration::from_secs(120);
/// An audit of some thousand texts takes a second.
const AUDIT_WITHIN: Duration = Duration::from_secs(120);

/// A stack, and what each incident needs of it.
pub(super) struct Ground {
    stack: StackUp,
    prometheus: Result<Prometheus, String>,
    pub(super) target: Target,
    pub(super) size: u64,
    /// Asks the admin listener.
    pub(super) admin: Client,
    /// Asks the public listener, and may do everything.
    pub(super) public: Client,
    provider: Client,
    weeks: i64,
    next: u64,
}

/// Who evaluates the alerts.
struct Prometheus {
    address: SocketAddr,
    process: Process,
    rules: usize,
    /// Its files; they go with it.
    _run: RunDir,
}

impl Ground {
    /// Starts the stack: a provider that does everything right, and a Prometheus if there is one.
    pub(super) async fn start(args: &IncidentsArgs, program: &Path) -> Result<Self, Failure> {
        let IncidentsArgs { size, alerts, prometheus, stack, .. } = args;
        let stack = stack.stack();
        let settings = [
            ("PUNCTUAL_LIMIT_DELIVERIES_IN_FLIGHT", DELIVERIES.to_string()),
            ("PUNCTUAL_STAGE_GATES", "open".to_owned()),
        ];
        let service = settings.map(|(name, value)| (name.to_owned(), value)).into();
        let shape = Shape { service, provider: Vec::new(), ..Shape::demo(&stack) };
        let stack = StackUp::start_as(&shape, &stack, program, 1).await?;
        let target = stack.target();
        let address = |all: &[String]| all.first().cloned().unwrap_or_default();
        let mut public = Client::new(&address(&target.public), Some(&target.admin_key))?;
        piled::put_practices(&mut public).await?;
        Ok(Self {
            prometheus: self::prometheus(prometheus, alerts, &target).await,
            admin: Client::new(&address(&target.admin), None)?.within(AUDIT_WITHIN),
            provider: Client::new(&target.provider, None)?,
            public,
            stack,
            target,
            size: *size,
            weeks: 0,
            next: 0,
        })
    }

    /// Who evaluates the alerts, in words.
    pub(super) fn watched_by(&self) -> String {
        match &self.prometheus {
            Ok(Prometheus { rules: 0, .. }) => "none (no rules: say --alerts DIR)".to_owned(),
            Ok(_) => "Prometheus with the rules of this project, each second".to_owned(),
            Err(why) => format!("none ({why}); the metrics show the same"),
        }
    }

    /// Stops everything; the logs are kept where somebody says where.
    pub(super) async fn stop(self, logs: Option<PathBuf>) {
        if let Some(logs) = logs {
            self.stack.keep_logs(&logs);
            announce!("logs: {}", logs.display());
        }
        if let Ok(prometheus) = &self.prometheus {
            prometheus.process.kill().await;
        }
        self.stack.stop().await;
    }

    /// The database, for trouble.
    pub(super) const fn database(&self) -> &Database {
        self.stack.database()
    }

    /// Begins to look.
    pub(super) async fn watch(&self, signals: &'static [Signal]) -> Result<Watch, Failure> {
        let admin = self.target.admin.first().map_or("", String::as_str);
        let prometheus = self.prometheus.as_ref().ok().map(|it| it.address.to_string());
        Watch::begin(admin, prometheus.as_deref(), signals).await
    }

    /// The metrics as they are now.
    pub(super) async fn metrics(&mut self) -> Result<Metrics, Failure> {
        metrics(&mut self.admin).await
    }

    /// Appointments of a week that nothing has happened in yet; the clock stands before all of it.
    pub(super) async fn pile(&mut self, texts: u64) -> Result<Pile, Failure> {
        let day = piled::DAY.saturating_add((7 * self.weeks).days());
        let pile = Pile { day, from: self.next, to: self.next + texts };
        self.weeks += 1;
        self.next = pile.to;
        self.clock(pile.booked_at(), false).await?;
        Ok(pile)
    }

    /// The same, booked.
    pub(super) async fn booked(&mut self, texts: u64) -> Result<Pile, Failure> {
        let pile = self.pile(texts).await?;
        pile.book(&mut self.public).await?;
        Ok(pile)
    }

    /// Opens a stage, or holds it.
    pub(super) async fn gate(&mut self, stage: Stage, is_open: bool) -> Result<(), ClientError> {
        let body = json!({ "gate": if is_open { "open" } else { "held" } }).to_string();
        let path = format!("/admin/stages/{}", stage.name());
        self.admin.send(Method::PUT, &path, body.into_bytes()).await.map(drop)
    }

    /// Sets the domain clock, to stand or to run.
    pub(super) async fn clock(&mut self, at: Timestamp, runs: bool) -> Result<(), Failure> {
        let real = if runs { Timestamp::now().to_string() } else { "2100-01-01T00:00:00Z".into() };
        let clock = json!({ "real_origin": real, "domain_origin": at, "speed": 1.0 });
        self.admin.send(Method::PUT, "/admin/clock", clock.to_string().into_bytes()).await?;
        Ok(())
    }

    /// Texts that the provider has accepted so far.
    pub(super) async fn accepted(&mut self) -> Result<u64, Failure> {
        let state: State = self.provider.get("/control/state").await?;
        Ok(state.accepted)
    }

    /// How long each answer of the provider takes from here on.
    pub(super) async fn provider_takes(&mut self, ms: u32) -> Result<(), ClientError> {
        let mut faults: Value = self.provider.get("/control/faults").await?;
        faults["latency"] = json!(format!("constant:{ms}"));
        let body = faults.to_string().into_bytes();
        self.provider.send(Method::PUT, "/control/faults", body).await.map(drop)
    }

    /// Waits until nothing waits any more, and notes whether all texts have arrived once, and
    /// whether the laws hold.
    pub(super) async fn ends_well(
        &mut self,
        found: &mut Found,
        accepted_before: u64,
        texts: u64,
    ) -> Result<(), Failure> {
        let drained = drain(&self.target, DRAINED_WITHIN, &Interrupt::default()).await?;
        let left = drained.left.map_or("nothing waits".to_owned(), |left| format!("{left:?}"));
        found.check("everything is worked off", drained.left.is_none(), left);
        let arrived = self.accepted().await? - accepted_before;
        let said = format!("{} of {}", count(arrived), count(texts));
        found.check("every text arrives, once", arrived == texts, said);
        let audit: Audit = self.admin.get("/admin/audit").await?;
        let broken = audit.checks.iter().filter(|check| check.violations > 0);
        let broken: Vec<String> =
            broken.map(|check| format!("law {}, {}", check.law, check.name)).collect();
        let cases: u64 = audit.checks.iter().map(|check| check.cases).sum();
        let said =
            if broken.is_empty() { format!("{} cases", count(cases)) } else { broken.join("; ") };
        found.check("the laws hold", broken.is_empty(), said);
        Ok(())
    }
}

/// The rules as they are, but evaluated every second: what happens here is over in a minute.
fn every_second(files: &[PathBuf], run: &RunDir) -> Result<Vec<PathBuf>, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut copies = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(said)?;
        let lines = text.lines().map(|line| match line.split_once("interval: ") {
            Some((before, _)) if before.trim().is_empty() => format!("{before}interval: 1s\n"),
            Some(_) | None => format!("{line}\n"),
        });
        let copy = run.path().join(file.file_name().unwrap_or_default());
        std::fs::write(&copy, lines.collect::<String>()).map_err(said)?;
        copies.push(copy);
    }
    Ok(copies)
}

/// Starts a Prometheus with the project's rules, if there is one; else says why not.
async fn prometheus(
    args: &PrometheusArgs,
    alerts: &Path,
    target: &Target,
) -> Result<Prometheus, String> {
    if args.no_prometheus {
        return Err("left out".to_owned());
    }
    let run = RunDir::create(None).map_err(|error| error.to_string())?;
    let rule_files = every_second(&rule_files(alerts), &run)?;
    let config = PrometheusConfig {
        program: args.prometheus.clone(),
        targets: target.admin.iter().filter_map(|admin| admin.parse().ok()).collect(),
        rule_files: rule_files.clone(),
        ..PrometheusConfig::default()
    };
    match config.start(&run).await {
        Ok((address, process)) => {
            Ok(Prometheus { address, process, rules: rule_files.len(), _run: run })
        }
        Err(StackError::Missing { what, .. }) => Err(what),
        Err(error) => Err(error.to_string()),
    }
}
