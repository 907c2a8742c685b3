//! The document that is sent to the page once a second: its shape, which `page.js` reads. Times in
//! milliseconds, shares as ratios; what can't be told is null.
//!
//! Never here: where the numbers come from (`parts`).

use serde::Serialize;

/// Everything on the page.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    /// When it was made, in milliseconds since the epoch.
    pub(super) at: u64,
    /// Seconds of the window that is called the last minute: fewer at first.
    pub(super) window: f64,
    pub(super) process: Process,
    /// What the process lacks to do its work, in words. Empty when it is ready.
    pub(super) missing: Vec<&'static str>,
    pub(super) journeys: Vec<Path>,
    pub(super) endpoints: Vec<Path>,
    pub(super) flow: Flow,
    pub(super) fates: Vec<Fate>,
    pub(super) pools: Vec<Pool>,
    pub(super) limits: Vec<Limit>,
    /// None before the database has been looked at.
    pub(super) database: Option<Database>,
    pub(super) statements: Vec<Statement>,
    pub(super) kept: Vec<Kept>,
}

/// The process and its build.
#[derive(Debug, Serialize)]
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) version: &'static str,
    pub(super) profile: &'static str,
    /// Milliseconds since the epoch.
    pub(super) deployed_at: Option<u64>,
    pub(super) uptime_seconds: u64,
    pub(super) resident_bytes: u64,
    /// Processors in use over the last minute.
    pub(super) processors: f64,
}

/// A journey or an endpoint against its objective.
#[derive(Debug, Serialize)]
pub(super) struct Path {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) tier: &'static str,
    pub(super) threshold_ms: u32,
    /// The share that must be good.
    pub(super) objective: f64,
    /// Since the process started.
    pub(super) all: u64,
    pub(super) good: u64,
    /// What is left of the bad events that the objective allows, of those since the start: 1 is
    /// all, 0 is none, below 0 is too many. None without events.
    pub(super) budget_left: Option<f64>,
    pub(super) minute: Minute,
    /// By second.
    pub(super) line: Vec<u32>,
    /// How many of them were not good.
    pub(super) bad_line: Vec<u32>,
}

/// A path in the last minute.
#[derive(Debug, Serialize)]
pub(super) struct Minute {
    pub(super) all: u64,
    pub(super) good: u64,
    /// Failed or shed, for endpoints.
    pub(super) failed: u64,
    /// Given up by the caller, for endpoints.
    pub(super) aborted: u64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

/// Messages on their way.
#[derive(Debug, Serialize)]
pub(super) struct Flow {
    /// Reminders that fell due by the plan.
    pub(super) due: u64,
    pub(super) due_line: Vec<u32>,
    /// All stages, those that move messages first, in their order.
    pub(super) stages: Vec<Stage>,
    pub(super) sum: Sum,
}

/// A stage.
#[derive(Debug, Serialize)]
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// Whether messages go through it on their way.
    pub(super) moves: bool,
    pub(super) items: u64,
    pub(super) per_second: f64,
    pub(super) failures: u64,
    pub(super) in_flight: u64,
    /// An operator holds it: nothing goes through.
    pub(super) held: bool,
    /// What stands before it, in all processes; none where that isn't counted.
    pub(super) depth: Option<u64>,
    pub(super) oldest_ms: Option<f64>,
    pub(super) lateness_ms: u32,
    /// In the last minute.
    pub(super) late_p99_ms: Option<f64>,
    pub(super) on_time: Option<f64>,
    pub(super) objective: f64,
    pub(super) line: Vec<u32>,
}

