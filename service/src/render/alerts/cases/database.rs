//! The database.

use contract::Family;

use super::super::case::{Case, Labels};

const JOB: Labels = &[("job", "punctual")];

pub(super) fn cases() -> Vec<Case> {
    [replicas(), sessions()].concat()
}

fn replicas() -> Vec<Case> {
    let (lag, connected) = (Family::ReplicaLagSeconds.name(), Family::ReplicasConnected.name());
    let (lags, gone) = ("PunctualReplicaLags", "PunctualReplicaGone");
    vec![
        Case::new(lags, "a replica doesn't keep up", "10m")
            .series(lag, "replica=\"r1\"", "0+5x30")
            .fires(
                &[],
                &[("job", "punctual"), ("replica", "r1")],
                "Replica r1 is 1m 40s behind the primary. Reports that are read from it are as old \
                 as that.",
            ),
        Case::new(lags, "a peak of two minutes", "10m").series(
            lag,
            "replica=\"r1\"",
            "0x10 60x4 0x20",
        ),
        Case::new(gone, "one of two is gone", "20m").series(connected, "", "2x10 1x40").fires(
            &[],
            JOB,
            "1 replicas receive the primary's log, fewer than within the last day. The primary \
             keeps the log for a replication slot until its disk is full.",
        ),
        Case::new(gone, "one restarts", "20m").series(connected, "", "2x10 1x6 2x40"),
        Case::new(gone, "there never was one", "20m").series(connected, "", "0x50"),
    ]
}

fn sessions() -> Vec<Case> {
    let oldest = Family::DatabaseOldestTransaction.name();
    let blocked = Family::DatabaseBlockedSessions.name();
    let (deadlocks, circles) = (Family::DatabaseDeadlocks.name(), "PunctualDeadlocks");
    let (open, waits) = ("PunctualTransactionOpenLong", "PunctualSessionsBlocked");
    vec![
        Case::new(open, "somebody went to lunch with a transaction open", "20m")
            .series(oldest, "", "0+30x50")
            .fires(
                &[],
                JOB,
                "A transaction has been open for 20m 0s. As long as it is, vacuum takes nothing \
                 away that was deleted since, and scans get slower.",
            ),
        Case::new(open, "a dump of ten minutes", "20m").series(oldest, "", "0+30x20 0x20"),
        Case::new(waits, "somebody holds a lock", "10m").series(blocked, "", "0x4 3x20").fires(
            &[],
            JOB,
            "At least 3 sessions of the database have been waiting for a lock at every look for \
             minutes. Find out who holds it.",
        ),
        Case::new(waits, "short waits, seen now and then", "10m").series(
            blocked,
            "",
            "0 2 1 0 1 2 2 0 1 1 0 4 1 0 1 1 2 0 1 1 1",
        ),
        Case::new(circles, "a statement that leaves the order", "1h")
            .series(deadlocks, "", "0+0.25x120")
            .fires(
                &[],
                JOB,
                "30 deadlocks in the last hour. The server ends one transaction of each after a \
                 second, and it is done again: all that waits behind it is a second late.",
            ),
        Case::new(circles, "a person met the service once", "1h").series(
            deadlocks,
            "",
            "7x60 8x60",
        ),
    ]
}
