//! What stages do at the beginning of their transactions: become a shard's only runner, and find
//! the days on which something can be due.

use contract::{Query, Stage};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::db::{DbError, Tx, weeks};

/// Takes the right to be the shard's only runner until the transaction ends; false when somebody
/// else has it.
pub(crate) async fn lock(tx: &Tx<'_>, shard: i16, stage: Stage) -> Result<bool, DbError> {
    let row = tx.row_opt(Query::MaintainerLock, &[&shard, &stage.name()]).await?;
    Ok(row.is_some())
}

/// The same, with the instant that the last runner left; none when somebody else has it.
pub(super) async fn lock_since(
    tx: &Tx<'_>,
    shard: i16,
    stage: Stage,
) -> Result<Option<Timestamp>, DbError> {
    let row = tx.row_opt(Query::MaintainerLock, &[&shard, &stage.name()]).await?;
    // Before the first run it is -infinity, for which there is no timestamp.
    Ok(row.map(|row| row.try_get(0).unwrap_or(Timestamp::MIN)))
}

/// Notes that the runner ran; for people who ask why nothing happens.
pub(super) async fn ran(
    tx: &Tx<'_>,
    shard: i16,
    stage: Stage,
    real_now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(Query::MaintainerRan, &[&shard, &stage.name(), &real_now]).await?;
    Ok(())
}

/// The local days on which something can be due by a domain instant: from the oldest that may hold
/// planned intents to tomorrow, where it is tomorrow first.
pub(super) fn due_days(release_day: Date, domain_now: Timestamp) -> (Date, Date) {
    let today = domain_now.to_zoned(TimeZone::UTC).date();
    (release_day, weeks::days_after(today, 1).max(release_day))
}
