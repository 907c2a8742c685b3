//! A read that the primary answers. Where a token is shown the server is asked whether it still is
//! the primary, on the connection that is read from.

use contract::{Query, Read, RouteReason};
use tokio::sync::OwnedSemaphorePermit;
use tokio_postgres::Row;
use tokio_postgres::types::PgLsn;

use super::carried;
use super::token::{After, History, Token};
use crate::db::conn::{Conn, Params};
use crate::db::error::DbError;

/// The primary at the other end of a reader.
pub(super) struct OnPrimary {
    conn: Conn,
    reason: RouteReason,
    /// What it has to show that it has seen; asked with the first read.
    unchecked: Option<After>,
    /// Where a replica should have answered.
    _fallen_back: Option<OwnedSemaphorePermit>,
}

impl OnPrimary {
    /// A connection to the primary and why it is read; what must be seen there, if anything.
    pub(super) const fn new(
        conn: Conn,
        reason: RouteReason,
        unchecked: Option<After>,
        fallen_back: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { conn, reason, unchecked, _fallen_back: fallen_back }
    }

    /// Why it is read.
    pub(super) const fn reason(&self) -> RouteReason {
        self.reason
    }

    /// How far it has come since it was read.
    pub(super) async fn seen(&self) -> Result<Option<Token>, DbError> {
        let row = self.conn.row_opt(Query::ServerCheck, &[]).await?;
        Ok(row.and_then(|row| self.here(&row)).flatten())
    }

    /// Where it stands, if it is a primary; nothing more where its system isn't known.
    fn here(&self, row: &Row) -> Option<Option<Token>> {
        let at: Option<i32> = row.get("timeline");
        let (false, Some(at)) = (row.get("in_recovery"), at) else { return None };
        Some(self.conn.system().map(|system| Token {
            history: History { system, timeline: at.cast_unsigned() },
            lsn: u64::from(row.get::<_, PgLsn>("lsn")).max(1),
        }))
    }

    /// A reader that shows a token isn't answered by a primary that was replaced: it is asked what
    /// it is on the connection that is read from.
    pub(super) async fn rows(
        &mut self,
        read: Read,
        params: Params<'_>,
    ) -> Result<Vec<Row>, DbError> {
        let Some(after) = self.unchecked else {
            return self.conn.rows(read.query(), params).await;
        };
        let (checked, rows) = tokio::try_join!(
            biased;
            self.conn.rows(Query::ServerCheck, &[]),
            self.conn.rows(read.query(), params),
        )?;
        let replaced = || DbError::Unavailable("the server that was read was replaced".into());
        let row = checked.first().ok_or_else(replaced)?;
        let here = self.here(row).ok_or_else(replaced)?;
        if let (After::At(token), Some(here)) = (after, here) {
            if here.history.is_before(token.history) {
                return Err(replaced());
            }
            // It was told before it was safe, and the server has crashed since.
            if here.history == token.history && here.lsn < token.lsn {
                let why = "the primary has lost what the read must have seen";
                return Err(DbError::Unavailable(why.into()));
            }
            // A token of before a promotion would lead to the primary for ever.
            if token.history != here.history
                && let Some(carried) = carried::current()
            {
                carried.wrote(here);
            }
        }
        self.unchecked = None;
        Ok(rows)
    }
}
