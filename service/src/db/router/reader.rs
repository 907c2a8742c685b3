//! A reader: runs statements that a replica may answer, on one server, so that later ones never see
//! less than earlier ones. A replica is asked how far it is on the very connection that is read
//! from, in the same packet as the first statement; where it is behind the reader's own write, or
//! fails, the primary answers instead, once, within a budget.
//!
//! Never here: which replica (`choose`).

use std::pin::pin;
use std::time::Duration;

use contract::{Limit, Pool, Query, Read, RouteReason};
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;
use tokio_postgres::types::PgLsn;

use super::choose::{Ask, Choice, choose};
use super::primary::OnPrimary;
use super::token::{After, History, Token};
use super::visit::Visit;
use super::{Db, carried};
use crate::db::conn::{Conn, Params};
use crate::db::error::DbError;
use crate::obs;
use crate::obs::given_up::in_time;
use crate::obs::holder::Holder;

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
}

/// Runs reads.
pub(crate) struct Reader {
    db: Db,
    class: Class,
    after: After,
    /// How old in seconds what the server of choice answers may be.
    staleness_max: u16,
    place: Place,
}

enum Place {
    /// The first read decides.
    Open,
    Replica(Box<OnReplica>),
    Primary(Box<OnPrimary>),
}

struct OnReplica {
    conn: Conn,
    class: Class,
    found: Found,
    /// What it must have replayed.
    lsn: u64,
    patience: Duration,
    /// How long it may take to say how far it is.
    check: Duration,
    /// Set once it has been asked how far it is.
    reason: Option<RouteReason>,
}

/// A replica that was chosen.
pub(crate) struct Found {
    visit: Visit,
    /// Which it must be in.
    history: Option<History>,
    /// How old its answer was at most when it was chosen.
    staleness: Duration,
    chosen: Instant,
    /// There was a primary that had answered lately.
    has_primary: bool,
}

impl Reader {
    pub(super) const fn new(db: Db, class: Class, after: After) -> Self {
        Self { db, class, after, staleness_max: u16::MAX, place: Place::Open }
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
        self.heed(read);
        if matches!(self.place, Place::Open) {
            self.place = self.find(read).await?;
        }
        if let Place::Replica(replica) = &mut self.place {
            let reason = match replica.rows(read, params).await {
                Ok(rows) => {
                    obs::route::decided(read, replica.reason.unwrap_or(RouteReason::Fresh));
                    let found = &replica.found;
                    obs::route::served(found.staleness.saturating_add(found.chosen.elapsed()));
                    return Ok(rows);
                }
                Err(Fall::Itself(error)) => return Err(error),
                Err(Fall::Back(reason)) => reason,
            };
            // The replica's connection goes back before another one is waited for.
            self.place = Place::Open;
            self.place = self.primary(read, reason).await?;
        }
        let Place::Primary(primary) = &mut self.place else {
            return Err(DbError::Unavailable("a reader found no server".into()));
        };
        obs::route::decided(read, primary.reason());
        primary.rows(read, params).await
    }

    /// How far the server has come that was read: a later reader that carries it sees no less.
    pub(crate) async fn seen(&self) -> Result<After, DbError> {
        let token = match &self.place {
            Place::Open => None,
            Place::Replica(replica) => replica.seen().await?,
            Place::Primary(primary) => primary.seen().await?,
        };
        Ok(token.map_or(self.after, After::At))
    }

    /// A write of the request since the last read, or a read that must be fresher than the ones
    /// before, is reason to choose again. The primary has everything.
    fn heed(&mut self, read: Read) {
        let after = carried::current().map_or(self.after, |carried| carried.after());
        let staleness_max = self.staleness_max.min(read.staleness_max_seconds());
        let is_stricter = after != self.after || staleness_max < self.staleness_max;
        (self.after, self.staleness_max) = (after, staleness_max);
        if is_stricter && matches!(self.place, Place::Replica(_)) {
            self.place = Place::Open;
        }
    }

