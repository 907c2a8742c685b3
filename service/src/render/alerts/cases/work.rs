//! The work.

use std::slice;

use contract::tier::Tier;
use contract::{Family, Stage};

use super::super::case::{Case, Labels, Pairs};
use super::super::model::Alert;
use super::super::work::{self, oldest_seconds, stage_fails, stuck_seconds};
use super::{duration, noise, series};

const JOB: Labels = &[("job", "punctual")];
const INTENT: Labels = &[("job", "punctual"), ("table", "intent")];
const ATTEMPT: Labels = &[("job", "punctual"), ("table", "attempt")];

pub(super) fn cases() -> Vec<Case> {
    [
        laws(),
        upkeep(),
        super::reconciliation::cases(),
        rate(),
        super::losses::cases(),
        stages(),
        turns(),
        pending(),
    ]
    .concat()
}

fn laws() -> Vec<Case> {
    let (stranded, rows) = (Family::StrandedRows.name(), "PunctualRowsStranded");
    vec![
        Case::new(rows, "a sweep finds rows", "5m").series(stranded, "", "0x2 3x20").fires(
            &[],
            JOB,
            "The sweep finds 3 rows below a floor. No stage looks there: these reminders will not \
             leave by themselves.",
        ),
        Case::new(rows, "none are found", "5m").series(stranded, "", "0x20"),
    ]
}

fn upkeep() -> Vec<Case> {
    let (fold, folds) = (Family::FoldLag.name(), "PunctualFoldLags");
    let (prune, prunes) = (Family::PruneLag.name(), "PunctualPruneLags");
    let weeks = |seconds: u32| format!("{seconds}x200");
    let told = |after: &str, table: &str| {
        format!(
            "The oldest week of table {table} should have gone {after} ago. The disk fills by what \
             a week takes, each week."
        )
    };
    vec![
        Case::new(folds, "nobody folds", "40m").series(fold, "", "0+30x100").fires(
            &[],
            JOB,
            "The oldest change of a count has waited for 40m 0s to be folded. Reports are right, \
             and slower from hour to hour.",
        ),
        Case::new(folds, "a minute behind, once ten for a short time", "40m").series(
            fold,
            "",
            "60x40 700x10 60x40",
        ),
        Case::new(prunes, "both tables", "70m")
            .series(prune, "table=\"intent\"", weeks(259_200))
            .series(prune, "table=\"attempt\"", weeks(345_600))
            .fires(&[], INTENT, told("3d 0h 0m 0s", "intent"))
            .fires(&[], ATTEMPT, told("4d 0h 0m 0s", "attempt")),
        Case::new(prunes, "a week goes a few hours late", "120m")
            .series(prune, "table=\"intent\"", "0x100 14400x60 0x100")
            .series(prune, "table=\"attempt\"", weeks(1_800)),
    ]
}

fn rate() -> Vec<Case> {
    let (due, ended) = (Family::MessagesDue.name(), Family::MessagesDueEnded.name());
    let missing = "PunctualMessagesMissing";
    let case = |story, at, fell_due: &str, came_to_an_end: &str| {
        Case::new(missing, story, at).series(due, "", fell_due).series(ended, "", came_to_an_end)
    };
    let says = |share: &str| {
        format!(
            "{share} of the reminders that fell due in the last quarter of an hour have come to no \
             end: not sent, not suppressed, not failed, not expired."
        )
    };
    let fate = |case: Case, fate: &str, values: &str| {
        case.series(Family::Messages.name(), &format!("fate=\"{fate}\""), values)
    };
    // Per 30 s; a batch is late now and then, and the sums agree.
    let noisy = |late: u32| {
        super::counter(100, move |step| {
            let moved = |step: u32| (20.0 * noise(step)).round();
            100.0 + moved(step.saturating_sub(late)) - moved(step.saturating_sub(late + 1))
        })
    };
    // Nothing leaves any more, while many cancel what is due next week.
    let cancelled = case("nothing leaves, and many cancel ahead", "30m", "0+20x80", "0x80");
    let cancelled = fate(cancelled, "suppressed_cancelled", "0+30x80");
    // The same when answers are lost for a while: each is counted as that, and as what came of it.
    let lost = case("two in five leave, and their answers are lost", "30m", "0+20x80", "0+8x80");
    let lost = fate(fate(lost, "ambiguous", "0+8x80"), "sent", "0+8x80");
    vec![
        case("400 due, 150 sent", "30m", "0+20x80", "0+8x80").fires(&[], JOB, says("60%")),
        fate(cancelled, "suppressed_moved", "0+10x80").fires(&[], JOB, says("100%")),
        lost.fires(&[], JOB, says("60%")),
        case("noise, a batch later than due", "30m", &noisy(0), &noisy(2)),
        case(
            "a quiet night with three due, one of them late",
            "30m",
            "0x20 1x20 2x20 3x20",
            "0x21 1x39 2x20",
        ),
        case(
            "the day begins: what falls due is soon done",
            "30m",
            "0x30 0+200x50",
            "0x31 0+200x49",
        ),
        case("the day ends at once", "29m", "0+40x36 1440x60", "0+40x36 1440x60"),
        case("a burst, and nothing else", "34m", "0x40 900x60", "0x41 900x59"),
    ]
}

