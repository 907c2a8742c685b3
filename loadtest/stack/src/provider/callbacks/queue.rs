//! The queue: callbacks that wait for their time, the earliest first.
//!
//! Here belongs the waiting; what a callback does then is in `callbacks`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::provider::log::monotonic_ns;

/// One callback to come. Ordered by when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Job {
    /// On `CLOCK_MONOTONIC`.
    pub(crate) due_ns: u64,
    /// The message it is about.
    pub(crate) number: u32,
    /// Which step of the message's plan.
    pub(crate) step: u8,
    /// How often it was tried.
    pub(crate) tries: u8,
    /// A repetition on purpose: nothing follows from it.
    pub(crate) duplicate: bool,
}

/// Waits for many times at once; one task takes from it.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<BinaryHeap<Reverse<Job>>>,
    waiting_max: usize,
    earlier: Notify,
}

impl Queue {
    pub(crate) fn new(waiting_max: usize) -> Self {
        Self { waiting: Mutex::default(), waiting_max, earlier: Notify::new() }
    }

    /// Adds a job, or hands it back where there is no room.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let mut waiting = self.waiting.lock().expect("no holder panics");
        if waiting.len() >= self.waiting_max {
            return Err(job);
        }
        let earlier = waiting.peek().is_none_or(|Reverse(first)| job < *first);
        waiting.push(Reverse(job));
        drop(waiting);
        if earlier {
            self.earlier.notify_one();
        }
        Ok(())
    }

    /// The next job, once it is due.
    pub(crate) async fn next(&self) -> Job {
        loop {
            match self.pop_due(monotonic_ns()) {
                Ok(job) => return job,
                Err(None) => self.earlier.notified().await,
                Err(Some(wait)) => tokio::select! {
                    () = self.earlier.notified() => {}
                    () = sleep(wait) => {}
                },
            }
        }
    }

    /// The first job if it is due, else how long until it is; nothing when there is none.
    fn pop_due(&self, now_ns: u64) -> Result<Job, Option<Duration>> {
        let mut waiting = self.waiting.lock().expect("no holder panics");
        let due_ns = waiting.peek().ok_or(None)?.0.due_ns;
        if due_ns > now_ns {
            return Err(Some(Duration::from_nanos(due_ns - now_ns)));
        }
        Ok(waiting.pop().expect("it was just looked at").0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(due_ns: u64) -> Job {
        Job { due_ns, number: 0, step: 0, tries: 0, duplicate: false }
    }

    #[test]
    fn the_earliest_first_and_none_before_its_time() {
        let queue = Queue::new(2);
        assert_eq!(queue.pop_due(5), Err(None));
        queue.push(job(20)).unwrap();
        queue.push(job(10)).unwrap();
        assert_eq!(queue.push(job(1)), Err(job(1)), "a full queue hands the job back");
        assert_eq!(queue.pop_due(9), Err(Some(Duration::from_nanos(1))));
        assert_eq!(queue.pop_due(10), Ok(job(10)));
        assert_eq!(queue.pop_due(30), Ok(job(20)));
    }
}
