//! Group commit: concurrent small writes to one shard are put into one transaction. Each caller is
//! answered after the commit of the batch that holds its write.
//!
//! A write waits at most the linger (a few milliseconds) for company; under load it waits for a
//! flusher, and batches grow by themselves. Of a shard one batch is written at a time, so that
//! they are as full as they can be; where a crowd waits, another one goes beside it. No two
//! writes of the same key are ever under way together: the later one waits for a later batch.
//! Belongs here: the queueing. Never here: what is written (`ingest`, `receipts`).

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A write that waits to be committed with others.
pub(crate) trait Job: Send + 'static {
    /// What no two writes that are under way may have in common.
    type Key: Hash + Eq + Clone + Send;

    /// How many rows it stands for.
    fn weight(&self) -> usize;

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
    /// Rows that must wait in a shard for a batch to be begun beside one that is being written.
    /// Few and full batches cost the database less; many waiting callers cost their patience.
    pub(crate) crowd: usize,
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

struct Queues<J: Job> {
    shards: Vec<ShardQueue<J>>,
    /// Shards that a flusher should look at, longest waiting first.
    ready: VecDeque<usize>,
    /// Rows that wait or are being written.
    waiting: usize,
    /// Batches that are being written.
    flushing: usize,
}

struct ShardQueue<J: Job> {
    jobs: VecDeque<J>,
    /// Rows of the jobs.
    weight: usize,
    since: Instant,
    /// It is among the ready ones.
    is_ready: bool,
    /// Batches that are being written, and their keys.
    flushing: usize,
    keys: HashSet<J::Key>,
}

impl<J: Job> Default for ShardQueue<J> {
    fn default() -> Self {
        Self {
            jobs: VecDeque::new(),
            weight: 0,
            since: Instant::now(),
            is_ready: false,
            flushing: 0,
            keys: HashSet::new(),
        }
    }
}

impl<J: Job> Queues<J> {
    /// Puts a shard among the ready ones if a batch of it may be begun.
    fn offer(&mut self, index: usize, crowd: usize) -> bool {
        let queue = &mut self.shards[index];
        let may_begin = match queue.flushing {
            0 => !queue.jobs.is_empty(),
            _ => queue.weight >= crowd,
        };
        let is_new = may_begin && !queue.is_ready;
        if is_new {
            queue.is_ready = true;
            queue.since = Instant::now();
            self.ready.push_back(index);
        }
        is_new
    }
}

