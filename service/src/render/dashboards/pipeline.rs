//! The pipeline: how messages go through the stages, how late, how deep the backlog is, what
//! becomes of them, and whether all are accounted for.
//!
//! Never here: what of it a customer sees (`overview`).

use contract::{Family, Journey};

use super::Uid;
use super::board::{Board, WRONG};
use super::expr::{Expr, Unit, age, count_increase, count_rate, gauge, mean, quantile, rate};
use super::objective::STAGES;
use super::overview::{by_fate, due_and_done, given_up};
use super::panel::{FEW, LEFT, Panel, Steps, ZERO};

const STAGE: &[&str] = &["stage"];

/// Counts may be folded some seconds late; a minute means that nobody folds.
const FOLDED: Steps = &[(f64::NEG_INFINITY, "green"), (10.0, "orange"), (60.0, "red")];

/// Some phones are off; from a half on it is the callbacks that don't come.
const UNHEARD: Steps = &[(f64::NEG_INFINITY, "green"), (0.2, "orange"), (0.5, "red")];

pub(super) fn board() -> Board {
    Board::new(
        Uid::Pipeline,
        "Messages on their way through the stages: how late, how many wait, what becomes of them, \
         and whether every promise is accounted for.",
    )
    .row(WRONG, (4, 4), wrong())
    .row("Due against done", (12, 8), [due_and_done(), by_fate()])
    .row("Lost on the way", (8, 8), lost())
    .row("Stages by name", (24, 11), [stages()])
    .row("Lateness", (8, 8), lateness())
    .row("Depth", (8, 8), depth())
    .row("Work", (8, 8), work())
    .row("Conservation", (8, 7), conservation())
    .row("What goes", (12, 7), pruned())
}

/// What ends the objectives' interest, and is worse than late.
fn lost() -> [Panel; 3] {
    let texts = |journey: Journey| {
        let of = [("journey", journey.name())];
        count_rate(Family::JourneyDuration, &of, Unit::MessagesRate).sum(&[])
    };
    let ended = rate(Family::Messages, &[("fate", "sent|failed|expired")]).sum(&[]);
    let of = |fate| rate(Family::Messages, &[("fate", fate)]).sum(&[]);
    let share = |fate| of(fate).share_of(ended.clone());
    [
        Panel::lines(
            "Given up",
            "The share of the reminders that were to leave of which nobody sends a text any more: \
             refused by the provider for good, or too late.",
        )
        .query(share("failed"), "failed")
        .query(share("expired"), "expired"),
        Panel::lines(
            "Receipts against texts",
            "Texts that were handed over, and texts of which a first receipt came.",
        )
        .query(texts(Journey::DueToHandedOver), "handed over")
        .query(texts(Journey::HandedOverToReceipt), "receipts"),
        Panel::lines(
            "Undelivered",
            "The share of the receipts that say how a text ended which say that it won't arrive: \
             some numbers are always wrong; more are carriers that refuse.",
        )
        .query(of("undelivered").share_of(of("delivered|undelivered")), "undelivered"),
    ]
}

/// Of the texts of the last half hour; what was handed over just now has none yet.
fn without_receipt() -> Expr {
    let of = |journey: Journey| {
        count_increase(Family::JourneyDuration, &[("journey", journey.name())], "30m").sum(&[])
    };
    of(Journey::HandedOverToReceipt).share_of(of(Journey::DueToHandedOver)).rest()
}

fn wrong() -> [Panel; 8] {
    [
        Panel::stat("Promises out of order", ZERO, Family::ConservationResidual.help())
            .query(gauge(Family::ConservationResidual, &[]).max(&[]), "out of order"),
        Panel::stat("Stranded rows", ZERO, Family::StrandedRows.help())
            .query(gauge(Family::StrandedRows, &[]).max(&[]), "rows"),
        Panel::stat(
            "Given up",
            FEW,
            "Reminders that were given up in the last ten minutes: refused by the provider for \
             good, or too late.",
        )
        .query(given_up("10m"), "reminders"),
        Panel::stat(
            "Texts without receipt",
            UNHEARD,
            "The share of the last half hour's texts of which no receipt came.",
        )
        .query(without_receipt(), "texts"),
        Panel::stat("Answers lost", FEW, Family::AmbiguousMessages.help())
            .query(gauge(Family::AmbiguousMessages, &[]).max(&[]), "messages"),
        Panel::stat("Failures", FEW, Family::StageFailures.help())
            .query(rate(Family::StageFailures, &[]).sum(&[]), "failures"),
        Panel::stat(
            "Least budget left",
            LEFT,
            "Of all stages, the one with the least left of the items that may be late in 30 days.",
        )
        .query(STAGES.budget_left(&[]).min(&[]), "left"),
        Panel::stat("Counts behind", FOLDED, Family::FoldLag.help())
            .query(gauge(Family::FoldLag, &[]).max(&[]), "behind"),
    ]
}

