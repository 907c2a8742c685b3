//! The process put together: what the endpoints and the stages share. Starting brings the schema
//! up to date, fixes what is fixed once, and then runs whatever keeps the parts fresh.
//!
//! Belongs here: who owns what, and the order of starting and stopping. Never here: work.

use std::sync::Arc;
use std::time::Duration;

use contract::{Limit, Pool, Stage};
use tokio_util::task::AbortOnDropHandle;

use crate::clock::{self, Clock, Pace};
use crate::commit::Bounds;
use crate::config::Config;
use crate::db::router::{Monitors, Routing};
use crate::db::{self, Db, DbError, deployment, migrate, weeks};
use crate::http::auth::Keys;
use crate::http::rate::Rates;
use crate::ingest::{Ingest, write::Ingester};
use crate::live::Live;
use crate::obs;
use crate::practice::{Practices, Senders};
use crate::provider::Provider;
use crate::readiness::{Latch, Readiness};
use crate::receipts::{Receipts, write::Recorder};
use crate::stages::gate::{Gate, Gates};
use crate::wake::Wake;

/// How long the first write of a group commit waits for company: a fiftieth of the tightest
/// objective of an endpoint that writes.
const COMMIT_LINGER: Duration = Duration::from_millis(5);
/// How often the clock's row is read where it may change.
const CLOCK_POLL: Duration = Duration::from_millis(250);

/// How often the pools' fill is published and the database asked whether it is there.
const WATCH_PERIOD: Duration = Duration::from_secs(1);

/// What the parts of the process share.
pub(crate) struct App {
    /// The settings.
    pub(crate) config: Arc<Config>,
    /// The pools of connections.
    pub(crate) db: Db,
    /// Domain and real time.
    pub(crate) clock: Arc<Clock>,
    /// Settings and rules of practices.
    pub(crate) practices: Arc<Practices>,
    /// Whose sender number it is.
    pub(crate) senders: Senders,
    /// API keys that were checked.
    pub(crate) keys: Arc<Keys>,
    /// How often each practice asked lately.
    pub(crate) rates: Rates,
    /// The way in for appointments.
    pub(crate) ingest: Ingest,
    /// The way in for receipts and replies.
    pub(crate) receipts: Receipts,
    /// Tells the stages that a shard has work.
    pub(crate) wake: Arc<Wake>,
    /// Which stages are held.
    pub(crate) gates: Gates,
    /// Whether the process can do its work.
    pub(crate) readiness: Arc<Readiness>,
    /// Who sends the texts.
    pub(crate) provider: Arc<Provider>,
    /// What the live page shows.
    pub(crate) live: Arc<Live>,
    /// End with the process.
    _monitors: Monitors,
    _watchers: Vec<AbortOnDropHandle<()>>,
}

impl App {
    /// Puts the process together: migrates, fixes the shard count, attaches the days ahead and
    /// reads the clock. Needs the database; on failure it can be called again.
    ///
    /// # Errors
    /// The database is away or refused something.
    pub(crate) async fn start(
        config: Arc<Config>,
        keys: Arc<Keys>,
        readiness: Arc<Readiness>,
        provider: Arc<Provider>,
        live: Arc<Live>,
    ) -> Result<Arc<Self>, DbError> {
        let db = Db::new(&db_settings(&config)).map_err(DbError::Unavailable)?;
        let monitors = Monitors::start(&db).await;
        let applied = migrate::run(&db.leader_settings()?).await?;
        if applied > 0 {
            tracing::info!(applied, "the schema was migrated");
        }
        let fixed = deployment::fix(&db, config.shard_count, obs::process::BUILD).await?;
        obs::process::deployed(fixed.deployed_at);
        let shard_count = fixed.shard_count;
        if shard_count != config.shard_count {
            tracing::warn!(
                configured = config.shard_count,
                fixed = shard_count,
                "the shard count was fixed when the database was made; that one holds"
            );
        }
        readiness.set(Latch::Migrated, true);
        let conn = db.get(Pool::Upkeep).await?;
        let pace = if config.env.is_production() { Pace::REAL } else { clock::read(&conn).await? };
        let clock = Clock::new(pace);
        let horizon = config.limit(Limit::PlanHorizonDays);
        weeks::attach(&conn, clock.domain_now(), horizon).await?;
        drop(conn);
        readiness.set(Latch::Clock, true);
        readiness.set(Latch::Database, true);

        let practices = Arc::new(practices(&config, &db, shard_count));
        let wake = Wake::start(&db, shard_count);
        let gates = Gates::new(config.stage_gates);
        let recorder = Recorder { db: db.clone(), clock: Arc::clone(&clock) };
        let watchers = vec![
            AbortOnDropHandle::new(tokio::spawn(watch_clock(&config, &clock, &db))),
            AbortOnDropHandle::new(tokio::spawn(watch(db.clone(), Arc::clone(&readiness)))),
        ];
        let this = Arc::new(Self {
            rates: Rates::new(config.limit(Limit::PracticeRequests)),
            senders: Senders::new(db.clone(), config.limit_usize(Limit::SenderCache)),
            ingest: ingest(&config, &db, &clock, &wake, shard_count, gates.of(Stage::Plan)),
            receipts: Receipts::start(
                recorder,
                shard_count,
                bounds(&config, Stage::Receive),
                Arc::clone(gates.of(Stage::Receive)),
            ),
            gates,
            config,
            db,
            clock,
            practices,
            keys,
            wake,
            readiness,
            provider,
            live,
            _monitors: monitors,
            _watchers: watchers,
        });
        tokio::spawn(watch_queues(Arc::downgrade(&this)));
        Ok(this)
    }

