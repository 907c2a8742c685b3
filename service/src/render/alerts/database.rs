//! `alerts/database.rules.yaml`: the database as its server sees it.
//!
//! Never here: pools (`saturation`), which are the clients' side.

use contract::Family;

use super::model::{Alert, Board, Group, Role, Rule, RuleFile, Severity};

const LAG: &str = Family::ReplicaLagSeconds.name();
const CONNECTED: &str = Family::ReplicasConnected.name();
const OLDEST: &str = Family::DatabaseOldestTransaction.name();
const DEADLOCKS: &str = Family::DatabaseDeadlocks.name();
const BLOCKED: &str = Family::DatabaseBlockedSessions.name();

pub(super) fn rules() -> RuleFile {
    let rules =
        [replica_lags(), replica_gone(), transaction_open_long(), sessions_blocked(), deadlocks()];
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

fn transaction_open_long() -> Alert {
    Alert::new("PunctualTransactionOpenLong", Severity::Warning, Board::Database)
        .when(format!("max by (job) ({OLDEST}) > 900"))
        .hold("1m")
        .role(Role::Cause)
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
        .role(Role::Cause)
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
        .role(Role::Cause)
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
