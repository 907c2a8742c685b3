//! A transaction. It is committed only if every statement of it succeeded: PostgreSQL answers
//! COMMIT of a failed transaction without an error. Dropped before its end, it takes its
//! connection with it.

#[cfg(debug_assertions)]
mod planted;

use std::sync::atomic::{AtomicBool, Ordering};

use contract::Query;
use tokio_postgres::Row;

use super::conn::{Conn, Params};
use super::error::DbError;
use super::router::{Token, carried};
use super::statement;

/// An open transaction.
pub(crate) struct Tx<'a> {
    conn: &'a Conn,
    begin: &'static str,
    /// BEGIN has been sent.
    begun: AtomicBool,
    /// A statement of it did not succeed.
    failed: AtomicBool,
    /// It was committed or rolled back.
    ended: bool,
}

impl<'a> Tx<'a> {
    pub(super) const fn new(conn: &'a Conn, begin: &'static str) -> Self {
        Self {
            conn,
            begin,
            begun: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            ended: false,
        }
    }

    /// Runs a statement and returns its rows.
    pub(crate) async fn rows(&self, query: Query, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.after_begin(self.conn.rows(query, params)).await
    }

    /// Runs a statement that returns at most one row.
    pub(crate) async fn row_opt(
        &self,
        query: Query,
        params: Params<'_>,
    ) -> Result<Option<Row>, DbError> {
        self.after_begin(self.conn.row_opt(query, params)).await
    }

    /// Runs a statement and returns how many rows it touched.
    pub(crate) async fn execute(&self, query: Query, params: Params<'_>) -> Result<u64, DbError> {
        self.after_begin(self.conn.execute(query, params)).await
    }

    /// Commits, if every statement succeeded. Notes for the request on whose task this is how far
    /// its write got.
    pub(crate) async fn commit(self) -> Result<(), DbError> {
        let Some(carried) = carried::current() else { return self.only_commit().await };
        if let Some(token) = self.commit_at().await? {
            carried.wrote(token);
        }
        Ok(())
    }

    async fn only_commit(mut self) -> Result<(), DbError> {
        #[cfg(debug_assertions)]
        planted::fail(&self).await;
        self.may_commit().await?;
        self.end(statement::COMMIT).await
    }

    /// Rolls back what must not be committed, and says why.
    async fn may_commit(&mut self) -> Result<(), DbError> {
        let why = if self.failed.load(Ordering::Relaxed) {
            DbError::Refused {
                query: "commit",
                code: "25P02".into(),
                message: "a statement of the transaction had failed".into(),
            }
        } else if self.conn.is_replaced() {
            DbError::Unavailable("another server leads now".into())
        } else {
            return Ok(());
        };
        self.end(statement::ROLLBACK).await?;
        Err(why)
    }

    /// Commits, if every statement succeeded, and returns the position after which a reader sees
    /// what it wrote. None where it isn't known which database this is.
    pub(crate) async fn commit_at(mut self) -> Result<Option<Token>, DbError> {
        if !self.begun.load(Ordering::Relaxed) {
            return self.only_commit().await.map(|()| None);
        }
        #[cfg(debug_assertions)]
        planted::fail(&self).await;
        self.may_commit().await?;
        let token = self.conn.commit_at().await?;
        self.ended = true;
        Ok(token)
    }

    /// Ends it without effect and keeps the connection.
    pub(crate) async fn rollback(mut self) -> Result<(), DbError> {
        self.end(statement::ROLLBACK).await
    }

    async fn end(&mut self, text: &'static str) -> Result<(), DbError> {
        if self.begun.load(Ordering::Relaxed) {
            self.conn.control(text).await?;
        }
        self.ended = true;
        Ok(())
    }

    /// Sends BEGIN ahead of the first statement, in the same write.
    async fn after_begin<T>(
        &self,
        statement: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, DbError> {
        let result = if self.begun.swap(true, Ordering::Relaxed) {
            statement.await
        } else {
            let (begun, result) = tokio::join!(biased; self.conn.control(self.begin), statement);
            begun.and(result)
        };
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if !self.ended && self.begun.load(Ordering::Relaxed) {
            self.conn.taint();
        }
    }
}
