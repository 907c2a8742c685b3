//! Fold: adds the deltas of the counts to their sums. Whoever makes a fact true appends a delta in
//! the same transaction; one folder a shard turns many of them into few rows, in one transaction
//! that sees one state: the sum of both tables is the truth at every instant.

use std::time::Instant;

use contract::{Pool, Query, Stage};

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
    let Some(edge) = edge else {
        tx.rollback().await?;
        observe(shared, shard, true);
        return Ok(0);
    };
    tx.execute(Query::FoldSums, &[&shard, &edge]).await?;
    tx.execute(Query::FoldDelete, &[&shard, &edge]).await?;
    maintainer::ran(&tx, shard, Stage::Fold, shared.app.clock.real_now()).await?;
    tx.commit().await?;
    let folded = usize::try_from(deltas).unwrap_or(usize::MAX);
    observe(shared, shard, deltas < batch_max);
    obs::stage::batch(Stage::Fold, folded, started.elapsed());
    Ok(folded)
}

/// Publishes how far folding is behind: the longest time for which a shard has had deltas left.
fn observe(shared: &Shared, shard: i16, is_all: bool) {
    let folded =
        if is_all { shared.folded.set(shard, Instant::now()) } else { shared.folded.all() };
    if let Some(oldest) = folded.iter().min() {
        obs::law::fold_lag(oldest.elapsed());
    }
}
