//! A timer finer than the runtime's, whose wheel turns in milliseconds: one thread that sleeps
//! until the next instant somebody waits for, on the kernel's high-resolution timer and with the
//! least slack, and then wakes the tasks.
//!
//! It sleeps in `Condvar::wait_timeout`, not in `clock_nanosleep`, as a task that waits for an
//! earlier instant has to wake it; on Linux that is a futex with an absolute end on the monotonic
//! clock, which the same timers of the kernel wake. Measured at 1,000 a second, up to the first
//! byte sent: 59 µs late at the median, 2.27 ms at p99 (`docs/benchmarks.md`).
//!
//! It costs a thread and 15 to 30 µs of a processor for each wake-up, so it is for rates at which
//! that is little (`Pacer::at_rate`). Never here: what is waited for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Wakes tasks at their instants. The thread ends with the last handle.
#[derive(Debug)]
pub struct Alarm {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    next: BinaryHeap<Reverse<Sleeper>>,
    over: bool,
}

#[derive(Debug)]
struct Sleeper {
    at: Instant,
    waker: Waker,
}

impl Alarm {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let its = shared.clone();
        let thread = thread::Builder::new().name("alarm".to_owned()).spawn(move || its.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns when this instant has come.
    pub fn wait(&self, at: Instant) -> Wait<'_> {
        Wait { shared: &self.shared, at, waits: None }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It doesn't panic: it has nothing but a heap and a clock.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A waker that panics leaves the heap whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, at: Instant, waker: Waker) {
        let mut waiting = self.lock();
        let is_next = waiting.next.peek().is_none_or(|Reverse(next)| at < next.at);
        waiting.next.push(Reverse(Sleeper { at, waker }));
        drop(waiting);
        // Requests are taken in order, so as a rule somebody waits for an earlier one already.
        if is_next {
            self.changed.notify_one();
        }
    }

    fn run(&self) {
        // The kernel may put timers off by 50 µs to gather them; not these.
        if let Err(error) = nix::sys::prctl::set_timerslack(1) {
            tracing::debug!(%error, "the timer's slack stays as it is");
        }
        let mut waiting = self.lock();
        while !waiting.over {
            let now = Instant::now();
            waiting = match waiting.next.peek() {
                None => self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(Reverse(next)) if next.at > now => {
                    let left = next.at - now;
                    let slept = self.changed.wait_timeout(waiting, left);
                    slept.unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let due = waiting.take_due(now);
                    drop(waiting);
                    due.into_iter().for_each(Waker::wake);
                    self.lock()
                }
            };
        }
    }
}

impl Waiting {
    fn take_due(&mut self, now: Instant) -> Vec<Waker> {
        let mut due = Vec::new();
        while self.next.peek().is_some_and(|Reverse(next)| next.at <= now) {
            due.extend(self.next.pop().map(|Reverse(sleeper)| sleeper.waker));
        }
        due
    }
}

/// The wait of one task.
#[derive(Debug)]
pub struct Wait<'a> {
    shared: &'a Shared,
    at: Instant,
    waits: Option<Waker>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        // Somebody else may have polled the task; it is on the heap already.
        if !self.waits.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.shared.sleep(self.at, context.waker().clone());
            self.waits = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn tasks_wake_in_order_and_never_before_their_time() {
        let alarm = Arc::new(Alarm::start().unwrap());
        let start = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        // The latest registers first, so that each of the others has to wake the thread.
        let tasks: Vec<_> = [20, 10, 5, 0]
            .map(|ms| {
                let (alarm, order) = (alarm.clone(), order.clone());
                tokio::spawn(async move {
                    let at = start + Duration::from_millis(ms);
                    alarm.wait(at).await;
                    let early = at.saturating_duration_since(Instant::now());
                    order.lock().unwrap().push((ms, early));
                })
            })
            .into();
        for task in tasks {
            task.await.unwrap();
        }
        let zero = Duration::ZERO;
        assert_eq!(*order.lock().unwrap(), [(0, zero), (5, zero), (10, zero), (20, zero)]);
    }

    #[tokio::test]
    async fn what_is_past_does_not_wait_and_dropping_ends_the_thread() {
        let alarm = Alarm::start().unwrap();
        alarm.wait(Instant::now()).await;
        let far = alarm.wait(Instant::now() + Duration::from_secs(3_600));
        assert!(tokio::time::timeout(Duration::from_millis(1), far).await.is_err());
        drop(alarm);
    }
}
