//! The database as its server sees it: size, open transactions, locks, spaces of numbers, replicas.
//! Every process asks for itself; over processes these are maxima.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use contract::Family;

use super::family;
use super::label::{Given, Value};
use super::mirror::Mirror;
use super::readable::Level;
use super::registered::Registered;

/// What one look found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Observed {
    /// Size of the database.
    pub(crate) size_bytes: f64,
    /// Age of the oldest transaction.
    pub(crate) oldest_transaction_seconds: f64,
    /// Sessions that wait for a lock.
    pub(crate) blocked_sessions: f64,
}

/// A replica that receives the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Replica {
    /// As it calls itself.
    pub(crate) name: Given,
    /// What it has not replayed.
    pub(crate) lag_bytes: f64,
    /// By how much it is behind.
    pub(crate) lag_seconds: f64,
}

struct Handles {
    size: Level,
    oldest_transaction: Level,
    blocked: Level,
    deadlocks: Mirror,
    connected: Level,
    /// By their names, which only the database knows.
    replicas: Mutex<BTreeMap<Given, [Level; 2]>>,
}

static HANDLES: Registered<Handles> = Registered::new();

pub(super) fn register() {
    let gauge = |family| Level::register(family, family::NONE);
    transaction_ids(0.0);
    HANDLES.register(|| Handles {
        size: gauge(Family::DatabaseSize),
        oldest_transaction: gauge(Family::DatabaseOldestTransaction),
        blocked: gauge(Family::DatabaseBlockedSessions),
        deadlocks: Mirror::new(family::counter(Family::DatabaseDeadlocks, family::NONE)),
        connected: gauge(Family::ReplicasConnected),
        replicas: Mutex::default(),
    });
}

/// States what was found.
pub(crate) fn observed(observed: &Observed) {
    let Some(handles) = HANDLES.get() else { return };
    handles.size.set(observed.size_bytes);
    handles.oldest_transaction.set(observed.oldest_transaction_seconds);
    handles.blocked.set(observed.blocked_sessions);
}

/// Takes down how many deadlocks the server has counted since its statistics were reset.
pub(crate) fn deadlocks(total: i64) {
    if let Some(handles) = HANDLES.get() {
        handles.deadlocks.reads(total);
    }
}

/// States how much of the transactions' numbers is used up.
pub(crate) fn transaction_ids(used: f64) {
    space("transaction_id".into(), used);
}

/// States how much of a space of numbers is used up. The spaces are the schema's.
pub(crate) fn id_space(name: &Given, used: f64) {
    space(name.into(), used);
}

fn space(name: Value, used: f64) {
    family::gauge(Family::IdSpaceUsed, [("space", name)]).set(used);
}

/// States which replicas there are now. One that is gone has no lag that could be told.
pub(crate) fn replicas(now: &[Replica]) {
    let Some(handles) = HANDLES.get() else { return };
    handles.connected.set(now.len() as f64);
    let mut known = handles.replicas.lock().unwrap_or_else(PoisonError::into_inner);
    for [bytes, seconds] in known.values() {
        bytes.set(f64::NAN);
        seconds.set(f64::NAN);
    }
    for replica in now {
        let [bytes, seconds] = known.entry(replica.name.clone()).or_insert_with(|| {
            [Family::ReplicaLagBytes, Family::ReplicaLagSeconds]
                .map(|family| Level::register(family, [("replica", &replica.name)]))
        });
        bytes.set(replica.lag_bytes);
        seconds.set(replica.lag_seconds);
    }
}

/// What the last look found, and the replicas that there were then. Nothing before the first one.
pub(crate) fn read() -> Option<(Observed, Vec<Replica>)> {
    let handles = HANDLES.get()?;
    let size_bytes = handles.size.get();
    if size_bytes <= 0.0 {
        return None; // no database has no size
    }
    let observed = Observed {
        size_bytes,
        oldest_transaction_seconds: handles.oldest_transaction.get(),
        blocked_sessions: handles.blocked.get(),
    };
    let known = handles.replicas.lock().unwrap_or_else(PoisonError::into_inner);
    let replicas = known
        .iter()
        .map(|(name, [bytes, seconds])| Replica {
            name: name.clone(),
            lag_bytes: bytes.get(),
            lag_seconds: seconds.get(),
        })
        // One that is gone has no lag.
        .filter(|replica| !replica.lag_bytes.is_nan())
        .collect();
    Some((observed, replicas))
}
