//! What must be muted, and what must be told: pairs of alerts that fire at one time.
//!
//! Never here: how Alertmanager is asked about them.

/// One of our alerts as it fires: its severity, and labels that the rule sets or its series has.
#[derive(Debug)]
pub(super) struct Firing {
    pub(super) alert: &'static str,
    pub(super) severity: &'static str,
    pub(super) labels: &'static [(&'static str, &'static str)],
}

/// A cause, and another alert.
pub(super) type Pair = (Firing, Firing);

type Labels = &'static [(&'static str, &'static str)];

const fn page(alert: &'static str, labels: Labels) -> Firing {
    Firing { alert, severity: "critical", labels }
}

const fn ticket(alert: &'static str, labels: Labels) -> Firing {
    Firing { alert, severity: "warning", labels }
}

const BOOKS: Labels = &[("http_route", "upsert_appointments"), ("slo", "latency")];
const PAGED: Labels =
    &[("http_route", "upsert_appointments"), ("slo", "latency"), ("slo_tier", "critical")];
const READS: Labels =
    &[("http_route", "read_practice"), ("slo", "latency"), ("slo_tier", "standard")];
const SHED: Labels =
    &[("http_route", "read_practice"), ("slo", "availability"), ("slo_tier", "standard")];
const REPORTS: Labels =
    &[("http_route", "read_job_report"), ("slo", "availability"), ("slo_tier", "reporting")];
const FAILED: Labels =
    &[("http_route", "upsert_appointments"), ("slo", "availability"), ("slo_tier", "critical")];
const BOOKING: Labels = &[("journey", "booking_to_promise"), ("slo", "latency")];
const DUE: Labels = &[("journey", "due_to_handed_over"), ("slo", "latency")];
const INTERACTIVE: Labels = &[("pool", "interactive"), ("instance", "a")];
const PIPELINE: Labels = &[("pool", "pipeline"), ("instance", "a")];
const UPKEEP: Labels = &[("pool", "upkeep"), ("instance", "a")];
const DISK: Labels = &[("instance", "a")];
const HOST_DISK: Labels = &[("instance", "db"), ("device", "sdb")];
const QUEUE: Labels = &[("instance", "a"), ("limit", "commit_queue")];
const RECONCILE: Labels = &[("stage", "reconcile")];
const RESOLVE: Labels = &[("stage", "resolve")];
const FOLD: Labels = &[("stage", "fold")];
const PRUNE: Labels = &[("stage", "prune")];

/// What explains, and what it mutes. Each rule of inhibition mutes one of these, at least.
pub(super) const EXPLAINED: [Pair; 38] = [
    (page("PunctualDown", &[]), ticket("PunctualInstanceDown", &[("instance", "a")])),
    (page("PunctualDown", &[]), page("PunctualMessagesMissing", &[])),
    (page("PunctualNobodyIsWrittenTo", &[]), page("PunctualPoolExhausted", INTERACTIVE)),
    (page("PunctualNobodyIsWrittenTo", &[]), page("PunctualOldestPending", RESOLVE)),
    (page("PunctualNobodyIsWrittenTo", &[]), ticket("PunctualLimitReached", QUEUE)),
    (page("PunctualPoolExhausted", PIPELINE), ticket("PunctualPoolNearlyFull", PIPELINE)),
    (page("PunctualPoolExhausted", INTERACTIVE), page("PunctualLatencyBudgetBurn", BOOKS)),
    (page("PunctualPoolExhausted", INTERACTIVE), page("PunctualJourneyBudgetBurn", BOOKING)),
    (
        page("PunctualPoolExhausted", INTERACTIVE),
        page("PunctualOldestPending", &[("stage", "receive")]),
    ),
    (page("PunctualPoolExhausted", INTERACTIVE), page("PunctualReceiptsMissing", &[])),
    (page("PunctualPoolExhausted", INTERACTIVE), ticket("PunctualLimitNearlyReached", QUEUE)),
    (page("PunctualPoolExhausted", PIPELINE), page("PunctualJourneyBudgetBurn", DUE)),
    (page("PunctualPoolExhausted", PIPELINE), page("PunctualStageStuck", RESOLVE)),
    (page("PunctualPoolExhausted", PIPELINE), page("PunctualMessagesMissing", &[])),
    (ticket("PunctualPoolExhausted", UPKEEP), ticket("PunctualStageStuck", FOLD)),
    (ticket("PunctualPoolExhausted", UPKEEP), ticket("PunctualFoldLags", &[])),
    (
        ticket("PunctualPoolExhausted", &[("pool", "reporting"), ("instance", "a")]),
        ticket("PunctualAvailabilityBudgetBurn", REPORTS),
    ),
    (page("PunctualStageStuck", RESOLVE), page("PunctualOldestPending", RESOLVE)),
    (ticket("PunctualStageStuck", FOLD), ticket("PunctualStageFails", FOLD)),
    (ticket("PunctualStageStuck", FOLD), ticket("PunctualFoldLags", &[])),
    (ticket("PunctualStageStuck", PRUNE), ticket("PunctualPruneLags", &[("table", "intent")])),
    (page("PunctualReconciliationMissed", &[]), ticket("PunctualStageStuck", RECONCILE)),
    (
        page("PunctualMessagesLost", &[("window", "10m")]),
        ticket("PunctualStageFails", &[("stage", "deliver")]),
    ),
    (page("PunctualMessagesLost", &[("window", "10m")]), page("PunctualJourneyBudgetBurn", DUE)),
    (ticket("PunctualMessagesLost", &[]), ticket("PunctualJourneyBudgetBurn", DUE)),
    (page("PunctualDiskNearlyFull", DISK), page("PunctualDiskFills", DISK)),
    (ticket("PunctualDiskNearlyFull", DISK), ticket("PunctualDiskFills", DISK)),
    (page("PunctualHostDiskNearlyFull", HOST_DISK), page("PunctualHostDiskFills", HOST_DISK)),
    (ticket("PunctualHostDiskNearlyFull", HOST_DISK), ticket("PunctualHostDiskFills", HOST_DISK)),
    (ticket("PunctualLimitReached", QUEUE), ticket("PunctualLimitNearlyReached", QUEUE)),
    (
        ticket("PunctualRestartsOften", &[("instance", "a")]),
        ticket("PunctualInstanceDown", &[("instance", "a")]),
    ),
    (ticket("PunctualReadsShed", &[]), ticket("PunctualAvailabilityBudgetBurn", SHED)),
    (ticket("PunctualTransactionOpenLong", &[]), ticket("PunctualFoldLags", &[])),
    (ticket("PunctualFoldLags", &[]), ticket("PunctualPruneLags", &[("table", "attempt")])),
    (
        page("PunctualJourneyBudgetBurn", &[("journey", "cancel_to_safe"), ("slo", "latency")]),
        ticket("PunctualLatencyBudgetBurn", READS),
    ),
    (page("PunctualTrickleFails", PAGED), ticket("PunctualLatencyBudgetBurn", PAGED)),
    (
        page("PunctualIdSpaceUsed", &[("space", "x")]),
        ticket("PunctualIdSpaceUsed", &[("space", "x")]),
    ),
    (page("PunctualMessagesLost", &[("window", "10m")]), ticket("PunctualMessagesLost", &[])),
];

