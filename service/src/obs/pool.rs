//! The pools of database connections: how full, how long one waits for a connection, how long one
//! keeps it, how long opening one takes.

use std::sync::OnceLock;
use std::time::Duration;

use contract::Pool;
use metrics::{Counter, Gauge, Histogram};

struct Handles {
    idle: Gauge,
    used: Gauge,
    max: Gauge,
    pending: Gauge,
    wait: Histogram,
    held: Histogram,
    create: Histogram,
    timeouts: [Counter; Timeout::ALL.len()],
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

static HANDLES: OnceLock<[Handles; Pool::COUNT]> = OnceLock::new();

pub(super) fn register() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("db_client_connections", "Connections of a pool by state.");
    describe_gauge!("db_client_connections_max", "Most connections that a pool opens.");
    describe_gauge!(
        "db_client_connections_pending_requests",
        "Callers that wait for a connection."
    );
    describe_histogram!(
        "db_client_connections_wait_time_seconds",
        Unit::Seconds,
        "Time until a connection was had, or not."
    );
    describe_histogram!(
        "db_client_connections_use_time_seconds",
        Unit::Seconds,
        "Time from having a connection to giving it back."
    );
    describe_histogram!(
        "db_client_connections_create_time_seconds",
        Unit::Seconds,
        "Time to open a connection."
    );
    describe_counter!(
        "db_client_connections_timeouts_total",
        "Waits for a connection that were given up."
    );
    HANDLES.get_or_init(|| std::array::from_fn(|i| Handles::register(Pool::ALL[i].name())));
}

impl Handles {
    fn register(pool: &'static str) -> Self {
        use metrics::{counter, gauge, histogram};
        let this = Self {
            idle: gauge!("db_client_connections", "pool" => pool, "state" => "idle"),
            used: gauge!("db_client_connections", "pool" => pool, "state" => "used"),
            max: gauge!("db_client_connections_max", "pool" => pool),
            pending: gauge!("db_client_connections_pending_requests", "pool" => pool),
            wait: histogram!("db_client_connections_wait_time_seconds", "pool" => pool),
            held: histogram!("db_client_connections_use_time_seconds", "pool" => pool),
            create: histogram!("db_client_connections_create_time_seconds", "pool" => pool),
            timeouts: Timeout::ALL.map(|kind| {
                let family = "db_client_connections_timeouts_total";
                counter!(family, "pool" => pool, "kind" => kind.name())
            }),
        };
        for gauge in [&this.idle, &this.used, &this.max, &this.pending] {
            gauge.set(0.0);
        }
        for counter in &this.timeouts {
            counter.increment(0);
        }
        this
    }
}

fn of(pool: Pool) -> Option<&'static Handles> {
    HANDLES.get().map(|handles| &handles[pool.index()])
}

/// Records how long a caller waited for a connection, whether or not it got one.
pub(crate) fn waited(pool: Pool, wait: Duration) {
    if let Some(scope) = super::request::current() {
        scope.waited(wait);
    }
    if let Some(handles) = of(pool) {
        handles.wait.record(wait.as_secs_f64());
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
        handles.create.record(took.as_secs_f64());
    }
}

/// Records how long a connection was kept.
pub(crate) fn held(pool: Pool, took: Duration) {
    if let Some(handles) = of(pool) {
        handles.held.record(took.as_secs_f64());
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
