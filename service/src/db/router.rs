//! The servers of the database and the way to each. What writes goes to the one that leads, which
//! is found out and may change while the process runs; what a replica may answer goes through a
//! [`Reader`], which never answers from before the reader's own write.
//!
//! Belongs here: whom a connection leads to. Never here: reading SQL to find out what it does; that
//! is a column of the query table, and only a [`contract::Read`] can be asked of a replica at all.

mod breaker;
pub(crate) mod carried;
mod choose;
mod fallback;
pub(crate) mod look;
mod monitor;
mod primary;
pub(crate) mod reader;
pub(crate) mod token;
pub(crate) mod view;
mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contract::pool::Side;
use contract::{Limit, Pool, ServerRead, Stage};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::conn::{Conn, Params};
use super::error::DbError;
use super::pools::{Fill, ServerPools, Settings};
use crate::obs;
use crate::obs::holder::Holder;
use crate::obs::label::Given;
use crate::obs::route::OfServer;
use breaker::{Breaker, Position};
use fallback::Fallbacks;
use look::Look;
pub(crate) use monitor::Monitors;
pub(crate) use reader::{Class, Reader};
pub(crate) use token::{After, NotAToken, Token};
use view::{NoLeader, View};

/// How reads find their server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Routing {
    /// Between two looks at a server.
    pub(crate) interval: Duration,
    /// How long a read waits for a replica that is nearly there.
    pub(crate) patience: Duration,
    /// Reads under way on the primary for want of a replica.
    pub(crate) fallback_reads: usize,
    /// Reports under way on the primary for want of a replica.
    pub(crate) fallback_reports: usize,
    /// The same of readers that show a token of another history.
    pub(crate) foreign_tokens: usize,
    /// How long a read waits for its turn there.
    pub(crate) fallback_wait: Duration,
    /// How long a replica may take to say how far it is.
    pub(crate) check: Duration,
    /// Failures in a row after which a replica is left alone.
    pub(crate) failures: u64,
    /// For how long at most.
    pub(crate) pause: Duration,
    /// Bytes that a token may be ahead of what was last seen of the primary.
    pub(crate) ahead: u64,
    /// Tokens that a request may show.
    pub(crate) tokens: usize,
}

/// The server that led when a connection to it was taken.
pub(super) struct Leading {
    db: Db,
    server: usize,
    /// Its database system, where that is known.
    pub(super) system: Option<u64>,
}

impl Leading {
    /// False once another one leads, or nobody does.
    pub(super) fn still_leads(&self) -> bool {
        self.db.leader().is_ok_and(|leader| leader == self.server)
    }
}

/// All servers of the process and its pools to each.
#[derive(Clone)]
pub(crate) struct Db(Arc<Servers>);

struct Servers {
    servers: Vec<Server>,
    settings: Settings,
    view: watch::Sender<Arc<View>>,
    fallbacks: Fallbacks,
}

struct Server {
    name: Given,
    series: OfServer,
    pools: ServerPools,
    /// Reads under way.
    in_flight: AtomicUsize,
    breaker: Breaker,
}