/// What fires at one time and doesn't explain the other: both are told.
pub(super) const UNEXPLAINED: [Pair; 18] = [
    // What requests wait for isn't what the pipeline waits for.
    (page("PunctualPoolExhausted", PIPELINE), page("PunctualLatencyBudgetBurn", BOOKS)),
    (page("PunctualPoolExhausted", INTERACTIVE), page("PunctualJourneyBudgetBurn", DUE)),
    (page("PunctualPoolExhausted", INTERACTIVE), page("PunctualMessagesMissing", &[])),
    (page("PunctualPoolExhausted", PIPELINE), page("PunctualReceiptsMissing", &[])),
    (
        page("PunctualPoolExhausted", PIPELINE),
        ticket("PunctualPoolNearlyFull", &[("pool", "pipeline"), ("instance", "b")]),
    ),
    // A ticket mutes no page.
    (ticket("PunctualPoolExhausted", UPKEEP), page("PunctualReconciliationMissed", &[])),
    (ticket("PunctualDiskNearlyFull", DISK), page("PunctualDiskFills", DISK)),
    // Nothing is wrong yet because a disk or a space fills up, or because nobody looks.
    (page("PunctualHostDiskNearlyFull", HOST_DISK), page("PunctualOldestPending", RESOLVE)),
    (page("PunctualIdSpaceUsed", &[("space", "x")]), page("PunctualMessagesMissing", &[])),
    (page("PunctualReconciliationMissed", &[]), page("PunctualConservationBroken", &[])),
    (page("PunctualReconciliationMissed", &[]), page("PunctualLatencyBudgetBurn", BOOKS)),
    (page("PunctualStageStuck", RESOLVE), page("PunctualStageStuck", &[("stage", "recover")])),
    // Laws are told whatever else is wrong, and so is what is lost.
    (page("PunctualNobodyIsWrittenTo", &[]), page("PunctualRowsStranded", &[])),
    (page("PunctualDown", &[]), page("PunctualMessagesLost", &[("window", "10m")])),
    (page("PunctualDown", &[]), page("PunctualMessagesUndelivered", &[("window", "10m")])),
    (
        page("PunctualMessagesLost", &[("window", "10m")]),
        page("PunctualJourneyBudgetBurn", BOOKING),
    ),
    // That a provider refuses some texts is not why others, which it took, don't arrive.
    (
        page("PunctualMessagesLost", &[("window", "10m")]),
        page("PunctualMessagesUndelivered", &[("window", "10m")]),
    ),
    // That a path is slow is not why it fails, in a month's budget or at all.
    (page("PunctualLatencyBudgetBurn", BOOKS), ticket("PunctualAvailabilityBudgetBurn", FAILED)),
];
