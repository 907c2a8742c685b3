//! The database.

use contract::Family;

use super::super::case::{Case, Labels};

const JOB: Labels = &[("job", "punctual")];

pub(super) fn cases() -> Vec<Case> {
    [replicas(), routing(), sessions()].concat()
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

fn routing() -> Vec<Case> {
    let (leads, readable) = (Family::ServerLeads.name(), Family::ServerReadable.name());
    let (conflicts, decisions) = (Family::ReplicaConflicts.name(), Family::RouteDecisions.name());
    let (nobody, not_read) = ("PunctualNobodyIsWrittenTo", "PunctualReplicaNotRead");
    let (cancels, shed) = ("PunctualReplicaConflicts", "PunctualReadsShed");
    let (one, two) = ("server=\"db1:5432\"", "server=\"db2:5432\"");
    let of_nobody = "db_query_name=\"message_page\",target=\"nobody\",reason=\"shed\"";
    let kind = "server=\"db2:5432\",kind=\"snapshot\"";
    vec![
        Case::new(nobody, "the primary is gone for good", "10m")
            .series(leads, one, "1x10 0x30")
            .series(leads, two, "0x40")
            .fires(
                &[],
                JOB,
                "Every server that is named in the settings is a replica, or two of them take \
                 writes on one timeline. Bookings are refused and no text leaves.",
            ),
        Case::new(nobody, "a promotion", "10m").series(leads, one, "1x17 0x30").series(
            leads,
            two,
            "0x18 1x30",
        ),
        Case::new(not_read, "a replica stays away", "20m")
            .series(leads, one, "1x60")
            .series(readable, one, "0x60")
            .series(leads, two, "0x60")
            .series(readable, two, "1x10 0x50")
            .fires(
                &[],
                &[("job", "punctual"), ("server", "db2:5432")],
                "No process reads db2:5432: it is away, behind, or follows another primary. What \
                 it should answer, the primary does.",
            ),
        Case::new(not_read, "a replica restarts", "20m")
            .series(leads, one, "1x60")
            .series(readable, one, "0x60")
            .series(leads, two, "0x60")
            .series(readable, two, "1x10 0x15 1x40"),
        Case::new(cancels, "a report that never comes to its end", "1h")
            .series(conflicts, kind, "0+0.5x120")
            .fires(
                &[],
                &[("job", "punctual"), ("server", "db2:5432")],
                "60 statements on db2:5432 were cancelled by its replay in the last hour: they \
                 held what vacuum has taken away on the primary.",
            ),
        Case::new(cancels, "one in ten minutes", "1h").series(conflicts, kind, "0+0.05x120"),
        Case::new(shed, "all replicas lag for long", "20m")
            .series(decisions, of_nobody, "0+30x40")
            .fires(
                &[],
                JOB,
                "1.0 reads a second are answered 503: the replicas can't be read, and the primary \
                 has as many of their reads as it may.",
            ),
        Case::new(shed, "a crowd of a minute", "20m").series(decisions, of_nobody, "0x10 20x30"),
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
