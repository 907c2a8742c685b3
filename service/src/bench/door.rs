//! The benchmarks' own statements and the one connection on which they run: seeds, counters, the
//! old snapshot. Each has its file in `service/sql/bench` and leads with its name, as `bench_` and
//! that of the file. They are not in the service's table, whose every row is a series of every
//! process for ever.
//!
//! Never here: a statement of the service.

#![expect(
    clippy::disallowed_methods,
    reason = "seeds and counters are no statements of the service"
)]

use std::time::Duration;

use contract::Pool;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Connection, Row};
use tokio_util::task::AbortOnDropHandle;

use crate::db::conn::Params;
use crate::db::error::describe;
use crate::db::pools::connection_config;
use crate::db::{DbError, Settings, tls};

/// A million rows with their indexes are seeded in one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1_800);

macro_rules! statements {
    ($($(#[doc = $help:literal])+ $Variant:ident = $name:literal;)+) => {
        /// A statement of the benchmarks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Statement {
            $($(#[doc = $help])+ $Variant,)+
        }

        impl Statement {
            const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => concat!("bench_", $name),)+
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$Variant => concat!(
                        "/*db_query='bench_", $name, "'*/ ",
                        include_str!(concat!("../../sql/bench/", $name, ".sql")),
                    ),)+
                }
            }
        }
    };
}

statements! {
    /// Whether there is a schema of ours.
    HasSchema = "has_schema";
    /// Whether it has practices.
    HasPractices = "has_practices";
    /// Whether statements are counted, and readable by us.
    HasCounters = "has_counters";
    /// What the server has counted for each of our statements.
    Counters = "counters";
    /// What the server has written ahead.
    Wal = "wal";
    /// Practices with their rules.
    SeedPractice = "seed_practice";
    /// Planned intents.
    SeedIntent = "seed_intent";
    /// Texts in lanes.
    SeedLane = "seed_lane";
    /// Lets a busy recipient be among the next that are claimed.
    ComeForward = "come_forward";
    /// Removes all appointments and what became of them.
    Clear = "clear";
    /// Puts the floors back below everything.
    LowerFloors = "lower_floors";
    /// Gives the planner its figures, as autovacuum would.
    Analyze = "analyze";
    /// Begins a transaction that sees one state.
    Begin = "begin";
    /// Takes that state's snapshot.
    Look = "look";
}

/// A connection for them.
pub(super) struct Door {
    client: Client,
    /// Ends with the door.
    _driver: AbortOnDropHandle<()>,
}

impl Door {
    /// Connects.
    pub(super) async fn open(settings: &Settings) -> Result<Self, DbError> {
        let mut config = connection_config(settings, Pool::Upkeep, STATEMENT_TIMEOUT)
            .map_err(DbError::Unavailable)?;
        // The snapshot that is pinned lives as long as its transaction.
        let options = format!(
            "{} -c idle_in_transaction_session_timeout=0",
            config.get_options().unwrap_or_default()
        );
        config.application_name("punctual bench").options(options);
        let away = |error| DbError::Unavailable(describe(&error));
        let (client, driver) = if config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(away)?;
            (client, tokio::spawn(drive(connection)))
        } else {
            let tls = tls::connector(settings.ca_file.as_deref()).map_err(DbError::Unavailable)?;
            let (client, connection) = config.connect(tls).await.map_err(away)?;
            (client, tokio::spawn(drive(connection)))
        };
        Ok(Self { client, _driver: AbortOnDropHandle::new(driver) })
    }

    /// Runs a statement and returns its rows.
    pub(super) async fn rows(
        &self,
        statement: Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, DbError> {
        let answer = self.client.query(statement.text(), params).await;
        answer.map_err(|error| DbError::of_statement(statement.name(), &error))
    }

    /// Runs a statement that answers yes or no.
    pub(super) async fn is(&self, statement: Statement) -> Result<bool, DbError> {
        Ok(self.rows(statement, &[]).await?.first().is_some_and(|row| row.get(0)))
    }
}

/// Reads the connection to its end.
async fn drive<S, T>(connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!(%error, "the benchmark's own connection ended");
    }
}
