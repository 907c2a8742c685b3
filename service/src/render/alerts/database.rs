//! `alerts/database.rules.yaml`: the database as its server sees it.
//!
//! Never here: pools (`saturation`), which are the clients' side.

use contract::Family;

use super::model::{Alert, Board, Group, Rule, RuleFile, Severity};

const LAG: &str = Family::ReplicaLagSeconds.name();
const CONNECTED: &str = Family::ReplicasConnected.name();
const LEADS: &str = Family::ServerLeads.name();
const READABLE: &str = Family::ServerReadable.name();
const CONFLICTS: &str = Family::ReplicaConflicts.name();
const DECISIONS: &str = Family::RouteDecisions.name();
const OLDEST: &str = Family::DatabaseOldestTransaction.name();
const DEADLOCKS: &str = Family::DatabaseDeadlocks.name();
const BLOCKED: &str = Family::DatabaseBlockedSessions.name();

pub(super) fn rules() -> RuleFile {
    let rules = [
        nobody_is_written_to(),
        replica_lags(),
        replica_gone(),
        replica_not_read(),
        replica_conflicts(),
        reads_shed(),
        transaction_open_long(),
        sessions_blocked(),
        deadlocks(),
    ];
    RuleFile {
        name: "database",
        about: "The database as its server sees it.",
        groups: vec![Group {
            name: "punctual_database",
            interval: "30s",
            rules: rules.map(Rule::from).into(),
        }],
    }
}

fn replica_lags() -> Alert {
    Alert::new("PunctualReplicaLags", Severity::Warning, Board::Database)
        .when(format!("max by (job, replica) ({LAG}) > 30"))
        .hold("5m")
        .why(
            "Catching up takes milliseconds idle and was measured at up to 3 s under load; ten \
             times that for five minutes is no peak. What must be fresh is read from the primary \
             meanwhile.",
        )
        .says(
            "A replica falls behind.",
            "Replica {{ $labels.replica }} is {{ $value | humanizeDuration }} behind the primary. \
             Reports that are read from it are as old as that.",
        )
}

fn replica_gone() -> Alert {
    let now = format!("max by (job) ({CONNECTED})");
    Alert::new("PunctualReplicaGone", Severity::Warning, Board::Database)
        .when(format!("{now} < max_over_time(({now})[1d:1m])"))
        .hold("5m")
        .why(
            "Fewer than at some time of the last day, for longer than a restart takes. A replica \
             that was taken away on purpose is forgotten after that day.",
        )
        .says(
            "A replica no longer receives the log.",
            "{{ $value | printf \"%.0f\" }} replicas receive the primary's log, fewer than within \
             the last day. The primary keeps the log for a replication slot until its disk is \
             full.",
        )
}

fn nobody_is_written_to() -> Alert {
    Alert::new("PunctualNobodyIsWrittenTo", Severity::Critical, Board::Database)
        .when(format!("max by (job) ({LEADS}) == 0"))
        .hold("1m")
        .why(
            "A promotion is found within a second. A minute without a server to write to is one \
             that nobody promotes, or two that both take writes.",
        )
        .says(
            "No database server is written to.",
            "Every server that is named in the settings is a replica, or two of them take writes \
             on one timeline. Bookings are refused and no text leaves.",
        )
}

fn replica_not_read() -> Alert {
    let leads_or_read = format!("{READABLE} + on (job, instance, server) {LEADS}");
    Alert::new("PunctualReplicaNotRead", Severity::Warning, Board::Database)
        .when(format!("max by (job, server) ({leads_or_read}) == 0"))
        .hold("10m")
        .why(
            "Replicas leave and come back by themselves within seconds. Ten minutes in which no \
             process reads one that is named in the settings is a fault of that server.",
        )
        .says(
            "A replica is not read.",
            "No process reads {{ $labels.server }}: it is away, behind, or follows another \
             primary. What it should answer, the primary does.",
        )
}

fn replica_conflicts() -> Alert {
    Alert::new("PunctualReplicaConflicts", Severity::Warning, Board::Database)
        .when(format!(
            "max by (job, server) (sum by (job, instance, server) (increase({CONFLICTS}[1h]))) > 20"
        ))
        .hold("5m")
        .why(
            "A read that replay cancels is answered by the primary, so that one now and then costs \
             nothing. More than one in three minutes is a report that can't be had there.",
        )
        .says(
            "A replica's replay cancels statements.",
            "{{ $value | printf \"%.0f\" }} statements on {{ $labels.server }} were cancelled by \
             its replay in the last hour: they held what vacuum has taken away on the primary.",
        )
}

fn reads_shed() -> Alert {
    let shed = format!("sum by (job) (rate({DECISIONS}{{target=\"nobody\"}}[5m]))");
    Alert::new("PunctualReadsShed", Severity::Warning, Board::Database)
        .when(format!("{shed} > 0.1"))
        .hold("5m")
        .why(
            "What falls back to the primary is bounded, so that reads leave the writes their room. \
             One read in ten seconds, for ten minutes, is no moment's crowd.",
        )
        .says(
            "Reads are refused because no replica can be read.",
            "{{ $value | printf \"%.1f\" }} reads a second are answered 503: the replicas can't be \
             read, and the primary has as many of their reads as it may.",
        )
}

fn transaction_open_long() -> Alert {
    Alert::new("PunctualTransactionOpenLong", Severity::Warning, Board::Database)
        .when(format!("max by (job) ({OLDEST}) > 900"))
        .hold("1m")
        .why(
            "The service's own transactions take milliseconds and are cut off at their deadlines. \
             At half a million texts a day a quarter of an hour leaves about 20,000 dead rows that \
             vacuum may not take away.",
        )
        .says(
            "A transaction has been open for too long.",
            "A transaction has been open for {{ $value | humanizeDuration }}. As long as it is, \
             vacuum takes nothing away that was deleted since, and scans get slower.",
        )
}

fn sessions_blocked() -> Alert {
    Alert::new("PunctualSessionsBlocked", Severity::Warning, Board::Database)
        .when(format!("max by (job) (min_over_time({BLOCKED}[3m])) > 0"))
        .hold("2m")
        .why(
            "At every look (each 5 s) of three minutes, for two more: waits for a shard's row take \
             milliseconds, so being seen each time is one long wait, or a queue that never \
             empties.",
        )
        .says(
            "Sessions wait for a lock all the time.",
            "At least {{ $value | printf \"%.0f\" }} sessions of the database have been waiting \
             for a lock at every look for minutes. Find out who holds it.",
        )
}

fn deadlocks() -> Alert {
    Alert::new("PunctualDeadlocks", Severity::Warning, Board::Database)
        .when(format!("max by (job) (increase({DEADLOCKS}[1h])) > 2"))
        .hold("1m")
        .why(
            "The service takes its locks in one order, so that its own transactions never wait for \
             each other in a circle. One may be a person's session that met them; a third within \
             an hour is a statement that leaves the order.",
        )
        .says(
            "Transactions wait for each other in circles.",
            "{{ $value | printf \"%.0f\" }} deadlocks in the last hour. The server ends one \
             transaction of each after a second, and it is done again: all that waits behind it \
             is a second late.",
        )
}
