//! The stages' transactions one at a time and by hand: what the benchmarks run. The same functions
//! as in the tasks, with nothing around them.
//!
//! Never here: anything that a stage does. What only looked like a stage would be measured instead
//! of it.

use std::sync::Arc;

use contract::DeliveryOutcome;

use super::settle::{Completion, Ending};
use super::{Shared, claim, floor, fold, release, settle};
use crate::app::App;
use crate::db::DbError;
use crate::provider::Answer;

/// The stages without their tasks.
pub(crate) struct Alone(Arc<Shared>);

/// What a release did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Released {
    /// Intents that fell due.
    pub(crate) intents: usize,
    /// The texts that they became.
    pub(crate) texts: usize,
    /// There may be more that is due.
    pub(crate) is_full: bool,
}

/// What a claim took.
pub(crate) struct Claimed {
    /// Lanes that were leased.
    pub(crate) lanes: usize,
    /// Texts that would go out now, each with an answer made up for it: sent.
    pub(crate) sent: Vec<Sent>,
}

/// A text that was claimed, as if the provider had taken it.
pub(crate) struct Sent(Completion);

impl Sent {
    /// The practice and the message.
    pub(crate) const fn key(&self) -> (i64, i64) {
        (self.0.work.practice_id, self.0.work.message_id)
    }

    /// The provider's made-up name for a message.
    pub(crate) fn provider_ref(message_id: i64) -> String {
        format!("SM{message_id:032x}")
    }
}

impl Alone {
    /// The stages over a process's parts.
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self(Shared::of(app))
    }

    /// Releases a batch; `None` when somebody else is releasing the shard.
    pub(crate) async fn release(
        &self,
        shard: i16,
        batch_max: u32,
    ) -> Result<Option<Released>, DbError> {
        let released = release::write::release_batch(&self.0, shard, batch_max).await;
        let released = released.map_err(|failed| failed.error)?;
        Ok(released.map(|r| Released { intents: r.intents, texts: r.texts, is_full: r.is_full }))
    }

    /// Claims a batch. What the claim would not send isn't settled either.
    pub(crate) async fn claim(&self, shard: i16, lanes_max: usize) -> Result<Claimed, DbError> {
        let claimed = claim::take::claim_batch(&self.0, shard, lanes_max).await?;
        let sent = claimed.jobs.into_iter().map(|job| {
            let answer = Answer {
                outcome: DeliveryOutcome::Sent,
                http_status: Some(201),
                error_code: None,
                provider_ref: Some(Sent::provider_ref(job.work.message_id)),
                retry_after: None,
                is_opted_out: false,
            };
            Sent(Completion::now(&self.0.app.clock, job.work, Ending::Answered(answer)))
        });
        Ok(Claimed { lanes: claimed.lanes, sent: sent.collect() })
    }

    /// Settles a batch and returns how many of it were stale.
    pub(crate) async fn settle(&self, shard: i16, batch: Vec<Sent>) -> Result<usize, DbError> {
        let batch: Vec<Completion> = batch.into_iter().map(|Sent(completion)| completion).collect();
        let recorded = settle::write::settle(&self.0, shard, &batch).await?;
        Ok(recorded.stale)
    }

    /// Raises a shard's floors.
    pub(crate) async fn raise_floors(&self, shard: i16) -> Result<(), DbError> {
        floor::run_shard(&self.0, shard).await.map(|_shards| ())
    }

    /// Folds a batch of a shard's counts; says how many deltas there were.
    pub(crate) async fn fold(&self, shard: i16) -> Result<usize, DbError> {
        fold::run_shard(&self.0, shard).await
    }
}
