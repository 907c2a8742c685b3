//! One batch of each step: what is waiting in a shard, and the service's own function over it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use contract::{Stage, shard_of};
use tokio::sync::oneshot;

use super::Batches;
use crate::app::App;
use crate::bench::day::Day;
use crate::bench::{Failed, rounds};
use crate::commit::Writer;
use crate::db::DbError;
use crate::ingest::{Appointment, Change, Done, Outcome, Work, write::Ingester};
use crate::practice::store::{self, Put};
use crate::practice::{Practice, Revision};
use crate::receipts::{Item, News, Receipt, write::Recorder};
use crate::stages::alone::{Alone, Sent};

/// Practices put at a time.
const PUTTERS: usize = 4;

/// Items that a turn did, and whether its shard has more.
pub(super) struct Turn {
    pub(super) rows: usize,
    pub(super) has_more: bool,
}

/// The work before each step, by shard.
pub(super) struct Desk {
    app: Arc<App>,
    alone: Alone,
    ingester: Ingester,
    recorder: Recorder,
    batches: Batches,
    revisions: OnceLock<HashMap<i64, Arc<Revision>>>,
    piles: Vec<Mutex<Pile>>,
}

/// A shard's.
#[derive(Default)]
struct Pile {
    requests: VecDeque<(i64, Vec<Appointment>)>,
    sent: VecDeque<Sent>,
    handed_over: VecDeque<(i64, i64)>,
    /// When its floors were last raised.
    raised: Option<Instant>,
    /// Texts that came out of release, and out of the last step.
    released: u64,
    received: u64,
}

impl Desk {
    /// With everything still to be booked.
    pub(super) fn new(app: &Arc<App>, day: Day, batches: Batches) -> Self {
        let requests = day.requests(app.practices.shard_count());
        let piles = requests.into_iter().map(|requests| Pile { requests, ..Pile::default() });
        let (db, clock) = (app.db.clone(), Arc::clone(&app.clock));
        Self {
            alone: Alone::new(Arc::clone(app)),
            ingester: Ingester::new(db.clone(), clock.clone(), Arc::clone(&app.wake), &app.config),
            recorder: Recorder { db, clock },
            app: Arc::clone(app),
            batches,
            revisions: OnceLock::new(),
            piles: piles.map(Mutex::new).collect(),
        }
    }

    /// Makes the practices.
    pub(super) async fn put_practices(self: &Arc<Self>, day: Day) -> Result<(), Failed> {
        let shard_count = self.app.practices.shard_count();
        let wanted: Vec<Practice> = day.practices().collect();
        let revisions: HashMap<i64, Arc<Revision>> =
            wanted.iter().map(|p| (p.newest.practice_id, Arc::clone(&p.newest))).collect();
        let by_shard: Arc<Vec<Mutex<Vec<Practice>>>> = Arc::new(
            (0..shard_count)
                .map(|shard| {
                    let is_of_shard =
                        |p: &&Practice| shard_of(p.newest.practice_id, shard_count) == shard;
                    Mutex::new(wanted.iter().filter(is_of_shard).cloned().collect())
                })
                .collect(),
        );
        let app = Arc::clone(&self.app);
        rounds::run(shard_count, PUTTERS, move |shard| {
            let (app, by_shard) = (Arc::clone(&app), Arc::clone(&by_shard));
            async move {
                let next = lock(&by_shard[index(shard)]).pop();
                let Some(wanted) = next else { return Ok(false) };
                match store::put(&app.db, shard, wanted, app.clock.real_now()).await? {
                    Put::Created(practice) | Put::Changed(practice) | Put::Unchanged(practice) => {
                        app.practices.remember(practice);
                        Ok(true)
                    }
                    Put::SenderTaken => Err(Failed::Wrong("a sender number is taken".into())),
                    Put::ZoneUnknown => Err(Failed::Wrong("the time zone is unknown".into())),
                }
            }
        })
        .await?;
        let _first = self.revisions.set(revisions);
        Ok(())
    }

    /// Books a batch of appointments.
    pub(super) async fn ingest(self: Arc<Self>, shard: i16) -> Result<Turn, Failed> {
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        let mut rows = 0;
        while rows < self.batches.ingest {
            let Some((practice_id, items)) = self.pile(shard).requests.pop_front() else { break };
            rows += items.len();
            let (answer, answered) = oneshot::channel();
            let revision = self.revisions.get().and_then(|known| known.get(&practice_id));
            let revision = revision.ok_or_else(|| Failed::Wrong("a practice is missing".into()))?;
            jobs.push(Work {
                revision: Arc::clone(revision),
                changes: items.into_iter().map(Change::Upsert).collect(),
                received_at: Instant::now(),
                queued_at: Instant::now(),
                scope: None,
                carried: None,
                answer,
            });
            answers.push(answered);
        }
        if jobs.is_empty() {
            return Ok(Turn { rows: 0, has_more: false });
        }
        self.ingester.write(shard, jobs).await;
        for answered in answers {
            let stored = |done: &Done| done.outcome == Outcome::Stored && done.planned == 2;
            if !answer(answered).await?.iter().all(stored) {
                return Err(Failed::Wrong(
                    "an appointment was not stored with two reminders".into(),
                ));
            }
        }
        let has_more = !self.pile(shard).requests.is_empty();
        Ok(Turn { rows, has_more })
    }

