//! Trouble that is made on purpose in a database of a private stack: a table that is locked, a
//! sequence that is nearly used up. For incidents that must end well.
//!
//! Never here: anything that a service does, or a database that this crate didn't make.

use tokio_postgres::Client;

use super::server::connect;
use super::template::Database;
use crate::StackError;

/// A table in which nobody can write until this is released; reading goes on.
#[derive(Debug)]
#[must_use = "the table is free again as soon as this is dropped"]
pub struct Locked(Client);

/// What is done here is not counted: the statements of a database are its service's own.
const UNCOUNTED: &str = "?options=-c%20pg_stat_statements.track%3Dnone";

impl Database {
    async fn uncounted(&self) -> Result<Client, StackError> {
        connect(&(self.url() + UNCOUNTED)).await
    }

    /// Keeps everybody from writing to a table.
    pub async fn lock(&self, table: &str) -> Result<Locked, StackError> {
        let client = self.uncounted().await?;
        let statement = format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE");
        client.batch_execute(&statement).await.map_err(StackError::postgres("locking a table"))?;
        Ok(Locked(client))
    }

    /// Says where a sequence goes on, by the share of its numbers that lies before that; one that
    /// has given its last number out gives none any more.
    pub async fn spend_numbers(&self, sequence: &str, share: f64) -> Result<(), StackError> {
        let client = self.uncounted().await?;
        let statement = "SELECT setval($1::text::regclass, least(greatest(trunc( \
                         s.seqmax::numeric * $2::float8::numeric), 1), s.seqmax)::bigint) \
                         FROM pg_sequence s WHERE s.seqrelid = $1::text::regclass";
        let moved = client.query(statement, &[&sequence, &share]).await;
        moved.map(drop).map_err(StackError::postgres("moving a sequence"))
    }
}

impl Locked {
    /// Lets everybody go on.
    pub async fn release(self) -> Result<(), StackError> {
        let ended = self.0.batch_execute("COMMIT").await;
        ended.map_err(StackError::postgres("releasing a table"))
    }
}
