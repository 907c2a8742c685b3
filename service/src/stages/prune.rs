//! Prune: drops the weeks of promises and tries that are older than they are to be kept. A week
//! goes whole, and only once nothing of it waits and all of its counts are folded; from which day
//! on there is everything is noted with it, for the audits. What reconciliation found goes by row,
//! once it has been closed for as long as promises are kept.
//!
//! Unfolded counts need no pruning: folding removes them.

use std::time::{Duration, Instant};

use contract::{Pool, Stage};
use jiff::tz::TimeZone;

use crate::app::App;
use crate::db::{Conn, DbError, weeks};
use crate::obs;
use crate::obs::prune::Table;
use crate::reconcile::ledger;

const DAY: Duration = Duration::from_secs(86_400);

/// One turn of a shard. Returns how many weeks it dropped and rows it removed.
pub(super) async fn run_shard(app: &App, shard: i16) -> Result<usize, DbError> {
    let started = Instant::now();
    let conn = app.db.get_for(Stage::Prune, Pool::Upkeep).await?;
    let closed_before = app.clock.real_now() - DAY * app.config.keep_intents_days;
    let batch_max = i64::from(Stage::Prune.spec().batch_max);
    let removed = ledger::prune(&conn, shard, closed_before, batch_max).await?;
    // The partitions are every shard's; one of them looks after them.
    let looks_after_weeks = shard == 0;
    let dropped = if looks_after_weeks { drop_weeks(app, &conn).await? } else { 0 };
    // Turns with nothing to do are not held against its failures.
    if looks_after_weeks || removed > 0 {
        obs::stage::batch(Stage::Prune, removed + dropped, started.elapsed());
    }
    Ok(removed + dropped)
}

/// Drops the oldest week of each table, where it is old enough; returns how many those were.
async fn drop_weeks(app: &App, conn: &Conn) -> Result<usize, DbError> {
    let today = app.clock.domain_now().to_zoned(TimeZone::UTC).date();
    let mut dropped = 0;
    for table in Table::ALL {
        let days = match table {
            Table::Intent => app.config.keep_intents_days,
            Table::Attempt => app.config.keep_attempts_days,
        };
        let keep_from = weeks::days_after(today, -i64::from(days));
        match weeks::drop_old(conn, table.name(), keep_from).await {
            Ok((is_dropped, overdue_days)) => {
                obs::prune::seen(table, is_dropped, DAY * overdue_days.max(0).unsigned_abs());
                dropped += usize::from(is_dropped);
            }
            // Somebody reads it for long: next time.
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(dropped)
}
