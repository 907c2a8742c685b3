//! Writes a batch of receipts and replies of one shard: replies first, then messages in key
//! order whatever came of each, then consent and counts.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use contract::{Fate, Journey, Pool, Query, Stage};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;

use super::{Item, News};
use crate::clock::Clock;
use crate::commit::Writer;
use crate::db::router::carried;
use crate::db::tally::{self, TallyDelta};
use crate::db::{Db, DbError, Tx};
use crate::obs;
use crate::obs::request::{BatchScope, Scope};

const TRIES: u32 = 3;

/// A reply's practice and the provider's name for it.
type ReplyKey = (i64, String);

/// Writes batches of what came back.
pub(crate) struct Recorder {
    /// Where to.
    pub(crate) db: Db,
    /// Real time of arrival.
    pub(crate) clock: Arc<Clock>,
}

impl Writer for Recorder {
    type Job = Item;

    async fn write(&self, shard: i16, jobs: Vec<Item>) {
        let started = Instant::now();
        for job in &jobs {
            obs::stage::lateness(Stage::Receive, job.received_at.elapsed());
        }
        let of_batch = BatchScope::begin(Stage::Receive);
        let result = of_batch.run(Box::pin(self.write_with_retries(shard, &jobs))).await;
        of_batch.share(jobs.len(), jobs.iter().map(|job| (&job.scope, job.queued_at)));
        obs::stage::batch(Stage::Receive, jobs.len(), started.elapsed());
        let alone = jobs.len() == 1;
        for job in jobs {
            let result = match &result {
                Ok(()) => Ok(()),
                Err(error) if alone || error.is_unavailable() => Err(error.clone()),
                // One of them may be at fault: each on its own, so that it fails alone.
                Err(_) => {
                    let alone = BatchScope::begin(Stage::Receive);
                    let one = std::slice::from_ref(&job);
                    let result = alone.run(Box::pin(self.write_with_retries(shard, one))).await;
                    alone.share(1, std::iter::once((&job.scope, job.queued_at)));
                    result
                }
            };
            obs::stage::failed(Stage::Receive, u64::from(result.is_err()));
            match (&result, &job.news) {
                (Ok(()), News::Reply { .. }) => {
                    let took = job.received_at.elapsed();
                    obs::journey::record_of(Journey::ReplyToShown, took, job.scope.as_deref());
                }
                (Ok(()), News::Receipt { .. }) => {}
                (Err(_), news) => broken_off(news),
            }
            // The caller may have gone away; what is committed stays committed.
            let _gone = job.answer.send(result);
        }
    }
}

/// Counts the journey of a reply that was not recorded: whoever sends it again begins a new one. A
/// receipt's goes on until one is recorded.
pub(super) fn broken_off(news: &News) {
    match news {
        News::Reply { .. } => obs::journey::broken_off(Journey::ReplyToShown, 1),
        News::Receipt { .. } => {}
    }
}

impl Recorder {
    async fn write_with_retries(&self, shard: i16, jobs: &[Item]) -> Result<(), DbError> {
        let mut tries = 1;
        loop {
            match self.write_batch(shard, jobs).await {
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tries += 1;
                    obs::request::begins_again();
                }
                result => return result,
            }
        }
    }

    async fn write_batch(&self, shard: i16, jobs: &[Item]) -> Result<(), DbError> {
        let real_now = self.clock.real_now();
        let mut conn = self.db.get_for(Stage::Receive, Pool::Interactive).await?;
        let tx = conn.begin();
        let mut heard = receipts(jobs);
        let new = write_replies(&tx, shard, jobs, real_now, &mut heard).await?;
        let (deltas, latencies) = apply(&tx, shard, &heard, real_now).await?;
        write_consent(&tx, shard, jobs, &new, real_now).await?;
        tally::append(&tx, shard, &deltas).await?;
        let token = tx.commit_at().await?;
        carried::tell(jobs.iter().map(|job| &job.carried), token);
        for delta in &deltas {
            obs::fate::add(delta.fate, u64::try_from(delta.n).unwrap_or(0));
        }
        for (latency, scope) in latencies {
            obs::journey::record_of(Journey::HandedOverToReceipt, latency, scope);
        }
        Ok(())
    }
}

fn key_of_delta(row: &Row, fate: Fate, n: i32) -> TallyDelta {
    TallyDelta {
        practice_id: row.get("practice_id"),
        local_day: row.get("local_day"),
        rule_id: row.get("rule_id"),
        fate,
        n,
    }
}

/// What came of one text.
#[derive(Debug, Default)]
struct Heard<'a> {
    /// 0 for none.
    receipt: i16,
    provider_ref: Option<&'a str>,
    error_code: Option<i32>,
    reply: Option<i8>,
    /// Of the request that brought its receipt.
    scope: Option<&'a Scope>,
}

/// How long a receipt took to come, and the request that brought it.
type Latency<'a> = (Duration, Option<&'a Scope>);

/// By practice and message: the order in which they are locked.
type HeardOf<'a> = BTreeMap<(i64, i64), Heard<'a>>;