    /// Waits until all that was taken in is committed. Nothing may come in any more.
    pub(crate) async fn drained(&self) {
        self.ingest.drained().await;
        self.receipts.drained().await;
    }
}

/// What the pools need of the settings.
pub(crate) fn db_settings(config: &Config) -> db::Settings {
    let replicas = config.database_replica_urls.iter();
    db::Settings {
        url: config.database_url.expose().to_owned(),
        replica_urls: replicas.map(|url| url.expose().to_owned()).collect(),
        connections: config.database_connections,
        replica_connections: config.database_replica_connections,
        pool_sizes: config.database_pool_sizes.given(),
        statement_timeout: config.database_statement_timeout_ms,
        replica_statement_timeout: config.database_replica_statement_timeout_ms,
        ca_file: config.database_ca_file.clone(),
        routing: Routing {
            interval: config.database_look_ms,
            patience: config.database_catch_up_ms,
            fallback_reads: config.limit_usize(Limit::FallbackReads),
            fallback_reports: config.limit_usize(Limit::FallbackReports),
            foreign_tokens: config.limit_usize(Limit::ForeignTokens),
            fallback_wait: Duration::from_millis(config.limit(Limit::FallbackWaitMs)),
            check: Duration::from_millis(config.limit(Limit::ReplicaCheckMs)),
            failures: config.limit(Limit::ReplicaFailures),
            pause: Duration::from_millis(config.limit(Limit::ReplicaPauseMs)),
            ahead: config.limit(Limit::TokenAheadBytes),
            tokens: config.limit_usize(Limit::ReadTokens),
        },
    }
}

/// Settings and rules of practices, as the process knows them.
pub(crate) fn practices(config: &Config, db: &Db, shard_count: i16) -> Practices {
    Practices::new(db.clone(), shard_count, config.limit_usize(Limit::PracticeCache))
}

/// The way in for appointments.
pub(crate) fn ingest(
    config: &Config,
    db: &Db,
    clock: &Arc<Clock>,
    wake: &Arc<Wake>,
    shard_count: i16,
    gate: &Arc<Gate>,
) -> Ingest {
    let ingester = Ingester::new(db.clone(), Arc::clone(clock), Arc::clone(wake), config);
    Ingest::start(ingester, shard_count, bounds(config, Stage::Plan), Arc::clone(gate))
}

fn bounds(config: &Config, stage: Stage) -> Bounds {
    Bounds {
        queue_max: config.limit_usize(Limit::CommitQueue),
        batch_max: stage.spec().batch_max as usize,
        linger: COMMIT_LINGER,
        flushers: config.tasks(stage),
    }
}

fn watch_clock(config: &Config, clock: &Arc<Clock>, db: &Db) -> impl Future<Output = ()> + use<> {
    // In production domain time is real time, whatever the row says.
    let is_production = config.env.is_production();
    let (clock, db) = (Arc::clone(clock), db.clone());
    async move {
        if !is_production {
            clock::poll(clock, db, CLOCK_POLL).await;
        }
    }
}

/// Publishes how full the fuller one of the group commits' queues is, and how many keys are looked
/// up, until the process ends.
async fn watch_queues(app: std::sync::Weak<App>) {
    let mut timer = tokio::time::interval(WATCH_PERIOD);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let Some(app) = app.upgrade() else { return };
        let fuller = app.ingest.used_ratio().max(app.receipts.used_ratio());
        obs::limit::used(Limit::CommitQueue, fuller);
        app.keys.observe();
    }
}

/// Publishes how full the pools are, and turns the latch of the database.
async fn watch(db: Db, readiness: Arc<Readiness>) {
    let mut timer = tokio::time::interval(WATCH_PERIOD);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        db.observe();
        let probe = async {
            let conn = db.get(Pool::Upkeep).await?;
            conn.row_opt(contract::Query::ReadinessProbe, &[]).await
        };
        match probe.await {
            Ok(row) => {
                let writable = row.is_some_and(|row| row.get(0));
                readiness.set(Latch::Database, writable);
            }
            // A full pool says nothing about the database.
            Err(DbError::PoolTimeout(_)) => {}
            Err(_) => {
                readiness.set(Latch::Database, false);
            }
        }
    }
}
