//! What each alert is to an incident: a cause with what it explains, a symptom that causes explain,
//! or neither. What is explained is not told while its cause is: `alerts/alertmanager.yaml` is made
//! of this table, and a cause mutes what stands in its row and nothing else.
//!
//! A row says what follows from the cause by how the service is built, not what happened with it
//! once: an alert that is muted by mistake is one that nobody gets. Never here: how Alertmanager
//! wants it written (`routing`).

use contract::endpoint::{Access, Listener, Method};
use contract::{Endpoint, Journey, Limit, Pool, Stage, Tier};

use super::model::Alert;

/// What an alert is to an incident.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// Nothing explains it, and it explains nothing.
    Alone,
    /// Others explain it, and it explains nothing.
    Symptom,
    /// It explains others. Something else may explain it.
    Cause(Vec<Explains>),
}

/// What a cause explains. Whatever stands here, a ticket mutes no page.
#[derive(Debug, Clone)]
pub(super) struct Explains {
    pub(super) why: &'static str,
    /// Which of the cause: all, where there is nothing.
    pub(super) when: Option<Which>,
    pub(super) alerts: Vec<&'static str>,
    /// Which of those.
    pub(super) of: Option<Which>,
    /// Labels that both must have in common, beside the job.
    pub(super) same: &'static [&'static str],
}

/// A label, and its values.
#[derive(Debug, Clone)]
pub(super) struct Which {
    pub(super) label: &'static str,
    pub(super) values: Vec<&'static str>,
}

impl Which {
    /// Whether some of a rule's alerts are of these.
    pub(super) fn can_be_of(&self, alert: &Alert) -> bool {
        let mut watched = alert.watches.iter().filter(|(label, _)| *label == self.label);
        watched.any(|(_, values)| values.iter().any(|value| self.values.contains(value)))
    }
}

impl Explains {
    fn when(self, label: &'static str, values: impl IntoIterator<Item = &'static str>) -> Self {
        let values = values.into_iter().collect();
        Self { when: Some(Which { label, values }), ..self }
    }

    fn of(self, label: &'static str, values: impl IntoIterator<Item = &'static str>) -> Self {
        let values = values.into_iter().collect();
        Self { of: Some(Which { label, values }), ..self }
    }

    fn same(self, same: &'static [&'static str]) -> Self {
        Self { same, ..self }
    }
}

