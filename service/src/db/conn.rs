//! A connection that is checked out of a pool, and the only way to run a statement. It measures,
//! it keeps statements in the order in which they were called, and it never gives back a
//! connection on which something is still running: that one is cancelled and thrown away.

#![expect(clippy::disallowed_methods, reason = "this is the door that the ban points to")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use contract::{Pool, Query};
use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::DbError;
use super::router::Leading;
use super::router::token::{History, Token};
use super::single::outcome;
use super::statement;
use super::tx::Tx;
use crate::obs::holder::{Held, Holder};
use crate::obs::{self, Stopwatch};

/// How long asking a server to stop a statement may take, with a connection of its own.
const CANCEL_WITHIN: Duration = Duration::from_secs(2);

/// Parameters of a statement.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection of a pool.
pub(crate) struct Conn {
    /// Always there until drop.
    client: Option<Object>,
    pool: Pool,
    /// The server at its other end, where it was taken as the one that leads.
    leads: Option<Leading>,
    taken_at: Stopwatch,
    held: Held,
    /// How much longer than the server's own limit we wait for an answer.
    deadline: Duration,
    /// How its server is asked to stop a statement, if over TLS.
    tls: Option<MakeRustlsConnect>,
    /// Statements sent and not answered. Above zero at drop: a future was dropped in the middle.
    running: AtomicU32,
    /// The connection's state is not known any more.
    tainted: AtomicBool,
    /// Held while a statement is prepared and sent: first called, first sent.
    order: tokio::sync::Mutex<()>,
}

impl Conn {
    /// A connection that somebody took, and when.
    pub(super) fn new(
        client: Object,
        pool: Pool,
        (holder, taken_at): (Holder, Stopwatch),
        deadline: Duration,
        tls: Option<MakeRustlsConnect>,
    ) -> Self {
        Self {
            client: Some(client),
            pool,
            leads: None,
            taken_at,
            held: obs::holder::hold(pool, holder),
            deadline,
            tls,
            running: AtomicU32::new(0),
            tainted: AtomicBool::new(false),
            order: tokio::sync::Mutex::new(()),
        }
    }

    /// States that the server at its other end leads.
    pub(super) fn leads(&mut self, leading: Leading) {
        self.leads = Some(leading);
    }

    /// The pool that it is of.
    #[cfg(debug_assertions)]
    pub(super) const fn pool(&self) -> Pool {
        self.pool
    }

    /// Which database system it leads to, where that is known.
    pub(super) fn system(&self) -> Option<u64> {
        self.leads.as_ref()?.system
    }

    /// Whether what is committed here would be lost: the server was replaced meanwhile.
    pub(super) fn is_replaced(&self) -> bool {
        self.leads.as_ref().is_some_and(|leading| !leading.still_leads())
    }

    /// Runs a statement and returns its rows. Boxed, as all of them: transactions of many
    /// statements would carry all their states in one future of hundreds of kilobytes.
    pub(crate) async fn rows(&self, query: Query, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        let client = self.client();
        let prepare = client.prepare_cached(statement::sent(query));
        let answer = Box::pin(self.in_order(query.name(), prepare, |statement| async move {
            client.query(&statement, params).await
        }));
        self.measured(query, answer, Vec::len).await
    }

    /// Runs a statement that returns at most one row.
    pub(crate) async fn row_opt(
        &self,
        query: Query,
        params: Params<'_>,
    ) -> Result<Option<Row>, DbError> {
        Ok(self.rows(query, params).await?.pop())
    }

    /// Runs a statement and returns how many rows it touched.
    pub(crate) async fn execute(&self, query: Query, params: Params<'_>) -> Result<u64, DbError> {
        let client = self.client();
        let prepare = client.prepare_cached(statement::sent(query));
        let answer = Box::pin(self.in_order(query.name(), prepare, |statement| async move {
            client.execute(&statement, params).await
        }));
        self.measured(query, answer, |n| usize::try_from(*n).unwrap_or(usize::MAX)).await
    }

