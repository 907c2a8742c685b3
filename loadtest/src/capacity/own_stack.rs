//! The reminder service on a stack of one's own: a rate of texts is a day of so many, replayed in
//! so short a time, with all that belongs to a text (its booking, changes, look-ups, receipts,
//! replies). Each step has a fresh stack: what an earlier day left to be done would be on top of
//! this one's rate.
//!
//! Harness, simulator, service and PostgreSQL share the machine, which gives out as a whole; so a
//! harness that waits for a processor spoils nothing here, steal does. Never here: the replay.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::Query;
use serde::Deserialize;

use super::any_service::backlog;
use super::args::CapacityArgs;
use super::enough::{texts, texts_enough};
use super::resources::{self, Outside, Used};
use super::step::{Kind, Measured, Sent, Written};
use crate::client::Client;
use crate::day::{Options, Plan};
use crate::demo::stack_up::{Shape, StackUp};
use crate::demo::{StackArgs, program};
use crate::dev;
use crate::engine::machine::Spoilt;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::replay::{self, Settings, Target};
use crate::report::units::{count, share};
use crate::report::{EndpointRow, PoolRow, ProcessRow, Report, Series, ServerRow, StageRow};
use crate::scrape::Metrics;

/// A day that is replayed in less finds the service's own timers, which don't run faster.
pub(super) const DAY_MIN: Duration = Duration::from_secs(60);
/// A day of more texts than a plan takes can't be made.
pub(super) const RATE_MAX: f64 = 10_000.0;
const SIZE: &str = "database_size_bytes";

/// The reminder service.
pub(super) struct OwnStack<'a> {
    args: &'a CapacityArgs,
    dir: &'a Path,
    program: PathBuf,
    /// Texts of a day in which the rarest critical kind comes often enough.
    texts_enough: f64,
    /// False once a day's logs or goose's report could not be written.
    is_whole: AtomicBool,
}

/// A day to be replayed, and on what.
pub(super) struct Day {
    /// Where goose's report goes, and the logs where something failed.
    pub(super) dir: PathBuf,
    /// Texts a second.
    pub(super) rate: f64,
    /// Texts.
    pub(super) messages: u64,
    /// Shards of the database.
    pub(super) shards: u16,
    /// How the stack differs from others.
    pub(super) shape: Shape,
}

/// What was observed of a day.
pub(super) struct Observed {
    pub(super) measured: Measured,
    /// The most connections that there may be, by pool, as the service says.
    pub(super) connections: Vec<(String, f64)>,
    pub(super) pools: Vec<PoolRow>,
    pub(super) stages: Vec<StageRow>,
}

/// What the service's statements wrote so far, and how large its database is.
#[derive(Debug, Clone, Copy)]
struct Disk {
    log_bytes: f64,
    size_bytes: f64,
}

#[derive(Deserialize)]
struct Queries {
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct Statement {
    server: Option<Served>,
}

#[derive(Deserialize)]
struct Served {
    wal_bytes: f64,
}

/// Seconds of a day in which texts are due.
pub(super) fn window_seconds() -> f64 {
    let Options { window_from, window_until, .. } = Options::default();
    window_from.duration_until(window_until).as_secs_f64()
}

impl<'a> OwnStack<'a> {
    /// Finds what is needed.
    pub(super) fn new(args: &'a CapacityArgs, dir: &'a Path) -> Result<Self, Failure> {
        let program = program(args.stack.punctual.as_deref())?;
        let texts_enough = texts_enough(args.search.confidence / 100.0)?;
        Ok(Self { args, dir, program, texts_enough, is_whole: AtomicBool::new(true) })
    }

    /// Where reports go.
    pub(super) const fn dir(&self) -> &Path {
        self.dir
    }

    /// Replays a day of this rate on a stack that is started for it.
    pub(super) async fn measure(
        &self,
        number: usize,
        rate: f64,
        interrupt: &Interrupt,
    ) -> Result<Measured, Failure> {
        let length = self.args.search.step.max(DAY_MIN).as_secs_f64();
        let day = Day {
            dir: self.dir.join("steps").join(format!("{:02}-{rate}", number + 1)),
            rate,
            messages: texts(rate * length, self.texts_enough),
            shards: self.args.stack.shards,
            shape: Shape::demo(&self.args.stack),
        };
        self.day(&day, interrupt).await.map(|observed| observed.measured)
    }

