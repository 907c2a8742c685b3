//! The database: pools and who holds their connections, statements, replicas, and the server.
//!
//! Never here: what a request makes of it (`endpoint`).

use contract::Family;

use super::Uid;
use super::board::{Board, WRONG};
use super::expr::{self, Expr, POOL, Unit, count_rate, gauge, mean, quantile, rate, sum_rate};
use super::panel::{FEW, FULL, Panel, Steps};

/// So many of the costliest are always in sight.
const TOP: usize = 10;

/// A process's pool, as it is named over its line.
const IN_PROCESS: &str = "{{instance}} {{pool}}";
const HELD: &[&str] = &["job", "instance", "pool", "holder"];
/// Of all processes together: each pool gives up waits of three kinds.
const TIMEOUT: &[&str] = &["job", "pool", "kind"];

const QUERY: &[&str] = &["db_query_name"];
const DURATION: Family = Family::DbClientOperationDuration;
const ROWS: Family = Family::DbClientResponseReturnedRows;

/// A replica that is half a second behind serves stale pages; one that is ten behind is broken.
const LAG: Steps = &[(f64::NEG_INFINITY, "green"), (0.5, "orange"), (10.0, "red")];
/// A statement is given up after five seconds: a transaction of a minute is somebody's mistake.
const OPEN: Steps = &[(f64::NEG_INFINITY, "green"), (5.0, "orange"), (60.0, "red")];

pub(super) fn board() -> Board {
    Board::new(
        Uid::Database,
        "Pools of connections and who holds them, the costliest statements, replicas, and the \
         server itself.",
    )
    .row(WRONG, (4, 4), wrong())
    .row("Pools", (8, 8), pools().into_iter().chain(times()))
    .row("Statements", (12, 10), [costliest()])
    .and((12, 10), [total_time()])
    .and((8, 8), statements())
    .row("Replicas", (8, 7), replicas())
    .row("Routing", (8, 7), routing())
    .row("Server", (8, 7), server())
}

fn wrong() -> [Panel; 6] {
    let failed = [("outcome", "error|timeout|disconnected")];
    [
        Panel::stat("Fullest pool", FULL, "The largest share of a pool's connections in use.")
            .query(expr::pool_use().top(1), "{{instance}} {{pool}}"),
        Panel::stat("Waits given up", FEW, Family::DbClientConnectionsTimeouts.help())
            .query(rate(Family::DbClientConnectionsTimeouts, &[]).sum(&[]), "waits"),
        Panel::stat("Statements that failed", FEW, "Statements that were refused or given up.")
            .query(count_rate(DURATION, &failed, Unit::CountRate).sum(&[]), "statements"),
        Panel::stat("Sessions that wait for a lock", FEW, Family::DatabaseBlockedSessions.help())
            .query(gauge(Family::DatabaseBlockedSessions, &[]).max(&[]), "sessions"),
        Panel::stat("Oldest transaction", OPEN, Family::DatabaseOldestTransaction.help())
            .query(gauge(Family::DatabaseOldestTransaction, &[]).max(&[]), "open"),
        Panel::stat("Replica furthest behind", LAG, Family::ReplicaLagSeconds.help())
            .query(gauge(Family::ReplicaLagSeconds, &[]).max(&["replica"]), "{{replica}}"),
    ]
}

fn pools() -> [Panel; 3] {
    [
        Panel::lines(
            "Connections in use",
            "The share of each pool's connections that is in use. At one, callers wait.",
        )
        .query(expr::pool_use(), IN_PROCESS),
        Panel::lines("Callers that wait", Family::DbClientConnectionsPendingRequests.help())
            .query(gauge(Family::DbClientConnectionsPendingRequests, &[]).sum(POOL), IN_PROCESS),
        Panel::lines(
            "Who holds connections",
            "Connections that are checked out, by the endpoint or stage that holds them: when a \
             pool is exhausted, by whom.",
        )
        .query(
            gauge(Family::DbClientConnectionsHeld, &[]).sum(HELD).top(TOP),
            "{{instance}} {{pool}} {{holder}}",
        )
        .stacked(),
    ]
}

fn times() -> [Panel; 3] {
    let p99 = |family| quantile(0.99, family, &[], POOL);
    [
        Panel::lines("Waiting for a connection (p99)", Family::DbClientConnectionsWaitTime.help())
            .query(p99(Family::DbClientConnectionsWaitTime), IN_PROCESS),
        Panel::lines("Holding a connection (p99)", Family::DbClientConnectionsUseTime.help())
            .query(p99(Family::DbClientConnectionsUseTime), IN_PROCESS),
        Panel::lines("Waits given up", Family::DbClientConnectionsTimeouts.help()).query(
            rate(Family::DbClientConnectionsTimeouts, &[]).sum(TIMEOUT),
            "{{pool}} {{kind}}",
        ),
    ]
}

/// A table: whoever looks for the guilty statement sorts it by another column.
fn costliest() -> Panel {
    let time = sum_rate(DURATION, &[]).sum(QUERY).top(TOP);
    let of_those = |expr: Expr| expr.among("db_query_name", &time);
    Panel::table(
        "Costliest statements",
        &[("db_query_name", "Statement")],
        "The ten statements that take the most time together, as their callers see it.",
    )
    .query(time.clone(), "Share of a connection")
    .query(of_those(count_rate(DURATION, &[], Unit::CountRate).sum(QUERY)), "Calls")
    .query(of_those(mean(DURATION, &[], QUERY)), "Mean")
    .query(of_those(quantile(0.99, DURATION, &[], QUERY)), "p99")
    .query(of_those(mean(ROWS, &[], QUERY)), "Rows")
}

