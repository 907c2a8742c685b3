//! How long this process has had the oldest of its work in hand. What it has taken on nobody else
//! can see: a delivery that hangs, results that are not recorded and a group commit that doesn't
//! come to its end look like a quiet hour from outside.
//!
//! Belongs here: the ages of deliveries, and telling all ages. Never here: what stands in the
//! database (`observe`).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::Shared;
use crate::obs;
use crate::obs::backlog::InHand;

/// How often the ages are told: several times between two scrapes.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How often it is said which stages are held, in turns of that.
const REMIND_EVERY: u64 = 60;

/// Since when each of some things has been in hand.
#[derive(Debug, Default)]
pub(super) struct Ages(Mutex<Since>);

#[derive(Debug, Default)]
struct Since {
    /// The oldest first; the number tells those of one instant apart.
    all: BTreeSet<(Instant, u64)>,
    next: u64,
}

/// A thing in hand, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    ages: Arc<Ages>,
    key: (Instant, u64),
}

impl Ages {
    /// One more, that has been in hand since then.
    #[must_use]
    pub(super) fn hold(self: &Arc<Self>, since: Instant) -> Held {
        let mut inner = self.inner();
        let key = (since, inner.next);
        inner.next += 1;
        inner.all.insert(key);
        drop(inner);
        Held { ages: Arc::clone(self), key }
    }

    /// Since when the oldest has been.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.inner().all.first().map(|(since, _)| *since)
    }

    fn inner(&self) -> MutexGuard<'_, Since> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ages.inner().all.remove(&self.key);
    }
}

/// Tells the ages until the stages have ended. It asks the database nothing: that is what may hang.
pub(super) async fn watch(shared: Weak<Shared>) {
    let mut timer = interval(TELL_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 1_u64.. {
        timer.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        if turn.is_multiple_of(REMIND_EVERY) {
            shared.app.gates.remind();
        }
        let age = |since: Option<Instant>| since.map(|at| at.elapsed()).unwrap_or_default();
        obs::backlog::in_hand(InHand {
            plan_for: age(shared.app.ingest.oldest()),
            receive_for: age(shared.app.receipts.oldest()),
            deliver_for: age(shared.deliveries.oldest()),
            settle_for: age(shared.settle.oldest()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_told_as_long_as_it_is_held() {
        let ages = Arc::new(Ages::default());
        assert_eq!(ages.oldest(), None);
        let early = Instant::now();
        let late = early + Duration::from_secs(1);
        let young = ages.hold(late);
        let old = [ages.hold(early), ages.hold(early)];
        assert_eq!(ages.oldest(), Some(early));
        let [first, second] = old;
        drop(first);
        assert_eq!(ages.oldest(), Some(early), "one of two of the same instant is left");
        drop(second);
        assert_eq!(ages.oldest(), Some(late));
        drop(young);
        assert_eq!(ages.oldest(), None);
    }
}
