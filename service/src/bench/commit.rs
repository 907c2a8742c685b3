//! `punctual bench commit`: what the group commit gains. The same bookings, one appointment a
//! request, by the same number of concurrent callers: through the group commit as the service has
//! it, and with a transaction for each, over as many connections as the pool has. The two take
//! turns, so that whatever else the machine does meets both.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::{Pool, Stage, shard_of};
use serde::Serialize;
use tokio::task::JoinSet;

use super::Failed;
use super::counters::{Count, Counters};
use super::day::{self, Day};
use super::door::{Door, Statement};
use super::ground::Ground;
use super::progress::Progress;
use super::table::{Table, grouped};
use crate::app::App;
use crate::cli::Exit;
use crate::commit::Bounds;
use crate::config::Config;
use crate::ingest::{Appointment, Change, Ingest, write::Ingester};
use crate::practice::Revision;
use crate::practice::store::{self, Put};
use crate::stages::gate::Gate;

/// PostgreSQL publishes what it has written ahead at most once a second.
const WAL_SETTLES: Duration = Duration::from_millis(1_500);

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Callers at a time.
    pub(super) callers: usize,
    /// Requests in a round.
    pub(super) requests: usize,
    /// Rounds of each.
    pub(super) rounds: usize,
    /// Print JSON.
    pub(super) is_json: bool,
}

/// What one round took.
#[derive(Debug, Clone, Copy)]
struct Round {
    seconds: f64,
    p50_ms: f64,
    p99_ms: f64,
    counted: Count,
    wal_bytes: i64,
    wal_syncs: i64,
}

/// One way of committing, over all its rounds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Way {
    /// The median round's.
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Commits and begins are statements as well.
    statements_per_request: f64,
    server_ms_per_request: f64,
    buffers_per_request: f64,
    wal_bytes_per_request: f64,
    wal_syncs_per_request: f64,
}

/// All figures.
#[derive(Debug, Serialize)]
struct Report {
    callers: usize,
    requests: usize,
    rounds: usize,
    connections: usize,
    group: Way,
    single: Way,
    /// Requests per second, group to single.
    gain: f64,
}

/// The requests of all rounds, each a practice and one appointment.
type Requests = Arc<Mutex<VecDeque<(Arc<Revision>, Appointment)>>>;

/// Runs it and prints the table.
pub(super) async fn run(options: &Options, config: &Config) -> Result<Exit, Failed> {
    let ground = Ground::prepare(config, day::booked_at()).await?;
    let app = &ground.app;
    let connections = connections(config);
    let ingester = Ingester::new(app.db.clone(), app.clock.clone(), app.wake.clone(), &app.config);
    let single = Arc::new(Ingest::start(
        ingester,
        app.practices.shard_count(),
        Bounds {
            // A request is let out of the queue only after its caller was answered.
            queue_max: 2 * options.callers,
            batch_max: 1,
            linger: Duration::ZERO,
            flushers: connections,
        },
        Gate::always_open(Stage::Plan),
    ));
    let total = options.requests * options.rounds * 2;
    // One more round of each, whose figures are left out: connections and plans are made in it.
    let all = total + 2 * options.requests;
    let requests = requests(app, all).await?;
    let progress = Arc::new(Progress::begin("commit", all as u64));
    let (mut grouped, mut singles) = (Vec::new(), Vec::new());
    for _ in 0..=options.rounds {
        for (ways, single) in [(&mut grouped, None), (&mut singles, Some(&single))] {
            let callers = Callers {
                app: Arc::clone(app),
                single: single.cloned(),
                requests: Arc::clone(&requests),
                progress: Arc::clone(&progress),
            };
            ways.push(callers.round(options, &ground.door).await?);
        }
    }
    let (group, single) = (way(&grouped[1..], options), way(&singles[1..], options));
    let report = Report {
        callers: options.callers,
        requests: options.requests,
        rounds: options.rounds,
        connections,
        gain: group.requests_per_second / single.requests_per_second,
        group,
        single,
    };
    drop(progress);
    if options.is_json {
        println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    } else {
        print!("{}", report.text());
    }
    Ok(Exit::Done)
}

/// Of the pool that bookings use.
fn connections(config: &Config) -> usize {
    let shares: u32 = Pool::ALL.iter().map(|pool| pool.spec().share).sum();
    let own = config.database_connections * Pool::Interactive.spec().share / shares;
    usize::try_from(own.max(1)).unwrap_or(usize::MAX)
}

/// Makes the practices, and bookings for them.
async fn requests(app: &Arc<App>, n: usize) -> Result<Requests, Failed> {
    let day = Day::of_texts(2 * n);
    let mut revisions = std::collections::HashMap::new();
    for wanted in day.practices() {
        let shard = shard_of(wanted.newest.practice_id, app.practices.shard_count());
        match store::put(&app.db, shard, wanted, app.clock.real_now()).await? {
            Put::Created(practice) | Put::Changed(practice) | Put::Unchanged(practice) => {
                revisions.insert(practice.newest.practice_id, practice.newest);
            }
            Put::SenderTaken => return Err(Failed::Wrong("a sender number is taken".into())),
            Put::ZoneUnknown => return Err(Failed::Wrong("the time zone is unknown".into())),
        }
    }
    let of_one_shard = day.requests(1).into_iter().flatten();
    let requests = of_one_shard.filter_map(|(practice_id, items)| {
        Some((Arc::clone(revisions.get(&practice_id)?), items.into_iter().next()?))
    });
    Ok(Arc::new(Mutex::new(requests.take(n).collect())))
}

