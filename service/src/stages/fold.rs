//! Fold: adds the deltas of the counts to their sums. Whoever makes a fact true appends a delta in
//! the same transaction; one folder a shard turns many of them into few rows, in one transaction
//! that sees one state: the sum of both tables is the truth at every instant.

use std::time::{Duration, Instant};

use contract::{Pool, Query, Stage};
use jiff::Timestamp;

use super::{Shared, maintainer};
use crate::db::DbError;
use crate::obs;

/// One turn of a shard. Returns how many deltas it folded.
pub(super) async fn run_shard(shared: &Shared, shard: i16) -> Result<usize, DbError> {
    let started = Instant::now();
    let batch_max = i64::from(Stage::Fold.spec().batch_max);
    let mut conn = shared.app.db.get_for(Stage::Fold, Pool::Upkeep).await?;
    let tx = conn.begin_repeatable_read();
    if !maintainer::lock(&tx, shard, Stage::Fold).await? {
        tx.rollback().await?;
        return Ok(0); // another process has this turn
    }
    let row = tx.row_opt(Query::FoldEdge, &[&shard, &batch_max]).await?;
    let (edge, deltas): (Option<i64>, i64) = row.map_or((None, 0), |row| (row.get(0), row.get(1)));
    let real_now = shared.app.clock.real_now();
    let Some(edge) = edge else {
        tx.rollback().await?;
        all_folded(shared, shard, Some(real_now));
        return Ok(0);
    };
    tx.execute(Query::FoldSums, &[&shard, &edge]).await?;
    tx.execute(Query::FoldDelete, &[&shard, &edge]).await?;
    // Whoever looks at the shard sees by it until when all was folded, by whichever process.
    let is_all = deltas < batch_max;
    if is_all {
        maintainer::ran(&tx, shard, Stage::Fold, real_now).await?;
    }
    tx.commit().await?;
    let folded = usize::try_from(deltas).unwrap_or(usize::MAX);
    all_folded(shared, shard, is_all.then_some(real_now));
    obs::stage::batch(Stage::Fold, folded, started.elapsed());
    Ok(folded)
}

/// Notes until when all deltas of a shard were folded for certain, where that is known, and
/// publishes how far folding is behind: the longest time for which a shard has had deltas left.
/// Folding tells it, and so does whoever looks on: a folder that stands still tells nothing.
pub(super) fn all_folded(shared: &Shared, shard: i16, until: Option<Timestamp>) {
    let until = until.unwrap_or(Timestamp::MIN);
    shared.folded.with(shard, |folded| *folded = until.max(*folded));
    if let Some(&oldest) = shared.folded.all().iter().min() {
        let age = shared.app.clock.real_now().duration_since(oldest);
        obs::law::fold_lag(Duration::try_from(age).unwrap_or_default());
    }
}
