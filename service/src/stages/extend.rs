//! Looks ahead: attaches the weeks up to the horizon, and plans the reminders of appointments whose
//! day has come inside it.

use std::sync::Arc;
use std::time::Instant;

use contract::{Limit, Pool, Query, Stage};

use super::replan;
use crate::app::App;
use crate::db::{DbError, weeks};

/// One turn of a shard. Returns how many appointments it planned.
pub(crate) async fn run_shard(app: &Arc<App>, shard: i16) -> Result<usize, DbError> {
    let domain_now = app.clock.domain_now();
    let horizon_days = app.config.limit(Limit::PlanHorizonDays);
    let mut conn = app.db.get_for(Stage::Extend, Pool::Upkeep).await?;
    if shard == 0 {
        // The partitions are every shard's; one of them looks after them.
        weeks::attach(&conn, domain_now, horizon_days).await?;
    }
    let stage = Stage::Extend;
    let tx = conn.begin();
    if tx.row_opt(Query::MaintainerLock, &[&shard, &stage.name()]).await?.is_none() {
        tx.rollback().await?;
        return Ok(0); // another process has this turn
    }
    let today = domain_now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = i64::try_from(horizon_days).unwrap_or(i64::MAX);
    let horizon = weeks::days_after(today, days);
    let batch = i64::from(stage.spec().batch_max);
    let rows = tx.rows(Query::AppointmentUnplanned, &[&shard, &horizon, &batch]).await?;
    let mut of_practice: Vec<(i64, Vec<String>)> = Vec::new();
    for row in &rows {
        let (practice_id, appointment_id): (i64, String) = (row.get(0), row.get(1));
        match of_practice.last_mut() {
            Some((last, ids)) if *last == practice_id => ids.push(appointment_id),
            Some(_) | None => of_practice.push((practice_id, vec![appointment_id])),
        }
    }
    for (practice_id, ids) in of_practice {
        let ways = (&*app.practices, &app.ingest);
        replan::apply(ways, shard, practice_id, ids, Instant::now()).await?;
    }
    let real_now = app.clock.real_now();
    tx.execute(Query::MaintainerRan, &[&shard, &stage.name(), &real_now]).await?;
    tx.commit().await?;
    Ok(rows.len())
}
