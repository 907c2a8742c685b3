//! `alerts/work.rules.yaml`: the work itself: that what is expected is accounted for, that what is
//! due leaves, that every stage runs.
//!
//! Never here: lateness against an objective (`burn`), and what became of what came to an end
//! (`losses`).

use contract::tier::Tier;
use contract::{Family, Stage};

use super::model::{Alert, Board, Group, Rule, RuleFile, Severity, lines, one_of};
use crate::obs::{backlog, fate, prune};

const LAST_RUN: &str = Family::StageLastRun.name();
const FAILURES: &str = Family::StageFailures.name();
const BATCHES: &str = Family::StageDuration.name();
const OLDEST: &str = Family::OldestPending.name();
const DUE: &str = Family::MessagesDue.name();
const ENDED: &str = Family::MessagesDueEnded.name();
const STRANDED: &str = Family::StrandedRows.name();
const FOLD_LAG: &str = Family::FoldLag.name();
const PRUNE_LAG: &str = Family::PruneLag.name();

pub(super) fn rules() -> RuleFile {
    let mut rules: Vec<Rule> =
        [stranded(), messages_missing(), stage_fails(), fold_lags(), prune_lags()]
            .map(Rule::from)
            .into();
    rules.extend(super::losses::rules());
    rules.extend(super::reconciliation::rules());
    for tier in Tier::ALL {
        rules.extend([oldest(tier), stuck(tier)].into_iter().flatten().map(Rule::from));
    }
    RuleFile {
        name: "work",
        about: "That what is expected is accounted for, that what is due leaves, that stages run.",
        groups: vec![Group { name: "punctual_work", interval: "30s", rules }],
    }
}

fn stranded() -> Alert {
    Alert::new("PunctualRowsStranded", Severity::Critical, Board::Pipeline)
        .when(format!("max by (job) ({STRANDED}) > 0"))
        .hold("1m")
        .why(
            "A law: nothing stands below a floor. A minute is two sweeps, so that it isn't a count \
             from before a process ended.",
        )
        .says(
            "Work stands where no stage looks.",
            "The sweep finds {{ $value | printf \"%.0f\" }} rows below a floor. No stage looks \
             there: these reminders will not leave by themselves.",
        )
}

fn fold_lags() -> Alert {
    Alert::new("PunctualFoldLags", Severity::Warning, Board::Pipeline)
        .when(format!("max by (job) ({FOLD_LAG}) > 600"))
        .hold("10m")
        .why(
            "A change of a count is folded within a minute. Ten of them: what isn't folded is read \
             by every report and can't be dropped, but no report is wrong for it.",
        )
        .says(
            "Counts are no longer folded.",
            "The oldest change of a count has waited for {{ $value | humanizeDuration }} to be \
             folded. Reports are right, and slower from hour to hour.",
        )
}

fn prune_lags() -> Alert {
    Alert::new("PunctualPruneLags", Severity::Warning, Board::Capacity)
        .when(format!("max by (job, table) ({PRUNE_LAG}) > 2 * 86400"))
        .hold("1h")
        .watching("table", prune::Table::ALL.map(prune::Table::name))
        .why(
            "A week goes whole, once all of it is old. Two days beyond that are no matter of an \
             hour in which somebody read it for long, or in which its counts weren't folded yet.",
        )
        .says(
            "Old data is no longer dropped.",
            "The oldest week of table {{ $labels.table }} should have gone {{ $value | \
             humanizeDuration }} ago. The disk fills by what a week takes, each week.",
        )
}

/// The business rate against the plan: 400 due, 150 sent. Both sides are about the same reminders,
/// by when they were due.
fn messages_missing() -> Alert {
    let window = format!("{}m", fate::ENDS_WITHIN.as_mins());
    let ended = format!("sum by (job) (increase({ENDED}[{window}]))");
    let due = |when| format!("sum by (job) (increase({DUE}[{window}]{when}))");
    let (now, before) = (due(""), due(" offset 2m"));
    let expr = lines([
        format!("1 - {ended}"),
        format!("    / (({now} < {before}"),
        format!("        or {before}) >= 100)"),
        "> 0.1".to_owned(),
    ]);
    Alert::new("PunctualMessagesMissing", Severity::Critical, Board::Pipeline)
        .when(expr)
        .hold("5m")
        .tier(Tier::Critical)
        .why(
            "What came to an end in a quarter of an hour, of what was due no longer ago than that, \
             against what fell due in it by the plan. What is cancelled or moved ahead of its time \
             is on neither side, and what ends later than that no longer counts: it was missed \
             already. Due is the lesser of now and two minutes ago: when a day begins there are \
             two minutes to send, of which the objective needs five seconds, and when it ends \
             nothing is missed. A tenth of at least 100 is ten reminders; fewer are the journeys' \
             business.",
        )
        .says(
            "Fewer reminders leave than are due.",
            "{{ $value | humanizePercentage }} of the reminders that fell due in the last quarter \
             of an hour have come to no end: not sent, not suppressed, not failed, not expired.",
        )
}

