//! Plans a practice's future appointments again after its rules or settings changed: page by page
//! in the order of their keys, and of this practice alone.
//!
//! A process may plan under the previous revision for as long as it remembers that one, and a
//! request for as long as its deadline. So a pass that began sooner than that after the change is
//! followed by another.

use std::sync::Arc;
use std::time::Instant;

use contract::{Pool, Query, Stage};
use jiff::{SignedDuration, Timestamp};

use crate::app::App;
use crate::db::DbError;
use crate::ingest::{Change, Ingest, IngestError};
use crate::practice::Practices;

/// Longer than any request that began before the change can take to commit.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// One turn of a shard: a whole pass over one practice. Returns how many appointments it planned.
pub(crate) async fn run_shard(app: &Arc<App>, shard: i16) -> Result<usize, DbError> {
    let stage = Stage::Replan;
    let mut conn = app.db.get_for(Stage::Replan, Pool::Upkeep).await?;
    let waiting = conn.row_opt(Query::PracticeReplanning, &[&shard]).await?;
    let Some(row) = waiting else { return Ok(0) };
    let (practice_id, revision): (i64, i32) = (row.get("practice_id"), row.get("revision"));
    let (mut after, changed_at): (String, Timestamp) =
        (row.get("replan_after"), row.get("changed_at"));
    let began_at = app.clock.real_now();
    let began_anew = after.is_empty();

    let mut planned = 0;
    loop {
        let tx = conn.begin();
        if tx.row_opt(Query::MaintainerLock, &[&shard, &stage.name()]).await?.is_none() {
            tx.rollback().await?;
            return Ok(planned); // another process has this turn
        }
        let batch = i64::from(stage.spec().batch_max);
        let domain_now = app.clock.domain_now();
        let page = tx
            .rows(
                Query::AppointmentReplanPage,
                &[&shard, &practice_id, &after, &revision, &domain_now, &batch],
            )
            .await?;
        let outdated: Vec<String> =
            page.iter().filter(|row| row.get("outdated")).map(|row| row.get(0)).collect();
        planned += outdated.len();
        let ways = (&*app.practices, &app.ingest);
        apply(ways, shard, practice_id, outdated, Instant::now()).await?;
        let last: Option<String> = page.last().map(|row| row.get(0));
        let is_settled = began_anew && began_at.duration_since(changed_at) >= SETTLED_AFTER;
        let next = match last {
            Some(last) => Some(last),
            None if is_settled => None,
            None => Some(String::new()), // once more, later
        };
        let real_now = app.clock.real_now();
        tx.execute(Query::PracticeReplanned, &[&shard, &practice_id, &revision, &next]).await?;
        tx.execute(Query::MaintainerRan, &[&shard, &stage.name(), &real_now]).await?;
        tx.commit().await?;
        match next {
            Some(next) if !next.is_empty() => after = next,
            Some(_) | None => return Ok(planned),
        }
    }
}

/// Plans appointments of one practice again under its newest revision.
pub(crate) async fn apply(
    (practices, ingest): (&Practices, &Ingest),
    shard: i16,
    practice_id: i64,
    appointment_ids: Vec<String>,
    received_at: Instant,
) -> Result<(), DbError> {
    if appointment_ids.is_empty() {
        return Ok(());
    }
    let Some(practice) = practices.get(practice_id).await? else { return Ok(()) };
    let revision = Arc::clone(&practice.newest);
    let changes = appointment_ids
        .into_iter()
        .map(|appointment_id| Change::Replan { appointment_id })
        .collect();
    match ingest.apply(shard, revision, changes, received_at).await {
        Ok(_) => Ok(()),
        Err(IngestError::Full) => Err(DbError::PoolTimeout(Pool::Interactive.name())),
        Err(IngestError::Db(error)) => Err(error),
    }
}