fn total_time() -> Panel {
    let time = sum_rate(DURATION, &[]).sum(QUERY);
    Panel::lines(
        "Time in statements",
        "The ten statements that take the most time together: of one connection, so that at one \
         they keep one busy all the time.",
    )
    .query(time.clone().top_by(TOP, QUERY[0], &time), "{{db_query_name}}")
    .stacked()
}

fn statements() -> [Panel; 3] {
    let failed = [("outcome", "error|timeout|disconnected")];
    let calls = count_rate(DURATION, &[], Unit::CountRate).sum(QUERY);
    // Quantiles tie, as they are read off the same buckets; means don't.
    let (p99, slowest) = (quantile(0.99, DURATION, &[], QUERY), mean(DURATION, &[], QUERY));
    let bad = count_rate(DURATION, &failed, Unit::CountRate);
    [
        Panel::lines(
            "Slowest statements (p99)",
            "The ten statements with the longest mean time, as their callers see it.",
        )
        .query_with_examples(p99.top_by(TOP, QUERY[0], &slowest), "{{db_query_name}}"),
        Panel::lines("Most called statements", "The ten that are called most.")
            .query(calls.clone().top_by(TOP, QUERY[0], &calls), "{{db_query_name}}"),
        Panel::lines("Failures", "Statements that were refused, given up or cut off, by how.")
            .query(bad.sum(&["outcome"]), "{{outcome}}"),
    ]
}

fn replicas() -> [Panel; 3] {
    let of = |family| gauge(family, &[]).max(&["replica"]);
    [
        Panel::lines("Connected", Family::ReplicasConnected.help())
            .query(gauge(Family::ReplicasConnected, &[]).max(&[]), "replicas"),
        Panel::lines("Bytes behind", Family::ReplicaLagBytes.help())
            .query(of(Family::ReplicaLagBytes), "{{replica}}"),
        Panel::lines("Time behind", Family::ReplicaLagSeconds.help())
            .query(of(Family::ReplicaLagSeconds), "{{replica}}"),
    ]
}

fn routing() -> [Panel; 11] {
    let of = |family| gauge(family, &[]).max(&["server"]);
    let decisions = |target| rate(Family::RouteDecisions, &[("target", target)]);
    [
        Panel::lines("Reads by where they went", "Statements that a replica may answer.")
            .query(rate(Family::RouteDecisions, &[]).sum(&["target"]), "{{target}}")
            .stacked(),
        Panel::lines(
            "Why the primary answered",
            "Reads that went to the primary, by what kept the replicas from answering.",
        )
        .query(decisions("primary").sum(&["reason"]), "{{reason}}"),
        Panel::lines("Stale reads prevented", Family::StalePrevented.help())
            .query(rate(Family::StalePrevented, &[]).sum(&[]), "reads"),
        Panel::lines("Age of what was answered (p99)", Family::RouteStaleness.help())
            .query(quantile(0.99, Family::RouteStaleness, &[], &[]), "by replicas"),
        Panel::lines(
            "Waiting for replicas",
            "Reads that wait for a replica that is nearly there, at a time.",
        )
        .query(sum_rate(Family::RouteWait, &[]).sum(&[]), "reads"),
        Panel::lines("Statements cancelled by replay", Family::ReplicaConflicts.help()).query(
            rate(Family::ReplicaConflicts, &[]).max(&["server", "kind"]),
            "{{server}} {{kind}}",
        ),
        Panel::lines(
            "Who leads and who is read",
            "1 is yes. A replica that is not read has a reason.",
        )
        .query(of(Family::ServerLeads), "{{server}} leads")
        .query(of(Family::ServerReadable), "{{server}} is read"),
        Panel::lines("Age of what is on a replica", Family::ServerStaleness.help())
            .query(of(Family::ServerStaleness), "{{server}}"),
        Panel::lines("Log that a replica has not replayed", Family::ServerLagBytes.help())
            .query(of(Family::ServerLagBytes), "{{server}}"),
        Panel::lines("Time since the last look", Family::ServerLookAge.help())
            .query(of(Family::ServerLookAge), "{{server}}"),
        Panel::lines("Replicas left alone", Family::ServerBreakerOpen.help())
            .query(of(Family::ServerBreakerOpen), "{{server}}"),
    ]
}

fn server() -> [Panel; 7] {
    let highest = |family| gauge(family, &[]).max(&[]);
    let rows = sum_rate(ROWS, &[]).sum(QUERY);
    let opened = count_rate(Family::DbClientConnectionsCreateTime, &[], Unit::CountRate);
    [
        Panel::lines("Size", Family::DatabaseSize.help())
            .query(highest(Family::DatabaseSize), "database"),
        Panel::lines(
            "Spaces of numbers in use",
            "Identities and transaction ids that run out some day. At a quarter plan, at a half \
             act.",
        )
        .query(gauge(Family::IdSpaceUsed, &[]).max(&["space"]), "{{space}}"),
        Panel::lines("Oldest transaction", Family::DatabaseOldestTransaction.help())
            .query(highest(Family::DatabaseOldestTransaction), "open"),
        Panel::lines("Sessions that wait for a lock", Family::DatabaseBlockedSessions.help())
            .query(highest(Family::DatabaseBlockedSessions), "sessions"),
        Panel::lines("Deadlocks", "Circles of transactions that the server broke. There are none.")
            .query(rate(Family::DatabaseDeadlocks, &[]).max(&[]), "deadlocks"),
        Panel::lines(
            "Connections opened",
            "Seldom, as pools keep theirs: a rise says that they break, or that they come and go \
             with the load.",
        )
        .query(opened.sum(&["pool"]), "{{pool}}"),
        Panel::lines("Rows per call", "The ten statements that touch the most rows.")
            .query(mean(ROWS, &[], QUERY).top_by(TOP, QUERY[0], &rows), "{{db_query_name}}"),
    ]
}
