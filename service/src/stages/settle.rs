//! Settle: records what became of texts, in batches, and frees their lanes. A result that comes
//! after its lease was lost changes nothing and is counted.
//!
//! Belongs here: what waits to be recorded, and when. Never here: what a result means
//! (`effect`), the transaction (`write`).

pub(super) mod backoff;
mod drops;
mod effect;
mod queue;
pub(super) mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Fate, Journey, Stage};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::codes::Reason;
use super::lockstep::Ran;
use super::render::Rewritten;
use crate::clock::Clock;
use crate::db::DbError;
use crate::obs;
use crate::obs::exemplar::TraceId;
use crate::obs::flight::Flight;
use crate::obs::kept::{Landed, Route};
use crate::obs::request::{BatchScope, Done};
use crate::provider::Answer;
use backoff::Backoff;
pub(super) use effect::{Effect, Lane, Message, Tried};
pub(super) use queue::Queue;
use write::Recorded;
pub(super) use write::{apply, look_every};

/// A result is given up this long after the end of its lease: its lane was recovered long before.
const GONE: SignedDuration = SignedDuration::from_secs(60);

/// What a text was taken as. A result under it holds only while its lane has this token and state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) practice_id: i64,
    pub(super) phone: i64,
    pub(super) message_id: i64,
    pub(super) token: i64,
    pub(super) lane_state: i8,
    /// Tries, this one included.
    pub(super) attempts: i16,
    pub(super) local_day: Date,
    pub(super) rule_id: i16,
    /// Promises that the text keeps.
    pub(super) members: i32,
    pub(super) due_at: Timestamp,
    /// When its first appointment begins, in real time: for nothing does it wait longer.
    pub(super) expires_at: Timestamp,
    pub(super) lease_until: Timestamp,
}

/// A promise that a text lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostMember {
    pub(super) appointment_id: String,
    pub(super) reason: Reason,
}

/// What became of a text that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// The provider was asked to send it.
    Answered(Answer),
    /// It must not be sent, or has nothing left to say.
    Suppressed(Reason, Vec<LostMember>),
    /// All of its appointments have begun.
    Expired,
    /// Its practice is closed: it is claimed again then, in real time.
    Closed(Timestamp),
    /// Nothing can be done with it now, for a reason that is its own: it is claimed again then, in
    /// real time.
    Aside(Timestamp),
    /// It lost some of its appointments, or some have begun, and is claimed again with other words.
    Amended(Box<Rewritten>, Vec<LostMember>),
    /// Its last try was refused, and yet a receipt has come for it.
    Accepted { provider_ref: String, came_at: Timestamp },
    /// Looked up: the provider took it, under this name, then.
    Found { provider_ref: String, accepted_at: Timestamp },
    /// Looked up: the provider never took it.
    NotAccepted,
    /// Asked again under the same key, the provider refused it.
    Refused(Answer),
    /// Looked up without a result: again then.
    StillUnknown(Timestamp),
    /// It will never be known, and its appointment has begun.
    GivenUp,
}

/// A result to be recorded.
#[derive(Debug, Clone)]
pub(super) struct Completion {
    pub(super) work: Work,
    pub(super) ending: Ending,
    /// When it became known.
    pub(super) at: Timestamp,
    pub(super) since: Instant,
    /// Of a delivery.
    flight: Option<Arc<Flight>>,
}

/// Two results are the same whatever was noted on the way to them.
impl PartialEq for Completion {
    fn eq(&self, other: &Self) -> bool {
        let Self { work, ending, at, since, flight: _ } = self;
        (work, ending, at, since) == (&other.work, &other.ending, &other.at, &other.since)
    }
}

impl Completion {
    /// A result that is known now.
    pub(super) fn now(clock: &Clock, work: Work, ending: Ending) -> Self {
        Self { work, ending, at: clock.real_now(), since: Instant::now(), flight: None }
    }

    /// The same, of a delivery with its flight.
    pub(super) fn of(self, flight: Arc<Flight>) -> Self {
        Self { flight: Some(flight), ..self }
    }
}

/// Records results until the queue is closed and empty.
pub(super) async fn run(shared: Arc<Shared>) {
    while let Some((shard, batch, inside)) = shared.settle.take().await {
        record(&shared, shard, batch).await;
        shared.settle.done(shard);
        drop(inside);
    }
}

/// Records what waits while the stage is held, a full batch at a time in the order of the texts'
/// keys, so that the same results make the same batches.
pub(super) async fn by_hand(shared: &Shared, results_max: usize) -> Ran {
    let mut ran = Ran::default();
    while let Some((shard, batch)) = shared.settle.take_by_key(results_max - ran.items) {
        ran.batches += 1;
        ran.items += batch.len();
        record(shared, shard, batch).await;
        shared.settle.done(shard);
    }
    ran.is_idle = shared.settle.waiting() == 0;
    ran
}

