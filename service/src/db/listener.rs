//! The connection that waits for notifications, and sends ours, outside of all transactions that
//! change anything.

use std::time::Duration;

use contract::{Pool, Query};
use tokio::sync::mpsc;
use tokio_postgres::AsyncMessage;

use super::conn::Params;
use super::error::DbError;
use super::pools::{Settings, connection_config};
use super::single::Single;

/// Notifications that wait to be heard. They only say "look": one that is dropped is made up for
/// by the next look, which comes within a second anyway.
const UNHEARD_MAX: usize = 1_024;
/// A statement here is a few microseconds of work.
const DEADLINE: Duration = Duration::from_secs(5);

/// A connection that listens.
pub(crate) struct Listener {
    single: Single,
    heard: mpsc::Receiver<String>,
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
        let single =
            Single::connect(&config, settings.ca_file.as_deref(), DEADLINE, move |message| {
                if let AsyncMessage::Notification(notification) = message {
                    let _full = sender.try_send(notification.payload().to_owned());
                }
            });
        let this = Self { single: single.await?, heard };
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
    pub(crate) async fn run(&self, query: Query, params: Params<'_>) -> Result<(), DbError> {
        self.single.rows(query, params).await.map(drop)
    }
}