    /// Releases a batch of intents.
    pub(super) async fn release(self: Arc<Self>, shard: i16) -> Result<Turn, Failed> {
        self.raise_floors(shard).await?;
        let batch_max = u32::try_from(self.batches.release).unwrap_or(u32::MAX);
        let released = self.alone.release(shard, batch_max).await?;
        let released =
            released.ok_or_else(|| Failed::Wrong("somebody else releases here".into()))?;
        self.pile(shard).released += released.texts as u64;
        Ok(Turn { rows: released.intents, has_more: released.is_full })
    }

    /// Claims a batch of lanes, as if the provider took all of them at once.
    pub(super) async fn claim(self: Arc<Self>, shard: i16) -> Result<Turn, Failed> {
        self.raise_floors(shard).await?;
        let claimed = self.alone.claim(shard, self.batches.claim).await?;
        let rows = claimed.lanes;
        if claimed.sent.len() != rows {
            return Err(Failed::Wrong("a text that was claimed would not be sent".into()));
        }
        self.pile(shard).sent.extend(claimed.sent);
        Ok(Turn { rows, has_more: rows >= self.batches.claim })
    }

    /// Settles a batch of texts.
    pub(super) async fn settle(self: Arc<Self>, shard: i16) -> Result<Turn, Failed> {
        self.raise_floors(shard).await?;
        let batch: Vec<Sent> = {
            let sent = &mut self.pile(shard).sent;
            let n = sent.len().min(self.batches.settle);
            sent.drain(..n).collect()
        };
        if batch.is_empty() {
            return Ok(Turn { rows: 0, has_more: false });
        }
        let keys: Vec<(i64, i64)> = batch.iter().map(Sent::key).collect();
        if self.alone.settle(shard, batch).await? > 0 {
            return Err(Failed::Wrong("a result came too late".into()));
        }
        let mut pile = self.pile(shard);
        let rows = keys.len();
        pile.handed_over.extend(keys);
        Ok(Turn { rows, has_more: !pile.sent.is_empty() })
    }

    /// Records a batch of receipts: delivered.
    pub(super) async fn receipts(self: Arc<Self>, shard: i16) -> Result<Turn, Failed> {
        let batch: Vec<(i64, i64)> = {
            let handed_over = &mut self.pile(shard).handed_over;
            let n = handed_over.len().min(self.batches.receipts);
            handed_over.drain(..n).collect()
        };
        if batch.is_empty() {
            return Ok(Turn { rows: 0, has_more: false });
        }
        let (items, answers): (Vec<Item>, Vec<_>) = batch
            .into_iter()
            .map(|(practice_id, message_id)| {
                let news = News::Receipt {
                    practice_id,
                    message_id,
                    provider_ref: Sent::provider_ref(message_id),
                    receipt: Receipt::Delivered,
                    error_code: None,
                };
                let (answer, answered) = oneshot::channel();
                let now = Instant::now();
                (
                    Item {
                        news,
                        received_at: now,
                        queued_at: now,
                        scope: None,
                        carried: None,
                        answer,
                    },
                    answered,
                )
            })
            .unzip();
        let rows = items.len();
        self.recorder.write(shard, items).await;
        for answered in answers {
            answer(answered).await?;
        }
        let mut pile = self.pile(shard);
        pile.received += rows as u64;
        Ok(Turn { rows, has_more: !pile.handed_over.is_empty() })
    }

    /// Folds a batch of the counts.
    pub(super) async fn fold(self: Arc<Self>, shard: i16) -> Result<Turn, Failed> {
        let rows = self.alone.fold(shard).await?;
        Ok(Turn { rows, has_more: rows > 0 })
    }

    /// Looks whether the day came out as it was made.
    pub(super) fn check(&self, texts: u64) -> Result<(), Failed> {
        let sum = |of: fn(&Pile) -> u64| self.piles.iter().map(|pile| of(&lock(pile))).sum::<u64>();
        let (released, received) = (sum(|pile| pile.released), sum(|pile| pile.received));
        if (released, received) == (texts, texts) {
            return Ok(());
        }
        let what = format!("{texts} texts were made up, {released} released, {received} received");
        Err(Failed::Wrong(what))
    }

    /// As often as the service does it.
    async fn raise_floors(&self, shard: i16) -> Result<(), DbError> {
        let period = Duration::from_millis(u64::from(Stage::Floor.spec().period_ms));
        {
            let raised = &mut self.pile(shard).raised;
            if raised.is_some_and(|at| at.elapsed() < period) {
                return Ok(());
            }
            *raised = Some(Instant::now());
        }
        self.alone.raise_floors(shard).await
    }

    fn pile(&self, shard: i16) -> MutexGuard<'_, Pile> {
        lock(&self.piles[index(shard)])
    }
}

async fn answer<T>(answered: oneshot::Receiver<Result<T, DbError>>) -> Result<T, Failed> {
    let answer = answered.await.map_err(|_| Failed::Wrong("a batch was given up".into()))?;
    Ok(answer?)
}

fn index(shard: i16) -> usize {
    usize::try_from(shard).expect("shards are counted from 0")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
