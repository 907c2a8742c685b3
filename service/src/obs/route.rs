//! Where reads went and why, and how the servers stand that they can go to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::{Family, Query, Read, RouteReason};

use super::family;
use super::histogram::{self, Histogram};
use super::readable::{Count, Level};
use super::registered::Registered;
use super::registry;

struct Handles {
    /// By query; those that only the primary answers have none.
    reads: Vec<Option<OfRead>>,
    wait: Arc<Histogram>,
    staleness: Arc<Histogram>,
    /// By the servers' names, which the settings have.
    servers: Mutex<BTreeMap<String, OfServer>>,
}

struct OfRead {
    decisions: [Count; RouteReason::COUNT],
    prevented: Count,
}

struct OfServer {
    leads: Level,
    readable: Level,
    staleness: Level,
    look_age: Level,
    breaker_open: Level,
    last: Server,
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Server {
    /// It is written to.
    pub(crate) leads: bool,
    /// It is a replica that is read.
    pub(crate) is_readable: bool,
    /// How old what it answers is at most; none for a primary, or where it isn't known.
    pub(crate) staleness: Option<Duration>,
    /// Time since it last said how it is; none if it never did.
    pub(crate) look_age: Option<Duration>,
    /// 1 while it is left alone, 0.5 once the next read may try it.
    pub(crate) breaker_open: f64,
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| {
        let mut reads: Vec<Option<OfRead>> = Query::ALL.iter().map(|_| None).collect();
        for read in Read::ALL {
            reads[read.query().index()] = Some(OfRead::register(read.query().name()));
        }
        Handles {
            reads,
            wait: registry::of(Family::RouteWait, family::NONE),
            staleness: registry::of(Family::RouteStaleness, family::NONE),
            servers: Mutex::default(),
        }
    });
}

impl OfRead {
    fn register(name: &'static str) -> Self {
        let label = ("db_query_name", name);
        Self {
            decisions: std::array::from_fn(|i| {
                let reason = RouteReason::ALL[i];
                let target = ("target", reason.spec().target.name());
                Count::register(Family::RouteDecisions, [label, target, ("reason", reason.name())])
            }),
            prevented: Count::register(Family::RouteStalePrevented, [label]),
        }
    }
}

fn of(read: Read) -> Option<&'static OfRead> {
    HANDLES.get()?.reads[read.query().index()].as_ref()
}

/// Counts a read by where it went and why.
pub(crate) fn decided(read: Read, reason: RouteReason) {
    if let Some(handles) = of(read) {
        handles.decisions[reason.index()].increment(1);
    }
}

/// Counts a read that a replica would have answered from before the reader's own write.
pub(crate) fn prevented(read: Read) {
    if let Some(handles) = of(read) {
        handles.prevented.increment(1);
    }
}

/// Records how long a read waited for a replica, whether or not that was enough.
pub(crate) fn waited(wait: Duration) {
    if let Some(handles) = HANDLES.get() {
        handles.wait.record(histogram::nanos_of(wait), None);
    }
}

/// Records how old what a replica answered was at most.
pub(crate) fn served(staleness: Duration) {
    if let Some(handles) = HANDLES.get() {
        handles.staleness.record(histogram::nanos_of(staleness), None);
    }
}

/// States how a server stands now.
pub(crate) fn server(name: &str, now: Server) {
    let Some(handles) = HANDLES.get() else { return };
    let mut servers = handles.servers.lock().unwrap_or_else(PoisonError::into_inner);
    let of = servers.entry(name.to_owned()).or_insert_with(|| OfServer::register(name));
    let or_none = |time: Option<Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64());
    of.leads.set(f64::from(u8::from(now.leads)));
    of.readable.set(f64::from(u8::from(now.is_readable)));
    of.staleness.set(or_none(now.staleness));
    of.look_age.set(or_none(now.look_age));
    of.breaker_open.set(now.breaker_open);
    of.last = now;
}

/// The servers as they were last stated, by name.
pub(crate) fn servers() -> Vec<(String, Server)> {
    let Some(handles) = HANDLES.get() else { return Vec::new() };
    let servers = handles.servers.lock().unwrap_or_else(PoisonError::into_inner);
    servers.iter().map(|(name, of)| (name.clone(), of.last)).collect()
}

impl OfServer {
    fn register(name: &str) -> Self {
        let level = |family| Level::register(family, [("server", name.to_owned())]);
        Self {
            leads: level(Family::ServerLeads),
            readable: level(Family::ServerReadable),
            staleness: level(Family::ServerStaleness),
            look_age: level(Family::ServerLookAge),
            breaker_open: level(Family::ServerBreakerOpen),
            last: Server::default(),
        }
    }
}

/// States how many statements a replica's replay has cancelled.
pub(crate) fn conflicts(name: &str, kind: &str, total: i64) {
    let labels = [("server", name.to_owned()), ("kind", kind.to_owned())];
    let counter = family::counter(Family::ReplicaConflicts, labels);
    counter.absolute(u64::try_from(total).unwrap_or(0));
}
