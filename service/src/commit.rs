//! Group commit: concurrent small writes to one shard are put into one transaction. Each caller is
//! answered after the commit of the batch that holds its write.
//!
//! A write waits at most the linger (a few milliseconds) for company; under load it waits for a
//! flusher, and batches grow by themselves. A batch never holds two writes of the same key: the
//! later one waits for the next batch. Belongs here: the queueing. Never here: what is written
//! (`ingest`, `receipts`).

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::stages::gate::Gate;

/// A write that waits to be committed with others.
pub(crate) trait Job: Send + 'static {
    /// What no two writes of a batch may have in common.
    type Key: Hash + Eq + Clone + Send;

    /// How many rows it stands for.
    fn weight(&self) -> usize;

    /// When it was put into the queue.
    fn queued_at(&self) -> std::time::Instant;

    /// Its keys.
    fn keys(&self) -> impl Iterator<Item = Self::Key>;

    /// Told when it isn't taken, as too much waits already.
    fn refused(&self);
}

/// Writes batches and answers their callers.
pub(crate) trait Writer: Send + Sync + 'static {
    /// What it writes.
    type Job: Job;

    /// Writes the jobs of one shard in one transaction and answers each of them. On failure it
    /// runs them one by one, so that one can't fail another.
    fn write(&self, shard: i16, jobs: Vec<Self::Job>) -> impl Future<Output = ()> + Send;
}

/// How much may wait and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most rows that wait over all shards; beyond it a write is refused at once.
    pub(crate) queue_max: usize,
    /// Most rows in a batch (a single larger job is a batch of its own).
    pub(crate) batch_max: usize,
    /// How long the first write of a batch waits for company.
    pub(crate) linger: Duration,
    /// How many batches are written at a time.
    pub(crate) flushers: usize,
}

/// The queue is full: shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The queues of all shards and the tasks that empty them.
pub(crate) struct GroupCommit<W: Writer> {
    shared: Arc<Shared<W>>,
}

struct Shared<W: Writer> {
    writer: W,
    bounds: Bounds,
    gate: Arc<Gate>,
    queues: Mutex<Queues<W::Job>>,
    /// A shard became ready, or a batch was finished.
    changed: Notify,
}

struct Queues<J> {
    shards: Vec<ShardQueue<J>>,
    /// Shards with work and no flusher, longest waiting first.
    ready: VecDeque<usize>,
    waiting: usize,
    flushing: usize,
}

struct ShardQueue<J> {
    jobs: VecDeque<J>,
    since: Instant,
    /// When the first job of the batch that is being written was queued.
    writing: Option<std::time::Instant>,
}

impl<W: Writer> GroupCommit<W> {
    /// Starts the flushers; they end when the queue is dropped and empty.
    pub(crate) fn start(writer: W, shard_count: i16, bounds: Bounds, gate: Arc<Gate>) -> Self {
        let shards = (0..shard_count.max(0))
            .map(|_| ShardQueue { jobs: VecDeque::new(), since: Instant::now(), writing: None })
            .collect();
        let queues = Mutex::new(Queues { shards, ready: VecDeque::new(), waiting: 0, flushing: 0 });
        let shared = Arc::new(Shared { writer, bounds, gate, queues, changed: Notify::new() });
        for _ in 0..bounds.flushers {
            tokio::spawn(flush(Arc::downgrade(&shared)));
        }
        Self { shared }
    }

    /// Puts a write into its shard's queue.
    pub(crate) fn submit(&self, shard: i16, job: W::Job) -> Result<(), Full> {
        let mut queues = self.shared.queues();
        if queues.waiting > 0 && queues.waiting + job.weight() > self.shared.bounds.queue_max {
            drop(queues);
            job.refused();
            return Err(Full);
        }
        let index = usize::try_from(shard).expect("shards are counted from 0");
        queues.waiting += job.weight();
        let queue = &mut queues.shards[index];
        let was_empty = queue.jobs.is_empty();
        queue.jobs.push_back(job);
        if was_empty && queue.writing.is_none() {
            queue.since = Instant::now();
            queues.ready.push_back(index);
            drop(queues);
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// How full the queue is, as a ratio.
    pub(crate) fn used_ratio(&self) -> f64 {
        self.shared.queues().waiting as f64 / self.shared.bounds.queue_max.max(1) as f64
    }

    /// How many rows wait or are being written.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.queues().waiting
    }

    /// Writes what waits, a full batch at a time, while the flushers are held: until nothing is
    /// left or so many rows are written. Returns how many batches and rows that was.
    pub(crate) async fn by_hand(&self, rows_max: usize) -> (usize, usize) {
        let (mut batches, mut rows) = (0, 0);
        while rows < rows_max
            && let Ok((index, jobs)) = self.shared.take(Linger::Over)
        {
            batches += 1;
            rows += write(&self.shared, index, jobs).await;
        }
        (batches, rows)
    }

    /// When the oldest job was queued that is not committed. They are queued in order.
    pub(crate) fn oldest(&self) -> Option<std::time::Instant> {
        let queues = self.shared.queues();
        let waiting = |queue: &ShardQueue<W::Job>| queue.jobs.front().map(Job::queued_at);
        queues.shards.iter().flat_map(|queue| [queue.writing, waiting(queue)]).flatten().min()
    }

    /// Waits until nothing waits and nothing is being written.
    pub(crate) async fn drained(&self) {
        loop {
            let changed = self.shared.changed.notified();
            {
                let queues = self.shared.queues();
                if queues.waiting == 0 && queues.flushing == 0 {
                    // Whoever else waits here must hear of it as well.
                    self.shared.changed.notify_one();
                    return;
                }
            }
            let _again = tokio::time::timeout(Duration::from_millis(50), changed).await;
        }
    }
}

impl<W: Writer> Shared<W> {
    fn queues(&self) -> MutexGuard<'_, Queues<W::Job>> {
        self.queues.lock().expect("no code panics while it holds the queues")
    }

