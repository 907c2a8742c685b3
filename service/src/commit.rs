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
    pub(crate) fn start(writer: W, shard_count: i16, bounds: Bounds) -> Self {
        let shards = (0..shard_count.max(0))
            .map(|_| ShardQueue { jobs: VecDeque::new(), since: Instant::now(), writing: None })
            .collect();
        let queues = Mutex::new(Queues { shards, ready: VecDeque::new(), waiting: 0, flushing: 0 });
        let shared = Arc::new(Shared { writer, bounds, queues, changed: Notify::new() });
        for _ in 0..bounds.flushers {
            tokio::spawn(flush(Arc::downgrade(&shared)));
        }
        Self { shared }
    }

    /// Puts a write into its shard's queue.
    pub(crate) fn submit(&self, shard: i16, job: W::Job) -> Result<(), Full> {
        let mut queues = self.shared.queues();
        if queues.waiting > 0 && queues.waiting + job.weight() > self.shared.bounds.queue_max {
            return Err(Full);
        }
        queues.waiting += job.weight();
        let index = usize::try_from(shard).map_err(|_negative| Full)?;
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
    fn take(&self) -> Result<(usize, Vec<W::Job>), Option<Instant>> {
        let mut queues = self.queues();
        let Some(&index) = queues.ready.front() else {
            return Err(None);
        };
        let queue = &mut queues.shards[index];
        let due = queue.since + self.bounds.linger;
        let weight: usize = queue.jobs.iter().map(Job::weight).sum();
        if weight < self.bounds.batch_max && Instant::now() < due {
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

async fn flush<W: Writer>(shared: std::sync::Weak<Shared<W>>) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        match strong.take() {
            Ok((index, jobs)) => {
                // Several shards may be ready: let another flusher have the next one.
                strong.changed.notify_one();
                let weight = jobs.iter().map(Job::weight).sum();
                let done = Finished { shared: &strong, index, weight };
                let shard = i16::try_from(index).expect("there are at most 1,024 shards");
                // A task of its own: a panic in it ends the batch and not the flusher.
                let writing = Arc::clone(&strong);
                let task = tokio::spawn(async move { writing.writer.write(shard, jobs).await });
                if let Err(error) = task.await {
                    tracing::error!(%error, shard, "a batch of the group commit panicked");
                }
                drop(done);
            }
            Err(look_again) => {
                let changed = strong.changed.notified();
                let until =
                    look_again.unwrap_or_else(|| Instant::now() + Duration::from_millis(500));
                let _either = tokio::time::timeout_at(until, changed).await;
            }
        }
    }
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
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    struct Add(u32, Option<oneshot::Sender<usize>>, std::time::Instant);

    fn add(key: u32, answer: Option<oneshot::Sender<usize>>) -> Add {
        Add(key, answer, std::time::Instant::now())
    }

    impl Job for Add {
        type Key = u32;
        fn weight(&self) -> usize {
            1
        }
        fn queued_at(&self) -> std::time::Instant {
            self.2
        }
        fn keys(&self) -> impl Iterator<Item = u32> {
            std::iter::once(self.0)
        }
    }

    struct Sizes;

    impl Writer for Sizes {
        type Job = Add;
        async fn write(&self, _shard: i16, jobs: Vec<Add>) {
            let size = jobs.len();
            let keys: HashSet<u32> = jobs.iter().map(|job| job.0).collect();
            assert_eq!(keys.len(), size, "a key twice in a batch");
            tokio::time::sleep(Duration::from_millis(10)).await;
            for job in jobs {
                let _gone = job.1.unwrap().send(size);
            }
        }
    }

    fn bounds() -> Bounds {
        Bounds { queue_max: 1_000, batch_max: 100, linger: Duration::from_millis(2), flushers: 2 }
    }

    fn submit(queue: &GroupCommit<Sizes>, key: u32) -> oneshot::Receiver<usize> {
        let (sender, receiver) = oneshot::channel();
        queue.submit(0, add(key, Some(sender))).unwrap();
        receiver
    }

    #[tokio::test(start_paused = true)]
    async fn company_is_committed_together_and_a_key_once_a_batch() {
        let queue = GroupCommit::start(Sizes, 2, bounds());
        let answers: Vec<_> = (0..50).map(|n| submit(&queue, n % 40)).collect();
        let mut sizes = Vec::new();
        for answer in answers {
            sizes.push(answer.await.unwrap());
        }
        assert_eq!(sizes[0], 40);
        assert_eq!(sizes[49], 10);
        queue.drained().await;
        assert_eq!(queue.used_ratio(), 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn alone_it_waits_no_longer_than_the_linger() {
        let queue = GroupCommit::start(Sizes, 1, bounds());
        let started = Instant::now();
        assert_eq!(submit(&queue, 1).await.unwrap(), 1);
        assert!(started.elapsed() < Duration::from_millis(20), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once() {
        let queue = GroupCommit::start(Sizes, 1, Bounds { queue_max: 3, ..bounds() });
        let kept: Vec<_> = (0..3).map(|n| submit(&queue, n)).collect();
        let (sender, _receiver) = oneshot::channel();
        assert_eq!(queue.submit(0, add(9, Some(sender))), Err(Full));
        for answer in kept {
            answer.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_told_until_it_is_committed() {
        let queue = GroupCommit::start(Sizes, 2, bounds());
        assert_eq!(queue.oldest(), None);
        let before = std::time::Instant::now();
        let first = submit(&queue, 1);
        let between = std::time::Instant::now();
        let clashes = submit(&queue, 1);
        let oldest = queue.oldest().unwrap();
        assert!((before..=between).contains(&oldest), "the first one, while it waits");
        // The linger is over, and the batch is being written.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(queue.oldest(), Some(oldest));
        first.await.unwrap();
        clashes.await.unwrap();
        queue.drained().await;
        assert_eq!(queue.oldest(), None);
    }

    #[test]
    fn a_later_write_of_a_key_never_overtakes_an_earlier_one() {
        let mut jobs: VecDeque<Add> = [1, 2, 1, 3, 1].map(|n| add(n, None)).into();
        let first: Vec<u32> = batch(&mut jobs, 10).iter().map(|job| job.0).collect();
        assert_eq!(first, [1, 2, 3]);
        let second: Vec<u32> = batch(&mut jobs, 10).iter().map(|job| job.0).collect();
        assert_eq!(second, [1]);
        assert_eq!(jobs.len(), 1);
    }
}
