//! What a request used of the database, held against its endpoint's row: statements, the same
//! statement again and again, time spent waiting for connections.
//!
//! Going over a budget is a counter and one log line here, and a failed test where tests run.

use std::sync::Arc;

use contract::endpoint::Listener;
use contract::{Endpoint, Family, Pool, Query, Tier};
use metrics::Counter;

use super::family;
use super::histogram::{self, Histogram};
use super::holder::Holder;
use super::registered::{IS_MEASURED, Registered};
use super::registry;
use super::request::Scope;

struct Handles {
    queries: Arc<Histogram>,
    over_budget: Counter,
    repeated: Counter,
    /// By pool, for those that the endpoint's code uses.
    pool_wait: [Option<Arc<Histogram>>; Pool::COUNT],
}

static HANDLES: Registered<[Handles; Endpoint::COUNT]> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| std::array::from_fn(|i| Handles::register(Endpoint::ALL[i])));
}

impl Handles {
    fn register(endpoint: Endpoint) -> Self {
        let label = ("http_route", endpoint.name());
        let pool_wait = |pool: Pool| {
            let labels = [label, ("pool", pool.name())];
            registry::of(Family::EndpointDbPoolWait, labels)
        };
        Self {
            queries: registry::of(Family::EndpointDbQueriesPerRequest, [label]),
            over_budget: family::counter(Family::EndpointBudgetExceeded, [label]),
            repeated: family::counter(Family::EndpointRepeatedQueries, [label]),
            pool_wait: std::array::from_fn(|i| {
                let pool = Pool::ALL[i];
                pools(endpoint).contains(&pool).then(|| pool_wait(pool))
            }),
        }
    }
}

/// The pools from which an endpoint's code, and the check of its caller's key, take connections;
/// the group commit takes its own.
pub(crate) fn pools(endpoint: Endpoint) -> &'static [Pool] {
    let spec = endpoint.spec();
    match spec.listener {
        _ if spec.query_budget == 0 => &[],
        Listener::Public if spec.tier == Tier::Reporting => {
            &[Pool::Interactive, Pool::Reporting, Pool::ReplicaReporting]
        }
        Listener::Public => &[Pool::Interactive, Pool::ReplicaInteractive],
        Listener::Admin => &[Pool::Upkeep, Pool::Reporting, Pool::ReplicaReporting],
    }
}

/// Records what a request used, and says so where it was too much.
pub(super) fn judge(endpoint: Endpoint, request_id: &str, scope: &Scope) {
    if !IS_MEASURED {
        return;
    }
    super::matrix::turn(Holder::Endpoint(endpoint));
    let spec = endpoint.spec();
    let handles = HANDLES.get().map(|handles| &handles[endpoint.index()]);
    if let Some(handles) = handles {
        handles.queries.record(u64::from(scope.queries()), None);
        for (pool, histogram) in Pool::ALL.iter().zip(&handles.pool_wait) {
            if let Some(histogram) = histogram {
                histogram.record(histogram::nanos_of(scope.pool_wait_of(*pool)), None);
            }
        }
    }
    if scope.queries() > spec.query_budget {
        if let Some(handles) = handles {
            handles.over_budget.increment(1);
        }
        log_over_budget(endpoint, request_id, scope);
    }
    if let Some((query, times)) = scope.most_repeated().filter(|(_, n)| *n > spec.repeats_max) {
        if let Some(handles) = handles {
            handles.repeated.increment(1);
        }
        log_repeated(endpoint, request_id, query, times);
    }
}

