//! Deliver: hands texts to the provider, a bounded number at a time, with no connection to the
//! database held. Claims take at most as many texts as there are permits here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{DeliveryOutcome, Limit, Stage};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::in_hand::Ages;
use super::settle::{Completion, Ending, Work};
use crate::obs;
use crate::obs::flight::{Flight, What};
use crate::plan::opens_after;
use crate::practice::Revision;
use crate::provider::{Answer, Outgoing};

/// With fewer permits than this, where as many are wanted, a claim waits a moment for more: its
/// transaction costs as much as fifty texts.
const BATCH_MIN: usize = 128;
/// How long it waits: a fiftieth of the lateness that a claim may have.
const PATIENCE: Duration = Duration::from_millis(50);

/// A text that goes out. Its try is recorded.
pub(super) struct Job {
    /// Where its lane is.
    pub(super) shard: i16,
    /// What it was claimed as.
    pub(super) work: Work,
    /// What the provider is given.
    pub(super) outgoing: Outgoing,
    /// The practice's settings, with its hours.
    pub(super) settings: Arc<Revision>,
    /// From the ready lane on.
    pub(super) flight: Arc<Flight>,
    /// When the claim was committed.
    pub(super) claimed_at: Instant,
}

/// The deliveries of a process.
pub(super) struct Deliveries {
    permits: Arc<Semaphore>,
    max: usize,
    tasks: TaskTracker,
    /// Since when the texts under way have been claimed.
    ages: Arc<Ages>,
}

impl Deliveries {
    /// None yet, and at most so many at a time.
    pub(super) fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(max));
        Self { permits, max, tasks: TaskTracker::new(), ages: Arc::default() }
    }

    /// Waits for permits: as many as wanted if they are free, else a batch's worth or, after a
    /// moment, what there is.
    pub(super) async fn permits(&self, want: usize) -> OwnedSemaphorePermit {
        let enough = want.clamp(1, BATCH_MIN.min(self.max));
        let mut permits = match timeout(PATIENCE, self.acquire(enough)).await {
            Ok(permits) => permits,
            Err(_elapsed) => {
                obs::limit::reached(Limit::DeliveriesInFlight);
                self.acquire(1).await
            }
        };
        let more = want.saturating_sub(permits.num_permits()).min(self.permits.available_permits());
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if let Ok(more) = Arc::clone(&self.permits).try_acquire_many_owned(more) {
            permits.merge(more);
        }
        permits
    }

    /// Permits that are free now, at most as many as wanted; none when all are in use.
    pub(super) fn free(&self, want: usize) -> Option<OwnedSemaphorePermit> {
        let n = u32::try_from(want.min(self.permits.available_permits())).unwrap_or(u32::MAX);
        if n == 0 {
            return None;
        }
        Arc::clone(&self.permits).try_acquire_many_owned(n).ok()
    }

    async fn acquire(&self, n: usize) -> OwnedSemaphorePermit {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let permits = Arc::clone(&self.permits).acquire_many_owned(n).await;
        permits.expect("the permits are never closed")
    }

    /// Starts deliveries, one task each, with the permits that the claim was made with.
    pub(super) fn start(
        &self,
        shared: &Arc<Shared>,
        jobs: Vec<Job>,
        mut permits: OwnedSemaphorePermit,
    ) {
        for job in jobs {
            let permit = permits.split(1);
            let shared = Arc::clone(shared);
            let held = self.ages.hold(job.claimed_at);
            let ticket = shared.app.gates.of(Stage::Deliver).line_up();
            self.tasks.spawn(async move {
                let inside = ticket.pass().await;
                deliver(&shared, job).await;
                drop(inside);
                drop((held, permit));
            });
        }
        drop(permits);
        self.observe();
    }

    /// Runs a look-up among the deliveries, with a permit of its own.
    pub(super) fn run<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let permits = Arc::clone(&self.permits);
        self.tasks.spawn(async move {
            let permit = permits.acquire_owned().await;
            task.await;
            drop(permit);
        });
    }

    /// Since when the oldest text under way has been claimed.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.ages.oldest()
    }

    /// Waits for those under way.
    pub(super) async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn observe(&self) {
        let used = self.max - self.permits.available_permits().min(self.max);
        obs::limit::used_of(Limit::DeliveriesInFlight, used as u64, self.max as u64);
    }
}

/// One delivery, from the first byte to the queue of results.
async fn deliver(shared: &Arc<Shared>, job: Job) {
    let Job { shard, work, outgoing, settings, flight, claimed_at } = job;
    let in_flight = obs::stage::in_flight(Stage::Deliver);
    obs::stage::lateness(Stage::Deliver, claimed_at.elapsed());
    let started = Instant::now();
    let is_open = opens_after(&settings, shared.app.clock.domain_now()).is_none();
    let answer = if is_open && is_in_time(shared, &work) {
        shared.app.provider.send(&outgoing).await
    } else {
        // The machine slept, or we did: another process may have taken over, or the practice has
        // closed since the claim.
        Answer {
            outcome: DeliveryOutcome::Transient,
            http_status: None,
            error_code: None,
            provider_ref: None,
            retry_after: None,
            is_opted_out: false,
        }
    };
    let ended = Instant::now();
    obs::stage::batch(Stage::Deliver, 1, ended.duration_since(started));
    flight.between(What::Wait(Stage::Deliver), claimed_at, started, 0);
    flight.between(What::Provider, started, ended, 0);
    match answer.outcome {
        DeliveryOutcome::Sent => {}
        DeliveryOutcome::Transient | DeliveryOutcome::Failed | DeliveryOutcome::Ambiguous => {
            obs::stage::failed(Stage::Deliver, 1);
        }
    }
    drop(in_flight);
    let completion = Completion::now(&shared.app.clock, work, Ending::Answered(answer));
    let completion = completion.of(flight);
    shared.settle.push(shard, vec![completion]);
    shared.deliveries.observe();
}

/// Whether the whole try fits into what is left of the lease, by the clock that goes on while a
/// machine sleeps.
fn is_in_time(shared: &Shared, work: &Work) -> bool {
    shared.app.clock.real_now() + shared.app.provider.needs() <= work.lease_until
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn permits_come_in_batches_or_as_they_are() {
        let deliveries = Deliveries::new(100);
        let first = deliveries.permits(250).await;
        assert_eq!(first.num_permits(), 100, "all that there are");
        let second = tokio::join!(deliveries.permits(50), async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let mut first = first;
            drop(first.split(10));
            tokio::time::sleep(PATIENCE).await;
            drop(first.split(5));
            first
        });
        let (second, first) = second;
        assert!((1..=15).contains(&second.num_permits()), "{}", second.num_permits());
        drop((first, second));
        assert_eq!(deliveries.permits(1).await.num_permits(), 1);
        deliveries.finished().await;
    }
}
