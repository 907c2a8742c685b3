//! What one request used: statements, rows, time spent waiting for connections. A request's task
//! carries its [`Scope`]; work done elsewhere on its behalf (the group commit) takes the scope
//! along and charges its share.

use std::future::Future;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use contract::{Endpoint, Pool, Query};

use super::exemplar::TraceId;

tokio::task_local! {
    static SCOPE: Arc<Scope>;
}

/// What one request used so far.
#[derive(Debug)]
pub(crate) struct Scope {
    trace: TraceId,
    endpoint: OnceLock<Endpoint>,
    queries: AtomicU32,
    rows: AtomicU64,
    pool_wait_nanos: [AtomicU64; Pool::COUNT],
    /// How often each statement ran on the request's own task.
    times: [AtomicU16; Query::COUNT],
}

impl Scope {
    /// Nothing yet.
    pub(crate) fn new(trace: TraceId) -> Self {
        Self {
            trace,
            endpoint: OnceLock::new(),
            queries: AtomicU32::new(0),
            rows: AtomicU64::new(0),
            pool_wait_nanos: [const { AtomicU64::new(0) }; Pool::COUNT],
            times: [const { AtomicU16::new(0) }; Query::COUNT],
        }
    }

    /// Which trace it belongs to.
    pub(crate) const fn trace(&self) -> TraceId {
        self.trace
    }

    /// Notes what it is for, once that is known.
    pub(crate) fn is_for(&self, endpoint: Endpoint) {
        _ = self.endpoint.set(endpoint); // a request is for one endpoint
    }

    /// What it is for, if that is known.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.get().copied()
    }

    /// Charges statements that ran on the request's behalf.
    pub(crate) fn charge(&self, queries: u32, rows: u64) {
        self.queries.fetch_add(queries, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Charges a statement that the request's own task ran.
    pub(crate) fn ran(&self, query: Query, rows: u64) {
        self.charge(1, rows);
        self.times[query.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// The statement that the request's own task ran most often.
    pub(crate) fn most_repeated(&self) -> Option<(Query, u16)> {
        let times = self.times.iter().map(|n| n.load(Ordering::Relaxed));
        Query::ALL.iter().copied().zip(times).max_by_key(|(_, n)| *n).filter(|(_, n)| *n > 0)
    }

    /// Charges a wait for a connection.
    pub(crate) fn waited(&self, pool: Pool, wait: Duration) {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.pool_wait_nanos[pool.index()].fetch_add(nanos, Ordering::Relaxed);
    }

    /// Statements so far.
    pub(crate) fn queries(&self) -> u32 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Time spent waiting for connections so far.
    pub(crate) fn pool_wait(&self) -> Duration {
        Pool::ALL.iter().map(|&pool| self.pool_wait_of(pool)).sum()
    }

    /// Time spent waiting for connections of one pool so far.
    pub(crate) fn pool_wait_of(&self, pool: Pool) -> Duration {
        Duration::from_nanos(self.pool_wait_nanos[pool.index()].load(Ordering::Relaxed))
    }
}

/// The scope of the request that this task answers, if it answers one.
pub(crate) fn current() -> Option<Arc<Scope>> {
    SCOPE.try_with(Arc::clone).ok()
}

/// Runs a future on behalf of a request.
pub(crate) async fn within<F: Future>(scope: Arc<Scope>, future: F) -> F::Output {
    SCOPE.scope(scope, future).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn charged_to_the_request_of_the_task_and_to_no_other() {
        assert!(current().is_none());
        let scope = Arc::new(Scope::new(TraceId::from_random(1)));
        within(Arc::clone(&scope), async {
            let mine = current().expect("inside");
            mine.charge(2, 10);
            let elsewhere = tokio::spawn(async { current().is_none() }).await.expect("no panic");
            assert!(elsewhere, "a spawned task is not the request's");
            mine.ran(Query::ApiKeyRead, 1);
            mine.waited(Pool::Interactive, Duration::from_millis(3));
            mine.waited(Pool::Upkeep, Duration::from_millis(1));
        })
        .await;
        assert_eq!((scope.queries(), scope.rows()), (3, 11));
        assert_eq!(scope.most_repeated(), Some((Query::ApiKeyRead, 1)));
        assert_eq!(scope.pool_wait(), Duration::from_millis(4));
        assert_eq!(scope.pool_wait_of(Pool::Upkeep), Duration::from_millis(1));
    }
}
