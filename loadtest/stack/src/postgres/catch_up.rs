//! Waiting until the replica has replayed what the primary has committed.
//!
//! What belongs here: the comparison by LSN. What never does: waiting for a fixed time, which is
//! both too long (a few milliseconds are usual) and too short (seconds under load).

use std::time::Duration;

use tokio_postgres::Client;

use super::PostgresPair;
use crate::StackError;

/// Between two questions to the replica.
const LOOK: Duration = Duration::from_millis(5);

impl PostgresPair {
    /// Returns once a read on the replica sees everything that was committed on the primary
    /// before this call, also with `synchronous_commit = off`.
    pub async fn wait_until_caught_up(&self, within: Duration) -> Result<(), StackError> {
        let waiting = async {
            let lsn = committed_lsn(&self.primary.connect("postgres").await?).await?;
            let replica = self.replica.connect("postgres").await?;
            while !has_replayed(&replica, &lsn).await? {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        match tokio::time::timeout(within, waiting).await {
            Ok(result) => result,
            Err(_elapsed) => Err(StackError::TimedOut {
                what: "the replica's catching up with the primary".to_owned(),
                within,
                log: crate::LogTail::of(
                    &std::fs::read_to_string(self.replica.log()).unwrap_or_default(),
                ),
            }),
        }
    }
}

/// The end of the WAL that holds every commit so far.
///
/// The flushed end, as the insert position of a record that ended with its page lies behind the
/// next page's header, which replay doesn't reach before more is written. A commit with
/// `synchronous_commit = off` may not be flushed yet; ours, which comes after it, is.
async fn committed_lsn(primary: &Client) -> Result<String, StackError> {
    let failed = || StackError::postgres("asking the primary for its LSN");
    primary
        .batch_execute(
            "SET synchronous_commit = on; \
             SELECT pg_logical_emit_message(true, 'punctual', 'everything before this')",
        )
        .await
        .map_err(failed())?;
    let row =
        primary.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.map_err(failed())?;
    Ok(row.get(0))
}

async fn has_replayed(replica: &Client, lsn: &str) -> Result<bool, StackError> {
    // NULL until it has replayed anything at all.
    let row = replica
        .query_one("SELECT coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)", &[&lsn])
        .await
        .map_err(StackError::postgres("asking the replica for its LSN"))?;
    Ok(row.get(0))
}
