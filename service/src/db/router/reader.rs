//! A reader: runs statements that a replica may answer, on one server, so that later ones never see
//! less than earlier ones. A replica is asked how far it is on the very connection that is read
//! from, in the same packet as the first statement; where it is behind the reader's own write, or
//! fails, the primary answers instead, once, within a budget.
//!
//! Never here: which replica (`choose`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::{Limit, Pool, Query, Read, RouteReason};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::PgLsn;

use super::Db;
use super::choose::{Ask, Choice, choose};
use super::token::{After, History};
use crate::db::conn::{Conn, Params};
use crate::db::error::DbError;
use crate::obs;
use crate::obs::holder::Holder;

/// A replica that doesn't say in this time how far it is is hung.
const CHECK_TIME: Duration = Duration::from_millis(500);
/// Between two questions to a replica that is nearly there: doubled from the first to the last.
const ASK_FIRST: Duration = Duration::from_micros(500);
const ASK_LAST: Duration = Duration::from_millis(8);

/// What a reader reads for: which pools it has, and what is given up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Somebody waits for it.
    Read,
    /// A report.
    Report,
}

impl Class {
    pub(super) const ALL: [Self; 2] = [Self::Read, Self::Report];

    const fn on_replica(self) -> Pool {
        match self {
            Self::Read => Pool::ReplicaInteractive,
            Self::Report => Pool::ReplicaReporting,
        }
    }

    const fn on_primary(self) -> Pool {
        match self {
            Self::Read => Pool::Interactive,
            Self::Report => Pool::Reporting,
        }
    }

    const fn fallback(self) -> Limit {
        match self {
            Self::Read => Limit::FallbackReads,
            Self::Report => Limit::FallbackReports,
        }
    }
}

/// Runs reads.
pub(crate) struct Reader {
    db: Db,
    class: Class,
    after: After,
    place: Place,
}

enum Place {
    /// The first read decides.
    Open,
    Replica(Box<OnReplica>),
    Primary(Box<OnPrimary>),
}

struct OnPrimary {
    conn: Conn,
    reason: RouteReason,
    /// Where a replica should have answered.
    _fallen_back: Option<OwnedSemaphorePermit>,
}

struct OnReplica {
    conn: Conn,
    class: Class,
    found: Found,
    /// What it must have replayed.
    lsn: u64,
    patience: Duration,
    /// Set once it has been asked how far it is.
    reason: Option<RouteReason>,
}

/// A replica that was chosen.
pub(crate) struct Found {
    visit: Visit,
    /// Which it must be in.
    history: Option<History>,
    /// How old its answer is at most; none while there is no primary.
    staleness: Option<Duration>,
}

impl Reader {
    pub(super) const fn new(db: Db, class: Class, after: After) -> Self {
        Self { db, class, after, place: Place::Open }
    }

    /// Runs a read that returns at most one row.
    pub(crate) async fn row_opt(
        &mut self,
        read: Read,
        params: Params<'_>,
    ) -> Result<Option<Row>, DbError> {
        Ok(self.rows(read, params).await?.pop())
    }

    /// Runs a read and returns its rows.
    pub(crate) async fn rows(
        &mut self,
        read: Read,
        params: Params<'_>,
    ) -> Result<Vec<Row>, DbError> {
        if matches!(self.place, Place::Open) {
            self.place = self.find(read).await?;
        }
        if let Place::Replica(replica) = &mut self.place {
            let reason = match replica.rows(read, params).await {
                Ok(rows) => {
                    let reason = replica.reason.unwrap_or(RouteReason::Fresh);
                    obs::route::decided(read, reason);
                    if let Some(staleness) = replica.found.staleness {
                        obs::route::served(staleness);
                    }
                    return Ok(rows);
                }
                Err(Fall::Itself(error)) => return Err(error),
                Err(Fall::Back(reason)) => reason,
            };
            // The replica's connection goes back before another one is waited for.
            self.place = Place::Open;
            self.place = self.primary(read, reason).await?;
        }
        let Place::Primary(primary) = &self.place else {
            return Err(DbError::Unavailable("a reader found no server".into()));
        };
        obs::route::decided(read, primary.reason);
        primary.conn.rows(read.query(), params).await
    }