/// Stores replies that are new, notes at which texts they are to be shown, and returns which ones
/// are new.
async fn write_replies(
    tx: &Tx<'_>,
    shard: i16,
    jobs: &[Item],
    real_now: Timestamp,
    heard: &mut HeardOf<'_>,
) -> Result<HashSet<ReplyKey>, DbError> {
    let mut replies: Vec<_> = jobs
        .iter()
        .filter_map(|job| match &job.news {
            News::Reply { practice_id, provider_ref, phone, keyword, body } => {
                Some((*practice_id, provider_ref.as_str(), *phone, keyword.stored(), body.as_str()))
            }
            News::Receipt { .. } => None,
        })
        .collect();
    if replies.is_empty() {
        return Ok(HashSet::new());
    }
    replies.sort_unstable();
    let practices: Vec<i64> = replies.iter().map(|r| r.0).collect();
    let refs: Vec<&str> = replies.iter().map(|r| r.1).collect();
    let phones: Vec<i64> = replies.iter().map(|r| r.2).collect();
    let kinds: Vec<i8> = replies.iter().map(|r| r.3).collect();
    let bodies: Vec<&str> = replies.iter().map(|r| r.4).collect();
    let inserted = tx
        .rows(Query::ReplyInsert, &[&shard, &practices, &refs, &phones, &kinds, &bodies, &real_now])
        .await?;
    for row in &inserted {
        if let Some(message_id) = row.get::<_, Option<i64>>("message_id") {
            let of_text = heard.entry((row.get("practice_id"), message_id)).or_default();
            of_text.reply = Some(row.get("kind"));
        }
    }
    Ok(inserted.iter().map(|row| (row.get("practice_id"), row.get("provider_ref"))).collect())
}

/// The receipts of a batch, by their texts.
fn receipts(jobs: &[Item]) -> HeardOf<'_> {
    jobs.iter().filter_map(receipt).collect()
}

fn receipt(job: &Item) -> Option<((i64, i64), Heard<'_>)> {
    match &job.news {
        News::Receipt { practice_id, message_id, provider_ref, receipt, error_code } => {
            let heard = Heard {
                receipt: receipt.rank(),
                provider_ref: Some(provider_ref.as_str()),
                error_code: *error_code,
                reply: None,
                scope: job.scope.as_deref(),
            };
            Some(((*practice_id, *message_id), heard))
        }
        News::Reply { .. } => None,
    }
}

/// Records what came of texts; returns the changes of the counts and how long after the hand-over
/// each first receipt came, with the request that brought it.
async fn apply<'a>(
    tx: &Tx<'_>,
    shard: i16,
    heard: &HeardOf<'a>,
    real_now: Timestamp,
) -> Result<(Vec<TallyDelta>, Vec<Latency<'a>>), DbError> {
    if heard.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let practices: Vec<i64> = heard.keys().map(|key| key.0).collect();
    let messages: Vec<i64> = heard.keys().map(|key| key.1).collect();
    let ranks: Vec<i16> = heard.values().map(|h| h.receipt).collect();
    let refs: Vec<Option<&str>> = heard.values().map(|h| h.provider_ref).collect();
    let codes: Vec<Option<i32>> = heard.values().map(|h| h.error_code).collect();
    let replies: Vec<Option<i8>> = heard.values().map(|h| h.reply).collect();
    let rows = tx
        .rows(
            Query::NewsApply,
            &[&shard, &practices, &messages, &ranks, &refs, &codes, &replies, &real_now],
        )
        .await?;
    let mut deltas = Vec::with_capacity(rows.len());
    let mut latencies = Vec::with_capacity(rows.len());
    for row in &rows {
        let members: i32 = row.get("members");
        if row.get("is_first_reply") {
            deltas.push(key_of_delta(row, Fate::Replied, members));
        }
        // A later answer may take back what an earlier one has confirmed.
        match row.get::<_, i32>("confirmed") {
            0 => {}
            change => deltas.push(key_of_delta(row, Fate::Confirmed, change * members)),
        }
        let (before, now): (i16, i16) = (row.get("receipt_before"), row.get("receipt"));
        if before == now {
            continue;
        }
        let (was, is) = (fate_of(before), fate_of(now));
        // What was delivered and then read is one delivery.
        if was != is {
            deltas.extend(is.map(|fate| key_of_delta(row, fate, members)));
            deltas.extend(was.map(|fate| key_of_delta(row, fate, -members)));
        }
        let sent_at: Option<Timestamp> = row.get("sent_at");
        if let (0, Some(sent_at)) = (before, sent_at) {
            let took = real_now.duration_since(sent_at).try_into().unwrap_or(Duration::ZERO);
            let key = (row.get("practice_id"), row.get("message_id"));
            latencies.push((took, heard.get(&key).and_then(|heard| heard.scope)));
        }
    }
    Ok((deltas, latencies))
}

/// How a stored receipt counts.
const fn fate_of(rank: i16) -> Option<Fate> {
    match rank {
        1 => Some(Fate::Undelivered),
        2 | 3 => Some(Fate::Delivered),
        _ => None,
    }
}

/// Records what new replies say about consent. A reply that came before says nothing any more: the
/// patient may have changed their mind since.
async fn write_consent(
    tx: &Tx<'_>,
    shard: i16,
    jobs: &[Item],
    new: &HashSet<ReplyKey>,
    real_now: Timestamp,
) -> Result<(), DbError> {
    let mut changes: Vec<(i64, i64, bool)> = jobs
        .iter()
        .filter_map(|job| match &job.news {
            News::Reply { practice_id, provider_ref, phone, keyword, .. } => {
                let is_new = new.contains(&(*practice_id, provider_ref.clone()));
                let opted_out = keyword.opts_out().filter(|_| is_new)?;
                Some((*practice_id, *phone, opted_out))
            }
            News::Receipt { .. } => None,
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    changes.sort_unstable();
    let practices: Vec<i64> = changes.iter().map(|c| c.0).collect();
    let phones: Vec<i64> = changes.iter().map(|c| c.1).collect();
    let opted_out: Vec<bool> = changes.iter().map(|c| c.2).collect();
    tx.execute(Query::ConsentUpsert, &[&shard, &practices, &phones, &opted_out, &real_now]).await?;
    Ok(())
}
