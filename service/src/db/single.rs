//! A connection of one's own, outside of the pools: for whoever listens or watches for as long as
//! the process lives. Its statements are measured like all others.

use std::collections::HashMap;
use std::future::poll_fn;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use contract::{Pool, Query};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Row, Statement};
use tokio_util::task::AbortOnDropHandle;

use super::conn::Params;
use super::error::{DbError, describe};
use super::{statement, tls};
use crate::obs;
use crate::obs::holder::Holder;

/// A connection and what it has prepared.
pub(crate) struct Single {
    client: Client,
    prepared: Mutex<HashMap<Query, Statement>>,
    deadline: Duration,
    /// Reads the connection; ends with it.
    _driver: AbortOnDropHandle<()>,
}

impl Single {
    /// Connects. What the server sends unasked is given to `heard`.
    ///
    /// # Errors
    /// The server is away, or the CA file can't be read.
    pub(crate) async fn connect(
        config: &Config,
        ca_file: Option<&Path>,
        deadline: Duration,
        heard: impl FnMut(AsyncMessage) + Send + 'static,
    ) -> Result<Self, DbError> {
        let away = |error| DbError::Unavailable(describe(&error));
        let (client, driver) = if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(away)?;
            (client, tokio::spawn(drive(connection, heard)))
        } else {
            let tls = tls::connector(ca_file).map_err(DbError::Unavailable)?;
            let (client, connection) = config.connect(tls).await.map_err(away)?;
            (client, tokio::spawn(drive(connection, heard)))
        };
        let driver = AbortOnDropHandle::new(driver);
        Ok(Self { client, prepared: Mutex::default(), deadline, _driver: driver })
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// The server is away, or refused it.
    #[expect(clippy::disallowed_methods, reason = "the second and last place that sends, by name")]
    pub(crate) async fn rows(&self, query: Query, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        let running = obs::query::Running::begin(query, Pool::Upkeep, Holder::Process);
        let answer = async {
            let known = self.known(query);
            let statement = match known {
                Some(statement) => statement,
                None => self.prepare(query).await?,
            };
            self.client.query(&statement, params).await
        };
        let result = match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(DbError::of_statement(query.name(), &error)),
            Err(_elapsed) => Err(DbError::Timeout(query.name())),
        };
        running.ended(outcome(&result), result.as_ref().map_or(0, Vec::len) as u64);
        result
    }

    fn known(&self, query: Query) -> Option<Statement> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(&query).cloned()
    }

    #[expect(clippy::disallowed_methods, reason = "the second and last place that sends, by name")]
    async fn prepare(&self, query: Query) -> Result<Statement, tokio_postgres::Error> {
        let statement = self.client.prepare(statement::sent(query)).await?;
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.insert(query, statement.clone());
        Ok(statement)
    }
}

/// How a statement ended, as it is counted.
pub(super) fn outcome<T>(result: &Result<T, DbError>) -> contract::QueryOutcome {
    use contract::QueryOutcome;
    match result {
        Ok(_) => QueryOutcome::Ok,
        Err(DbError::Timeout(_) | DbError::PoolTimeout(_) | DbError::Shed) => QueryOutcome::Timeout,
        Err(DbError::Unavailable(_)) => QueryOutcome::Disconnected,
        Err(DbError::Retry { .. } | DbError::Constraint { .. } | DbError::Refused { .. }) => {
            QueryOutcome::Error
        }
    }
}

/// Reads the connection to its end.
async fn drive<S, T>(mut connection: Connection<S, T>, mut heard: impl FnMut(AsyncMessage))
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
        heard(message);
    }
}