    /// Where the first read goes.
    async fn find(&self, read: Read) -> Result<Place, DbError> {
        let found = match self.decide(read) {
            Ok(found) => found,
            Err(reason) => return self.primary(read, reason).await,
        };
        let pools = &self.db.0.servers[found.visit.server].pools;
        match pools.get(Holder::current(), self.class.on_replica()).await {
            Ok(conn) => Ok(Place::Replica(Box::new(OnReplica {
                conn,
                class: self.class,
                found,
                lsn: match self.after {
                    After::At(token) => token.lsn,
                    After::Nothing | After::Several => 0,
                },
                patience: self.db.0.settings.routing.patience,
                reason: None,
            }))),
            Err(DbError::PoolTimeout(_)) => self.primary(read, RouteReason::Busy).await,
            Err(_) => {
                found.visit.failed();
                self.primary(read, RouteReason::Broken).await
            }
        }
    }

    /// Which replica a read goes to, or why the primary: the whole cost of routing beside the
    /// connection itself.
    pub(crate) fn decide(&self, read: Read) -> Result<Found, RouteReason> {
        let now = Instant::now();
        let ask = Ask {
            after: self.after,
            staleness_max: Duration::from_secs(read.staleness_max_seconds().into()),
            patience: self.db.0.settings.routing.patience,
        };
        let view = self.db.view();
        match choose(&view, &ask, now, &*self.db.0) {
            Choice::Replica { server, staleness } => {
                let visit = Visit::begin(&self.db, server, now);
                let visit = visit.ok_or(RouteReason::BreakerOpen)?;
                Ok(Found { visit, history: view.history(), staleness })
            }
            Choice::Primary(reason) => {
                if reason == RouteReason::Behind {
                    obs::route::prevented(read);
                }
                Err(reason)
            }
        }
    }

    /// To the primary, and why. Where a replica should have answered, within the budget.
    async fn primary(&self, read: Read, reason: RouteReason) -> Result<Place, DbError> {
        let permit = if reason == RouteReason::NoReplica {
            None
        } else {
            let places = &self.db.0.fallbacks[self.class as usize];
            let Ok(permit) = std::sync::Arc::clone(places).try_acquire_owned() else {
                obs::limit::reached(self.class.fallback());
                obs::route::decided(read, RouteReason::Shed);
                return Err(DbError::Shed);
            };
            Some(permit)
        };
        let conn = self.db.get(self.class.on_primary()).await?;
        Ok(Place::Primary(Box::new(OnPrimary { conn, reason, _fallen_back: permit })))
    }
}

/// Why a replica's answer isn't one.
enum Fall {
    /// The primary has to answer.
    Back(RouteReason),
    /// It would say the same.
    Itself(DbError),
}

impl OnReplica {
    async fn rows(&mut self, read: Read, params: Params<'_>) -> Result<Vec<Row>, Fall> {
        if self.reason.is_some() {
            return self.ended(self.conn.rows(read.query(), params).await);
        }
        // First asked, first answered: what the check sees replayed, the read sees as well. Where
        // the check fails, nobody waits for the read.
        let (has_it, rows) = tokio::try_join!(
            biased;
            self.has_it(),
            async { Ok(self.conn.rows(read.query(), params).await) },
        )?;
        if has_it {
            self.reason = Some(match (self.found.staleness, self.lsn) {
                (None, _) => RouteReason::PrimaryLost,
                (Some(_), 0) => RouteReason::Fresh,
                (Some(_), _) => RouteReason::CaughtUp,
            });
            return self.ended(rows);
        }
        obs::route::prevented(read);
        let began = Instant::now();
        let waited = self.wait(began).await;
        obs::route::waited(began.elapsed());
        waited?;
        self.reason = Some(RouteReason::Waited);
        self.ended(self.conn.rows(read.query(), params).await)
    }

