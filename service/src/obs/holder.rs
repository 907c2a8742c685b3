//! Who holds the connections of each pool: an endpoint, a stage, or the process itself. When a pool
//! is exhausted, this says by whom.

use std::sync::OnceLock;

use contract::{Endpoint, Family, Pool, Stage};

use super::readable::Level;
use super::registered::Registered;

/// Who takes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A request, for itself.
    Endpoint(Endpoint),
    /// A stage of the work.
    Stage(Stage),
    /// Starting, watching the clock, probing.
    Process,
}

pub(super) const HOLDERS: usize = Endpoint::COUNT + Stage::COUNT + 1;

impl Holder {
    /// Everybody, in the order of [`Self::index`].
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let endpoints = Endpoint::ALL.iter().map(|&endpoint| Self::Endpoint(endpoint));
        let stages = Stage::ALL.iter().map(|&stage| Self::Stage(stage));
        endpoints.chain(stages).chain([Self::Process])
    }

    /// Whoever this task works for: its request, or the process.
    pub(crate) fn current() -> Self {
        let endpoint = super::request::current().and_then(|scope| scope.endpoint());
        endpoint.map_or(Self::Process, Self::Endpoint)
    }

    /// As in labels.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Endpoint(endpoint) => endpoint.name(),
            Self::Stage(stage) => stage.name(),
            Self::Process => "process",
        }
    }

    /// One cell of an array of [`HOLDERS`].
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Endpoint(endpoint) => endpoint.index(),
            Self::Stage(stage) => Endpoint::COUNT + stage.index(),
            Self::Process => HOLDERS - 1,
        }
    }

    /// The pools that it takes connections from.
    fn pools(self) -> &'static [Pool] {
        match self {
            Self::Endpoint(endpoint) => super::budget::pools(endpoint),
            Self::Stage(stage) => match stage.spec().pool {
                Some(pool) => &Pool::ALL[pool.index()..=pool.index()],
                None => &[],
            },
            // The caches are refreshed and reconciliation looks for nobody in particular.
            Self::Process => {
                &[Pool::Interactive, Pool::Upkeep, Pool::Reporting, Pool::ReplicaReporting]
            }
        }
    }
}

type OfPool = [OnceLock<Level>; HOLDERS];

static HANDLES: Registered<[OfPool; Pool::COUNT]> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| [const { [const { OnceLock::new() }; HOLDERS] }; Pool::COUNT]);
    for holder in Holder::all() {
        for &pool in holder.pools() {
            gauge(pool, holder);
        }
    }
}

/// Made at start where the holder is known to use the pool, else when it does, which no test that
/// sees it survives.
fn gauge(pool: Pool, holder: Holder) -> Option<&'static Level> {
    let handles = HANDLES.get()?;
    Some(handles[pool.index()][holder.index()].get_or_init(|| {
        let labels = [("pool", pool.name()), ("holder", holder.name())];
        Level::register(Family::DbClientConnectionsHeld, labels)
    }))
}

/// Who holds connections of a pool now, and how many each, the most first.
pub(crate) fn read(pool: Pool) -> Vec<(&'static str, u64)> {
    let endpoints = Endpoint::ALL.iter().map(|&endpoint| Holder::Endpoint(endpoint));
    let stages = Stage::ALL.iter().map(|&stage| Holder::Stage(stage));
    let Some(handles) = HANDLES.get().map(|handles| &handles[pool.index()]) else {
        return Vec::new();
    };
    let mut holders: Vec<(&str, u64)> = endpoints
        .chain(stages)
        .chain([Holder::Process])
        .filter_map(|holder| Some((holder.name(), handles[holder.index()].get()?.get() as u64)))
        .filter(|(_, held)| *held > 0)
        .collect();
    holders.sort_by_key(|(_, held)| std::cmp::Reverse(*held));
    holders
}

/// One more connection held, until the guard is dropped.
#[must_use]
pub(crate) fn hold(pool: Pool, holder: Holder) -> Held {
    if cfg!(debug_assertions) && !holder.pools().contains(&pool) {
        tracing::error!(
            holder = holder.name(),
            pool = pool.name(),
            "holds what it isn't known to use: its series came late"
        );
    }
    let gauge = gauge(pool, holder);
    if let Some(gauge) = gauge {
        gauge.increment(1.0);
    }
    Held(gauge, holder)
}

/// A connection that is held.
#[derive(Debug)]
pub(crate) struct Held(Option<&'static Level>, Holder);

impl Held {
    /// Who holds it.
    pub(crate) const fn holder(&self) -> Holder {
        self.1
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(gauge) = self.0 {
            gauge.decrement(1.0);
        }
    }
}
