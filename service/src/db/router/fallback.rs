//! How much of what replicas should answer the primary takes on: so many places, by what is read
//! and by what the reader shows. Nobody waits long for one, and reports are given up first.
//!
//! Never here: why a replica can't be read (`choose`).

use std::sync::Arc;
use std::time::Duration;

use contract::Limit;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Routing;
use super::reader::Class;
use crate::obs;

/// The places on the primary.
pub(super) struct Fallbacks {
    reads: Places,
    reports: Places,
    /// Of readers that show a token of another history. Anybody can make one up, so they get in
    /// nobody's way but each other's.
    foreign: Places,
    /// How long a read waits.
    wait: Duration,
}

struct Places {
    limit: Limit,
    max: usize,
    free: Arc<Semaphore>,
}

impl Fallbacks {
    /// All free.
    pub(super) fn new(routing: &Routing) -> Self {
        Self {
            reads: Places::new(Limit::FallbackReads, routing.fallback_reads),
            reports: Places::new(Limit::FallbackReports, routing.fallback_reports),
            foreign: Places::new(Limit::ForeignTokens, routing.foreign_tokens),
            wait: routing.fallback_wait,
        }
    }

    /// A place, held until it is dropped; none where there is none soon.
    pub(super) async fn enter(
        &self,
        class: Class,
        is_foreign: bool,
    ) -> Option<OwnedSemaphorePermit> {
        let places = match (is_foreign, class) {
            (true, Class::Read | Class::Report) => &self.foreign,
            (false, Class::Read) => &self.reads,
            (false, Class::Report) => &self.reports,
        };
        let free = Arc::clone(&places.free);
        let place = match class {
            Class::Read => timeout(self.wait, free.acquire_owned()).await.ok().and_then(Result::ok),
            // Given up first: while reads have taken all that is theirs, no report comes on top.
            Class::Report if self.reads.are_taken() => None,
            Class::Report => free.try_acquire_owned().ok(),
        };
        if place.is_none() {
            obs::limit::reached(places.limit);
        }
        place
    }

    /// Publishes how many are taken.
    pub(super) fn observe(&self) {
        let Self { reads, reports, foreign, wait: _ } = self;
        for places in [reads, reports, foreign] {
            let used = places.max.saturating_sub(places.free.available_permits());
            obs::limit::used_of(places.limit, used as u64, places.max as u64);
        }
    }
}

impl Places {
    fn new(limit: Limit, max: usize) -> Self {
        Self { limit, max, free: Arc::new(Semaphore::new(max)) }
    }

    fn are_taken(&self) -> bool {
        self.free.available_permits() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::pools::Settings;

    /// With one place of each kind.
    fn fallbacks() -> Fallbacks {
        let wait = Duration::from_millis(250);
        let routing = Settings::of_url(String::new()).routing;
        Fallbacks::new(&Routing { fallback_wait: wait, ..routing })
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_waits_for_a_place_and_a_report_does_not() {
        let places = fallbacks();
        let report = places.enter(Class::Report, false).await;
        assert!(report.is_some() && places.enter(Class::Report, false).await.is_none());
        // Reads have theirs all the same.
        let read = places.enter(Class::Read, false).await;
        assert!(read.is_some());
        let (next, ()) = tokio::join!(places.enter(Class::Read, false), async { drop(read) });
        assert!(next.is_some(), "as soon as it is free");
        assert!(places.enter(Class::Read, false).await.is_none(), "not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn while_reads_have_all_of_theirs_no_report_comes_on_top() {
        let places = fallbacks();
        let read = places.enter(Class::Read, false).await;
        assert!(places.enter(Class::Report, false).await.is_none());
        drop(read);
        assert!(places.enter(Class::Report, false).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_shows_another_history_takes_nobody_elses_place() {
        let places = fallbacks();
        let foreign = places.enter(Class::Read, true).await;
        assert!(foreign.is_some() && places.enter(Class::Read, true).await.is_none());
        assert!(places.enter(Class::Report, true).await.is_none());
        let report = places.enter(Class::Report, false).await;
        let read = places.enter(Class::Read, false).await;
        assert!(report.is_some() && read.is_some());
    }
}
