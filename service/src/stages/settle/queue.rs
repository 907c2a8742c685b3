//! Results that wait to be recorded, by shard. A batch is taken when it is full, or when its first
//! result has waited as long as company is worth; the fullest first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Stage;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Completion;
use crate::stages::gate::{Gate, Inside};
use crate::stages::rhythm::Rhythm;

/// A batch worth its transaction, and the least and the most that a result waits for one. The most
/// is what a claim's deliveries need to come back together: their provider's slowest tenth.
const BATCH_WORTH: u32 = 100;
const WAIT_MIN: Duration = Duration::from_millis(5);
const WAIT_MAX: Duration = Duration::from_millis(80);

/// The results of a process.
pub(in crate::stages) struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
    gate: Arc<Gate>,
}

struct Inner {
    piles: Vec<Pile>,
    /// Nothing comes any more: what is there is taken at once.
    is_closed: bool,
}

/// A shard's results.
struct Pile {
    waiting: Vec<Completion>,
    /// When the first of them came.
    since: Instant,
    /// Since when the first result of the batch that somebody is recording has been known; two at
    /// once would only wait for each other.
    recording: Option<std::time::Instant>,
    rhythm: Rhythm,
}

impl Pile {
    fn due(&self) -> Instant {
        self.since + self.rhythm.wait()
    }
}

impl Queue {
    /// An empty one.
    pub(in crate::stages) fn new(shard_count: i16, gate: Arc<Gate>) -> Self {
        let pile = || Pile {
            waiting: Vec::new(),
            since: Instant::now(),
            recording: None,
            rhythm: Rhythm::new(BATCH_WORTH, WAIT_MIN, WAIT_MAX),
        };
        let piles = (0..shard_count).map(|_| pile()).collect();
        let inner = Mutex::new(Inner { piles, is_closed: false });
        Self { inner, changed: Notify::new(), gate }
    }

    /// Adds results of a shard.
    pub(in crate::stages) fn push(&self, shard: i16, results: Vec<Completion>) {
        if results.is_empty() {
            return;
        }
        let mut inner = self.inner();
        let index = usize::try_from(shard).expect("results have a shard of the board");
        let pile = &mut inner.piles[index];
        let was_empty = pile.waiting.is_empty();
        pile.waiting.extend(results);
        if was_empty {
            pile.since = Instant::now();
        }
        let is_news = was_empty || pile.waiting.len() >= batch_max();
        drop(inner);
        if is_news {
            self.changed.notify_one();
        }
    }