    /// Begins a transaction, with its first statement. Each statement sees what was committed
    /// before it.
    pub(crate) fn begin(&mut self) -> Tx<'_> {
        Tx::new(self, statement::BEGIN)
    }

    /// Begins a transaction, with its first statement. All statements see the same state.
    pub(crate) fn begin_repeatable_read(&mut self) -> Tx<'_> {
        Tx::new(self, statement::BEGIN_REPEATABLE_READ)
    }

    /// Runs one of the fixed texts that open and end a transaction.
    pub(super) async fn control(&self, text: &'static str) -> Result<(), DbError> {
        let client = self.client();
        let nothing = std::future::ready(Ok(()));
        self.in_order("transaction", nothing, |()| client.batch_execute(text)).await
    }

    /// Commits, and says up to where the log has come then: in one packet, so that it costs no
    /// round trip. The position is only told if the commit succeeded.
    pub(super) async fn commit_at(&self) -> Result<Option<Token>, DbError> {
        let client = self.client();
        let nothing = std::future::ready(Ok(()));
        let commit = |()| client.simple_query(statement::COMMIT_AT);
        let answers = self.in_order("transaction", nothing, commit).await?;
        let Some(system) = self.system() else { return Ok(None) };
        Ok(answers.iter().find_map(|answer| {
            let SimpleQueryMessage::Row(row) = answer else { return None };
            let lsn = row.get("lsn")?.parse().ok()?;
            let timeline = row.get("timeline")?.parse().ok()?;
            Some(Token { history: History { system, timeline }, lsn })
        }))
    }

    /// Marks the connection as unfit to be given back.
    pub(super) fn taint(&self) {
        self.tainted.store(true, Ordering::Relaxed);
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("a connection has its client until it is dropped")
    }

    /// Prepares and sends under the lock, waits for the answer outside of it: calls made one after
    /// the other on one task go out in that order, and several can be on their way at a time.
    async fn in_order<P, T, A>(
        &self,
        name: &'static str,
        prepare: impl Future<Output = Result<P, tokio_postgres::Error>>,
        send: impl FnOnce(P) -> A,
    ) -> Result<T, DbError>
    where
        A: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let flight = Flight::begin(self);
        let work = async {
            let turn = self.order.lock().await;
            let mut answer = pin!(send(prepare.await?));
            // The driver writes a request when its future is polled first.
            let first = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
            drop(turn);
            match first {
                Poll::Ready(result) => result,
                Poll::Pending => answer.await,
            }
        };
        let Ok(result) = tokio::time::timeout(self.deadline, work).await else {
            return Err(DbError::Timeout(name)); // the flight has not landed: discarded at drop
        };
        flight.land();
        result.map_err(|error| {
            let error = DbError::of_statement(name, &error);
            if error.is_unavailable() {
                self.taint();
            }
            error
        })
    }

    async fn measured<T>(
        &self,
        query: Query,
        answer: impl Future<Output = Result<T, DbError>>,
        rows: impl Fn(&T) -> usize,
    ) -> Result<T, DbError> {
        let running = obs::query::Running::begin(query, self.pool, self.held.holder());
        let result = answer.await;
        let n = result.as_ref().map_or(0, rows) as u64;
        running.ended(outcome(&result), n);
        result
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        obs::pool::held(self.pool, self.taken_at.stop());
        let Some(client) = self.client.take() else {
            return;
        };
        let running = self.running.load(Ordering::Relaxed) > 0;
        if !running && !self.tainted.load(Ordering::Relaxed) && !self.is_replaced() {
            return; // goes back to its pool
        }
        let cancel = running.then(|| client.cancel_token());
        // Closing the connection makes the server roll back whatever was open.
        drop(Object::take(client));
        if let (Some(cancel), Ok(runtime)) = (cancel, tokio::runtime::Handle::try_current()) {
            // A dropped future's statement goes on running on the server: stop it. Where that can't
            // be asked for, it ends by its own timeout.
            let tls = self.tls.take();
            runtime.spawn(async move {
                let request = async {
                    match tls {
                        Some(tls) => cancel.cancel_query(tls).await,
                        None => cancel.cancel_query(tokio_postgres::NoTls).await,
                    }
                };
                let _refused = tokio::time::timeout(CANCEL_WITHIN, request).await;
            });
        }
    }
}

/// A statement on its way: leaves its mark if its future is dropped before the answer.
struct Flight<'a>(&'a Conn);

impl<'a> Flight<'a> {
    fn begin(conn: &'a Conn) -> Self {
        conn.running.fetch_add(1, Ordering::Relaxed);
        Self(conn)
    }

    fn land(self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