/// What came in, what went out, and what is between, of this process.
#[derive(Debug, Serialize)]
pub(super) struct Sum {
    pub(super) claimed: u64,
    pub(super) looked_up: u64,
    pub(super) settled: u64,
    /// The difference.
    pub(super) in_hand: i64,
    pub(super) at_provider: i64,
    /// What has been nowhere for thirty seconds; none before that can be told.
    pub(super) unaccounted: Option<i64>,
    /// Promises that reconciliation found out of order, by kind.
    pub(super) residuals: Vec<Residual>,
    /// Until when every promise had its turn, in milliseconds since the epoch; none before that.
    pub(super) reconciled_until: Option<u64>,
    /// How long a round of that takes, in milliseconds.
    pub(super) round_ms: f64,
    /// Violations of all laws at the last audit by this process.
    pub(super) violations: Option<f64>,
    /// When that was, in milliseconds since the epoch.
    pub(super) audited_at: Option<u64>,
    pub(super) ambiguous: u64,
    pub(super) stranded: u64,
    pub(super) stale: u64,
    pub(super) fold_lag_ms: f64,
}

/// Promises out of order, of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Residual {
    pub(super) kind: &'static str,
    pub(super) promises: u64,
}

/// What became of reminders.
#[derive(Debug, Serialize)]
pub(super) struct Fate {
    pub(super) name: &'static str,
    pub(super) all: u64,
    pub(super) per_minute: f64,
}

/// A pool of connections.
#[derive(Debug, Serialize)]
pub(super) struct Pool {
    pub(super) name: &'static str,
    pub(super) used_by: &'static str,
    pub(super) used: u64,
    pub(super) idle: u64,
    pub(super) max: u64,
    pub(super) waiting: u64,
    pub(super) timeouts: u64,
    /// In the last minute.
    pub(super) wait_p99_ms: Option<f64>,
    pub(super) holders: Vec<Holder>,
    pub(super) line: Vec<u32>,
}

/// Who holds connections.
#[derive(Debug, Serialize)]
pub(super) struct Holder {
    pub(super) name: &'static str,
    pub(super) held: u64,
}

/// A bound that is in use or was reached.
#[derive(Debug, Serialize)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// Null where nothing of it can be in use.
    pub(super) used: Option<f64>,
    pub(super) reached: u64,
    /// A memory: full is how it is meant to be.
    pub(super) forgets: bool,
}

/// The database as its server sees it.
#[derive(Debug, Serialize)]
pub(super) struct Database {
    pub(super) size_bytes: f64,
    pub(super) oldest_transaction_ms: f64,
    pub(super) blocked_sessions: f64,
    pub(super) replicas: Vec<Replica>,
    pub(super) servers: Vec<Server>,
}

/// A server that this process knows by its settings.
#[derive(Debug, Serialize)]
pub(super) struct Server {
    pub(super) name: String,
    /// `leads`, `read` or `not_read`.
    pub(super) part: &'static str,
    /// How old what it answers is at most; null for the one that leads, or where it isn't known.
    pub(super) staleness_ms: Option<f64>,
    /// Since it last said how it is.
    pub(super) seen_ms: Option<f64>,
    /// It failed again and again.
    pub(super) is_left_alone: bool,
}

/// A replica that receives the log.
#[derive(Debug, Serialize)]
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) lag_bytes: f64,
    pub(super) lag_ms: f64,
}

/// A named statement in the last minute.
#[derive(Debug, Serialize)]
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) func: &'static str,
    pub(super) per_second: f64,
    pub(super) mean_ms: f64,
    pub(super) p99_ms: Option<f64>,
    /// Of the time that all statements took.
    pub(super) share: f64,
    /// Since the process started.
    pub(super) errors: u64,
}

/// A request that was kept.
#[derive(Debug, Serialize)]
pub(super) struct Kept {
    pub(super) trace_id: String,
    pub(super) route: &'static str,
    /// Milliseconds since the epoch.
    pub(super) at: u64,
    pub(super) took_ms: f64,
    pub(super) outcome: &'static str,
    pub(super) status: u16,
    pub(super) why: &'static str,
    pub(super) spans: Vec<Span>,
}

/// A part of a kept request.
#[derive(Debug, Serialize)]
pub(super) struct Span {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) start_ms: f64,
    pub(super) took_ms: f64,
    pub(super) rows: u64,
}
