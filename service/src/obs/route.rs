//! Where reads went and why, and how the servers stand that they can go to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::{Family, Query, Read, RouteReason};

use super::family;
use super::histogram::{self, Histogram};
use super::label::{Given, Value};
use super::mirror::Mirror;
use super::readable::{Count, Level};
use super::registered::Registered;
use super::registry;

struct Handles {
    /// By query; those that only the primary answers have none.
    reads: Vec<Option<OfRead>>,
    wait: Arc<Histogram>,
    staleness: Arc<Histogram>,
    /// Those of the settings, in their order.
    servers: Mutex<Vec<Arc<Levels>>>,
}

struct OfRead {
    decisions: [Count; RouteReason::COUNT],
    prevented: Count,
}

/// The series of one server of the settings.
#[derive(Clone)]
pub(crate) struct OfServer(Option<Arc<Levels>>);

struct Levels {
    name: Given,
    leads: Level,
    readable: Level,
    staleness: Level,
    lag_bytes: Level,
    look_age: Level,
    breaker_open: Level,
    conflicts: [Mirror; CONFLICTS.len()],
    last: Mutex<Server>,
}

/// Why a replica's replay cancels statements, as `server_conflicts` calls it.
const CONFLICTS: [&str; 5] = ["tablespace", "lock", "snapshot", "buffer_pin", "deadlock"];

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Server {
    /// It is written to.
    pub(crate) leads: bool,
    /// It is a replica that is read.
    pub(crate) is_readable: bool,
    /// How old what it answers is at most; none for a primary, or where it isn't known.
    pub(crate) staleness: Option<Duration>,
    /// Bytes of log that it is behind; none for a primary, or where it isn't known.
    pub(crate) lag_bytes: Option<u64>,
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
            prevented: Count::register(Family::StalePrevented, [label]),
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

/// A server of the settings, with its series at zero from here on.
pub(crate) fn server(name: &Given) -> OfServer {
    let Some(handles) = HANDLES.get() else { return OfServer(None) };
    let mut servers = handles.servers.lock().unwrap_or_else(PoisonError::into_inner);
    // A process that can't begin yet begins again.
    let known = servers.iter().find(|known| known.name == *name).map(Arc::clone);
    OfServer(Some(known.unwrap_or_else(|| {
        let levels = Arc::new(Levels::register(name));
        servers.push(Arc::clone(&levels));
        levels
    })))
}

/// The servers as they were last stated, by name.
pub(crate) fn servers() -> Vec<(String, Server)> {
    let Some(handles) = HANDLES.get() else { return Vec::new() };
    let servers = handles.servers.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all: Vec<(String, Server)> =
        servers.iter().map(|of| (of.name.as_str().to_owned(), *of.last())).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

impl OfServer {
    /// States how it stands now.
    pub(crate) fn stands(&self, now: Server) {
        let Some(of) = &self.0 else { return };
        let or_none = |time: Option<Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64());
        of.leads.set(f64::from(u8::from(now.leads)));
        of.readable.set(f64::from(u8::from(now.is_readable)));
        of.staleness.set(or_none(now.staleness));
        of.lag_bytes.set(now.lag_bytes.map_or(f64::NAN, |bytes| bytes as f64));
        of.look_age.set(or_none(now.look_age));
        of.breaker_open.set(now.breaker_open);
        *of.last() = now;
    }

    /// Takes down how many statements its replay has cancelled for a reason, since its statistics
    /// were reset.
    pub(crate) fn conflicts(&self, kind: &str, total: i64) {
        let Some(of) = &self.0 else { return };
        if let Some(at) = CONFLICTS.iter().position(|known| *known == kind) {
            of.conflicts[at].reads(total);
        }
    }
}

impl Levels {
    fn register(name: &Given) -> Self {
        let level = |family| Level::register(family, [("server", name)]);
        Self {
            name: name.clone(),
            leads: level(Family::ServerLeads),
            readable: level(Family::ServerReadable),
            staleness: level(Family::ServerStaleness),
            lag_bytes: level(Family::ServerLagBytes),
            look_age: level(Family::ServerLookAge),
            breaker_open: level(Family::ServerBreakerOpen),
            conflicts: CONFLICTS.map(|kind| {
                let labels: [(_, Value); 2] = [("server", name.into()), ("kind", kind.into())];
                Mirror::new(family::counter(Family::ReplicaConflicts, labels))
            }),
            last: Mutex::default(),
        }
    }

    fn last(&self) -> MutexGuard<'_, Server> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::CONFLICTS;

    #[test]
    fn the_statement_tells_the_kinds_that_have_series() {
        let text = include_str!("../../sql/queries/server_conflicts.sql");
        let named = text.split("('").skip(1).filter_map(|rest| rest.split('\'').next());
        assert_eq!(named.collect::<Vec<_>>(), CONFLICTS);
    }
}