    /// Replays a day on a stack that is started for it.
    pub(super) async fn day(&self, day: &Day, interrupt: &Interrupt) -> Result<Observed, Failure> {
        let Day { dir, rate, messages, shards, shape } = day;
        let seed = self.args.work.seed;
        let options = Options { seed, messages: *messages, book: Some(0), ..Options::default() };
        let plan = tokio::task::spawn_blocking(move || dev::plan(&options)).await;
        let plan = Arc::new(plan.map_err(|error| Failure::Unavailable(error.to_string()))??);
        let args = StackArgs { shards: *shards, ..self.args.stack.clone() };
        let stack = tokio::select! {
            stack = StackUp::start_as(shape, &args, &self.program, seed) => stack?,
            () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
        };
        announce!("{}", stack.first_lines());
        let settings = Settings {
            users: self.args.how.connections,
            speed: Some(window_seconds() * rate / *messages as f64),
            goose_dir: dir.join("goose"),
            logs_dir: Some(dir.clone()),
            dashboard_port: self.args.how.dashboard,
            source: String::new(),
            left_out: Vec::new(),
        };
        let observed = self.replay(plan, &stack, &settings, interrupt).await;
        if self.args.stack.keep || observed.is_err() {
            stack.keep_logs(&dir.join("logs"));
        }
        stack.stop().await;
        observed
    }

    async fn replay(
        &self,
        plan: Arc<Plan>,
        stack: &StackUp,
        settings: &Settings,
        interrupt: &Interrupt,
    ) -> Result<Observed, Failure> {
        let target = stack.target();
        let before = disk(&target).await?;
        let watched = stack.watched();
        let report = replay::run_unjudged(plan, &target, settings, watched, interrupt).await?;
        let after = disk(&target).await?;
        Ok(self.observed(report, before, after))
    }

    /// Whether all that the days leave behind could be written.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    fn observed(&self, report: Report, before: Disk, after: Disk) -> Observed {
        self.is_whole.fetch_and(report.is_whole, Ordering::Relaxed);
        Observed {
            measured: self.measured(&report, before, after),
            connections: resources::connections(&report.inside),
            pools: report.pools,
            stages: report.stages,
        }
    }

    fn measured(&self, report: &Report, before: Disk, after: Disk) -> Measured {
        let seconds = &report.series.seconds;
        let steal = seconds.iter().filter(|s| s.spoilt == Some(Spoilt::Steal)).count();
        let stolen = steal as f64 / seconds.len().max(1) as f64;
        let most = self.args.judged.spoilt_max / 100.0;
        let span = report.day.seconds - report.day.drain_seconds;
        let texts = report.day.accepted.max(1) as f64;
        let backlog = backlog("pending_messages", &report.inside, span);
        // What stands before the stages in the mean is what is at work.
        let at_work = backlog.iter().map(|p| p.1).sum::<f64>() / backlog.len().max(1) as f64;
        let outside =
            Outside { seconds, concurrency: 0.0, connections: self.args.how.connections as u64 };
        let mut used = resources::used(&outside, &report.inside);
        used.extend(report.processes.iter().map(|row| by_process(row, report)));
        let spoilt = (stolen > most).then(|| {
            let all = count(seconds.len() as u64);
            format!("{steal} of {all} seconds were spoilt by steal, {} at most", share(most))
        });
        Measured {
            plan: Sent {
                hash: report.run.plan_hash.clone(),
                source: format!("a day of {} texts", count(report.run.messages_planned)),
                seed: Some(report.run.seed),
            },
            kinds: report
                .endpoints
                .iter()
                .filter(|row| row.tier == "critical")
                .map(endpoint)
                .chain(report.journeys.iter().filter_map(journey))
                .collect(),
            achieved_ratio: achieved(&report.series),
            backlog,
            written: Written {
                log_bytes: Some((after.log_bytes - before.log_bytes).max(0.0) / texts),
                disk_bytes: Some((after.size_bytes - before.size_bytes).max(0.0) / texts),
            },
            undone: report.day.undrained.then(|| "the day was not done at the deadline".to_owned()),
            point: (spoilt.is_none() && at_work > 0.0).then_some((at_work, texts / span.max(1e-9))),
            spoilt,
            used,
            held: resources::held(&report.inside, span),
            checkouts: resources::checkouts(&report.inside, span),
        }
    }
}

fn endpoint(row: &EndpointRow) -> Kind {
    let counts = &row.counts;
    Kind {
        name: row.name.to_owned(),
        total: counts.total,
        good: counts.good,
        all: counts.total,
        failed: counts.failed + counts.unanswered + counts.unsent,
        objective_seconds: row.objective_seconds,
        objective_share: row.objective_share,
        p99_seconds: row.response.p99,
    }
}

