//! Where practices are stored: reading a revision, and putting one, which opens a new revision
//! only if something that planning or rendering depends on has changed.

use std::sync::Arc;

use contract::{Pool, Query};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_postgres::Row;

use super::{Practice, Revision, Rule};
use crate::db::{Conn, Db, DbError, Params, Tx};

/// What a practice is read on.
#[derive(Clone, Copy)]
pub(super) enum On<'a> {
    /// A connection of its own.
    Conn(&'a Conn),
    /// The transaction that needs it.
    Tx(&'a Tx<'a>),
}

impl On<'_> {
    pub(super) async fn rows(self, query: Query, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Conn(conn) => conn.rows(query, params).await,
            Self::Tx(tx) => tx.rows(query, params).await,
        }
    }
}

/// Reads a practice as it is now.
pub(super) async fn read(
    on: On<'_>,
    shard: i16,
    practice_id: i64,
) -> Result<Option<Practice>, DbError> {
    let rows = on.rows(Query::PracticeRead, &[&shard, &practice_id]).await?;
    practice_of(practice_id, &rows)
}

/// Reads a stated revision.
pub(super) async fn read_revision(
    on: On<'_>,
    shard: i16,
    practice_id: i64,
    revision: i32,
) -> Result<Option<Revision>, DbError> {
    let rows = on.rows(Query::PracticeRevisionRead, &[&shard, &practice_id, &revision]).await?;
    revision_of(practice_id, &rows)
}

fn practice_of(practice_id: i64, rows: &[Row]) -> Result<Option<Practice>, DbError> {
    let newest = revision_of(practice_id, rows)?;
    Ok(rows.first().zip(newest).map(|(first, newest)| Practice {
        name: first.get("practice_name"),
        sender: first.get("sender"),
        newest: Arc::new(newest),
    }))
}

fn revision_of(practice_id: i64, rows: &[Row]) -> Result<Option<Revision>, DbError> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let timezone_name: String = first.get("timezone");
    let timezone = TimeZone::get(&timezone_name).map_err(|error| DbError::Refused {
        query: Query::PracticeRead.name(),
        code: "client".into(),
        message: format!("practice {practice_id} has a time zone that is not known: {error}"),
    })?;
    let rules = rows.iter().map(rule_of).collect();
    Ok(Some(Revision {
        practice_id,
        revision: first.get("revision"),
        timezone,
        timezone_name,
        send_from: first.get("send_from"),
        send_until: first.get("send_until"),
        rules,
    }))
}

fn rule_of(row: &Row) -> Rule {
    Rule {
        rule_id: row.get("rule_id"),
        name: row.get("rule_name"),
        before_days: row.get("before_days"),
        before_minutes: row.get("before_minutes"),
        grouping_minutes: row.get("grouping_minutes"),
        scatter_seconds: row.get("scatter_seconds"),
        template: row.get("template"),
    }
}

/// What came of putting a practice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Put {
    /// It is new.
    Created(Practice),
    /// It has a new revision. If reminders are due at other times under it, its future appointments
    /// are planned again.
    Changed(Practice),
    /// It was so already.
    Unchanged(Practice),
    /// Another practice sends from the number.
    SenderTaken,
    /// The database's own tz data has no such zone.
    ZoneUnknown,
}

