//! Sweep: looks below the floors on purpose. Nothing may stand there, for nobody else would ever
//! see it; what does is counted, and the count pages.

use std::time::Instant;

use contract::{Pool, Query, Stage};

use super::{Shared, maintainer};
use crate::db::DbError;
use crate::obs;

/// One turn of a shard.
pub(super) async fn run_shard(shared: &Shared, shard: i16) -> Result<usize, DbError> {
    let started = Instant::now();
    let domain_now = shared.app.clock.domain_now();
    let (_, tomorrow) = maintainer::due_days(jiff::civil::Date::MIN, domain_now);
    let mut conn = shared.app.db.get_for(Stage::Sweep, Pool::Upkeep).await?;
    let tx = conn.begin();
    let lanes = tx.row_opt(Query::SweepLanes, &[&shard]).await?;
    let intents = tx.row_opt(Query::SweepIntents, &[&shard, &tomorrow]).await?;
    tx.commit().await?;
    let count = |row: Option<tokio_postgres::Row>| row.map_or(0, |row| row.get::<_, i64>(0));
    let (lanes, intents) = (count(lanes), count(intents));
    if lanes + intents > 0 {
        tracing::error!(shard, lanes, intents, "rows stand below a floor: nobody will see them");
    }
    let stranded = u64::try_from(lanes + intents).unwrap_or(0);
    obs::law::stranded(shared.stranded.set(shard, stranded).iter().sum());
    obs::stage::batch(Stage::Sweep, 1, started.elapsed());
    Ok(1)
}