/// What was sent until the last request was to leave, of what was to: a day waits for all of its
/// requests, so what is sent after that came late, and all of them come.
fn achieved(series: &Series) -> f64 {
    let Series { offered, sent, .. } = series;
    let in_time: u64 = sent.iter().take(offered.len()).sum();
    in_time as f64 / offered.iter().sum::<u64>().max(1) as f64
}

/// By the operators' pages: the harness knows no SQL.
async fn disk(target: &Target) -> Result<Disk, Failure> {
    let admin = target.admin.first().map_or("", String::as_str);
    let mut client = Client::new(admin, None)?;
    let path = format!("/debug/queries?limit={}", Query::COUNT);
    let queries: Queries = client.get(&path).await?;
    let log = queries.statements.iter().filter_map(|s| s.server.as_ref()).map(|s| s.wal_bytes);
    let metrics = Metrics::parse_some(&client.text("/metrics").await?, &[SIZE]);
    Ok(Disk { log_bytes: log.sum(), size_bytes: metrics.sum(SIZE, &[]) })
}

/// A process's part of the machine's processors.
fn by_process(row: &ProcessRow, report: &Report) -> Used {
    let whole = report.day.seconds * report.run.processors as f64;
    let ratio = if whole > 0.0 { row.cpu_seconds / whole } else { 0.0 };
    Used { name: format!("the processors, by {}", row.name), ratio }
}

/// A critical path as the service measured it; what failed there is counted by the endpoints.
fn journey(row: &ServerRow) -> Option<Kind> {
    let good = row.good_share? * row.count as f64;
    Some(Kind {
        name: row.name.to_owned(),
        total: row.count,
        good: good.round() as u64,
        all: row.count,
        failed: 0,
        objective_seconds: row.objective_seconds,
        objective_share: row.objective_share,
        p99_seconds: row.p99_seconds.unwrap_or(0.0),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::capacity::args::parsed;
    use crate::capacity::load::Load;
    use crate::engine::machine::Second;
    use crate::inside::Panel;
    use crate::report::sample;
    use crate::report::sheet::Unit;

    const DISK: Disk = Disk { log_bytes: 0.0, size_bytes: 0.0 };

    fn own(args: &CapacityArgs) -> OwnStack<'_> {
        let (dir, program) = (Path::new("."), PathBuf::new());
        OwnStack { args, dir, program, texts_enough: 0.0, is_whole: AtomicBool::new(true) }
    }

    #[test]
    fn what_one_day_could_not_write_is_missing_from_the_whole() {
        let args = parsed(&[]).unwrap();
        let own = own(&args);
        own.observed(sample::report(), DISK, DISK);
        assert!(own.is_whole());
        own.observed(Report { is_whole: false, ..sample::report() }, DISK, DISK);
        own.observed(sample::report(), DISK, DISK);
        let load = Load::Own(own);
        assert!(!load.is_whole());
    }

    /// What a machine that was away made of it is no point of the service's law.
    #[test]
    fn a_day_that_steal_spoilt_has_no_point() {
        let args = parsed(&[]).unwrap();
        let mut report = sample::report();
        let sum = (0..40).map(|s| (f64::from(s), 7.0)).collect();
        report.inside.panels.push(Panel {
            title: "work that stands before the stages".to_owned(),
            family: "pending_messages".to_owned(),
            unit: Unit::Number,
            lines: BTreeMap::new(),
            left_out: 0,
            sum,
        });
        let second = |spoilt| Second {
            steal_ratio: 0.0,
            busy_ratio: 0.5,
            used_seconds: 0.1,
            waited_seconds: 0.0,
            spoilt,
        };
        report.series.seconds = vec![second(None); 40];
        let measured = own(&args).measured(&report, DISK, DISK);
        assert_eq!((measured.point, measured.spoilt), (Some((7.0, 20_000.0 / 37.5)), None));
        report.series.seconds[..10].fill(second(Some(Spoilt::Steal)));
        let measured = own(&args).measured(&report, DISK, DISK);
        assert!(measured.spoilt.is_some() && measured.point.is_none(), "{measured:?}");
    }

    #[test]
    fn what_is_sent_after_the_end_was_not_achieved() {
        let args = parsed(&[]).unwrap();
        let mut report = sample::report();
        report.series.offered = vec![10; 30];
        report.series.sent = [vec![10; 20], vec![0; 15], vec![10; 10]].concat();
        assert_eq!(own(&args).measured(&report, DISK, DISK).achieved_ratio, 2.0 / 3.0);
        report.series.sent = vec![10; 30];
        assert_eq!(own(&args).measured(&report, DISK, DISK).achieved_ratio, 1.0);
    }
}