    /// Asks again and again until the replica has what is asked for, or patience is at its end.
    async fn wait(&self, began: Instant) -> Result<(), Fall> {
        let mut pause = ASK_FIRST;
        loop {
            let left = self.patience.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(Fall::Back(RouteReason::Behind));
            }
            sleep(pause.min(left)).await;
            if self.has_it().await? {
                return Ok(());
            }
            pause = (pause * 2).min(ASK_LAST);
        }
    }

    /// Asks the server at the other end whether it is still a replica of the history, and whether
    /// it has replayed what must be seen.
    async fn has_it(&self) -> Result<bool, Fall> {
        let asked = timeout(CHECK_TIME, self.conn.rows(Query::ServerCheck, &[])).await;
        let row = match asked {
            Ok(Ok(mut rows)) => rows.pop(),
            Ok(Err(error)) => return Err(self.fall(error)),
            Err(_elapsed) => None,
        };
        let Some(row) = row else {
            self.found.visit.failed();
            return Err(Fall::Back(RouteReason::Broken));
        };
        if !row.get::<_, bool>("in_recovery") {
            return Err(Fall::Back(RouteReason::Promoted));
        }
        let timeline: Option<i32> = row.get("timeline");
        let expected = self.found.history.map(|history| history.timeline);
        if timeline.is_some_and(|timeline| Some(timeline.cast_unsigned()) != expected) {
            return Err(Fall::Back(RouteReason::OtherHistory));
        }
        Ok(u64::from(row.get::<_, PgLsn>("lsn")) >= self.lsn)
    }

    fn ended(&self, result: Result<Vec<Row>, DbError>) -> Result<Vec<Row>, Fall> {
        match result {
            Ok(rows) => {
                self.found.visit.succeeded();
                Ok(rows)
            }
            Err(error) => Err(self.fall(error)),
        }
    }

    /// What a failure on a replica means.
    fn fall(&self, error: DbError) -> Fall {
        match error {
            // Replay needed what the statement held: class 40.
            DbError::Retry { .. } => {
                self.found.visit.failed();
                Fall::Back(RouteReason::Conflict)
            }
            DbError::Unavailable(_) => {
                self.found.visit.failed();
                Fall::Back(RouteReason::Broken)
            }
            // A report that takes too long there would take too long on the primary, at its cost.
            DbError::Timeout(_) if self.class == Class::Report => Fall::Itself(error),
            DbError::Timeout(_) => {
                self.found.visit.failed();
                Fall::Back(RouteReason::Broken)
            }
            // It has not replayed the migration that made the table or the column.
            DbError::Refused { ref code, .. } if ["42P01", "42703"].contains(&code.as_str()) => {
                Fall::Back(RouteReason::Behind)
            }
            DbError::Refused { .. }
            | DbError::Constraint { .. }
            | DbError::PoolTimeout(_)
            | DbError::Shed => Fall::Itself(error),
        }
    }
}

/// A read that is under way on a replica, counted there until it is dropped.
struct Visit {
    db: Db,
    server: usize,
    /// Its breaker knows how it went.
    is_told: AtomicBool,
}

impl Visit {
    /// Nothing where the breaker lets nobody through.
    fn begin(db: &Db, server: usize, now: Instant) -> Option<Self> {
        let this = &db.0.servers[server];
        if !this.breaker.enter(now) {
            return None;
        }
        this.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Self { db: db.clone(), server, is_told: AtomicBool::new(false) })
    }

    fn succeeded(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        self.db.0.servers[self.server].breaker.succeeded();
    }

    fn failed(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        let this = &self.db.0.servers[self.server];
        if this.breaker.failed(Instant::now()) {
            tracing::warn!(server = this.name, "the replica failed again and again: not read now");
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let this = &self.db.0.servers[self.server];
        this.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.is_told.load(Ordering::Relaxed) {
            this.breaker.abandoned();
        }
    }
}
