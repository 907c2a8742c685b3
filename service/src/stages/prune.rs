//! Prune: drops the weeks of promises and tries that are older than they are to be kept. A week
//! goes whole, and only once nothing of it waits and all of its counts are folded; from which day
//! on there is everything is noted with it, for the audits.
//!
//! Unfolded counts need no pruning: folding removes them.

use std::time::{Duration, Instant};

use contract::{Pool, Stage};
use jiff::tz::TimeZone;

use crate::app::App;
use crate::db::{DbError, weeks};
use crate::obs;
use crate::obs::prune::Table;

const DAY: Duration = Duration::from_secs(86_400);

/// One turn of a shard. Returns how many weeks it dropped.
pub(super) async fn run_shard(app: &App, shard: i16) -> Result<usize, DbError> {
    // The partitions are every shard's; one of them looks after them.
    if shard != 0 {
        return Ok(0);
    }
    let started = Instant::now();
    let today = app.clock.domain_now().to_zoned(TimeZone::UTC).date();
    let conn = app.db.get_for(Stage::Prune, Pool::Upkeep).await?;
    let mut dropped = 0;
    for table in Table::ALL {
        let days = match table {
            Table::Intent => app.config.keep_intents_days,
            Table::Attempt => app.config.keep_attempts_days,
        };
        let keep_from = weeks::days_after(today, -i64::from(days));
        match weeks::drop_old(&conn, table.name(), keep_from).await {
            Ok((is_dropped, overdue_days)) => {
                obs::prune::seen(table, is_dropped, DAY * overdue_days.max(0).unsigned_abs());
                dropped += usize::from(is_dropped);
            }
            // Somebody reads it for long: next time.
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error),
        }
    }
    obs::stage::batch(Stage::Prune, dropped, started.elapsed());
    Ok(dropped)
}