/// Everybody who calls in a round.
struct Callers {
    app: Arc<App>,
    /// The way without company; the service's own without it.
    single: Option<Arc<Ingest>>,
    requests: Requests,
    progress: Arc<Progress>,
}

impl Callers {
    async fn round(self, options: &Options, door: &Door) -> Result<Round, Failed> {
        let (wal_before, counted_before) = (wal(door).await?, Counters::read(door).await?);
        let this = Arc::new(self);
        let each = options.requests.div_ceil(options.callers);
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..options.callers {
            tasks.spawn(Arc::clone(&this).call(each));
        }
        let mut latencies = Vec::with_capacity(options.requests);
        while let Some(ended) = tasks.join_next().await {
            latencies.extend(ended.map_err(|error| Failed::Wrong(error.to_string()))??);
        }
        let seconds = started.elapsed().as_secs_f64();
        let counted = Counters::read(door).await?.since(&counted_before).total();
        let wal_after = wal(door).await?;
        latencies.sort_unstable();
        let quantile = |q: usize| {
            let at = (latencies.len() * q / 100).min(latencies.len().saturating_sub(1));
            latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
        };
        Ok(Round {
            seconds: seconds * options.requests as f64 / latencies.len().max(1) as f64,
            p50_ms: quantile(50),
            p99_ms: quantile(99),
            counted,
            wal_bytes: wal_after.0 - wal_before.0,
            wal_syncs: wal_after.1 - wal_before.1,
        })
    }

    /// One caller: so many requests, one after the other.
    async fn call(self: Arc<Self>, n: usize) -> Result<Vec<Duration>, Failed> {
        let mut latencies = Vec::with_capacity(n);
        for _ in 0..n {
            let next = self.requests.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((revision, appointment)) = next else { break };
            let shard = self.app.practices.shard(revision.practice_id);
            let began = Instant::now();
            let way = self.single.as_deref().unwrap_or(&self.app.ingest);
            way.apply(shard, revision, vec![Change::Upsert(appointment)], began)
                .await
                .map_err(|error| Failed::Wrong(format!("{error:?}")))?;
            latencies.push(began.elapsed());
            self.progress.add(1);
        }
        Ok(latencies)
    }
}

/// Bytes written ahead so far, and how often the disk was waited for.
async fn wal(door: &Door) -> Result<(i64, i64), Failed> {
    tokio::time::sleep(WAL_SETTLES).await;
    let rows = door.rows(Statement::Wal, &[]).await?;
    Ok(rows.first().map_or((0, 0), |row| (row.get("wal_bytes"), row.get("wal_sync"))))
}

/// The median of each figure over the rounds.
fn way(rounds: &[Round], options: &Options) -> Way {
    let n = options.requests as f64;
    let median = |of: &dyn Fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    Way {
        requests_per_second: n / median(&|round| round.seconds),
        p50_ms: median(&|round| round.p50_ms),
        p99_ms: median(&|round| round.p99_ms),
        statements_per_request: median(&|round| round.counted.calls as f64) / n,
        server_ms_per_request: median(&|round| round.counted.exec_ms) / n,
        buffers_per_request: median(&|round| round.counted.buffers as f64) / n,
        wal_bytes_per_request: median(&|round| round.wal_bytes as f64) / n,
        wal_syncs_per_request: median(&|round| round.wal_syncs as f64) / n,
    }
}

impl Report {
    fn text(&self) -> String {
        let mut table = Table::new(&["a request", "group commit", "one by one", "ratio"]);
        let mut row = |name: &str, of: fn(&Way) -> f64, digits: usize| {
            let (group, single) = (of(&self.group), of(&self.single));
            let ratio = group / single;
            table.row(vec![
                name.to_owned(),
                format!("{group:.digits$}"),
                format!("{single:.digits$}"),
                if ratio.is_finite() { format!("{ratio:.2}") } else { "-".to_owned() },
            ]);
        };
        row("requests/s", |way| way.requests_per_second, 0);
        row("p50, ms", |way| way.p50_ms, 1);
        row("p99, ms", |way| way.p99_ms, 1);
        row("statements", |way| way.statements_per_request, 2);
        row("PostgreSQL, ms", |way| way.server_ms_per_request, 3);
        row("buffers", |way| way.buffers_per_request, 1);
        row("WAL bytes", |way| way.wal_bytes_per_request, 0);
        row("WAL syncs", |way| way.wal_syncs_per_request, 3);
        format!(
            "{}\n{} callers; one by one over {} connections; medians of {} rounds of {} each, in \
             turns.\n",
            table.text(),
            self.callers,
            self.connections,
            self.rounds,
            grouped(self.requests as u64),
        )
    }
}