pub(super) fn stage_fails() -> Alert {
    let failures = format!("sum by (job, stage) (increase({FAILURES}[10m]))");
    let batches = format!("sum by (job, stage) (increase({BATCHES}_count[10m]))");
    let expr = lines([
        failures.clone(),
        format!("  / ({failures} + {batches}) > 0.1"),
        format!("and {failures} >= 5"),
    ]);
    Alert::new("PunctualStageFails", Severity::Warning, Board::Pipeline)
        .when(expr)
        .hold("5m")
        .watching("stage", Stage::ALL.iter().map(|stage| stage.name()))
        .why(
            "One batch in ten, and five of them, in ten minutes: a restart of the database fails a \
             few and is over. What fails is tried again; what that costs in time, the objectives \
             judge.",
        )
        .says(
            "A stage of the work keeps failing.",
            "{{ $value | humanizePercentage }} of the batches of stage {{ $labels.stage }} failed \
             in the last ten minutes. They are tried again; the log says why they fail.",
        )
}

/// Ten times the lateness that an item may have, and no less than a minute: below that it is the
/// objectives' business, above it somebody has to look, however few items there are.
pub(super) fn oldest_seconds(stage: Stage) -> u32 {
    (stage.spec().lateness_ms * 10 / 1_000).max(60)
}

pub(super) fn oldest(tier: Tier) -> Option<Alert> {
    let series =
        |rows: &str, seconds| format!("max by (job, stage) ({OLDEST}{{{rows}}}) > {seconds}");
    let stages = of_tier(tier, backlog::is_told);
    let alert = Alert::new("PunctualOldestPending", severity(tier), Board::Pipeline)
        .when(by_seconds(&stages, oldest_seconds, series)?)
        .hold("2m")
        .tier(tier)
        .watching("stage", names(&stages))
        .why(
            "Ten times a stage's objective for lateness, at least a minute, for two minutes: a \
             pause of the database or a deployment is over by then. It needs no second item, so a \
             stage that gets stuck in a quiet hour is seen as well.",
        )
        .says(
            "Work has been waiting for too long.",
            "The oldest item of stage {{ $labels.stage }} has waited for {{ $value | \
             humanizeDuration }}. Whoever waits for it (a booking, a reminder, a receipt) waits \
             as long.",
        );
    Some(alert)
}

/// Ten periods, and four scrapes of 15 s until one is sure to have seen it.
pub(super) fn stuck_seconds(stage: Stage) -> u32 {
    60 + stage.spec().period_ms * 10 / 1_000
}

pub(super) fn stuck(tier: Tier) -> Option<Alert> {
    let series = |rows: &str, seconds| {
        format!("time() - max by (job, stage) ({LAST_RUN}{{{rows}}}) > {seconds}")
    };
    let stages = of_tier(tier, |stage| stage.spec().period_ms > 0);
    let alert = Alert::new("PunctualStageStuck", severity(tier), Board::Pipeline)
        .when(by_seconds(&stages, stuck_seconds, series)?)
        .hold("1m")
        .tier(tier)
        .watching("stage", names(&stages))
        .why(
            "A minute and ten of the stage's periods. Each shard has its turn once a period, one \
             after the other. A process tells of the newest one, and while a shard fails of that \
             shard's last good one, so that one of many is told like all of them. Of processes the \
             one that does best counts, as it does the others' work.",
        )
        .says(
            "A periodic stage of the work no longer runs, in one shard or in all.",
            "For {{ $value | humanizeDuration }} no process has come to the end of a turn of stage \
             {{ $labels.stage }} in each of its shards.",
        );
    Some(alert)
}

fn of_tier(tier: Tier, is_of: impl Fn(Stage) -> bool) -> Vec<Stage> {
    let stages = Stage::ALL.iter().copied();
    stages.filter(|stage| stage.spec().tier == tier && is_of(*stage)).collect()
}

fn names(stages: &[Stage]) -> Vec<&'static str> {
    stages.iter().map(|stage| stage.name()).collect()
}

/// One expression over stages: those with the same bound in one selector. None for no stages.
fn by_seconds(
    stages: &[Stage],
    seconds: impl Fn(Stage) -> u32,
    series: impl Fn(&str, u32) -> String,
) -> Option<String> {
    let mut bounds: Vec<u32> = stages.iter().map(|stage| seconds(*stage)).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let one = |bound: &u32| {
        let rows = stages.iter().copied().filter(|stage| seconds(*stage) == *bound);
        series(&one_of("stage", &names(&rows.collect::<Vec<_>>())), *bound)
    };
    let all: Vec<String> = bounds.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join("\nor\n"))
}

const fn severity(tier: Tier) -> Severity {
    match tier {
        Tier::Critical => Severity::Critical,
        Tier::Standard | Tier::Reporting => Severity::Warning,
    }
}
