//! What the group commit does with what waits.

use super::*;
use crate::config::StageGates;
use crate::stages::gate::Gates;
use contract::Stage;
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
    fn refused(&self) {}
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

fn start(shards: i16, bounds: Bounds) -> GroupCommit<Sizes> {
    GroupCommit::start(Sizes, shards, bounds, Gate::always_open(Stage::Plan))
}

fn submit(queue: &GroupCommit<Sizes>, key: u32) -> oneshot::Receiver<usize> {
    let (sender, receiver) = oneshot::channel();
    queue.submit(0, add(key, Some(sender))).unwrap();
    receiver
}

#[tokio::test(start_paused = true)]
async fn company_is_committed_together_and_a_key_once_a_batch() {
    let queue = start(2, bounds());
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
    let queue = start(1, bounds());
    let started = Instant::now();
    assert_eq!(submit(&queue, 1).await.unwrap(), 1);
    assert!(started.elapsed() < Duration::from_millis(20), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let queue = start(1, Bounds { queue_max: 3, ..bounds() });
    let kept: Vec<_> = (0..3).map(|n| submit(&queue, n)).collect();
    let (sender, _receiver) = oneshot::channel();
    assert_eq!(queue.submit(0, add(9, Some(sender))), Err(Full));
    for answer in kept {
        answer.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn held_it_writes_by_hand_alone_and_in_full_batches() {
    let gates = Gates::new(StageGates::Held);
    let gate = gates.of(Stage::Plan);
    let queue = GroupCommit::start(Sizes, 1, bounds(), Arc::clone(gate));
    let mut answers: Vec<_> = (0..250).map(|n| submit(&queue, n)).collect();
    let first = tokio::time::timeout(Duration::from_secs(60), &mut answers[0]);
    assert!(first.await.is_err(), "nobody writes");
    assert_eq!((queue.by_hand(1).await, queue.waiting()), ((1, 100), 150));
    assert_eq!(queue.by_hand(usize::MAX).await, (2, 150));
    assert_eq!(queue.by_hand(usize::MAX).await, (0, 0));
    let later = submit(&queue, 1);
    gate.open().unwrap();
    assert_eq!(later.await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_is_told_until_it_is_committed() {
    let queue = start(2, bounds());
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
