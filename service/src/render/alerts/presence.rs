//! `alerts/presence.rules.yaml`: that there is something to judge by: processes that answer, their
//! metrics, and the way from here to a person.
//!
//! Never here: what the metrics say (the other files).

use contract::Family;
use contract::family::Kind;

use super::disk;
use super::model::{Alert, Board, Group, JOB, NODE_JOB, Rule, RuleFile, Severity, lines};

/// The alert that always fires.
pub(super) const WATCHDOG: &str = "PunctualWatchdog";

/// The label that names a family that is missing.
pub(super) const FAMILY: &str = "family";

const START: &str = Family::ProcessStartTime.name();
const DROPPED: &str = Family::MetricsSeriesDropped.name();

/// Families without which an alert would be silent for ever: all that alerts are made of but those
/// that may be absent.
pub(super) const NEEDED: &[Family] = &[
    Family::SloRequests,
    Family::SloGoodRequests,
    Family::SloJourneys,
    Family::SloGoodJourneys,
    Family::SloStageItems,
    Family::SloGoodStageItems,
    Family::SloLatencyThreshold,
    Family::HttpServerRequestDuration,
    Family::HttpServerTimeToFirstByte,
    Family::JourneyDuration,
    Family::StageLateness,
    Family::DbClientConnections,
    Family::DbClientConnectionsMax,
    Family::DbClientConnectionsPendingRequests,
    Family::DbClientConnectionsTimeouts,
    Family::IdSpaceUsed,
    Family::HostFilesystemSize,
    Family::HostFilesystemFree,
    Family::LimitUsed,
    Family::LimitReached,
    Family::ConservationResidual,
    Family::AuditViolations,
    Family::ReconciledUntil,
    Family::ReconcileRound,
    Family::ProviderComparedUntil,
    Family::StrandedRows,
    Family::Messages,
    Family::MessagesDue,
    Family::MessagesDueEnded,
    Family::StageLastRun,
    Family::StageFailures,
    Family::StageDuration,
    Family::OldestPending,
    Family::FoldLag,
    Family::PruneLag,
    Family::ReplicasConnected,
    Family::DatabaseOldestTransaction,
    Family::DatabaseBlockedSessions,
    Family::DatabaseDeadlocks,
    Family::RouteDecisions,
    Family::ServerLeads,
    Family::ServerReadable,
    Family::ProcessOpenFds,
    Family::ProcessMaxFds,
    Family::ProcessStartTime,
    Family::MetricsSeriesDropped,
];

/// Families that alerts are made of and that may be absent, with the reason. (What node_exporter
/// says is no family of ours: `host_unwatched` misses it.)
#[cfg(test)]
pub(super) const MAY_BE_ABSENT: &[(Family, &str)] = &[
    (Family::ReplicaLagSeconds, "without a replica nothing lags"),
    (Family::ReplicaConflicts, "without a replica there is no replay that conflicts"),
];

/// The series by which a family is known to be there.
pub(super) fn series_of(family: Family) -> String {
    match family.spec().kind {
        Kind::Counter | Kind::Gauge => family.name().to_owned(),
        Kind::Histogram => format!("{}_count", family.name()),
    }
}

pub(super) fn rules() -> RuleFile {
    let rules = [
        watchdog(),
        down(),
        instance_down(),
        restarts(),
        metrics_absent(),
        host_unwatched(),
        series_dropped(),
    ];
    RuleFile {
        name: "presence",
        about: "That there is something to judge by, and a way from here to a person.",
        groups: vec![Group {
            name: "punctual_presence",
            interval: "15s",
            rules: rules.map(Rule::from).into(),
        }],
    }
}

fn watchdog() -> Alert {
    Alert::new(WATCHDOG, Severity::Info, Board::Overview)
        .when("vector(1)")
        .label("job", JOB)
        .why("A dead man's switch: whoever receives it says so when it no longer comes.")
        .says(
            "Prometheus and Alertmanager work.",
            "This alert always fires. When it stops, rules are no longer evaluated or \
             notifications no longer sent, and every other alert is silent too.",
        )
}

