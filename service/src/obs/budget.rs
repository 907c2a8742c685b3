//! What a request used of the database, held against its endpoint's row: statements, the same
//! statement again and again, time spent waiting for connections.
//!
//! Going over a budget is a counter and one log line here, and a failed test where tests run.

use std::sync::OnceLock;

use contract::endpoint::Listener;
use contract::{Endpoint, Family, Pool, Query};
use metrics::{Counter, Histogram};

use super::family;
use super::holder::Holder;
use super::request::Scope;

struct Handles {
    queries: Histogram,
    over_budget: Counter,
    repeated: Counter,
    /// By pool, for those that the endpoint's code uses.
    pool_wait: [Option<Histogram>; Pool::COUNT],
}

static HANDLES: OnceLock<[Handles; Endpoint::COUNT]> = OnceLock::new();

pub(super) fn register() {
    HANDLES.get_or_init(|| std::array::from_fn(|i| Handles::register(Endpoint::ALL[i])));
}

impl Handles {
    fn register(endpoint: Endpoint) -> Self {
        let label = ("http_route", endpoint.name());
        let pool_wait = |pool: Pool| {
            let labels = [label, ("pool", pool.name())];
            family::histogram(Family::EndpointDbPoolWait, labels)
        };
        Self {
            queries: family::histogram(Family::EndpointDbQueriesPerRequest, [label]),
            over_budget: family::counter(Family::EndpointBudgetExceeded, [label]),
            repeated: family::counter(Family::EndpointRepeatedQueries, [label]),
            pool_wait: std::array::from_fn(|i| {
                let pool = Pool::ALL[i];
                pools(endpoint).contains(&pool).then(|| pool_wait(pool))
            }),
        }
    }
}

/// The pools from which an endpoint's code takes connections; the group commit takes its own.
pub(crate) fn pools(endpoint: Endpoint) -> &'static [Pool] {
    let spec = endpoint.spec();
    match spec.listener {
        _ if spec.query_budget == 0 => &[],
        Listener::Public => &[Pool::Interactive],
        Listener::Admin => &[Pool::Upkeep, Pool::Reporting],
    }
}

/// Records what a request used, and says so where it was too much.
pub(super) fn judge(endpoint: Endpoint, request_id: &str, scope: &Scope) {
    super::matrix::turn(Holder::Endpoint(endpoint));
    let spec = endpoint.spec();
    let handles = HANDLES.get().map(|handles| &handles[endpoint.index()]);
    if let Some(handles) = handles {
        handles.queries.record(f64::from(scope.queries()));
        for (pool, histogram) in Pool::ALL.iter().zip(&handles.pool_wait) {
            if let Some(histogram) = histogram {
                histogram.record(scope.pool_wait_of(*pool).as_secs_f64());
            }
        }
    }
    if scope.queries() > spec.query_budget {
        if let Some(handles) = handles {
            handles.over_budget.increment(1);
        }
        tracing::warn!(
            target: "punctual::request",
            endpoint = endpoint.name(),
            request_id,
            queries = scope.queries(),
            budget = spec.query_budget,
            "a request ran more statements than its budget"
        );
    }
    if let Some((query, times)) = scope.most_repeated().filter(|(_, n)| *n > spec.repeats_max) {
        if let Some(handles) = handles {
            handles.repeated.increment(1);
        }
        log_repeated(endpoint, request_id, query, times);
    }
}

fn log_repeated(endpoint: Endpoint, request_id: &str, query: Query, times: u16) {
    let at = query.spec();
    tracing::warn!(
        target: "punctual::request",
        endpoint = endpoint.name(),
        request_id,
        query = query.name(),
        times,
        file = at.file,
        func = at.func,
        "a request ran the same statement again and again: give it a set"
    );
}