/// Records a batch, again and again until it is committed or nobody waits for it any more.
async fn record(shared: &Shared, shard: i16, mut batch: Vec<Completion>) {
    let mut backoff = Backoff::default();
    while !batch.is_empty() {
        let started = Instant::now();
        let in_flight = obs::stage::in_flight(Stage::Settle);
        let scope = BatchScope::begin(Stage::Settle);
        let result = scope.run(Box::pin(write::settle(shared, shard, &batch))).await;
        drop(in_flight);
        match result {
            Ok(recorded) => {
                let kept = land(&shared.app.clock, &batch, &scope.done(batch.len()));
                observe(shared, shard, &batch, &recorded, &kept, started);
                return;
            }
            Err(error) => {
                obs::stage::failed(Stage::Settle, 1);
                tracing::warn!(%error, shard, results = batch.len(), "settle: trying again");
                if error.is_of_the_rows() && batch.len() > 1 {
                    // One of them may be at fault: each on its own, so that it fails alone.
                    for one in batch {
                        Box::pin(record(shared, shard, vec![one])).await;
                    }
                    return;
                }
                backoff.wait(&CancellationToken::new()).await;
                give_up_lost(shared, &mut batch, &error);
            }
        }
    }
}

/// A flight that was kept, by when its text was due and when its result was known.
type Kept = (Timestamp, Timestamp, TraceId);

/// The flights of deliveries end with the commit of their results. Slow is what was handed over too
/// long after it was due, however quick this try was. Returns those that were kept.
fn land(clock: &Clock, batch: &[Completion], done: &Done) -> Vec<Kept> {
    let mut kept = Vec::new();
    let objective = Duration::from_millis(u64::from(Journey::DueToHandedOver.spec().latency_ms));
    for completion in batch {
        let (Some(flight), Ending::Answered(answer)) = (&completion.flight, &completion.ending)
        else {
            continue;
        };
        done.add_to(flight, completion.since);
        let is_kept = obs::kept::offer(&Landed {
            flight,
            route: Route::Message,
            took: flight.began().elapsed(),
            is_slow: since_due(clock, completion.work.due_at, completion.at) > objective,
            ending: answer.outcome.into(),
            outcome: answer.outcome.name(),
            status: answer.http_status.and_then(|s| u16::try_from(s).ok()).unwrap_or(0),
        });
        if is_kept {
            kept.push((completion.work.due_at, completion.at, flight.trace()));
        }
    }
    kept
}

/// Drops results whose lanes have been recovered long ago, or that the database refuses by itself:
/// their lanes will be, and the provider is asked what became of them.
fn give_up_lost(shared: &Shared, batch: &mut Vec<Completion>, error: &DbError) {
    let real_now = shared.app.clock.real_now();
    let before = batch.len();
    batch.retain(|completion| real_now < completion.work.lease_until + GONE);
    let lost = before - batch.len();
    if lost > 0 {
        obs::stage::stale(lost as u64);
        tracing::error!(%error, lost, "results were given up: their leases are long over");
    }
}

/// How long ago a text was due, in real time.
fn since_due(clock: &Clock, due_at: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(clock.to_real(due_at))).unwrap_or(Duration::ZERO)
}

fn observe(
    shared: &Shared,
    shard: i16,
    batch: &[Completion],
    recorded: &Recorded,
    kept: &[Kept],
    started: Instant,
) {
    obs::stage::batch(Stage::Settle, batch.len(), started.elapsed());
    obs::stage::stale(recorded.stale as u64);
    for completion in batch {
        obs::stage::lateness(Stage::Settle, started.duration_since(completion.since));
    }
    for &(fate, n) in &recorded.fates {
        obs::fate::add(fate, n);
    }
    let clock = &shared.app.clock;
    let due_now = obs::fate::DueNow::by(clock);
    for &(due_at, n) in &recorded.ended {
        due_now.ended(due_at, n);
    }
    for &(due_at, sent_at) in &recorded.sent {
        let took = since_due(clock, due_at, sent_at);
        // At most a handful in a second are kept.
        let trace = kept.iter().find(|(due, at, _)| (*due, *at) == (due_at, sent_at));
        obs::journey::record(Journey::DueToHandedOver, took, trace.map(|(_, _, trace)| *trace));
    }
    obs::journey::broken_off(Journey::DueToHandedOver, recorded.given_up);
    for &took in &recorded.overtaken_after {
        obs::journey::record(Journey::HandedOverToReceipt, took, None);
    }
    if recorded.ready > 0 {
        shared.app.wake.ready(shard, recorded.ready);
    }
    for &ready_at in &recorded.ready_later {
        let ahead = Duration::try_from(ready_at.duration_since(clock.real_now()));
        let at = tokio::time::Instant::now() + ahead.unwrap_or(Duration::ZERO);
        shared.app.wake.claim().advance(shard, at);
    }
}

/// Fates that came to be, for the counters, which only rise.
fn risen(fates: &[(Fate, i32)]) -> impl Iterator<Item = (Fate, u64)> + '_ {
    fates.iter().filter_map(|&(fate, n)| Some((fate, u64::try_from(n).ok()?)))
}
