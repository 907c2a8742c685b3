//! What is fixed once for a database: the shard count, the rows of the shards and of their
//! maintainers; and the daily partitions, which are attached ahead.

use contract::{Pool, Query, Stage};
use jiff::civil::Date;
use jiff::{Span, Timestamp};

use super::{Conn, Db, DbError};

/// Stages of which one runner at a time works on a shard.
const MAINTAINED: &[Stage] =
    &[Stage::Release, Stage::Floor, Stage::Sweep, Stage::Fold, Stage::Extend, Stage::Replan];

/// Tables with a partition for every day up to the planning horizon.
const AHEAD: &[&str] = &["intent"];
/// Tables that only need the days around today.
const AROUND: &[&str] = &["attempt", "attempt_outcome"];

/// Fixes the shard count if nobody did (the first process wins), makes the rows that depend on it
/// and returns the count that holds.
pub(crate) async fn fix(db: &Db, shard_count: i16) -> Result<i16, DbError> {
    let mut conn = db.get(Pool::Upkeep).await?;
    let tx = conn.begin();
    tx.execute(Query::DeploymentInsert, &[&shard_count]).await?;
    let fixed: i16 = read(&tx.row_opt(Query::DeploymentRead, &[]).await?)?;
    tx.execute(Query::ShardInsert, &[&fixed]).await?;
    let stages: Vec<&str> = MAINTAINED.iter().map(|stage| stage.name()).collect();
    tx.execute(Query::MaintainerInsert, &[&fixed, &stages]).await?;
    tx.commit().await?;
    Ok(fixed)
}

fn read(row: &Option<tokio_postgres::Row>) -> Result<i16, DbError> {
    row.as_ref().map(|row| row.get(0)).ok_or(DbError::Refused {
        query: Query::DeploymentRead.name(),
        code: "client".into(),
        message: "the deployment has no row: was the database migrated?".into(),
    })
}

/// Attaches the missing days around a domain instant and up to the horizon. Days of the past two
/// days are there for time zones and for what was late.
pub(crate) async fn attach_days(
    conn: &Conn,
    domain_now: Timestamp,
    horizon_days: u64,
) -> Result<i32, DbError> {
    let today = domain_now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let first = days_after(today, -2);
    let ahead = days_after(today, i64::try_from(horizon_days).unwrap_or(3_650) + 2);
    let around = days_after(today, 4);
    let mut attached = 0;
    for (tables, end) in [(AHEAD, ahead), (AROUND, around)] {
        for table in tables {
            let row = conn.row_opt(Query::DaysAttach, &[table, &first, &end]).await?;
            attached += row.map_or(0, |row| row.get::<_, i32>(0));
        }
    }
    Ok(attached)
}

/// A day some days later or earlier; stays at the calendar's ends.
pub(crate) fn days_after(day: Date, days: i64) -> Date {
    day.saturating_add(Span::new().days(days))
}