/// Puts a practice in the wanted state; which revision `wanted` names is ignored.
pub(crate) async fn put(
    db: &Db,
    shard: i16,
    wanted: Practice,
    real_now: Timestamp,
) -> Result<Put, DbError> {
    let mut conn = db.get(Pool::Interactive).await?;
    let id = wanted.newest.practice_id;
    let tx = conn.begin();
    let locked = tx.row_opt(Query::PracticeLock, &[&shard, &id]).await?;
    let rows = tx.rows(Query::PracticeRead, &[&shard, &id]).await?;
    let known = practice_of(id, &rows)?;
    let as_revision = |revision| {
        let newest = Arc::new(Revision { revision, ..Revision::clone(&wanted.newest) });
        Practice { newest, ..wanted.clone() }
    };
    if let Some(known) = &known
        && as_revision(known.newest.revision) == *known
    {
        tx.commit().await?;
        return Ok(Put::Unchanged(known.clone()));
    }
    let replans =
        known.as_ref().is_some_and(|known| plans_differently(&known.newest, &wanted.newest));
    let revision = known.as_ref().map_or(1, |known| known.newest.revision + 1);
    let wanted = as_revision(revision);

    let given: Option<Row> =
        tx.row_opt(Query::SenderUpsert, &[&wanted.sender, &shard, &id]).await?;
    if given.is_none() {
        tx.rollback().await?;
        return Ok(Put::SenderTaken);
    }
    tx.execute(Query::SenderLeave, &[&wanted.sender, &id]).await?;
    tx.execute(
        Query::PracticeUpsert,
        &[&shard, &id, &revision, &wanted.name, &wanted.sender, &replans, &real_now],
    )
    .await?;
    if !insert_revision(&tx, shard, &wanted.newest, real_now).await? {
        tx.rollback().await?;
        return Ok(Put::ZoneUnknown);
    }
    insert_rules(&tx, shard, &wanted.newest).await?;
    tx.commit().await?;
    Ok(if locked.is_some() { Put::Changed(wanted) } else { Put::Created(wanted) })
}

/// True when appointments planned under the one would be planned differently under the other. What
/// texts say is no part of that: they are worded when they are due, by what is newest then.
fn plans_differently(a: &Revision, b: &Revision) -> bool {
    let timing = |r: &Rule| {
        (r.rule_id, r.before_days, r.before_minutes, r.grouping_minutes, r.scatter_seconds)
    };
    a.timezone_name != b.timezone_name
        || (a.send_from, a.send_until) != (b.send_from, b.send_until)
        || a.rules.iter().map(timing).ne(b.rules.iter().map(timing))
}

/// SQLSTATE of what computes with a time zone that the server doesn't know.
const INVALID_PARAMETER: &str = "22023";

/// Says whether the database knows the time zone: its table computes with it.
async fn insert_revision(
    tx: &Tx<'_>,
    shard: i16,
    revision: &Revision,
    real_now: Timestamp,
) -> Result<bool, DbError> {
    let inserted = tx
        .execute(
            Query::PracticeRevisionInsert,
            &[
                &shard,
                &revision.practice_id,
                &revision.revision,
                &revision.timezone_name,
                &revision.send_from,
                &revision.send_until,
                &real_now,
            ],
        )
        .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(DbError::Refused { code, .. }) if code == INVALID_PARAMETER => Ok(false),
        Err(error) => Err(error),
    }
}

async fn insert_rules(tx: &Tx<'_>, shard: i16, revision: &Revision) -> Result<(), DbError> {
    let rules = &revision.rules;
    let ids: Vec<i16> = rules.iter().map(|r| r.rule_id).collect();
    let names: Vec<&str> = rules.iter().map(|r| r.name.as_str()).collect();
    let days: Vec<i16> = rules.iter().map(|r| r.before_days).collect();
    let minutes: Vec<i32> = rules.iter().map(|r| r.before_minutes).collect();
    let grouping: Vec<i32> = rules.iter().map(|r| r.grouping_minutes).collect();
    let scatter: Vec<i32> = rules.iter().map(|r| r.scatter_seconds).collect();
    let templates: Vec<&str> = rules.iter().map(|r| r.template.as_str()).collect();
    tx.execute(
        Query::RuleInsert,
        &[
            &shard,
            &revision.practice_id,
            &revision.revision,
            &ids,
            &names,
            &days,
            &minutes,
            &grouping,
            &scatter,
            &templates,
        ],
    )
    .await?;
    Ok(())
}