    /// Waits for a batch; `None` once the queue is closed and nothing is left to take.
    pub(super) async fn take(&self) -> Option<(i16, Vec<Completion>, Inside)> {
        loop {
            let changed = self.changed.notified();
            let Some(inside) = self.gate.enter() else {
                self.gate.opened().await;
                continue;
            };
            let next = match self.pick(Instant::now()) {
                Ok((shard, batch)) => return Some((shard, batch, inside)),
                Err(next) => next,
            };
            drop(inside);
            match next {
                Next::Never => {
                    self.changed.notify_one(); // the others end as well
                    return None;
                }
                Next::At(at) => {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = changed => {}
                    }
                }
                Next::WhenAsked => changed.await,
            }
        }
    }

    fn pick(&self, now: Instant) -> Result<(i16, Vec<Completion>), Next> {
        let mut inner = self.inner();
        let is_closed = inner.is_closed;
        let piles = inner.piles.iter().enumerate().filter(|(_, pile)| !pile.waiting.is_empty());
        let free = || piles.clone().filter(|(_, pile)| pile.recording.is_none());
        let fullest = free()
            .filter(|(_, p)| is_closed || p.waiting.len() >= batch_max() || p.due() <= now)
            .max_by_key(|(_, pile)| pile.waiting.len())
            .map(|(index, _)| index);
        let Some(index) = fullest else {
            if is_closed && piles.clone().next().is_none() {
                return Err(Next::Never);
            }
            return Err(free().map(|(_, p)| p.due()).min().map_or(Next::WhenAsked, Next::At));
        };
        let others = free().count() > 1;
        let pile = &mut inner.piles[index];
        let n = pile.waiting.len().min(batch_max());
        let rest = pile.waiting.split_off(n);
        let batch = std::mem::replace(&mut pile.waiting, rest);
        pile.recording = batch.first().map(|first| first.since);
        pile.since = now;
        pile.rhythm.came(batch.len(), now);
        drop(inner);
        if others {
            self.changed.notify_one();
        }
        Ok((i16::try_from(index).expect("there are at most 1,024 shards"), batch))
    }

    /// Takes a batch of the first shard that has results, those of the lowest keys first, whenever
    /// they came.
    pub(super) fn take_by_key(&self, results_max: usize) -> Option<(i16, Vec<Completion>)> {
        let n = results_max.min(batch_max());
        let mut inner = self.inner();
        let mut piles = inner.piles.iter_mut().enumerate();
        let is_free = |pile: &Pile| pile.recording.is_none() && !pile.waiting.is_empty();
        let (index, pile) = piles.find(|(_, pile)| is_free(pile)).filter(|_| n > 0)?;
        pile.waiting.sort_by_key(|one| (one.work.practice_id, one.work.message_id));
        let mut rest = pile.waiting.split_off(n.min(pile.waiting.len()));
        // As `oldest` expects them.
        rest.sort_by_key(|one| one.since);
        let batch = std::mem::replace(&mut pile.waiting, rest);
        pile.recording = batch.iter().map(|one| one.since).min();
        drop(inner);
        Some((i16::try_from(index).expect("there are at most 1,024 shards"), batch))
    }

    /// How many results wait.
    pub(in crate::stages) fn waiting(&self) -> usize {
        self.inner().piles.iter().map(|pile| pile.waiting.len()).sum()
    }

    /// A shard's batch is recorded.
    pub(super) fn done(&self, shard: i16) {
        let mut inner = self.inner();
        let index = usize::try_from(shard).expect("a batch has a shard of the queue");
        inner.piles[index].recording = None;
        drop(inner);
        self.changed.notify_one();
    }

    /// Since when the oldest result that is not recorded has been known. Results come in order.
    pub(in crate::stages) fn oldest(&self) -> Option<std::time::Instant> {
        let inner = self.inner();
        let waiting = |pile: &Pile| pile.waiting.first().map(|first| first.since);
        inner.piles.iter().flat_map(|pile| [pile.recording, waiting(pile)]).flatten().min()
    }

    /// Nothing comes any more.
    pub(in crate::stages) fn close(&self) {
        self.inner().is_closed = true;
        self.changed.notify_one();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next {
    At(Instant),
    WhenAsked,
    Never,
}

const fn batch_max() -> usize {
    Stage::Settle.spec().batch_max as usize
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::civil::Date;

    use super::*;
    use crate::config::StageGates;
    use crate::stages::gate::Gates;
    use crate::stages::settle::{Ending, Work};

    fn queue(shard_count: i16) -> Queue {
        Queue::new(shard_count, Gate::always_open(Stage::Settle))
    }

    fn result(message_id: i64) -> Completion {
        Completion {
            work: Work {
                practice_id: 1,
                phone: 2,
                message_id,
                token: 1,
                lane_state: 0,
                attempts: 1,
                local_day: Date::constant(2026, 5, 4),
                rule_id: 1,
                members: 1,
                due_at: Timestamp::UNIX_EPOCH,
                expires_at: Timestamp::UNIX_EPOCH,
                lease_until: Timestamp::UNIX_EPOCH,
            },
            ending: Ending::Expired,
            at: Timestamp::UNIX_EPOCH,
            since: std::time::Instant::now(),
            flight: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_goes_when_full_or_when_it_has_waited() {
        let queue = queue(2);
        let started = Instant::now();
        queue.push(1, vec![result(1)]);
        queue.push(1, vec![result(2)]);
        let (shard, batch, _) = queue.take().await.unwrap();
        assert_eq!((shard, batch.len(), started.elapsed()), (1, 2, WAIT_MIN));

        // While it is being recorded, more comes together, and it is the oldest.
        let oldest = queue.oldest();
        assert_eq!(oldest, batch.iter().map(|one| one.since).min());
        queue.push(1, (0..700).map(result).collect());
        queue.push(0, vec![result(9)]);
        let (shard, batch, _) = queue.take().await.unwrap();
        assert_eq!((shard, batch.len()), (0, 1));
        assert_eq!(queue.oldest(), oldest);
        queue.done(1);
        assert!(queue.oldest() > oldest);
        let now = Instant::now();
        let (shard, batch, _) = queue.take().await.unwrap();
        assert_eq!((shard, batch.len(), now.elapsed()), (1, 500, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn held_it_gives_batches_by_hand_alone_in_the_order_of_keys() {
        let gates = Gates::new(StageGates::Held);
        let queue = Queue::new(2, Arc::clone(gates.of(Stage::Settle)));
        queue.push(1, [3, 1, 2].map(result).into());
        let by_itself = tokio::time::timeout(Duration::from_secs(60), queue.take());
        assert!(by_itself.await.is_err());
        let keys = |batch: &[Completion]| batch.iter().map(|one| one.work.message_id).collect();
        let (shard, batch) = queue.take_by_key(2).unwrap();
        let taken: Vec<i64> = keys(&batch);
        assert_eq!((shard, taken, queue.waiting()), (1, vec![1, 2], 1));
        assert!(queue.take_by_key(2).is_none(), "the shard's batch is being recorded");
        queue.done(1);
        assert_eq!(queue.take_by_key(2).unwrap().1.len(), 1);
        queue.done(1);
        assert!(queue.take_by_key(2).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn closed_it_ends_when_nothing_is_left() {
        let queue = queue(1);
        queue.push(0, vec![result(1)]);
        queue.close();
        assert_eq!(queue.take().await.unwrap().1.len(), 1);
        queue.done(0);
        let (one, other) = tokio::join!(queue.take(), queue.take());
        assert!(one.is_none() && other.is_none());
    }
}