/// Names the statement that ran most often, and who runs it: there one looks first.
fn log_over_budget(endpoint: Endpoint, request_id: &str, scope: &Scope) {
    let most = scope.most_repeated();
    let at = most.map(|(query, _)| query.spec());
    tracing::warn!(
        target: "punctual::request",
        endpoint = endpoint.name(),
        request_id,
        queries = scope.queries(),
        budget = endpoint.spec().query_budget,
        query = most.map(|(query, _)| query.name()),
        times = most.map(|(_, times)| times),
        file = at.map(|at| at.file),
        func = at.map(|at| at.func),
        "a request ran more statements than its budget"
    );
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use contract::{QueryOutcome, Stage};

    use super::*;
    use crate::obs::exemplar::TraceId;
    use crate::obs::registered::Lap;
    use crate::obs::request::{self, BatchScope};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn scope() -> Scope {
        Scope::new(TraceId::from_random(1), Instant::now())
    }

    fn run(scope: &Scope, query: Query, times: u16) {
        for _ in 0..times {
            scope.ran(query, (Pool::Interactive, QueryOutcome::Ok), Lap::of(Duration::ZERO), 1);
        }
    }

    /// What a request is told to have done wrong.
    fn told_of(endpoint: Endpoint, scope: &Scope) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
        tracing::subscriber::with_default(log.finish(), || judge(endpoint, "id", scope));
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    /// The same when it ran a statement so often.
    fn told(endpoint: Endpoint, query: Query, times: u16) -> String {
        let scope = scope();
        run(&scope, query, times);
        told_of(endpoint, &scope)
    }

    #[test]
    fn a_statement_in_a_loop_is_named_with_its_place() {
        crate::obs::install().unwrap();
        let endpoint = Endpoint::UpsertAppointments;
        assert_eq!(told(endpoint, Query::PracticeRead, endpoint.spec().repeats_max), "");
        let said = told(endpoint, Query::PracticeRead, endpoint.spec().repeats_max + 1);
        let place = ["service/src/practice/store.rs", "func=\"read\""];
        for piece in ["again and again", "practice_read"].into_iter().chain(place) {
            assert!(said.contains(piece), "{piece}: {said}");
        }
        let counted =
            format!("endpoint_repeated_queries_total{{http_route=\"{}\"}} 1", endpoint.name());
        assert!(crate::obs::rendered(crate::obs::Format::Text).contains(&counted));
    }

    /// What three requests are told that were a part of a batch which did this.
    async fn told_after_batch(work: impl Fn()) -> Vec<String> {
        let scopes: [_; 3] = std::array::from_fn(|_| Some(Arc::new(scope())));
        let batch = BatchScope::begin(Stage::Receive);
        batch.run(async { work() }).await;
        batch.share(3, scopes.iter().map(|scope| (scope, Instant::now())));
        let told = |scope: Option<Arc<Scope>>| told_of(Endpoint::ReceiveStatus, &scope.unwrap());
        scopes.map(told).to_vec()
    }

    #[tokio::test]
    async fn a_statement_in_a_loop_in_a_batch_is_named_to_each_of_its_requests() {
        let mine = || request::current().expect("a batch has its scope");
        let query = Query::NewsApply;
        let careful = told_after_batch(|| run(&mine(), query, 1)).await;
        assert_eq!(careful, [""; 3]);
        let careless = told_after_batch(|| (0..3).for_each(|_| run(&mine(), query, 1))).await;
        let spec = query.spec();
        for said in careless {
            for piece in ["again and again", query.name(), spec.file, spec.func, "times=3"] {
                assert!(said.contains(piece), "{piece}: {said}");
            }
        }
        // What lost a race and is done again is no loop.
        let unlucky = told_after_batch(|| {
            for _ in 0..3 {
                request::begins_again();
                run(&mine(), query, 1);
            }
        });
        assert_eq!(unlucky.await, [""; 3]);
    }

    #[test]
    fn more_statements_than_the_budget_are_told() {
        crate::obs::install().unwrap();
        let endpoint = Endpoint::ReadPractice;
        let said = told(endpoint, Query::PracticeRead, endpoint.spec().query_budget as u16 + 1);
        let line = said.lines().find(|line| line.contains("more statements than its budget"));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        for piece in ["practice_read", "service/src/practice/store.rs", "func=\"read\"", "times=4"]
        {
            assert!(line.contains(piece), "{piece}: {line}");
        }
    }
}