impl Db {
    /// Makes the pools. Connects to nothing yet; until somebody looks, the first server leads.
    ///
    /// # Errors
    /// One line that says which setting is wrong and how.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let server = |at| {
            let settings = settings.of(at);
            let name = Given::server(&settings)?;
            Ok(Server {
                series: obs::route::server(&name),
                name,
                pools: ServerPools::new(&settings)?,
                in_flight: AtomicUsize::new(0),
                breaker: Breaker::new(settings.routing.failures, settings.routing.pause),
            })
        };
        let servers = (0..settings.servers()).map(server).collect::<Result<Vec<_>, String>>()?;
        let routing = settings.routing;
        let view = View::new(servers.len(), routing.interval);
        Ok(Self(Arc::new(Servers {
            servers,
            settings: settings.clone(),
            view: watch::Sender::new(Arc::new(view)),
            fallbacks: Fallbacks::new(&routing),
        })))
    }

    /// A connection of a pool to the server that leads, waited for at most as long as the pool's
    /// row says, for the request whose task this is, or for the process.
    pub(crate) async fn get(&self, pool: Pool) -> Result<Conn, DbError> {
        self.get_by(Holder::current(), pool).await
    }

    /// The same for a stage.
    pub(crate) async fn get_for(&self, stage: Stage, pool: Pool) -> Result<Conn, DbError> {
        self.get_by(Holder::Stage(stage), pool).await
    }

    async fn get_by(&self, holder: Holder, pool: Pool) -> Result<Conn, DbError> {
        debug_assert!(pool.spec().side == Side::Primary, "replicas are read through a Reader");
        loop {
            let server = self.leader()?;
            if self.view().is_hung(Instant::now()) {
                let why = "the primary has not answered for five seconds";
                return Err(DbError::Unavailable(why.into()));
            }
            let mut conn = self.0.servers[server].pools.get(holder, pool).await?;
            let leading = Leading { db: self.clone(), server, system: self.system_of(server) };
            let still_leads = leading.still_leads();
            conn.leads(leading);
            // Another one may have come to lead while this one was waited for.
            if still_leads {
                return Ok(conn);
            }
        }
    }

    /// A reader for statements that a replica may answer, which sees what the request on whose
    /// task this is must have seen.
    pub(crate) fn reader(&self, class: Class) -> Reader {
        self.reader_after(class, carried::after())
    }

    /// A reader that sees this.
    pub(crate) fn reader_after(&self, class: Class, after: After) -> Reader {
        Reader::new(self.clone(), class, after)
    }

    /// The replicas that answered when they were last looked at, by their places.
    pub(crate) fn replicas(&self) -> Vec<usize> {
        let view = self.view();
        let answers =
            view.servers().iter().enumerate().filter(|(_, seen)| {
                !seen.is_away && seen.look.is_some_and(|look| !look.is_primary())
            });
        answers.map(|(server, _)| server).collect()
    }

    /// What the server of a place is called.
    pub(crate) fn name_of(&self, server: usize) -> &str {
        self.0.servers[server].name.as_str()
    }

    /// What the replica of a place says of itself, in one row; whoever reads has a [`Reader`].
    pub(crate) async fn row_of(
        &self,
        (server, pool): (usize, Pool),
        read: ServerRead,
        params: Params<'_>,
    ) -> Result<Option<Row>, DbError> {
        debug_assert!(pool.spec().side == Side::Replica, "the primary is who leads");
        let conn = self.0.servers[server].pools.get(Holder::current(), pool).await?;
        conn.row_opt(read.query(), params).await
    }

    /// Who is written to. Until one has been reached it is the first one.
    fn leader(&self) -> Result<usize, DbError> {
        match self.view().leader() {
            Ok(server) => Ok(server),
            // Whoever tries it hears why not.
            Err(NoLeader::Unseen | NoLeader::Unreachable) => Ok(0),
            Err(none) => Err(DbError::Unavailable(none.why().into())),
        }
    }

    fn system_of(&self, server: usize) -> Option<u64> {
        self.view().servers()[server].look.map(|look| look.history.system)
    }

    /// What is known of all servers now.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.view.borrow())
    }

    /// The settings of the server that leads alone.
    ///
    /// # Errors
    /// Nobody leads.
    pub(crate) fn leader_settings(&self) -> Result<Settings, DbError> {
        Ok(self.0.settings.of(self.leader()?))
    }

    /// Waits until another server leads than when this was called.
    pub(crate) fn leader_changed(&self) -> impl Future<Output = ()> + use<> {
        let mut views = self.0.view.subscribe();
        let was = views.borrow_and_update().leader();
        async move {
            // It ends with the process.
            let _changed =
                views.wait_for(|view| view.leader().is_ok() && view.leader() != was).await;
        }
    }

    /// What the values of a request's headers say that it has seen. Each token must be one that can
    /// have been given out here. One of another history can: it goes to the primary.
    pub(crate) fn after<'a>(
        &self,
        values: impl Iterator<Item = &'a str>,
    ) -> Result<After, NotAToken> {
        let Routing { ahead, tokens, .. } = self.0.settings.routing;
        let after = After::read(values, tokens)?;
        let After::At(token) = after else { return Ok(after) };
        let view = self.view();
        let now = Instant::now();
        let newest = view.primary().filter(|look| !view.is_old(look, now)).map(|look| look.lsn);
        let is_ours = Some(token.history) == view.history();
        if is_ours && newest.is_some_and(|newest| token.lsn > newest.saturating_add(ahead)) {
            obs::limit::reached(Limit::TokenAheadBytes);
            return Err(NotAToken);
        }
        Ok(after)
    }

    /// Whether what is shown is of after a promotion that hasn't been seen here yet: then whoever
    /// leads here was replaced, and must neither be read nor written to for it.
    pub(crate) fn is_overtaken_by(&self, after: After) -> bool {
        let After::At(token) = after else { return false };
        self.view().history().is_some_and(|known| known.is_before(token.history))
    }

    /// A look at a server, which may have come to nothing.
    pub(crate) fn saw(&self, server: usize, found: Option<Look>) {
        let now = Instant::now();
        let mut before = Err(NoLeader::Unseen);
        self.0.view.send_modify(|view| {
            before = view.leader();
            *view = Arc::new(view.with(server, found, now));
        });
        let after = self.view().leader();
        if before != after {
            self.led_by(before, after);
        }
        self.observe_server(server, now);
    }

    /// Says so, and lets go of connections that were opened for the other part.
    fn led_by(&self, before: Result<usize, NoLeader>, after: Result<usize, NoLeader>) {
        let name = |server: usize| self.0.servers[server].name.as_str();
        match after {
            Ok(leader) => {
                tracing::info!(server = name(leader), "this server is written to");
                self.0.servers[leader].pools.drop_idle(Side::Replica);
            }
            // Each server's own line has said why.
            Err(NoLeader::Unseen | NoLeader::Unreachable) => {}
            Err(none @ (NoLeader::NonePromoted | NoLeader::TwoOfOneHistory)) => {
                tracing::error!(why = none.why(), "no server is written to");
            }
        }
        if let Ok(old) = before {
            tracing::warn!(server = name(old), "this server is no longer written to");
            self.0.servers[old].pools.drop_idle(Side::Primary);
        }
    }

    fn observe_server(&self, server: usize, now: Instant) {
        let (view, this) = (self.view(), &self.0.servers[server]);
        let standing = view.standing(server, now);
        let behind = view.behind(server, now);
        let position = this.breaker.position(now);
        // One that is away is not written to, whatever it was.
        let leads = view.leader() == Ok(server) && view.has_primary(now);
        this.series.stands(obs::route::Server {
            leads,
            is_readable: !leads && standing.is_ok() && position == Position::Closed,
            staleness: behind
                .map(|behind| behind.staleness)
                .filter(|staleness| *staleness < Duration::MAX),
            lag_bytes: behind.and_then(|behind| behind.bytes),
            look_age: view.servers()[server].look.map(|look| now.duration_since(look.at)),
            breaker_open: match position {
                Position::Closed => 0.0,
                Position::HalfOpen => 0.5,
                Position::Open => 1.0,
            },
        });
    }

    /// Publishes how full the pools are, and how much falls back.
    pub(crate) fn observe(&self) {
        let leader = self.view().leader().unwrap_or(0);
        for &pool in Pool::ALL {
            let mut sum = Fill::default();
            for (at, server) in self.0.servers.iter().enumerate() {
                let fill = server.pools.fill(pool);
                sum.idle += fill.idle;
                sum.used += fill.used;
                sum.waiting += fill.waiting;
                let is_of_it = match pool.spec().side {
                    Side::Primary => at == leader,
                    Side::Replica => at != leader,
                };
                sum.max += if is_of_it { fill.max } else { 0 };
            }
            obs::pool::set(pool, sum.idle, sum.used, sum.max, sum.waiting);
        }
        self.0.fallbacks.observe();
        for server in 0..self.0.servers.len() {
            self.observe_server(server, Instant::now());
        }
    }

    /// Closes all pools: connections end as they are given back.
    pub(crate) fn close(&self) {
        for server in &self.0.servers {
            server.pools.close();
        }
    }
}

impl choose::Load for Servers {
    fn in_flight(&self, server: usize) -> usize {
        self.servers[server].in_flight.load(Ordering::Relaxed)
    }

    fn is_broken(&self, server: usize, now: Instant) -> bool {
        self.servers[server].breaker.position(now) == Position::Open
    }

    fn draw(&self, n: usize) -> usize {
        rand::random_range(0..n)
    }
}
