//! Named statements: how long each took on which pool, how it ended, how many rows it gave.

use std::sync::{Arc, OnceLock};

use contract::{Consistency, Family, Pool, Query, QueryOutcome};

use super::flight::{Flight, Span, What};
use super::histogram::{self, Histogram, Snapshot};
use super::registered::{Lap, Registered};
use super::registry;

/// One histogram an outcome.
type Outcomes = [Arc<Histogram>; QueryOutcome::COUNT];

struct Handles {
    /// By pool. At start only the pools in which the statement is at home have theirs: all of
    /// them would be four times as many series, most of which can never be counted on.
    duration: [OnceLock<Outcomes>; Pool::COUNT],
    rows: Arc<Histogram>,
}

static HANDLES: Registered<[Handles; Query::COUNT]> = Registered::new();

pub(super) fn register() {
    HANDLES.register(|| {
        std::array::from_fn(|i| {
            let query = Query::ALL[i];
            let handles = Handles {
                duration: std::array::from_fn(|_| OnceLock::new()),
                rows: registry::of(
                    Family::DbClientResponseReturnedRows,
                    [("db_query_name", query.name())],
                ),
            };
            for pool in pools(query) {
                handles.duration[pool.index()].get_or_init(|| outcomes(query, pool));
            }
            handles
        })
    });
}

fn outcomes(query: Query, pool: Pool) -> Outcomes {
    std::array::from_fn(|i| {
        registry::of(
            Family::DbClientOperationDuration,
            [
                ("db_query_name", query.name()),
                ("pool", pool.name()),
                ("outcome", QueryOutcome::ALL[i].name()),
            ],
        )
    })
}

/// The pools on which a statement is at home.
pub(super) fn pools(query: Query) -> impl Iterator<Item = Pool> {
    home(query).iter().chain(on_replicas(query)).copied()
}

/// The pools that the callers of a statement use, by where its row says that they are.
fn home(query: Query) -> &'static [Pool] {
    let file = query.spec().file.trim_start_matches("service/src/");
    let is_report = [
        "endpoints/read_backlog.rs",
        "endpoints/read_daily_counts.rs",
        "endpoints/read_delivery.rs",
        "endpoints/read_fleet.rs",
        "endpoints/read_job_report.rs",
        "endpoints/read_trend.rs",
        "endpoints/report.rs",
    ]
    .contains(&file);
    if file.starts_with("audit") || file.starts_with("review") || is_report {
        &[Pool::Reporting]
    } else if ["db/floors.rs", "db/intents.rs", "db/tally.rs"].contains(&file) {
        &[Pool::Interactive, Pool::Pipeline, Pool::Upkeep]
    } else if file.starts_with("db/") || file.starts_with("clock") {
        &[Pool::Upkeep]
    } else if let Some(stage) = file.strip_prefix("stages/") {
        let moves_messages = ["release", "claim", "deliver", "settle", "recover", "resolve"]
            .iter()
            .any(|name| stage.starts_with(name));
        if moves_messages { &[Pool::Pipeline] } else { &[Pool::Upkeep] }
    } else {
        &[Pool::Interactive]
    }
}

/// The pools of replicas that a statement may be run on.
fn on_replicas(query: Query) -> &'static [Pool] {
    match query.spec().consistency {
        Consistency::Strong => &[],
        // Asked ahead of a read, on its connection.
        Consistency::OfServer if query == Query::ServerCheck => {
            &[Pool::ReplicaInteractive, Pool::ReplicaReporting]
        }
        Consistency::OfServer => &[],
        Consistency::ReadYourWrites => &[Pool::ReplicaInteractive],
        Consistency::BoundedStaleness(_) if home(query) == [Pool::Reporting] => {
            &[Pool::ReplicaReporting]
        }
        Consistency::BoundedStaleness(_) => &[Pool::ReplicaInteractive],
    }
}

/// Records one statement, and charges it to the request on whose behalf this task runs.
pub(crate) fn record(query: Query, pool: Pool, outcome: QueryOutcome, lap: Lap, rows: u64) {
    if let Some(scope) = super::request::current() {
        scope.ran(query, (pool, outcome), lap, rows);
    }
    let Some(handles) = HANDLES.get().map(|handles| &handles[query.index()]) else {
        return;
    };
    let histograms = handles.duration[pool.index()].get_or_init(|| outcomes(query, pool));
    histograms[outcome.index()].record(histogram::nanos_of(lap.took), None);
    handles.rows.record(rows, None);
}

/// Makes a flight that is kept the example of the statements that it shows: while it is under way
/// nobody knows yet whether it will be.
pub(super) fn examples(flight: &Flight) {
    let Some(handles) = HANDLES.get() else { return };
    for Span { what, how, took, .. } in flight.spans() {
        let (What::Query(query), Some((pool, outcome))) = (what, how) else { continue };
        if let Some(histograms) = handles[query.index()].duration[pool.index()].get() {
            let nanos = histogram::nanos_of(took);
            histograms[outcome.index()].shows(nanos, flight.trace());
        }
    }
}

/// How long a statement took over all pools and outcomes since the process started, and how often
/// it did not end well.
pub(crate) fn read(query: Query) -> (Snapshot, u64) {
    let mut all = (Snapshot::default(), 0);
    let Some(handles) = HANDLES.get().map(|handles| &handles[query.index()]) else { return all };
    for histograms in handles.duration.iter().filter_map(OnceLock::get) {
        for (outcome, histogram) in QueryOutcome::ALL.iter().zip(histograms) {
            let snapshot = histogram.snapshot();
            match outcome {
                QueryOutcome::Ok => {}
                QueryOutcome::Error | QueryOutcome::Timeout | QueryOutcome::Disconnected => {
                    all.1 += snapshot.count();
                }
            }
            all.0.add(&snapshot);
        }
    }
    all
}

/// What was recorded of a statement on all pools.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// How often it ran to an answer or not.
    pub(crate) calls: u64,
    /// How often it did not succeed.
    pub(crate) failed: u64,
    /// Time of all its calls.
    pub(crate) seconds: f64,
    /// Half of the calls took no longer; none without calls.
    pub(crate) p50_seconds: Option<f64>,
    /// All but a hundredth of the calls took no longer.
    pub(crate) p99_seconds: Option<f64>,
}

/// Reads what was recorded of a statement.
pub(crate) fn seen(query: Query) -> Seen {
    let (all, failed) = read(query);
    Seen {
        calls: all.count(),
        failed,
        seconds: all.sum,
        p50_seconds: all.quantile(0.5),
        p99_seconds: all.quantile(0.99),
    }
}