fn stages() -> Vec<Case> {
    let failures = Family::StageFailures.name();
    let batches = format!("{}_count", Family::StageDuration.name());
    let (rule, fails) = (stage_fails(), "PunctualStageFails");
    let failing = |case: Case, stage: &&str| {
        let label = format!("stage=\"{stage}\"");
        case.series(&batches, &label, "0+20x40").series(failures, &label, "0+10x40")
    };
    let (_, all) = &rule.watches[0];
    let each = all.iter().fold(Case::new(fails, "the same in each stage", "20m"), failing);
    let fine = |case: Case, stage: &&str| {
        let label = format!("stage=\"{stage}\"");
        case.series(&batches, &label, "0+20x40").series(failures, &label, "0x20 4x20")
    };
    let now_and_then = Case::new(fails, "four batches of each stage fail at once", "20m");
    vec![
        each.all_rows_fire(&rule),
        all.iter().fold(now_and_then, fine),
        Case::new(fails, "every third batch of settle fails", "20m")
            .series(&batches, "stage=\"settle\"", "0+20x40")
            .series(failures, "stage=\"settle\"", "0+10x40")
            .fires(
                &[],
                &[("job", "punctual"), ("stage", "settle")],
                "33.33% of the batches of stage settle failed in the last ten minutes. They are \
                 tried again; the log says why they fail.",
            ),
        Case::new(fails, "a restart of the database", "20m")
            .series(&batches, "stage=\"settle\"", "0+20x20 400x2 400+20x20")
            .series(failures, "stage=\"settle\"", "0x20 0+4x2 8x20"),
        Case::new(fails, "one batch in a quiet night", "20m")
            .series(&batches, "stage=\"settle\"", "0x40")
            .series(failures, "stage=\"settle\"", "0x20 1x20"),
    ]
}

/// Every periodic stage, of whatever tier.
fn turns() -> Vec<Case> {
    let rules: Vec<Alert> = Tier::ALL.into_iter().filter_map(work::stuck).collect();
    let last_run = Family::StageLastRun.name();
    let name = rules[0].name;
    let longest = stages_of(&rules).map(stuck_seconds).max().unwrap_or(0);
    let at = 300 + longest + 120;
    let ends = Case::new(name, "each stage stops at five minutes", format!("{at}s"));
    let late = Case::new(name, "each turn comes as late as it may", "30m");
    let hangs = Case::new(name, "one of two processes hangs, and the other does its work", "30m");
    let ago = duration(f64::from(at - 300));
    vec![
        rules.iter().fold(ends, |case, rule| {
            stages_of(slice::from_ref(rule)).fold(case, |case, stage| {
                case.series(last_run, &label(stage), format!("0+30x10 300x{}", at / 30)).fires_of(
                    rule,
                    pairs(stage),
                    format!(
                        "For {ago} no process has come to the end of a turn of stage {} in each of \
                         its shards.",
                        stage.name()
                    ),
                )
            })
        }),
        stages_of(&rules).fold(late, |case, stage| {
            let bound = i64::from(stuck_seconds(stage));
            // As it is read each 30 s: when the last turn was.
            let seen: Vec<i64> = (0..70).map(|step| step * 30 / bound * bound).collect();
            case.series(last_run, &label(stage), series(&seen))
        }),
        stages_of(&rules).fold(hangs, |case, stage| {
            let other =
                format!("{last_run}{{job=\"punctual\",instance=\"b:9090\",{}}}", label(stage));
            case.series(last_run, &label(stage), "0x100").foreign_series(other, "0+30x100")
        }),
    ]
}

/// Every stage of which it is told how old its oldest work is.
fn pending() -> Vec<Case> {
    let rules: Vec<Alert> = Tier::ALL.into_iter().filter_map(work::oldest).collect();
    let family = Family::OldestPending.name();
    let name = rules[0].name;
    let quiet = Case::new(name, "a quiet hour: each stage is stuck with its only item", "10m");
    let bound = Case::new(name, "items of each stage wait as long as they may", "10m");
    let pause = Case::new(name, "a pause of a minute and a half", "10m");
    vec![
        rules.iter().fold(quiet, |case, rule| {
            stages_of(slice::from_ref(rule)).fold(case, |case, stage| {
                case.series(family, &label(stage), "0+30x30").fires_of(
                    rule,
                    pairs(stage),
                    format!(
                        "The oldest item of stage {} has waited for 10m 0s. Whoever waits for it \
                         (a booking, a reminder, a receipt) waits as long.",
                        stage.name()
                    ),
                )
            })
        }),
        stages_of(&rules).fold(bound, |case, stage| {
            case.series(family, &label(stage), format!("{}x30", oldest_seconds(stage)))
        }),
        stages_of(&rules)
            .fold(pause, |case, stage| case.series(family, &label(stage), "0x10 30 60 90 0x20")),
    ]
}

/// The stages that rules are about.
fn stages_of(rules: &[Alert]) -> impl Iterator<Item = Stage> {
    let rows = rules.iter().flat_map(|rule| &rule.watches[0].1);
    rows.filter_map(|name| Stage::from_name(name))
}

fn label(stage: Stage) -> String {
    format!("stage=\"{}\"", stage.name())
}

fn pairs(stage: Stage) -> Pairs {
    vec![("job", "punctual".to_owned()), ("stage", stage.name().to_owned())]
}
