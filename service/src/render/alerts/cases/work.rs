//! The work.

use contract::Family;

use super::super::case::{Case, Labels};
use super::noise;

const JOB: Labels = &[("job", "punctual")];

pub(super) fn cases() -> Vec<Case> {
    [laws(), super::reconciliation::cases(), rate(), stages(), pending()].concat()
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

fn rate() -> Vec<Case> {
    let (messages, due) = (Family::Messages.name(), Family::MessagesDue.name());
    let missing = "PunctualMessagesMissing";
    // Per 30 s; a batch is late now and then, and the sums agree.
    let noisy = |late: u32| {
        super::counter(100, move |step| {
            let moved = |step: u32| (20.0 * noise(step)).round();
            100.0 + moved(step.saturating_sub(late)) - moved(step.saturating_sub(late + 1))
        })
    };
    vec![
        Case::new(missing, "400 due, 150 sent", "30m")
            .series(due, "", "0+20x80")
            .series(messages, "fate=\"sent\"", "0+6x80")
            .series(messages, "fate=\"failed\"", "0+1x80")
            .series(messages, "fate=\"suppressed_opted_out\"", "0+1x80")
            // What became of them later ends nothing.
            .series(messages, "fate=\"delivered\"", "0+12x80")
            .fires(
                &[],
                JOB,
                "60% of the reminders that fell due in the last quarter of an hour have come to no \
                 end: not sent, not suppressed, not failed, not expired.",
            ),
        Case::new(missing, "noise, a batch later than due", "30m")
            .series(due, "", noisy(0))
            .series(messages, "fate=\"sent\"", noisy(2)),
        Case::new(missing, "a quiet night with three due, one of them late", "30m")
            .series(due, "", "0x20 1x20 2x20 3x20")
            .series(messages, "fate=\"sent\"", "0x21 1x39 2x20"),
        Case::new(missing, "the day begins: what falls due is soon done", "30m")
            .series(due, "", "0x30 0+200x50")
            .series(messages, "fate=\"sent\"", "0x31 0+200x49"),
    ]
}

fn stages() -> Vec<Case> {
    let last_run = Family::StageLastRun.name();
    let failures = Family::StageFailures.name();
    let batches = format!("{}_count", Family::StageDuration.name());
    let (stuck, fails) = ("PunctualStageStuck", "PunctualStageFails");
    vec![
        Case::new(stuck, "recover and fold stop at five minutes", "10m")
            .series(last_run, "stage=\"recover\"", "0+30x10 300x20")
            .series(last_run, "stage=\"fold\"", "0+30x10 300x20")
            .series(last_run, "stage=\"sweep\"", "0+30x10 300x20")
            .fires(
                &[("slo_tier", "critical")],
                &[("job", "punctual"), ("stage", "recover")],
                "Stage recover came to the end of a turn 5m 0s ago, in any process.",
            )
            .fires(
                &[("slo_tier", "standard")],
                &[("job", "punctual"), ("stage", "fold")],
                "Stage fold came to the end of a turn 5m 0s ago, in any process.",
            ),
        Case::new(stuck, "a turn a minute late, once", "10m").series(
            last_run,
            "stage=\"recover\"",
            "0+30x10 300 300 390+30x10",
        ),
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

fn pending() -> Vec<Case> {
    let oldest = Family::OldestPending.name();
    let waits = "PunctualOldestPending";
    vec![
        Case::new(waits, "nothing is claimed any more", "10m")
            .series(oldest, "stage=\"claim\"", "0+30x30")
            .series(oldest, "stage=\"release\"", "1x30")
            .fires(
                &[("slo_tier", "critical")],
                &[("job", "punctual"), ("stage", "claim")],
                "The oldest item before stage claim has waited for 10m 0s. Reminders are late.",
            ),
        Case::new(waits, "a pause of a minute and a half", "10m").series(
            oldest,
            "stage=\"claim\"",
            "0x10 30 60 90 0x20",
        ),
    ]
}
