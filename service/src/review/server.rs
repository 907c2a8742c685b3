//! What the server counted of statements, in `pg_stat_statements`, joined to ours by the name that
//! leads their text: buffers and log, which no client sees. Without the extension, or without the
//! right to read it, all else stands and a note says so.

use contract::Query;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use super::{Ask, Look, Report, statements, text};
use crate::db::DbError;

/// What the server counted of a statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Served {
    /// The number under which it was counted, as text: it is larger than JSON's numbers. Where a
    /// name had several, the one that took longest; none where it may not be seen.
    pub(crate) queryid: Option<String>,
    /// How often it was executed, by all processes.
    pub(crate) calls: i64,
    /// Time of all executions.
    pub(crate) total_seconds: f64,
    /// Rows returned or touched.
    pub(crate) rows: i64,
    /// Buffers found in the server's memory.
    pub(crate) blocks_hit: i64,
    /// Buffers that had to be read.
    pub(crate) blocks_read: i64,
    /// Buffers that became different from what the disk has.
    pub(crate) blocks_dirtied: i64,
    /// Buffers written because memory did not suffice.
    pub(crate) temp_blocks_written: i64,
    /// Log written.
    pub(crate) wal_bytes: i64,
}

/// A statement in this database that is none of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Other {
    /// Its name, where a comment leads it, or its text, masked and cut.
    pub(crate) text: String,
    /// What the server counted.
    pub(crate) server: Served,
}

/// Reads what the server counted and puts it beside what we did.
pub(super) async fn read(look: &Look<'_>, ask: Ask, report: &mut Report) -> Result<(), DbError> {
    if !rights(look, &mut report.notes).await? {
        report.notes.push(
            "pg_stat_statements is not in this database: no buffers and no log. Put it into \
             shared_preload_libraries and CREATE EXTENSION pg_stat_statements."
                .into(),
        );
        return Ok(());
    }
    match statements(look, ask).await? {
        Ok(rows) => join(&rows, ask, report),
        Err(why) => report.notes.push(format!("pg_stat_statements may not be read: {why}")),
    }
    Ok(())
}

/// What the role may see; true if there is a pg_stat_statements.
async fn rights(look: &Look<'_>, notes: &mut Vec<String>) -> Result<bool, DbError> {
    let rows = match look.rows(Query::ReviewServer, &[]).await? {
        Ok(rows) => rows,
        Err(why) => {
            notes.push(format!("the server does not say what may be seen of it: {why}"));
            return Ok(false);
        }
    };
    let has = |name: &str| rows.first().is_some_and(|row| row.get(name));
    if !has("sees_all") {
        notes.push(
            "Sessions and statements of other roles are not shown: GRANT pg_monitor to the \
             service's role to see them."
                .into(),
        );
    }
    Ok(has("has_statements"))
}

async fn statements(look: &Look<'_>, ask: Ask) -> Result<super::Answer, DbError> {
    let most = i64::try_from(2 * Query::COUNT + ask.limit).unwrap_or(i64::MAX);
    look.rows(Query::ReviewStatements, &[&most]).await
}

fn join(rows: &[Row], ask: Ask, report: &mut Report) {
    for row in rows {
        let served = served(row);
        let name: Option<&str> = row.get("name");
        if let Some(query) = name.and_then(Query::from_name) {
            statements::entry(&mut report.statements, query).server = Some(served);
        } else if report.others.len() < ask.limit {
            let text = name.map_or_else(
                || text::shown(row.get::<_, Option<&str>>("text").unwrap_or_default()),
                ToOwned::to_owned,
            );
            report.others.push(Other { text, server: served });
        }
    }
}

fn served(row: &Row) -> Served {
    let n = |name: &str| row.get::<_, Option<i64>>(name).unwrap_or(0);
    Served {
        queryid: row.get::<_, Option<i64>>("queryid").map(|id| id.to_string()),
        calls: n("calls"),
        total_seconds: row.get::<_, Option<f64>>("seconds").unwrap_or(0.0),
        rows: n("returned"),
        blocks_hit: n("blocks_hit"),
        blocks_read: n("blocks_read"),
        blocks_dirtied: n("blocks_dirtied"),
        temp_blocks_written: n("temp_blocks_written"),
        wal_bytes: n("wal_bytes"),
    }
}
