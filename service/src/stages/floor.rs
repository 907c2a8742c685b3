//! Floor: raises the floors below which no scan looks, so that what is long done costs nothing.
//! Who makes something ready or due holds the shard's row FOR SHARE meanwhile; we wait for them,
//! but not for long: a floor that is raised a second later is only a little slower. Beside the
//! floors it sees to statistics: both keep statements from reading more than they need.

use std::time::Instant;

use contract::{Pool, Query, Stage};
use jiff::civil::Date;
use tokio_postgres::types::ToSql;

use super::{Shared, maintainer};
use crate::db::{Conn, DbError};
use crate::obs;

/// One turn of a shard.
pub(super) async fn run_shard(shared: &Shared, shard: i16) -> Result<usize, DbError> {
    let mut conn = shared.app.db.get_for(Stage::Floor, Pool::Upkeep).await?;
    let raised = raise(shared, &mut conn, shard).await?;
    // Also where the floor could not be raised: what holds its row for long may be a statement that
    // was planned without statistics. One shard does it for all.
    if shard == 0 {
        conn.row_opt(Query::AnalyzeGrown, &[]).await?;
    }
    Ok(raised)
}

async fn raise(shared: &Shared, conn: &mut Conn, shard: i16) -> Result<usize, DbError> {
    let started = Instant::now();
    let tx = conn.begin();
    let params: [&(dyn ToSql + Sync); 1] = [&shard];
    let locked = tokio::try_join!(
        biased;
        tx.execute(Query::FloorPatience, &[]),
        tx.row_opt(Query::FloorLock, &params),
    );
    let row = match locked {
        Ok((_, row)) => row,
        Err(error) if error.is_retryable() => {
            tx.rollback().await?;
            return Ok(0); // the shard is busy: next time
        }
        Err(error) => return Err(error),
    };
    let Some(row) = row else {
        tx.rollback().await?;
        return Ok(0);
    };
    let release_day: Date = row.get(0);
    // Only now: nobody may have planned or made ready anything later than this since.
    let domain_now = shared.app.clock.domain_now();
    let (first, last) = maintainer::due_days(release_day, domain_now);
    tx.execute(Query::FloorRaise, &[&shard, &domain_now, &first, &last]).await?;
    tx.commit().await?;
    obs::stage::batch(Stage::Floor, 1, started.elapsed());
    Ok(1)
}
