//! What one request used: statements, rows, time spent waiting for connections. A request's task
//! carries its [`Scope`]; work done elsewhere on its behalf (the group commit) takes the scope
//! along and charges its share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::exemplar::TraceId;

tokio::task_local! {
    static SCOPE: Arc<Scope>;
}

/// What one request used so far.
#[derive(Debug)]
pub(crate) struct Scope {
    trace: TraceId,
    queries: AtomicU32,
    rows: AtomicU64,
    pool_wait_nanos: AtomicU64,
}

impl Scope {
    /// Nothing yet.
    pub(crate) fn new(trace: TraceId) -> Self {
        let (queries, rows, pool_wait_nanos) = Default::default();
        Self { trace, queries, rows, pool_wait_nanos }
    }

    /// Which trace it belongs to.
    pub(crate) const fn trace(&self) -> TraceId {
        self.trace
    }

    /// Charges statements that ran on the request's behalf.
    pub(crate) fn charge(&self, queries: u32, rows: u64) {
        self.queries.fetch_add(queries, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Charges a wait for a connection.
    pub(crate) fn waited(&self, wait: Duration) {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.pool_wait_nanos.fetch_add(nanos, Ordering::Relaxed);
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
        Duration::from_nanos(self.pool_wait_nanos.load(Ordering::Relaxed))
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
            mine.waited(Duration::from_millis(3));
        })
        .await;
        assert_eq!((scope.queries(), scope.rows()), (2, 10));
        assert_eq!(scope.pool_wait(), Duration::from_millis(3));
    }
}
