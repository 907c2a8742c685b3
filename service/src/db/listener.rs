//! The one connection outside of the pools: it waits for notifications, and sends ours, outside
//! of all transactions that change anything.

use std::future::poll_fn;
use std::time::Duration;

use contract::{Pool, Query, QueryOutcome};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Connection};
use tokio_util::task::AbortOnDropHandle;

use super::conn::Params;
use super::error::{DbError, describe};
use super::pools::{Settings, connection_config};
use super::{statement, tls};
use crate::obs::holder::Holder;
use crate::obs::{self, Stopwatch};

/// Notifications that wait to be heard. They only say "look": one that is dropped is made up for
/// by the next look, which comes within a second anyway.
const UNHEARD_MAX: usize = 1_024;
/// A statement here is a few microseconds of work.
const DEADLINE: Duration = Duration::from_secs(5);

/// A connection that listens.
pub(crate) struct Listener {
    client: Client,
    heard: mpsc::Receiver<String>,
    /// Reads the connection; ends with the listener.
    _driver: AbortOnDropHandle<()>,
}

impl Listener {
    /// Connects and begins to listen by a statement.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn connect(settings: &Settings, listen: Query) -> Result<Self, DbError> {
        let mut config =
            connection_config(settings, Pool::Upkeep, DEADLINE).map_err(DbError::Unavailable)?;
        config.application_name("punctual listener");
        let (sender, heard) = mpsc::channel(UNHEARD_MAX);
        let away = |error| DbError::Unavailable(describe(&error));
        let (client, driver) = if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(away)?;
            (client, tokio::spawn(drive(connection, sender)))
        } else {
            let tls = tls::connector(settings.ca_file.as_deref()).map_err(DbError::Unavailable)?;
            let (client, connection) = config.connect(tls).await.map_err(away)?;
            (client, tokio::spawn(drive(connection, sender)))
        };
        let this = Self { client, heard, _driver: AbortOnDropHandle::new(driver) };
        this.run(listen, &[]).await?;
        Ok(this)
    }

    /// The payload of the next notification; `None` when the connection is gone.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.heard.recv().await
    }

    /// Runs a statement on this connection.
    ///
    /// # Errors
    /// The database is away, or refused it.
    #[expect(clippy::disallowed_methods, reason = "the second and last place that sends, by name")]
    pub(crate) async fn run(&self, query: Query, params: Params<'_>) -> Result<(), DbError> {
        let started = Stopwatch::start();
        let answer = self.client.execute(statement::text(query), params);
        let result = match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(_rows)) => Ok(()),
            Ok(Err(error)) => Err(DbError::of_statement(query.name(), &error)),
            Err(_elapsed) => Err(DbError::Timeout(query.name())),
        };
        let outcome = match &result {
            Ok(()) => QueryOutcome::Ok,
            Err(DbError::Timeout(_) | DbError::PoolTimeout(_)) => QueryOutcome::Timeout,
            Err(DbError::Unavailable(_)) => QueryOutcome::Disconnected,
            Err(DbError::Retry { .. } | DbError::Constraint { .. } | DbError::Refused { .. }) => {
                QueryOutcome::Error
            }
        };
        obs::query::record(query, Pool::Upkeep, outcome, started.stop(), 0);
        obs::matrix::ran(Holder::Process, query, 0);
        result
    }
}

/// Reads the connection to its end and hands notifications on.
async fn drive<S, T>(mut connection: Connection<S, T>, sender: mpsc::Sender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
        if let AsyncMessage::Notification(notification) = message {
            let _full = sender.try_send(notification.payload().to_owned());
        }
    }
}
