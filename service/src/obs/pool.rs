//! The pools of database connections: how full, how long one waits for a connection, how long one
//! keeps it, how long opening one takes.

use std::sync::Arc;
use std::time::Duration;

use contract::{Family, Pool};

use super::histogram::{self, Histogram, Snapshot};
use super::readable::{Count, Level};
use super::registered::{Lap, Registered};
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

/// Records how long a caller waited for a connection, whether or not it got one.
pub(crate) fn waited(pool: Pool, wait: Lap) {
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