fn explains(alerts: &[&'static str], why: &'static str) -> Explains {
    Explains { why, when: None, alerts: alerts.to_vec(), of: None, same: &[] }
}

fn cause<const N: usize>(explained: [Explains; N]) -> Role {
    Role::Cause(explained.into())
}

const AVAILABILITY: &str = "PunctualAvailabilityBudgetBurn";
const LATENCY: &str = "PunctualLatencyBudgetBurn";
const JOURNEY: &str = "PunctualJourneyBudgetBurn";
const STAGE: &str = "PunctualStageBudgetBurn";
const TRICKLE: &str = super::burn::TRICKLE;
const FAILS: &str = "PunctualStageFails";
const OLDEST: &str = "PunctualOldestPending";
const STUCK: &str = "PunctualStageStuck";
const EXHAUSTED: &str = "PunctualPoolExhausted";
const NEARLY_FULL: &str = "PunctualPoolNearlyFull";
const MISSING: &str = "PunctualMessagesMissing";
const RECEIPTS: &str = super::losses::RECEIPTS;
const FOLDS: &str = "PunctualFoldLags";
const PRUNES: &str = "PunctualPruneLags";
const SHED: &str = "PunctualReadsShed";
const REACHED: &str = "PunctualLimitReached";
const NEARLY_REACHED: &str = "PunctualLimitNearlyReached";

/// Every alert and its role.
pub(super) fn table() -> Vec<(&'static str, Role)> {
    let mut all = causes();
    all.extend(
        [
            AVAILABILITY,
            LATENCY,
            JOURNEY,
            STAGE,
            TRICKLE,
            FAILS,
            OLDEST,
            NEARLY_FULL,
            MISSING,
            RECEIPTS,
            PRUNES,
            NEARLY_REACHED,
            "PunctualDiskFills",
            "PunctualHostDiskFills",
            "PunctualInstanceDown",
            "PunctualMetricsAbsent",
            "PunctualReplicaNotRead",
        ]
        .map(|name| (name, Role::Symptom)),
    );
    all.extend(
        [
            "PunctualAuditBroken",
            "PunctualComparisonMissed",
            "PunctualConservationBroken",
            "PunctualDeadlocks",
            "PunctualHostUnwatched",
            "PunctualIdSpaceFills",
            "PunctualIdSpaceUsed",
            "PunctualLatencyCreeps",
            "PunctualLimitFills",
            "PunctualOpenFilesNearlyOut",
            "PunctualPoolFills",
            "PunctualReplicaConflicts",
            "PunctualReplicaGone",
            "PunctualReplicaLags",
            "PunctualRowsStranded",
            "PunctualSeriesDropped",
            "PunctualSessionsBlocked",
            super::losses::UNDELIVERED,
            super::presence::WATCHDOG,
        ]
        .map(|name| (name, Role::Alone)),
    );
    all
}

fn causes() -> Vec<(&'static str, Role)> {
    vec![
        ("PunctualDown", down()),
        ("PunctualNobodyIsWrittenTo", nobody_is_written_to()),
        (EXHAUSTED, pool_exhausted()),
        (STUCK, stage_stuck()),
        ("PunctualReconciliationMissed", reconciliation_missed()),
        (super::losses::LOST, messages_lost()),
        (
            "PunctualDiskNearlyFull",
            cause([explains(&["PunctualDiskFills"], "It goes on as it did.").same(&["instance"])]),
        ),
        (
            "PunctualHostDiskNearlyFull",
            cause([explains(&["PunctualHostDiskFills"], "It goes on as it did.")
                .same(&["instance", "device"])]),
        ),
        (
            REACHED,
            cause([explains(&[NEARLY_REACHED], "What is full was nearly full before.")
                .same(&["instance", "limit"])]),
        ),
        (
            "PunctualRestartsOften",
            cause([explains(&["PunctualInstanceDown"], "Between two starts it is away.")
                .same(&["instance"])]),
        ),
        (SHED, reads_shed()),
        (
            "PunctualTransactionOpenLong",
            cause([explains(
                &[FOLDS, PRUNES],
                "What was committed after an open transaction began can't be folded past it, and a \
                 table that it reads can't be dropped.",
            )]),
        ),
        (
            FOLDS,
            cause([explains(&[PRUNES], "A week goes once its counts are folded, not before.")]),
        ),
    ]
}

/// Everything that windows still tell of the time before; what needs a process to be told at all is
/// silent by itself.
fn down() -> Role {
    cause([explains(
        &[
            AVAILABILITY,
            LATENCY,
            JOURNEY,
            STAGE,
            TRICKLE,
            FAILS,
            MISSING,
            RECEIPTS,
            "PunctualInstanceDown",
            "PunctualMetricsAbsent",
        ],
        "Without any process nothing is answered, nothing leaves, and nothing is told.",
    )])
}

fn nobody_is_written_to() -> Role {
    cause([
        explains(
            &[
                AVAILABILITY,
                LATENCY,
                JOURNEY,
                STAGE,
                TRICKLE,
                FAILS,
                OLDEST,
                STUCK,
                EXHAUSTED,
                NEARLY_FULL,
                MISSING,
                RECEIPTS,
                FOLDS,
                "PunctualReconciliationMissed",
                "PunctualReplicaNotRead",
            ],
            "Without a server to write to every stage waits, and so does every request; the one \
             that led is read by nobody either.",
        ),
        explains(&[REACHED, NEARLY_REACHED], "Writes and requests pile up before it.")
            .of("limit", piled_up()),
    ])
}

/// A pool explains what works with its connections, and nothing else.
fn pool_exhausted() -> Role {
    let of = |pool: Pool| {
        let stages = Stage::ALL.iter().filter(move |stage| works_in(**stage) == Some(pool));
        stages.map(|stage| stage.name())
    };
    let [interactive, pipeline] = [Pool::Interactive, Pool::Pipeline].map(|pool| [pool.name()]);
    let upkeep = [Pool::Upkeep.name()];
    let reports = [Pool::Reporting.name(), Pool::ReplicaReporting.name()];
    cause([
        explains(&[NEARLY_FULL], "What is full was nearly full before.")
            .same(&["instance", "pool"]),
        explains(&[AVAILABILITY, LATENCY, TRICKLE], "Requests wait for one, also to check a key.")
            .when("pool", interactive)
            .of("http_route", endpoints(is_of_practices)),
        explains(&[JOURNEY, TRICKLE], "These journeys end with a write of a request's.")
            .when("pool", interactive)
            .of("journey", journeys(|journey| journey != Journey::DueToHandedOver)),
        explains(&[STAGE, TRICKLE, FAILS, OLDEST], "These stages write with it.")
            .when("pool", interactive)
            .of("stage", of(Pool::Interactive)),
        explains(&[RECEIPTS], "Receipts are recorded with it.").when("pool", interactive),
        explains(&[REACHED, NEARLY_REACHED], "Writes and requests pile up before it.")
            .when("pool", interactive)
            .of("limit", piled_up()),
        explains(&[JOURNEY, TRICKLE], "What is due is released, claimed and settled with it.")
            .when("pool", pipeline)
            .of("journey", journeys(|journey| journey == Journey::DueToHandedOver)),
        explains(&[STAGE, TRICKLE, FAILS, OLDEST, STUCK], "These stages work with it.")
            .when("pool", pipeline)
            .of("stage", of(Pool::Pipeline)),
        explains(&[MISSING], "What is due can't be released or claimed.").when("pool", pipeline),
        explains(&[STAGE, TRICKLE, FAILS, STUCK], "These stages work with it.")
            .when("pool", upkeep)
            .of("stage", of(Pool::Upkeep)),
        explains(&[FOLDS, PRUNES], "Counts are folded and weeks are dropped with it.")
            .when("pool", upkeep),
        explains(&[AVAILABILITY, LATENCY, TRICKLE], "Reports and audits wait for one.")
            .when("pool", reports)
            .of("http_route", endpoints(|spec| spec.tier == Tier::Reporting)),
    ])
}

fn stage_stuck() -> Role {
    cause([
        explains(&[STAGE, TRICKLE, FAILS, OLDEST], "It is that stage's own work.").same(&["stage"]),
        explains(&[FOLDS], "Nobody folds.").when("stage", [Stage::Fold.name()]),
        explains(&[PRUNES], "Nobody drops weeks.").when("stage", [Stage::Prune.name()]),
    ])
}

fn reconciliation_missed() -> Role {
    cause([explains(&[STAGE, TRICKLE, FAILS, STUCK], "It is why nobody has looked.")
        .of("stage", [Stage::Reconcile.name()])])
}

fn messages_lost() -> Role {
    cause([
        explains(&[FAILS], "A text that is refused for good is a failed delivery.")
            .of("stage", [Stage::Deliver.name()]),
        explains(&[JOURNEY, TRICKLE], "What is given up counts as a journey that took too long.")
            .of("journey", [Journey::DueToHandedOver.name()]),
    ])
}

/// What a replica may answer are reads, and none of them is critical.
fn reads_shed() -> Role {
    cause([explains(&[AVAILABILITY, TRICKLE], "They are the reads that are refused.")
        .of("http_route", endpoints(|spec| spec.method == Method::Get && is_of_practices(spec)))])
}

/// In which pool a stage's work has its connections; none for one that needs none. A text is
/// rendered within its release or its claim.
const fn works_in(stage: Stage) -> Option<Pool> {
    if matches!(stage, Stage::Render) { Stage::Release.spec().pool } else { stage.spec().pool }
}

/// What fills up before a pool of connections.
fn piled_up() -> [&'static str; 2] {
    [Limit::CommitQueue.name(), Limit::RequestsInFlight.name()]
}

fn is_of_practices(spec: &contract::endpoint::Spec) -> bool {
    spec.listener == Listener::Public && spec.access != Access::Open
}

fn endpoints(
    is_it: impl Fn(&contract::endpoint::Spec) -> bool,
) -> impl Iterator<Item = &'static str> {
    Endpoint::ALL.iter().filter(move |row| is_it(&row.spec())).map(|row| row.name())
}

fn journeys(is_it: impl Fn(Journey) -> bool) -> impl Iterator<Item = &'static str> {
    Journey::ALL.iter().filter(move |row| is_it(**row)).map(|row| row.name())
}
