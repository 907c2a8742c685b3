//! Creep, on the real grid of buckets: a few weeks each, to show what fires and what doesn't. How
//! far ahead is measured over months by the integration tests.

use std::f64::consts::TAU;

use contract::Family;

use super::super::case::Case;
use super::noise;
use crate::obs::buckets::SECONDS;

const ALERT: &str = "PunctualLatencyCreeps";
const DAYS: u32 = 22;
/// Samples a day.
const A_DAY: u32 = 4;
const A_QUARTER: f64 = 2_000.0;

/// A path whose 95th percentile is what a function of the step says, in seconds.
fn path(case: Case, p95: impl Fn(u32) -> f64) -> Case {
    let route = "http_route=\"upsert_appointments\"";
    let steps = DAYS * A_DAY;
    let mut sums = vec![0.0; SECONDS.len() + 1];
    let mut values = vec![vec!["0".to_owned()]; SECONDS.len() + 1];
    for step in 0..steps {
        for (i, sum) in sums.iter_mut().enumerate() {
            // Log-logistic with shape 4: skewed to the right as latencies are, and its quantiles
            // are simple. Nineteen is the odds of 95 %.
            let share = SECONDS
                .get(i)
                .map_or(1.0, |bound| 1.0 / (1.0 + (p95(step) / bound).powi(4) / 19.0));
            *sum += A_QUARTER * share;
            values[i].push(format!("{sum:.0}"));
        }
    }
    let family = Family::HttpServerRequestDuration.name();
    let ok = format!("{route},outcome=\"ok\"");
    let case = case.series(&format!("{family}_count"), &ok, values[SECONDS.len()].join(" "));
    let bounds = SECONDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    let case = bounds.zip(values).fold(case, |case, (bound, values)| {
        case.series(&format!("{family}_bucket"), &format!("{ok},le=\"{bound}\""), values.join(" "))
    });
    let threshold = Family::SloLatencyThreshold.name();
    case.series(threshold, &format!("{route},slo=\"latency\""), "0.5x100")
}

fn days(step: u32) -> f64 {
    f64::from(step) / f64::from(A_DAY)
}

pub(super) fn cases() -> Vec<Case> {
    let case = |story| Case::new(ALERT, story, "528h");
    let says = |quantile: &str| {
        format!(
            "The quantile {quantile} of upsert_appointments rises from week to week. If it goes on \
             like that, it is above its objective in four weeks or sooner; \
             path:latency_objective:days_left says when. Nobody has to be woken: find out what \
             grows."
        )
    };
    let labels = |quantile| match quantile {
        "0.95" => {
            &[("http_route", "upsert_appointments"), ("job", "punctual"), ("quantile", "0.95")]
        }
        _ => &[("http_route", "upsert_appointments"), ("job", "punctual"), ("quantile", "0.99")],
    };
    vec![
        path(case("from 200 ms, 5 ms more each day"), |step| 0.2 + 0.005 * days(step))
            .fires(&[], labels("0.95"), says("0.95"))
            .fires(&[], labels("0.99"), says("0.99")),
        path(case("flat"), |_| 0.2),
        path(case("noise of a half up and down"), |step| 0.2 * (0.5 + noise(step))),
        path(case("a weekly season of a third up and down"), |step| {
            0.2 * (1.0 + 0.33 * (TAU * days(step) / 7.0).sin())
        }),
        path(case("one spike to three times as much, a quarter of the day before"), |step| {
            if step == (DAYS - 1) * A_DAY { 0.6 } else { 0.2 }
        }),
    ]
}
