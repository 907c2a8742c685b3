//! The pools of database connections: how full, how long one waits for a connection, how long one
//! keeps it, how long opening one takes.

use std::sync::Arc;
use std::time::Duration;

use contract::{Family, Pool};

use super::given_up::{self, Why};
use super::histogram::{self, Histogram, Snapshot};
use super::readable::{Count, Level};
use super::registered::{Lap, Registered, Stopwatch};
use super::registry;

struct Handles {
    idle: Level,
    used: Level,
    max: Level,
    pending: Level,
    wait: Arc<Histogram>,
    held: Arc<Histogram>,
    create: Arc<Histogram>,
    timeouts: [Count; Timeout::ALL.len()],
}

/// Which of a pool's waits was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// For a connection that comes free.
    Wait,
    /// For a connection to be opened.
    Create,
    /// For a used connection to say that it is fit.
    Recycle,
}

impl Timeout {
    const ALL: [Self; 3] = [Self::Wait, Self::Create, Self::Recycle];

    const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Create => "create",
            Self::Recycle => "recycle",
        }
    }
}

static HANDLES: Registered<[Handles; Pool::COUNT]> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| std::array::from_fn(|i| Handles::register(Pool::ALL[i].name())));
}

impl Handles {
    fn register(pool: &'static str) -> Self {
        let label = ("pool", pool);
        let connections =
            |state| Level::register(Family::DbClientConnections, [label, ("state", state)]);
        Self {
            idle: connections("idle"),
            used: connections("used"),
            max: Level::register(Family::DbClientConnectionsMax, [label]),
            pending: Level::register(Family::DbClientConnectionsPendingRequests, [label]),
            wait: registry::of(Family::DbClientConnectionsWaitTime, [label]),
            held: registry::of(Family::DbClientConnectionsUseTime, [label]),
            create: registry::of(Family::DbClientConnectionsCreateTime, [label]),
            timeouts: Timeout::ALL.map(|kind| {
                Count::register(Family::DbClientConnectionsTimeouts, [label, ("kind", kind.name())])
            }),
        }
    }
}

fn of(pool: Pool) -> Option<&'static Handles> {
    HANDLES.get().map(|handles| &handles[pool.index()])
}

/// A wait for a connection of a pool. Dropped before it has ended, it was given up: it is recorded
/// all the same.
#[derive(Debug)]
#[must_use]
pub(crate) struct Waiting {
    pool: Pool,
    started: Stopwatch,
    has_ended: bool,
}

impl Waiting {
    /// One that begins now.
    pub(crate) fn begin(pool: Pool) -> Self {
        Self { pool, started: Stopwatch::start(), has_ended: false }
    }

    /// There is a connection, or there will be none.
    pub(crate) fn ended(mut self) -> Lap {
        self.has_ended = true;
        let wait = self.started.stop();
        waited(self.pool, wait);
        wait
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        waited(self.pool, self.started.stop());
        match given_up::why() {
            Why::Deadline => timed_out(self.pool),
            // Nobody's time was over.
            Why::Left => {}
        }
    }
}

/// Records how long a caller waited for a connection, whether or not it got one.
pub(super) fn waited(pool: Pool, wait: Lap) {
    if let Some(scope) = super::request::current() {
        scope.waited(pool, wait);
    }
    if let Some(handles) = of(pool) {
        handles.wait.record(histogram::nanos_of(wait.took), None);
    }
}

/// Counts a wait for a connection that was given up.
pub(crate) fn timed_out(pool: Pool) {
    timed_out_at(pool, Timeout::Wait);
}

/// Counts a wait that was given up.
pub(crate) fn timed_out_at(pool: Pool, kind: Timeout) {
    if let Some(handles) = of(pool) {
        handles.timeouts[kind as usize].increment(1);
    }
}

/// Records how long opening a connection took.
pub(crate) fn created(pool: Pool, took: Duration) {
    if let Some(handles) = of(pool) {
        handles.create.record(histogram::nanos_of(took), None);
    }
}

/// Records how long a connection was kept.
pub(crate) fn held(pool: Pool, held: Lap) {
    if let Some(handles) = of(pool) {
        handles.held.record(histogram::nanos_of(held.took), None);
    }
}

/// States how full a pool is now.
pub(crate) fn set(pool: Pool, idle: usize, used: usize, max: usize, pending: usize) {
    if let Some(handles) = of(pool) {
        handles.idle.set(idle as f64);
        handles.used.set(used as f64);
        handles.max.set(max as f64);
        handles.pending.set(pending as f64);
    }
}

/// How full a pool is, as last observed, and how long its callers waited since the process started.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Connections that nobody has.
    pub(crate) idle: u64,
    /// Connections that somebody has.
    pub(crate) used: u64,
    /// Most that there may be.
    pub(crate) max: u64,
    /// Callers that wait.
    pub(crate) pending: u64,
    /// Waits that were given up, of all kinds.
    pub(crate) timeouts: u64,
    /// How long callers waited.
    pub(crate) wait: Snapshot,
}

/// Reads a pool's figures. Nothing before there is a recorder.
pub(crate) fn read(pool: Pool) -> Option<Reading> {
    let handles = of(pool)?;
    Some(Reading {
        idle: handles.idle.get() as u64,
        used: handles.used.get() as u64,
        max: handles.max.get() as u64,
        pending: handles.pending.get() as u64,
        timeouts: handles.timeouts.iter().map(Count::get).sum(),
        wait: handles.wait.snapshot(),
    })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Instant;

    use super::super::exemplar::TraceId;
    use super::super::request::{Scope, within};
    use super::*;

    /// Of no other test.
    const POOL: Pool = Pool::ReplicaReporting;

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_given_up_is_one_all_the_same() {
        crate::obs::install().unwrap();
        let seen = || {
            let reading = read(POOL).unwrap();
            (reading.wait.count(), reading.timeouts)
        };
        let before = seen();
        let scope = Arc::new(Scope::new(TraceId::from_random(1), Instant::now()));
        let endless = || async {
            let waiting = Waiting::begin(POOL);
            std::future::pending::<()>().await;
            let _wait = waiting.ended();
        };
        within(Arc::clone(&scope), async {
            assert!(
                given_up::in_time(Duration::from_millis(1), pin!(Some(endless()))).await.is_err()
            );
        })
        .await;
        assert_eq!(seen(), (before.0 + 1, before.1 + 1), "nobody came in time");
        tokio::select! {
            biased;
            () = within(Arc::clone(&scope), endless()) => unreachable!("it never ends"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(seen(), (before.0 + 2, before.1 + 1), "nobody's time was over");
        assert_eq!(scope.flight().spans().len(), 2);
        let _wait = Waiting::begin(POOL).ended();
        assert_eq!(seen(), (before.0 + 3, before.1 + 1));
    }
}