fn stages() -> Panel {
    let p99 = |family| quantile(0.99, family, &[], STAGE);
    Panel::table("Stages", &[("stage", "Stage")], "All stages against their own objectives.")
        .query(rate(Family::StageItems, &[]).sum(STAGE), "Items")
        .query(p99(Family::StageLateness), "Lateness p99")
        .query(STAGES.threshold(&[]), "Objective")
        .query(STAGES.bad_share(&[]), "Late")
        .query(STAGES.budget_left(&[]), "Budget left")
        .query(p99(Family::StageDuration), "Batch p99")
        .query(mean(Family::StageBatchSize, &[], STAGE), "Items a batch")
        .query(rate(Family::StageFailures, &[]).sum(STAGE), "Failures")
        .link(Uid::Database)
}

fn lateness() -> [Panel; 3] {
    [
        Panel::lines("Lateness (p99)", Family::StageLateness.help())
            .query(quantile(0.99, Family::StageLateness, &[], STAGE), "{{stage}}"),
        Panel::lines(
            "Late items",
            "The share of items that were started later than the stage's objective allows.",
        )
        .query(STAGES.bad_share(&[]), "{{stage}}"),
        Panel::lines(
            "Since the last turn",
            "Time since each periodic stage's last turn, or that of a shard that fails, of the \
             process that lags most.",
        )
        .query(age(Family::StageLastRun, &[]).max(STAGE), "{{stage}}"),
    ]
}

fn depth() -> [Panel; 3] {
    [
        Panel::lines("Work waiting", Family::Pending.help())
            .query(gauge(Family::Pending, &[]).max(STAGE), "{{stage}}"),
        Panel::lines("Oldest work waiting", Family::OldestPending.help())
            .query(gauge(Family::OldestPending, &[]).max(STAGE), "{{stage}}"),
        Panel::lines("In flight", Family::StageInFlight.help())
            .query(gauge(Family::StageInFlight, &[]).sum(STAGE), "{{stage}}"),
    ]
}

fn work() -> [Panel; 7] {
    [
        Panel::lines("Items", Family::StageItems.help())
            .query(rate(Family::StageItems, &[]).sum(STAGE), "{{stage}}"),
        Panel::lines("Time of a batch (p99)", Family::StageDuration.help())
            .query(quantile(0.99, Family::StageDuration, &[], STAGE), "{{stage}}"),
        Panel::lines("Items in a batch", Family::StageBatchSize.help())
            .query(mean(Family::StageBatchSize, &[], STAGE), "{{stage}}"),
        Panel::lines("Failures of stages", Family::StageFailures.help())
            .query(rate(Family::StageFailures, &[]).sum(STAGE), "{{stage}}"),
        Panel::lines("Pace of the last hour", "How fast each stage's budget goes: at 1 it lasts.")
            .query(STAGES.pace(&[]), "{{stage}}"),
        Panel::lines("Completions that came too late", Family::StaleCompletions.help())
            .query(rate(Family::StaleCompletions, &[]).sum(&[]), "completions"),
        Panel::lines("Ready outside the hours", Family::ClosedPractices.help())
            .query(rate(Family::ClosedPractices, &[]).sum(&[]), "texts"),
    ]
}

fn conservation() -> [Panel; 5] {
    let highest = |family| gauge(family, &[]).max(&[]);
    [
        Panel::lines("Out of order", Family::ConservationResidual.help())
            .query(gauge(Family::ConservationResidual, &[]).max(&["kind"]), "{{kind}}")
            .query(gauge(Family::AuditViolations, &[]).max(&["law"]), "{{law}} at an audit"),
        Panel::lines("Last look at every promise", Family::ReconciledUntil.help())
            .query(age(Family::ReconciledUntil, &[]).min(&[]), "ago")
            .query(highest(Family::ReconcileRound), "a round"),
        Panel::lines("Promises looked at", Family::ReconciledPromises.help())
            .query(rate(Family::ReconciledPromises, &[]).sum(&[]), "promises"),
        Panel::lines("Below a floor", Family::StrandedRows.help())
            .query(highest(Family::StrandedRows), "rows"),
        Panel::lines("Answers lost over time", Family::AmbiguousMessages.help())
            .query(highest(Family::AmbiguousMessages), "messages"),
    ]
}

fn pruned() -> [Panel; 2] {
    [
        Panel::lines("Overdue for pruning", Family::PruneLag.help())
            .query(gauge(Family::PruneLag, &[]).max(&["table"]), "{{table}}"),
        Panel::lines("Weeks dropped", Family::PrunedWeeks.help())
            .query(rate(Family::PrunedWeeks, &[]).sum(&["table"]), "{{table}}"),
    ]
}
