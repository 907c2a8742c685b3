//! Every family of metrics: its name, what kind of number it is and which labels its series have.
//! Handles, the zero-initialised series, `docs/metrics.md`, the dashboards' units and the checks
//! of the alerts' expressions come from these rows; a family without a row can't be recorded.
//!
//! Names follow OpenTelemetry's semantic conventions in Prometheus' spelling: base units last,
//! `_total` on counters. Never here: where a family is recorded (`service/src/obs`).

use crate::table::{is_snake_case, table};

/// What kind of number a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts in buckets, with a sum and a count.
    Histogram,
}

impl Kind {
    /// As the exposition format spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// What kind of number.
    pub kind: Kind,
    /// Labels that its series may have. Where several kinds of things share a family (objectives),
    /// a series has the labels of its kind.
    pub labels: &'static [&'static str],
}

table! {
    /// A family of metrics.
    pub enum Family: Spec;

    // Requests.

    /// Time from a request's head to the last byte of its answer.
    HttpServerRequestDuration = http_server_request_duration_seconds {
        kind: Kind::Histogram,
        labels: &["http_route", "http_request_method", "http_response_status_code", "outcome"],
    }
    /// Time from a request's head to the first byte of an answer that is streamed.
    HttpServerTimeToFirstByte = http_server_time_to_first_byte_seconds {
        kind: Kind::Histogram, labels: &["http_route"],
    }
    /// Answers that their endpoint isn't known to give, so that they have no series of their own.
    HttpServerUnforeseenAnswers = http_server_unforeseen_answers_total {
        kind: Kind::Counter, labels: &["http_route"],
    }
    /// Requests being answered.
    HttpServerActiveRequests = http_server_active_requests {
        kind: Kind::Gauge, labels: &["listener"],
    }
    /// Open connections.
    HttpServerConnections = http_server_connections { kind: Kind::Gauge, labels: &["listener"], }
    /// Connections that ended badly.
    HttpServerBrokenConnections = http_server_broken_connections_total {
        kind: Kind::Counter, labels: &["listener", "reason"],
    }
    /// Named statements of one request.
    EndpointDbQueriesPerRequest = endpoint_db_queries_per_request {
        kind: Kind::Histogram, labels: &["http_route"],
    }
    /// Time that one request waited for connections of a pool.
    EndpointDbPoolWait = endpoint_db_pool_wait_seconds {
        kind: Kind::Histogram, labels: &["http_route", "pool"],
    }
    /// Requests that ran more statements than their budget.
    EndpointBudgetExceeded = endpoint_budget_exceeded_total {
        kind: Kind::Counter, labels: &["http_route"],
    }
    /// Requests that ran one statement again and again, where one with a set would do.
    EndpointRepeatedQueries = endpoint_repeated_queries_total {
        kind: Kind::Counter, labels: &["http_route"],
    }

    // Objectives.

    /// Requests that count for an objective.
    SloRequests = slo_requests_total { kind: Kind::Counter, labels: &["http_route", "slo"], }
    /// Requests that were good.
    SloGoodRequests = slo_good_requests_total {
        kind: Kind::Counter, labels: &["http_route", "slo"],
    }
    /// Journeys that count for an objective: they came to their end or broke off. A receipt that
    /// never comes does neither.
    SloJourneys = slo_journeys_total { kind: Kind::Counter, labels: &["journey", "slo"], }
    /// Journeys that were good.
    SloGoodJourneys = slo_good_journeys_total { kind: Kind::Counter, labels: &["journey", "slo"], }
    /// Items of a stage that count for an objective.
    SloStageItems = slo_stage_items_total { kind: Kind::Counter, labels: &["stage", "slo"], }
    /// Items of a stage that were good.
    SloGoodStageItems = slo_good_stage_items_total {
        kind: Kind::Counter, labels: &["stage", "slo"],
    }
    /// The share of events that must be good.
    SloObjective = slo_objective_ratio {
        kind: Kind::Gauge, labels: &["http_route", "journey", "stage", "slo"],
    }
    /// An event is good when it took no longer.
    SloLatencyThreshold = slo_latency_threshold_seconds {
        kind: Kind::Gauge, labels: &["http_route", "journey", "stage", "slo"],
    }

    // Critical paths and work.

    /// Time of a critical path from end to end.
    JourneyDuration = journey_duration_seconds { kind: Kind::Histogram, labels: &["journey"], }
    /// Time of one batch of a stage.
    StageDuration = stage_duration_seconds { kind: Kind::Histogram, labels: &["stage"], }
    /// When an item was started, less when it was due.
    StageLateness = stage_lateness_seconds { kind: Kind::Histogram, labels: &["stage"], }
    /// Items in a batch of a stage.
    StageBatchSize = stage_batch_size { kind: Kind::Histogram, labels: &["stage"], }
    /// Items that a stage worked on.
    StageItems = stage_items_total { kind: Kind::Counter, labels: &["stage"], }
    /// Batches or deliveries of a stage under way.
    StageInFlight = stage_in_flight { kind: Kind::Gauge, labels: &["stage"], }
    /// Batches or deliveries of a stage that failed.
    StageFailures = stage_failures_total { kind: Kind::Counter, labels: &["stage"], }
    /// When a stage last ended a turn, since the epoch; while a shard fails, when that one did.
    StageLastRun = stage_last_run_timestamp_seconds { kind: Kind::Gauge, labels: &["stage"], }
    /// 1 while a stage is held by an operator, which is only possible outside production.
    StageHeld = stage_held { kind: Kind::Gauge, labels: &["stage"], }
    /// Reminders by what became of them: the business rate.
    Messages = messages_total { kind: Kind::Counter, labels: &["fate"], }
    /// Reminders whose due time has come, by the plan: what the business rate is held against.
    MessagesDue = messages_due_total { kind: Kind::Counter, labels: &[], }
    /// Of those, reminders that came to an end within a quarter of an hour, each once.
    MessagesDueEnded = messages_due_ended_total { kind: Kind::Counter, labels: &[], }
    /// Work that stands before a stage.
    Pending = pending_messages { kind: Kind::Gauge, labels: &["stage"], }
    /// Age of the oldest work that a stage has before it or in hand.
    OldestPending = oldest_pending_seconds { kind: Kind::Gauge, labels: &["stage"], }
    /// Messages whose delivery's answer was lost and is not yet known.
    AmbiguousMessages = ambiguous_messages { kind: Kind::Gauge, labels: &[], }
    /// Rows found below a floor; must be zero.
    StrandedRows = stranded_rows { kind: Kind::Gauge, labels: &[], }
    /// Promises that reconciliation found out of order, and counts of a practice, day and rule that
    /// don't balance, which aren't mended; must be zero.
    ConservationResidual = conservation_residual_messages {
        kind: Kind::Gauge, labels: &["kind"],
    }
    /// Violations of each law that the last audit by this process found; must be zero.
    AuditViolations = audit_violations { kind: Kind::Gauge, labels: &["law"], }
    /// Until when every promise had its turn to be looked at by reconciliation.
    ReconciledUntil = reconciled_until_timestamp_seconds { kind: Kind::Gauge, labels: &[], }
    /// How long reconciliation takes from one look at a promise to the next, as configured.
    ReconcileRound = reconcile_round_seconds { kind: Kind::Gauge, labels: &[], }
    /// Promises that reconciliation looked at.
    ReconciledPromises = reconciled_promises_total { kind: Kind::Counter, labels: &[], }
    /// Until when what the provider took was compared with what is known as sent, since the epoch;
    /// zero where nobody compares them.
    ProviderComparedUntil = provider_compared_until_timestamp_seconds {
        kind: Kind::Gauge, labels: &[],
    }
    /// Age of the oldest change of a count not yet folded.
    FoldLag = fold_lag_seconds { kind: Kind::Gauge, labels: &[], }
    /// By how much the oldest week of a table is older than it is to be kept; zero when none is.
    PruneLag = prune_lag_seconds { kind: Kind::Gauge, labels: &["table"], }
    /// Weeks of a table that were dropped.
    PrunedWeeks = pruned_weeks_total { kind: Kind::Counter, labels: &["table"], }
    /// Completions that came after their lease was lost.
    StaleCompletions = stale_completions_total { kind: Kind::Counter, labels: &[], }
    /// Texts that were ready while their practice was closed: each waits until it opens.
    ClosedPractices = closed_practice_messages_total { kind: Kind::Counter, labels: &[], }

    // The database, as its clients see it.

    /// Time of a named statement.
    DbClientOperationDuration = db_client_operation_duration_seconds {
        kind: Kind::Histogram, labels: &["db_query_name", "pool", "outcome"],
    }
    /// Rows that a named statement returned or touched.
    DbClientResponseReturnedRows = db_client_response_returned_rows {
        kind: Kind::Histogram, labels: &["db_query_name"],
    }
    /// Connections of a pool by state.
    DbClientConnections = db_client_connections { kind: Kind::Gauge, labels: &["pool", "state"], }
    /// Most connections that a pool opens.
    DbClientConnectionsMax = db_client_connections_max { kind: Kind::Gauge, labels: &["pool"], }
    /// Callers that wait for a connection.
    DbClientConnectionsPendingRequests = db_client_connections_pending_requests {
        kind: Kind::Gauge, labels: &["pool"],
    }
    /// Connections that are checked out, by the endpoint or stage that holds them.
    DbClientConnectionsHeld = db_client_connections_held {
        kind: Kind::Gauge, labels: &["pool", "holder"],
    }
    /// Time until a connection was had, or not.
    DbClientConnectionsWaitTime = db_client_connections_wait_time_seconds {
        kind: Kind::Histogram, labels: &["pool"],
    }
    /// Time from having a connection to giving it back.
    DbClientConnectionsUseTime = db_client_connections_use_time_seconds {
        kind: Kind::Histogram, labels: &["pool"],
    }
    /// Time to open a connection.
    DbClientConnectionsCreateTime = db_client_connections_create_time_seconds {
        kind: Kind::Histogram, labels: &["pool"],
    }
    /// Waits for a connection that were given up.
    DbClientConnectionsTimeouts = db_client_connections_timeouts_total {
        kind: Kind::Counter, labels: &["pool", "kind"],
    }

    // The database itself.

    /// Bytes of log that a replica has not replayed yet.
    ReplicaLagBytes = replica_lag_bytes { kind: Kind::Gauge, labels: &["replica"], }
    /// Time by which a replica's replay is behind; zero on one that has everything.
    ReplicaLagSeconds = replica_lag_seconds { kind: Kind::Gauge, labels: &["replica"], }
    /// Replicas that receive the log now.
    ReplicasConnected = replicas_connected { kind: Kind::Gauge, labels: &[], }
    /// Reads by the server that they went to, and why.
    RouteDecisions = db_route_decisions_total {
        kind: Kind::Counter, labels: &["db_query_name", "target", "reason"],
    }
    /// Reads for which a replica had not yet replayed the write that the reader had made.
    StalePrevented = stale_prevented_total { kind: Kind::Counter, labels: &["db_query_name"], }
    /// Time that a read waited for a replica that was nearly there.
    RouteWait = db_route_wait_seconds { kind: Kind::Histogram, labels: &[], }
    /// How old what a replica answered was at most.
    RouteStaleness = db_route_staleness_seconds { kind: Kind::Histogram, labels: &[], }
    /// 1 for the server that is written to and answers, else 0.
    ServerLeads = db_server_leads { kind: Kind::Gauge, labels: &["server"], }
    /// 1 for a replica that is read, else 0.
    ServerReadable = db_server_readable { kind: Kind::Gauge, labels: &["server"], }
    /// How old what a replica answers would be at most, by the primary's heartbeat, also where it
    /// can't be read; none for the primary.
    ServerStaleness = db_server_staleness_seconds { kind: Kind::Gauge, labels: &["server"], }
    /// Bytes of log that a replica was behind the primary at the last look at it, also where it
    /// can't be read; none for the primary.
    ServerLagBytes = db_server_lag_bytes { kind: Kind::Gauge, labels: &["server"], }
    /// Time since a server last said how it is.
    ServerLookAge = db_server_look_age_seconds { kind: Kind::Gauge, labels: &["server"], }
    /// 1 for a replica that is left alone after failures in a row, 0.5 once the next read may try
    /// it.
    ServerBreakerOpen = db_server_breaker_open { kind: Kind::Gauge, labels: &["server"], }
    /// Statements that a replica's replay has cancelled.
    ReplicaConflicts = replica_conflicts_total {
        kind: Kind::Counter, labels: &["server", "kind"],
    }
    /// Size of the database.
    DatabaseSize = database_size_bytes { kind: Kind::Gauge, labels: &[], }
    /// Age of the oldest transaction that is open.
    DatabaseOldestTransaction = database_oldest_transaction_seconds {
        kind: Kind::Gauge, labels: &[],
    }
    /// Sessions that wait for a lock.
    DatabaseBlockedSessions = database_blocked_sessions { kind: Kind::Gauge, labels: &[], }
    /// Circles of transactions that waited for each other and that the server broke. The service's
    /// own take their locks in one order: any is a mistake.
    DatabaseDeadlocks = database_deadlocks_total { kind: Kind::Counter, labels: &[], }
    /// How much of a space of numbers is used up.
    IdSpaceUsed = id_space_used_ratio { kind: Kind::Gauge, labels: &["space"], }

    // Bounds.

    /// How much of a bound is in use, for bounds of things that are in use at a time.
    LimitUsed = limit_used_ratio { kind: Kind::Gauge, labels: &["limit"], }
    /// How often a bound was reached.
    LimitReached = limit_reached_total { kind: Kind::Counter, labels: &["limit"], }
    /// Series that were not made: their family is full.
    MetricsSeriesDropped = metrics_series_dropped_total { kind: Kind::Counter, labels: &[], }

    // The process and its machine.

    /// Always 1; the labels say which build runs.
    BuildInfo = build_info { kind: Kind::Gauge, labels: &["version", "revision", "profile"], }
    /// When this build's first process began after one of another build, since the epoch.
    DeployTimestamp = deploy_timestamp_seconds { kind: Kind::Gauge, labels: &[], }
    /// Start of the process since the epoch.
    ProcessStartTime = process_start_time_seconds { kind: Kind::Gauge, labels: &[], }
    /// Processor time, user and system.
    ProcessCpu = process_cpu_seconds_total { kind: Kind::Counter, labels: &[], }
    /// Memory that the kernel counts.
    ProcessResidentMemory = process_resident_memory_bytes { kind: Kind::Gauge, labels: &[], }
    /// Open file descriptors.
    ProcessOpenFds = process_open_fds { kind: Kind::Gauge, labels: &[], }
    /// Most file descriptors that the process may open.
    ProcessMaxFds = process_max_fds { kind: Kind::Gauge, labels: &[], }
    /// Memory that the program asked for.
    JemallocAllocated = jemalloc_allocated_bytes { kind: Kind::Gauge, labels: &[], }
    /// Memory that the runtime's threads ever asked for, until each last had nothing to do.
    JemallocRequested = jemalloc_requested_bytes_total { kind: Kind::Counter, labels: &[], }
    /// Memory that jemalloc holds in physical pages.
    JemallocResident = jemalloc_resident_bytes { kind: Kind::Gauge, labels: &[], }
    /// Processor time of the machine by mode, over all processors.
    HostCpu = host_cpu_seconds_total { kind: Kind::Counter, labels: &["mode"], }
    /// Size of the file system that the process works in.
    HostFilesystemSize = host_filesystem_size_bytes { kind: Kind::Gauge, labels: &[], }
    /// What is free of it for the process.
    HostFilesystemFree = host_filesystem_free_bytes { kind: Kind::Gauge, labels: &[], }
}