impl<W: Writer> GroupCommit<W> {
    /// Starts the flushers; they end when the queue is dropped and empty.
    pub(crate) fn start(writer: W, shard_count: i16, bounds: Bounds) -> Self {
        let shards = (0..shard_count.max(0)).map(|_| ShardQueue::default()).collect();
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
        let index = usize::try_from(shard).map_err(|_negative| Full)?;
        queues.waiting += job.weight();
        let queue = &mut queues.shards[index];
        queue.weight += job.weight();
        queue.jobs.push_back(job);
        if queues.offer(index, self.shared.bounds.crowd) {
            drop(queues);
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// How full the queue is, as a ratio.
    pub(crate) fn used_ratio(&self) -> f64 {
        self.shared.queues().waiting as f64 / self.shared.bounds.queue_max.max(1) as f64
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
    fn take(&self) -> Result<Batch<W::Job>, Option<Instant>> {
        let mut queues = self.queues();
        let Some(&index) = queues.ready.front() else {
            return Err(None);
        };
        let queue = &mut queues.shards[index];
        let due = queue.since + self.bounds.linger;
        let is_full = queue.weight >= self.bounds.batch_max || queue.flushing > 0;
        if !is_full && Instant::now() < due {
            return Err(Some(due));
        }
        let jobs = batch(&mut queue.jobs, &queue.keys, self.bounds.batch_max);
        queue.is_ready = false;
        queues.ready.pop_front();
        if jobs.is_empty() {
            // All that waits is about keys that are being written: those give it free again.
            return Err(Some(Instant::now()));
        }
        let queue = &mut queues.shards[index];
        let keys: Vec<_> = jobs.iter().flat_map(Job::keys).collect();
        let weight = jobs.iter().map(Job::weight).sum();
        queue.keys.extend(keys.iter().cloned());
        queue.weight -= weight;
        queue.flushing += 1;
        queues.flushing += 1;
        queues.offer(index, self.bounds.crowd);
        Ok(Batch { index, weight, keys, jobs })
    }

    fn finished(&self, index: usize, weight: usize, keys: &[<W::Job as Job>::Key]) {
        let mut queues = self.queues();
        queues.waiting -= weight;
        queues.flushing -= 1;
        let queue = &mut queues.shards[index];
        queue.flushing -= 1;
        for key in keys {
            queue.keys.remove(key);
        }
        queues.offer(index, self.bounds.crowd);
        drop(queues);
        self.changed.notify_one();
    }
}

/// Jobs of one shard that are written together.
struct Batch<J: Job> {
    index: usize,
    weight: usize,
    keys: Vec<J::Key>,
    jobs: Vec<J>,
}

/// Takes jobs from the front until the batch is full, leaving those that share a key with one
/// that is being written, was taken, or was left.
fn batch<J: Job>(jobs: &mut VecDeque<J>, written: &HashSet<J::Key>, batch_max: usize) -> Vec<J> {
    let mut taken: Vec<J> = Vec::new();
    let mut keys: HashSet<J::Key> = HashSet::new();
    let mut weight = 0;
    let mut left = VecDeque::new();
    while let Some(job) = jobs.pop_front() {
        let fits = taken.is_empty() || weight + job.weight() <= batch_max;
        let clashes = job.keys().any(|key| keys.contains(&key) || written.contains(&key));
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
            Ok(Batch { index, weight, keys, jobs }) => {
                // Several shards may be ready: let another flusher have the next one.
                strong.changed.notify_one();
                let done = Finished { shared: &strong, index, weight, keys };
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
    keys: Vec<<W::Job as Job>::Key>,
}

impl<W: Writer> Drop for Finished<'_, W> {
    fn drop(&mut self) {
        self.shared.finished(self.index, self.weight, &self.keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    struct Add(u32, Option<oneshot::Sender<usize>>);

    impl Job for Add {
        type Key = u32;
        fn weight(&self) -> usize {
            1
        }
        fn keys(&self) -> impl Iterator<Item = u32> {
            std::iter::once(self.0)
        }
    }

    /// Answers with the size of the batch; holds the keys of those under way.
    #[derive(Default)]
    struct Sizes(Mutex<Vec<HashSet<u32>>>);

    impl Writer for Sizes {
        type Job = Add;
        async fn write(&self, _shard: i16, jobs: Vec<Add>) {
            let size = jobs.len();
            let keys: HashSet<u32> = jobs.iter().map(|job| job.0).collect();
            assert_eq!(keys.len(), size, "a key twice in a batch");
            {
                let mut under_way = self.0.lock().unwrap();
                assert!(under_way.iter().all(|batch| batch.is_disjoint(&keys)), "a key twice");
                under_way.push(keys.clone());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.0.lock().unwrap().retain(|batch| *batch != keys);
            for job in jobs {
                let _gone = job.1.unwrap().send(size);
            }
        }
    }

    fn bounds() -> Bounds {
        let linger = Duration::from_millis(2);
        Bounds { queue_max: 1_000, batch_max: 100, linger, flushers: 3, crowd: 50 }
    }

    fn submit(queue: &GroupCommit<Sizes>, key: u32) -> oneshot::Receiver<usize> {
        let (sender, receiver) = oneshot::channel();
        queue.submit(0, Add(key, Some(sender))).unwrap();
        receiver
    }

    #[tokio::test(start_paused = true)]
    async fn company_is_committed_together_and_a_key_once_a_batch() {
        let queue = GroupCommit::start(Sizes::default(), 2, bounds());
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
        let queue = GroupCommit::start(Sizes::default(), 1, bounds());
        let started = Instant::now();
        assert_eq!(submit(&queue, 1).await.unwrap(), 1);
        assert!(started.elapsed() < Duration::from_millis(20), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_goes_beside_the_batch_that_is_being_written() {
        let queue = GroupCommit::start(Sizes::default(), 1, bounds());
        let first = submit(&queue, 0);
        tokio::time::sleep(Duration::from_millis(4)).await;
        let started = Instant::now();
        // Fewer than a crowd wait for the one before; with a crowd they go, less the key under way.
        let second: Vec<_> = (0..60).map(|n| submit(&queue, n)).collect();
        assert_eq!(first.await.unwrap(), 1);
        let mut sizes = Vec::new();
        for answer in second {
            sizes.push(answer.await.unwrap());
        }
        assert_eq!((sizes[0], sizes[1], sizes[59]), (1, 59, 59));
        assert!(started.elapsed() < Duration::from_millis(25), "{:?}", started.elapsed());
        queue.drained().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once() {
        let queue = GroupCommit::start(Sizes::default(), 1, Bounds { queue_max: 3, ..bounds() });
        let kept: Vec<_> = (0..3).map(|n| submit(&queue, n)).collect();
        let (sender, _receiver) = oneshot::channel();
        assert_eq!(queue.submit(0, Add(9, Some(sender))), Err(Full));
        for answer in kept {
            answer.await.unwrap();
        }
    }

    #[test]
    fn a_later_write_of_a_key_never_overtakes_an_earlier_one() {
        let mut jobs: VecDeque<Add> = [1, 2, 1, 3, 1].map(|n| Add(n, None)).into();
        let first: Vec<u32> =
            batch(&mut jobs, &HashSet::new(), 10).iter().map(|job| job.0).collect();
        assert_eq!(first, [1, 2, 3]);
        let second: Vec<u32> =
            batch(&mut jobs, &HashSet::new(), 10).iter().map(|job| job.0).collect();
        assert_eq!(second, [1]);
        assert_eq!(jobs.len(), 1);
    }
}
