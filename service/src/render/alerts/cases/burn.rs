//! Budgets: that a path burns, a quiet one with one error, seasons, spikes, noise.

use contract::Family;

use super::super::case::{Case, Labels};
use super::{counter, noise};

const LATENCY: &str = "PunctualLatencyBudgetBurn";
const AVAILABILITY: &str = "PunctualAvailabilityBudgetBurn";
const JOURNEY: &str = "PunctualJourneyBudgetBurn";
const STAGE: &str = "PunctualStageBudgetBurn";
const TRICKLE: &str = "PunctualTrickleFails";

const UPSERT: &str = "http_route=\"upsert_appointments\",slo=\"latency\"";
const UPSERT_LABELS: Labels = &[("http_route", "upsert_appointments"), ("slo", "latency"), JOB];
const STATUS: &str = "http_route=\"receive_status\",slo=\"availability\"";
const STATUS_LABELS: Labels = &[("http_route", "receive_status"), ("slo", "availability"), JOB];
const CANCEL: &str = "http_route=\"cancel_appointment\",slo=\"availability\"";
const CANCEL_LABELS: Labels = &[("http_route", "cancel_appointment"), ("slo", "availability"), JOB];
const DUE: &str = "journey=\"due_to_handed_over\",slo=\"latency\"";
const DUE_LABELS: Labels = &[("journey", "due_to_handed_over"), ("slo", "latency"), JOB];
const RELEASE: &str = "stage=\"release\",slo=\"lateness\"";
const RELEASE_LABELS: Labels = &[("stage", "release"), ("slo", "lateness"), JOB];
const JOB: (&str, &str) = ("job", "punctual");

/// The rules of a critical path, by their long windows.
const WINDOWS: [(Labels, &str); 4] = [
    (&[("slo_tier", "critical"), ("window", "1h")], "hour"),
    (&[("slo_tier", "critical"), ("window", "6h")], "6 hours"),
    (&[("slo_tier", "critical"), ("window", "1d")], "day"),
    (&[("slo_tier", "critical"), ("window", "3d")], "3 days"),
];

trait Events: Sized {
    fn endpoint(self, labels: &str, all: impl Into<String>, good: impl Into<String>) -> Self;
    fn bound(self, labels: &str, seconds: &str) -> Self;
    fn all_windows(self, labels: Labels, says: impl Fn(&str) -> String) -> Self;
}

impl Events for Case {
    fn endpoint(self, labels: &str, all: impl Into<String>, good: impl Into<String>) -> Self {
        self.series(Family::SloRequests.name(), labels, all).series(
            Family::SloGoodRequests.name(),
            labels,
            good,
        )
    }

    fn bound(self, labels: &str, seconds: &str) -> Self {
        self.series(Family::SloLatencyThreshold.name(), labels, format!("{seconds}x1000"))
    }

    fn all_windows(self, labels: Labels, says: impl Fn(&str) -> String) -> Self {
        WINDOWS.iter().fold(self, |case, (rule, words)| case.fires(rule, labels, says(words)))
    }
}

/// A sample a minute.
pub(super) fn fast() -> Vec<Case> {
    [latency(), availability(), journeys_and_stages()].concat()
}

fn latency() -> Vec<Case> {
    let one_minute = |step| if step == 340 { 0.0 } else { 60.0 };
    vec![
        Case::new(LATENCY, "a fifth of the requests is slow", "65m")
            .endpoint(UPSERT, "0+60x70", "0+48x70")
            .bound(UPSERT, "0.5")
            .all_windows(UPSERT_LABELS, |window| {
                format!(
                    "20% of the requests to upsert_appointments in the last {window} took longer \
                     than 500ms. 1 % may. At this pace the month's budget is gone in 1d 12h 0m \
                     0s."
                )
            }),
        Case::new(LATENCY, "one spike, a minute in which every request was slow", "6h")
            .endpoint(UPSERT, "0+60x400", counter(400, one_minute))
            .bound(UPSERT, "0.5"),
        Case::new(LATENCY, "noise, half of what is allowed on average", "65m")
            .endpoint(UPSERT, "0+600x70", counter(70, |step| 600.0 - (6.0 * noise(step)).round()))
            .bound(UPSERT, "0.5"),
        Case::new(LATENCY, "it was slow until ten minutes ago: the short window ends it", "80m")
            .endpoint(UPSERT, "0+60x90", counter(90, |step| if step < 45 { 48.0 } else { 60.0 }))
            .bound(UPSERT, "0.5")
            .fires(
                WINDOWS[2].0,
                UPSERT_LABELS,
                "11.25% of the requests to upsert_appointments in the last day took longer than \
                 500ms. 1 % may. At this pace the month's budget is gone in 2d 16h 0m 0s.",
            )
            .fires(
                WINDOWS[3].0,
                UPSERT_LABELS,
                "11.25% of the requests to upsert_appointments in the last 3 days took longer than \
                 500ms. 1 % may. At this pace the month's budget is gone in 2d 16h 0m 0s.",
            ),
    ]
}

