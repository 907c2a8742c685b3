//! What was begun and is not waited for any more: its future is dropped in the middle. Who leaves
//! is who waited longest, so that is recorded like what came to its end: whoever measures holds a
//! guard over the wait, and a guard that is dropped asks here why.
//!
//! Belongs here: telling a deadline from a caller that left. Never here: what is recorded of it;
//! that is the file of the thing that was waited for.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Why something is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its time, or that of what it was a part of, was over.
    Deadline,
    /// Who waited for it has left, or needs it no more.
    Left,
}

thread_local! {
    /// Set while this thread drops what was given up at a deadline: that takes no other turn.
    static AT_DEADLINE: Cell<bool> = const { Cell::new(false) };
}

/// Why what this thread drops now is given up.
pub(super) fn why() -> Why {
    if AT_DEADLINE.get() { Why::Deadline } else { Why::Left }
}

/// Does some work for at most so long. What of it is under way by then is dropped, and counts as
/// given up at a deadline. It is worked on where it is, as each future that is handed from one to
/// the next takes its room in both: `in_time(TIME, pin!(Some(work)))`.
///
/// # Errors
/// The time is over.
pub(crate) async fn in_time<F: Future>(
    within: Duration,
    mut work: Pin<&mut Option<F>>,
) -> Result<F::Output, Elapsed> {
    let going_on = poll_fn(|cx| match work.as_mut().as_pin_mut() {
        Some(work) => work.poll(cx),
        None => Poll::Pending, // it is only taken out below
    });
    let done = timeout(within, going_on).await;
    if done.is_err() {
        let _meanwhile = AtDeadline::begin();
        work.set(None);
    }
    done
}

/// Holds while something is dropped at a deadline.
struct AtDeadline {
    /// One deadline may be over within another.
    before: bool,
}

impl AtDeadline {
    fn begin() -> Self {
        Self { before: AT_DEADLINE.replace(true) }
    }
}

impl Drop for AtDeadline {
    fn drop(&mut self) {
        AT_DEADLINE.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Says why it is dropped.
    struct Told(Arc<Mutex<Vec<Why>>>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(why());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_told_from_a_caller_that_left() {
        const SHORT: Duration = Duration::from_millis(1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let held = |told: &Arc<Mutex<Vec<Why>>>| {
            let told = Told(Arc::clone(told));
            async move {
                let _told = told;
                std::future::pending::<()>().await;
            }
        };
        assert_eq!(in_time(SHORT, pin!(Some(async { 7 }))).await.unwrap(), 7);
        assert!(in_time(SHORT, pin!(Some(held(&told)))).await.is_err());
        // Of two deadlines the outer one is over first.
        let inner = async { in_time(SHORT * 9, pin!(Some(held(&told)))).await };
        assert!(in_time(SHORT, pin!(Some(inner))).await.is_err());
        // Left in the middle, by somebody who had an answer without it.
        let left = async { in_time(SHORT * 9, pin!(Some(held(&told)))).await };
        tokio::select! {
            biased;
            _ = left => unreachable!("it never ends"),
            () = tokio::task::yield_now() => {}
        }
        drop(Told(Arc::clone(&told)));
        let expected = [Why::Deadline, Why::Deadline, Why::Left, Why::Left];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
