//! Migrations: forward-only SQL files, embedded. Several processes may start at once: an advisory
//! lock lets one migrate while the others wait. A newer schema than ours is left alone, so that
//! the previous release goes on working while the next one is rolled out.

use std::time::Duration;

use super::error::describe;
use super::pools::{Settings, parse_url};
use super::{DbError, tls};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The session lock's key: the first eight bytes of "punctual".
const LOCK_KEY: i64 = i64::from_be_bytes(*b"punctual");

/// Asked first, as a replica's own words would be about the migrations' table.
const IS_REPLICA: &str = "/*db_query='migrate_where'*/ SELECT pg_is_in_recovery()";
const READ_ONLY: &str = "the server is a replica, which can't be written to: name the primary in \
                         PUNCTUAL_DATABASE_URL";

/// Brings the schema up to date and returns how many migrations were applied.
pub(crate) async fn run(settings: &Settings) -> Result<usize, DbError> {
    let mut config = parse_url(&settings.url).map_err(DbError::Unavailable)?;
    config.application_name("punctual migrate").connect_timeout(Duration::from_secs(5));
    if config.get_ssl_mode() == tokio_postgres::config::SslMode::Disable {
        apply(&config, tokio_postgres::NoTls).await
    } else {
        let tls = tls::connector(settings.ca_file.as_deref()).map_err(DbError::Unavailable)?;
        apply(&config, tls).await
    }
}

// The one place beside `Conn` that talks to the server: schema changes are not named statements.
#[expect(clippy::disallowed_methods, reason = "migrations run outside of the pools, under a lock")]
async fn apply<T>(config: &tokio_postgres::Config, tls: T) -> Result<usize, DbError>
where
    T: tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket> + Send,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as tokio_postgres::tls::TlsConnect<tokio_postgres::Socket>>::Future: Send,
{
    let unavailable = |error: tokio_postgres::Error| DbError::Unavailable(describe(&error));
    let (mut client, connection) = config.connect(tls).await.map_err(unavailable)?;
    let driver = tokio::spawn(connection);
    let is_replica = client.query_one(IS_REPLICA, &[]).await.map_err(unavailable)?;
    if is_replica.get(0) {
        return Err(DbError::Unavailable(READ_ONLY.into()));
    }
    let lock = format!("/*db_query='migrate_lock'*/ SELECT pg_advisory_lock({LOCK_KEY})");
    client.batch_execute(&lock).await.map_err(unavailable)?;
    let report = embedded::migrations::runner()
        .set_abort_missing(false)
        .run_async(&mut client)
        .await
        .map_err(|error| DbError::Refused {
            query: "migrate",
            code: "migration".into(),
            message: chain(&error),
        })?;
    drop(client); // ends the session, and with it the lock
    let _ended = driver.await;
    Ok(report.applied_migrations().len())
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