impl Family {
    /// The unit that the name ends in, as dashboards call it; none for plain numbers.
    #[must_use]
    pub fn unit(self) -> Option<&'static str> {
        let name = self.name().trim_end_matches("_total");
        ["seconds", "bytes", "ratio"].into_iter().find(|unit| name.ends_with(unit))
    }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Family::COUNT {
        let row = Family::ALL[i];
        assert!(is_snake_case(row.name()), "a family's name is snake_case");
        let mut j = 0;
        while j < row.spec().labels.len() {
            assert!(is_snake_case(row.spec().labels[j]), "a label's name is snake_case");
            j += 1;
        }
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_say_the_kind() {
        let names: HashSet<_> = Family::ALL.iter().map(|row| row.name()).collect();
        assert_eq!(names.len(), Family::COUNT);
        for row in Family::ALL {
            let is_total = row.name().ends_with("_total");
            assert_eq!(is_total, row.spec().kind == Kind::Counter, "{}", row.name());
            // Those are the parts of a histogram.
            for part in ["_count", "_sum", "_bucket"] {
                assert!(!row.name().ends_with(part), "{}", row.name());
            }
            assert!(!row.help().is_empty());
        }
    }

    #[test]
    fn units_are_read_off_the_name() {
        assert_eq!(Family::ProcessCpu.unit(), Some("seconds"));
        assert_eq!(Family::LimitUsed.unit(), Some("ratio"));
        assert_eq!(Family::Messages.unit(), None);
    }
}
