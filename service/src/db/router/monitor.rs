//! One task a server that looks at it again and again, on a connection of its own: a server whose
//! pools are exhausted is still seen. On the primary it gives the heartbeat.
//!
//! Never here: what follows from a look (`view`).

use std::time::Duration;

use contract::{Pool, Query};
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::look::Look;
use super::{Db, Routing};
use crate::db::DbError;
use crate::db::pools::{Settings, connection_config};
use crate::db::single::Single;

/// A server that doesn't say how it is in this time is hung.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long the first looks may take before the process begins without those that are missing.
const FIRST_LOOKS: Duration = Duration::from_secs(3);
/// Between two counts of conflicts.
const CONFLICTS_EVERY: Duration = Duration::from_secs(5);
/// A heartbeat is given when the one before is this part of an interval old.
const BEAT_AT: f64 = 0.8;

/// The tasks; they end with it.
pub(crate) struct Monitors {
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Monitors {
    /// Starts to look at all servers and waits until each has been looked at once, or couldn't be.
    pub(crate) async fn start(db: &Db) -> Self {
        let mut views = db.0.view.subscribe();
        let tasks = (0..db.0.servers.len()).map(|server| {
            let (db, settings) = (db.clone(), db.0.settings.of(server));
            AbortOnDropHandle::new(tokio::spawn(Monitor { db, settings, server }.run()))
        });
        let this = Self { _tasks: tasks.collect() };
        let all = views
            .wait_for(|view| view.servers().iter().all(|seen| seen.look.is_some() || seen.is_away));
        let _late = timeout(FIRST_LOOKS, all).await;
        this
    }
}

struct Monitor {
    db: Db,
    settings: Settings,
    server: usize,
}

impl Monitor {
    async fn run(self) {
        let Routing { interval: period, .. } = self.settings.routing;
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut single = None;
        let mut was_away = false;
        let mut counted: Option<Instant> = None;
        loop {
            ticks.tick().await;
            let found = self.look(&mut single).await;
            let name = self.db.0.servers[self.server].name.as_str();
            match &found {
                Ok(_) if was_away => tracing::info!(server = name, "the server answers again"),
                Err(error) if !was_away => {
                    tracing::warn!(server = name, %error, "the server can't be looked at");
                }
                Ok(_) | Err(_) => {}
            }
            was_away = found.is_err();
            let look = found.ok();
            self.db.saw(self.server, look);
            let Some(look) = look else { continue };
            if look.is_primary() {
                // One that was replaced, or is one of two, is written to by nobody.
                if self.db.view().leader() == Ok(self.server) {
                    self.beat(&mut single).await;
                }
            } else if counted.is_none_or(|at| at.elapsed() >= CONFLICTS_EVERY) {
                counted = Some(Instant::now());
                self.conflicts(&mut single).await;
            }
        }
    }

    /// Looks at the server. A connection that failed is given up.
    async fn look(&self, single: &mut Option<Single>) -> Result<Look, DbError> {
        let connection = match single.take() {
            Some(connection) => connection,
            None => timeout(DEADLINE, self.connect()).await.map_err(|_elapsed| {
                DbError::Unavailable("opening a connection took too long".into())
            })??,
        };
        let at = Instant::now();
        let rows = connection.rows(Query::ServerLook, &[]).await?;
        let row = rows.first().ok_or(DbError::Unavailable("it said nothing of itself".into()))?;
        let unreadable = |error: tokio_postgres::Error| {
            DbError::Unavailable(format!("what it says of itself can't be read: {error}"))
        };
        let mut look = Look::of(row, at).map_err(unreadable)?;
        if !look.is_primary() {
            // Before the schema is there, there is none.
            look.beat = match connection.rows(Query::ServerHeartbeat, &[]).await {
                Ok(rows) => rows.first().and_then(|row| row.try_get::<_, Timestamp>(0).ok()),
                Err(error) if error.is_unavailable() => return Err(error),
                Err(_) => None,
            };
        }
        *single = Some(connection);
        Ok(look)
    }

    /// Gives the heartbeat, which says how old replicas are. Who is written to doesn't depend on
    /// it: what was seen is published before.
    async fn beat(&self, single: &mut Option<Single>) {
        if self.db.0.servers.len() < 2 {
            return;
        }
        let Some(connection) = single.take() else { return };
        let age = self.settings.routing.interval.as_secs_f64() * BEAT_AT;
        match connection.rows(Query::ServerBeat, &[&age]).await {
            // Something of it may still run there.
            Err(error) if error.is_unavailable() => {}
            Ok(_) | Err(_) => *single = Some(connection),
        }
    }

    async fn connect(&self) -> Result<Single, DbError> {
        let mut config = connection_config(&self.settings, Pool::Upkeep, DEADLINE)
            .map_err(DbError::Unavailable)?;
        // The heartbeat waits for no other server: it is to say how far those are.
        let options = config.get_options().unwrap_or_default();
        let options = format!("{options} -c synchronous_commit=local");
        config.options(options).application_name("punctual monitor").connect_timeout(DEADLINE);
        Single::connect(&config, self.settings.ca_file.as_deref(), DEADLINE, drop).await
    }

    async fn conflicts(&self, single: &mut Option<Single>) {
        let Some(connection) = single.take() else { return };
        let rows = match connection.rows(Query::ServerConflicts, &[]).await {
            Ok(rows) => rows,
            Err(error) if error.is_unavailable() => return,
            Err(_) => Vec::new(),
        };
        *single = Some(connection);
        let series = &self.db.0.servers[self.server].series;
        for row in rows {
            if let (Ok(kind), Ok(total)) = (row.try_get("kind"), row.try_get("total")) {
                series.conflicts(kind, total);
            }
        }
    }
}