fn availability() -> Vec<Case> {
    vec![
        Case::new(AVAILABILITY, "one in twenty callbacks fails", "65m")
            .endpoint(STATUS, "0+120x70", "0+114x70")
            .all_windows(STATUS_LABELS, |window| {
                format!(
                    "5% of the requests to receive_status in the last {window} failed by our fault \
                     or were turned away. 0.1 % may. At this pace the month's budget is gone in \
                     14h 24m 0s."
                )
            }),
        Case::new(AVAILABILITY, "a quiet endpoint with one error", "65m").endpoint(
            CANCEL,
            "0+1x70",
            counter(70, |step| if step == 30 { 0.0 } else { 1.0 }),
        ),
        Case::new(AVAILABILITY, "a restart of one minute among many requests", "65m").endpoint(
            STATUS,
            "0+6000x70",
            counter(70, |step| if step == 60 { 5_500.0 } else { 6e3 }),
        ),
    ]
}

fn journeys_and_stages() -> Vec<Case> {
    let (all, good) = (Family::SloJourneys.name(), Family::SloGoodJourneys.name());
    let (items, on_time) = (Family::SloStageItems.name(), Family::SloGoodStageItems.name());
    vec![
        Case::new(JOURNEY, "reminders reach the provider late", "65m")
            .series(all, DUE, "0+100x70")
            .series(good, DUE, "0+50x70")
            .bound(DUE, "5")
            .all_windows(DUE_LABELS, |window| {
                format!(
                    "50% of the journeys due_to_handed_over in the last {window} took longer than \
                     5s. 1 % may. At this pace the month's budget is gone in 14h 24m 0s."
                )
            }),
        Case::new(JOURNEY, "a night with three journeys, one of them late", "65m")
            .series(all, DUE, "0x20 1x20 2x20 3x10")
            .series(good, DUE, "0x20 1x20 1x20 2x10")
            .bound(DUE, "5"),
        Case::new(STAGE, "release starts half of its items late", "65m")
            .series(items, RELEASE, "0+100x70")
            .series(on_time, RELEASE, "0+50x70")
            .bound(RELEASE, "2.5")
            .all_windows(RELEASE_LABELS, |window| {
                format!(
                    "50% of the items of stage release in the last {window} were started later \
                     than 2.5s. 1 % may. At this pace the month's budget is gone in 14h 24m 0s."
                )
            }),
        Case::new(STAGE, "one late batch among many", "6h")
            .series(items, RELEASE, "0+100x400")
            .series(on_time, RELEASE, counter(400, |step| if step == 340 { 0.0 } else { 100.0 }))
            .bound(RELEASE, "2.5"),
    ]
}

/// A sample each ten minutes.
pub(super) fn slow() -> Vec<Case> {
    let a_day = 144;
    // Weekdays are ten times as busy as weekends, with the same small share of slow requests.
    let week = |step: u32| if step / a_day % 7 < 5 { 2_000.0 } else { 200.0 };
    let each_half_hour = |step: u32| if step.is_multiple_of(3) { 1.0 } else { 0.0 };
    let but_one = |step: u32| if step == 60 { 0.0 } else { each_half_hour(step) };
    vec![
        Case::new(LATENCY, "half as much again as is allowed, for three days", "72h")
            .endpoint(UPSERT, "0+600x440", "0+591x440")
            .bound(UPSERT, "0.5")
            .fires(
                WINDOWS[3].0,
                UPSERT_LABELS,
                "1.5% of the requests to upsert_appointments in the last 3 days took longer than \
                 500ms. 1 % may. At this pace the month's budget is gone in 20d 0h 0m 0s.",
            ),
        Case::new(LATENCY, "a weekly season, with half of what is allowed", "168h")
            .endpoint(UPSERT, counter(7 * a_day, week), counter(7 * a_day, |s| 0.995 * week(s)))
            .bound(UPSERT, "0.5"),
        Case::new(TRICKLE, "a path of two requests an hour, all of which fail", "24h")
            .endpoint(CANCEL, counter(a_day, each_half_hour), "0x150")
            .fires(
                &[("slo_tier", "critical"), ("kind", "http_route availability")],
                CANCEL_LABELS,
                "100% of the few requests to cancel_appointment in the last day failed by our \
                 fault or were turned away. 0.1 % may. At this pace the month's budget is gone in \
                 43m 12s.",
            ),
        Case::new(TRICKLE, "the same path with one error in a day", "24h").endpoint(
            CANCEL,
            counter(a_day, each_half_hour),
            counter(a_day, but_one),
        ),
    ]
}