    /// The shard that has waited longest, once its linger is over; else when to look again.
    fn take(&self, linger: Linger) -> Result<(usize, Vec<W::Job>), Option<Instant>> {
        let mut queues = self.queues();
        let Some(&index) = queues.ready.front() else {
            return Err(None);
        };
        let queue = &mut queues.shards[index];
        let due = queue.since + self.bounds.linger;
        let weight: usize = queue.jobs.iter().map(Job::weight).sum();
        let is_due = matches!(linger, Linger::Over) || Instant::now() >= due;
        if weight < self.bounds.batch_max && !is_due {
            return Err(Some(due));
        }
        let jobs = batch(&mut queue.jobs, self.bounds.batch_max);
        queue.writing = jobs.iter().map(Job::queued_at).min();
        queues.ready.pop_front();
        queues.flushing += 1;
        Ok((index, jobs))
    }

    fn finished(&self, index: usize, weight: usize) {
        let mut queues = self.queues();
        queues.waiting -= weight;
        queues.flushing -= 1;
        let queue = &mut queues.shards[index];
        queue.writing = None;
        if !queue.jobs.is_empty() {
            queue.since = Instant::now();
            queues.ready.push_back(index);
        }
        drop(queues);
        self.changed.notify_one();
    }
}

/// Takes jobs from the front until the batch is full, leaving those that share a key with one
/// that was taken, or with one that was left.
fn batch<J: Job>(jobs: &mut VecDeque<J>, batch_max: usize) -> Vec<J> {
    let mut taken: Vec<J> = Vec::new();
    let mut keys: HashSet<J::Key> = HashSet::new();
    let mut weight = 0;
    let mut left = VecDeque::new();
    while let Some(job) = jobs.pop_front() {
        let fits = taken.is_empty() || weight + job.weight() <= batch_max;
        let clashes = job.keys().any(|key| keys.contains(&key));
        keys.extend(job.keys());
        if fits && !clashes {
            weight += job.weight();
            taken.push(job);
        } else {
            left.push_back(job);
            if !fits {
                break; // later ones must not overtake it for ever
            }
        }
    }
    left.append(jobs);
    *jobs = left;
    taken
}

/// Whether a batch still waits for company.
#[derive(Debug, Clone, Copy)]
enum Linger {
    /// As long as it is worth it.
    On,
    /// No more.
    Over,
}

/// How long a flusher waits at most before it looks whether anybody needs it still.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

async fn flush<W: Writer>(shared: std::sync::Weak<Shared<W>>) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        let Some(inside) = strong.gate.enter() else {
            let gate = Arc::clone(&strong.gate);
            drop(strong);
            let _either = tokio::time::timeout(LOOK_AGAIN, gate.opened()).await;
            continue;
        };
        match strong.take(Linger::On) {
            Ok((index, jobs)) => {
                // Several shards may be ready: let another flusher have the next one.
                strong.changed.notify_one();
                write(&strong, index, jobs).await;
                drop(inside);
            }
            Err(look_again) => {
                drop(inside);
                let changed = strong.changed.notified();
                let until = look_again.unwrap_or_else(|| Instant::now() + LOOK_AGAIN);
                let _either = tokio::time::timeout_at(until, changed).await;
            }
        }
    }
}

/// Writes a batch and returns how many rows it had.
async fn write<W: Writer>(shared: &Arc<Shared<W>>, index: usize, jobs: Vec<W::Job>) -> usize {
    let weight = jobs.iter().map(Job::weight).sum();
    let done = Finished { shared, index, weight };
    let shard = i16::try_from(index).expect("there are at most 1,024 shards");
    // A task of its own: a panic in it ends the batch and not the flusher.
    let writing = Arc::clone(shared);
    let task = tokio::spawn(async move { writing.writer.write(shard, jobs).await });
    if let Err(error) = task.await {
        tracing::error!(%error, shard, "a batch of the group commit panicked");
    }
    drop(done);
    weight
}

/// Gives the shard free again, also when writing panics: its callers then see their answer's
/// sender dropped, and the shard goes on.
struct Finished<'a, W: Writer> {
    shared: &'a Shared<W>,
    index: usize,
    weight: usize,
}

impl<W: Writer> Drop for Finished<'_, W> {
    fn drop(&mut self) {
        self.shared.finished(self.index, self.weight);
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