fn down() -> Alert {
    let expr = lines([
        format!("absent(up{{job=\"{JOB}\"}})"),
        "or".to_owned(),
        format!("max by (job) (up{{job=\"{JOB}\"}}) == 0"),
    ]);
    Alert::new("PunctualDown", Severity::Critical, Board::Overview)
        .when(expr)
        .hold("1m")
        .why("Four scrapes in a row: a single process that restarts is back by then.")
        .says(
            "No process of the service answers.",
            "Prometheus reaches no process of job {{ $labels.job }}, or knows of none. No reminder \
             leaves, and no request is answered.",
        )
}

fn instance_down() -> Alert {
    Alert::new("PunctualInstanceDown", Severity::Warning, Board::Overview)
        .when(format!("up{{job=\"{JOB}\"}} == 0"))
        .hold("5m")
        .why("A restart takes seconds and a deployment a minute or two; the others do its work.")
        .says(
            "A process of the service doesn't answer.",
            "Prometheus has not reached {{ $labels.instance }} for five minutes.",
        )
}

fn restarts() -> Alert {
    Alert::new("PunctualRestartsOften", Severity::Warning, Board::Overview)
        .when(format!("changes({START}[30m]) > 3"))
        .why(
            "Two deployments in half an hour are two; a process that can't live is more than \
             three.",
        )
        .says(
            "A process keeps being started again.",
            "{{ $labels.instance }} was started {{ $value | printf \"%.0f\" }} times in half an \
             hour. Its log says why it ends.",
        )
}

pub(super) fn metrics_absent() -> Alert {
    let each = |family: &Family| {
        let (series, name) = (series_of(*family), family.name());
        format!(
            "label_replace(absent({series}{{job=\"{JOB}\"}}), \"{FAMILY}\", \"{name}\", \"\", \"\")"
        )
    };
    let each: Vec<String> = NEEDED.iter().map(each).collect();
    let expr = lines([
        format!("({})", each.join("\nor\n")),
        format!("and on (job) max by (job) (up{{job=\"{JOB}\"}}) == 1"),
    ]);
    Alert::new("PunctualMetricsAbsent", Severity::Warning, Board::Overview)
        .when(expr)
        .hold("5m")
        .watching(FAMILY, NEEDED.iter().map(|family| family.name()))
        .why(
            "Every series that can exist is there from the first scrape on, so after five minutes \
             it won't come any more.",
        )
        .says(
            "Metrics that alerts need are missing.",
            "The processes of job {{ $labels.job }} answer, but none of them has {{ $labels.family \
             }}. Alerts that are made of it can't fire.",
        )
}

fn host_unwatched() -> Alert {
    let disks = disk::node_disks(disk::NODE_SIZE);
    let known = format!("up{{job=\"{NODE_JOB}\"}} or last_over_time({disks}[1d])");
    Alert::new("PunctualHostUnwatched", Severity::Warning, Board::Capacity)
        .when(format!("max by (instance) ({known})\nunless on (instance) {disks}"))
        .hold("10m")
        // Whose disk fills up unseen is an incident of the service.
        .label("job", JOB)
        .why(
            "A machine that Prometheus is told to scrape, or whose disks it saw within the last \
             day, and whose disks it doesn't see now. Ten minutes are longer than a restart. One \
             that was taken away on purpose is forgotten after that day.",
        )
        .says(
            "A machine is no longer watched.",
            "Prometheus sees no disk of {{ $labels.instance }}: node_exporter doesn't answer \
             there, tells of none, or is no longer scraped. Nobody would be told that one fills \
             up.",
        )
}

fn series_dropped() -> Alert {
    Alert::new("PunctualSeriesDropped", Severity::Warning, Board::Overview)
        .when(format!("sum by (job) (increase({DROPPED}[1h])) > 0"))
        .why("Labels come from closed sets: a family that is full is a mistake, the first time.")
        .says(
            "Metrics are being dropped.",
            "{{ $value | printf \"%.0f\" }} series were not made in the last hour, as their family \
             was full. Some label takes values that it shouldn't.",
        )
}