    /// Where the first read goes.
    async fn find(&self, read: Read) -> Result<Place, DbError> {
        let found = match self.decide(read) {
            Ok(found) => found,
            Err(reason) => return self.primary(read, reason).await,
        };
        let pools = &self.db.0.servers[found.visit.server()].pools;
        let routing = &self.db.0.settings.routing;
        match pools.get(Holder::current(), self.class.on_replica()).await {
            Ok(conn) => Ok(Place::Replica(Box::new(OnReplica {
                conn,
                class: self.class,
                found,
                lsn: match self.after {
                    After::At(token) => token.lsn,
                    After::Nothing | After::Several => 0,
                },
                patience: routing.patience,
                check: routing.check,
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
            staleness_max: Duration::from_secs(self.staleness_max.into()),
            patience: self.db.0.settings.routing.patience,
        };
        let view = self.db.view();
        match choose(&view, &ask, now, &*self.db.0) {
            Choice::Replica { server, staleness } => {
                let visit = Visit::begin(&self.db, server, now);
                let visit = visit.ok_or(RouteReason::BreakerOpen)?;
                let (history, has_primary) = (view.history(), view.has_primary(now));
                Ok(Found { visit, history, staleness, chosen: now, has_primary })
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
            let is_foreign = self.db.view().is_foreign(self.after);
            let Some(permit) = self.db.0.fallbacks.enter(self.class, is_foreign).await else {
                obs::route::decided(read, RouteReason::Shed);
                return Err(DbError::Shed);
            };
            Some(permit)
        };
        let conn = self.db.get(self.class.on_primary()).await?;
        let unchecked = (self.after != After::Nothing).then_some(self.after);
        Ok(Place::Primary(Box::new(OnPrimary::new(conn, reason, unchecked, permit))))
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
            return self.ended(self.answer(read, params).await);
        }
        let (has_it, rows) = match self.class {
            // First asked, first answered: what the check sees replayed, the read sees as well.
            Class::Read => tokio::try_join!(
                biased;
                self.has_it(),
                async { Ok(Some(self.answer(read, params).await)) },
            )?,
            // Too dear to be run for nothing.
            Class::Report => (self.has_it().await?, None),
        };
        if has_it {
            self.reason = Some(match (self.found.has_primary, self.lsn) {
                (false, _) => RouteReason::PrimaryLost,
                (true, 0) => RouteReason::Fresh,
                (true, _) => RouteReason::CaughtUp,
            });
            return match rows {
                Some(rows) => self.ended(rows),
                None => self.ended(self.answer(read, params).await),
            };
        }
        obs::route::prevented(read);
        let began = Instant::now();
        let waited = self.wait(began).await;
        obs::route::waited(began.elapsed());
        waited?;
        self.reason = Some(RouteReason::Waited);
        self.ended(self.answer(read, params).await)
    }

    /// What the server answers, unless it is seen to hang meanwhile: a report may take minutes, and
    /// whoever asked for it would wait as long for nothing.
    async fn answer(&self, read: Read, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        tokio::select! {
            biased;
            rows = self.conn.rows(read.query(), params) => rows,
            () = self.found.visit.until_it_hangs() => {
                Err(DbError::Unavailable("the replica has not answered for five seconds".into()))
            }
        }
    }

    /// How far it has come since it was read, where it is known what it follows.
    async fn seen(&self) -> Result<Option<Token>, DbError> {
        let row = self.conn.row_opt(Query::ServerCheck, &[]).await?;
        Ok(row.zip(self.found.history).map(|(row, history)| Token {
            history,
            lsn: u64::from(row.get::<_, PgLsn>("lsn")).max(1),
        }))
    }

    /// Asks again and again until the replica has what is asked for, or patience is at its end.
    async fn wait(&self, began: Instant) -> Result<(), Fall> {
        let mut pause = ASK_FIRST;
        loop {
            let left = self.patience.saturating_sub(began.elapsed());
            if left.is_zero() {
                self.found.visit.succeeded();
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
        let asked = in_time(self.check, pin!(Some(self.conn.rows(Query::ServerCheck, &[])))).await;
        let row = match asked {
            Ok(Ok(mut rows)) => rows.pop(),
            Ok(Err(error)) => return Err(self.fall(error)),
            Err(_elapsed) => {
                obs::limit::reached(Limit::ReplicaCheckMs);
                None
            }
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
        let reason = match &error {
            // Replay needed what the statement held: class 40.
            DbError::Retry { .. } => RouteReason::Conflict,
            DbError::Unavailable(_) => RouteReason::Broken,
            // Of the server itself: a damaged page, a disk that can't be read.
            DbError::Refused { code, .. } if code.starts_with("XX") || code.starts_with("58") => {
                RouteReason::Broken
            }
            // It has not replayed the migration that made the table or the column.
            DbError::Refused { code, .. } if ["42P01", "42703"].contains(&code.as_str()) => {
                self.found.visit.succeeded();
                return Fall::Back(RouteReason::Behind);
            }
            // What takes too long there would take too long on the primary, at its cost.
            DbError::Timeout(_)
            | DbError::Refused { .. }
            | DbError::Constraint { .. }
            | DbError::PoolTimeout(_)
            | DbError::Shed => {
                self.found.visit.succeeded();
                return Fall::Itself(error);
            }
        };
        self.found.visit.failed();
        Fall::Back(reason)
    }
}
