//! Creep, on the real grid of buckets: a few weeks each, to show what fires and what doesn't. How
//! far ahead is measured over months by the integration tests.

use std::f64::consts::TAU;

use contract::{Endpoint, Family, Journey, Stage};

use super::super::case::Case;
use super::super::creep;
use super::super::objective::Kind;
use super::{noise, series};
use crate::obs::buckets::SECONDS;

const DAYS: u32 = 22;
/// Samples a day.
const A_DAY: u32 = 4;
const A_QUARTER: f64 = 2_000.0;

/// What every path is held against here, in seconds, whatever its row says: rules know nothing but
/// the series.
const OBJECTIVE: f64 = 0.5;

/// What an answer's duration has beside its endpoint, where it was a success.
const OK: &str = ",outcome=\"ok\"";

/// A path of one of the kinds.
#[derive(Clone, Copy)]
struct Path {
    kind: Kind,
    row: &'static str,
    /// Of the histogram by which it is judged, and what its series have beside their row.
    family: Family,
    labels: &'static str,
}

impl Path {
    /// One of a kind. All of a kind are judged by one expression that names no row.
    fn of(kind: Kind) -> Self {
        let (row, family, labels) = match kind {
            Kind::Endpoint => {
                let row = Endpoint::UpsertAppointments.name();
                (row, Family::HttpServerRequestDuration, OK)
            }
            Kind::Journey => (Journey::DueToHandedOver.name(), Family::JourneyDuration, ""),
            Kind::Stage => (Stage::Release.name(), Family::StageLateness, ""),
        };
        Self { kind, row, family, labels }
    }

    /// An endpoint that streams, by the time to its first byte.
    fn of_stream() -> Self {
        let (kind, row) = (Kind::Endpoint, Endpoint::ReadJobReport.name());
        Self { kind, row, family: Family::HttpServerTimeToFirstByte, labels: "" }
    }

    /// The same by how long it goes on, which is its reader's affair.
    fn of_whole_stream() -> Self {
        Self { family: Family::HttpServerRequestDuration, labels: OK, ..Self::of_stream() }
    }

    /// Its events, whose 95th percentile is what a function of the step says, in objectives.
    fn case(self, story: &str, p95: impl Fn(u32) -> f64) -> Case {
        let mut sums = vec![0.0; SECONDS.len() + 1];
        let mut values = vec![vec![0_i64]; SECONDS.len() + 1];
        for step in 0..DAYS * A_DAY {
            for (i, sum) in sums.iter_mut().enumerate() {
                // Log-logistic with shape 4: skewed to the right as latencies are, and its
                // quantiles are simple. Nineteen is the odds of 95 %.
                let over = |bound: &f64| (p95(step) * OBJECTIVE / bound).powi(4) / 19.0;
                let share = SECONDS.get(i).map_or(1.0, |bound| 1.0 / (1.0 + over(bound)));
                *sum += A_QUARTER * share;
                values[i].push(sum.round() as i64);
            }
        }
        let row = format!("{}=\"{}\"", self.kind.label(), self.row);
        let slo = match self.kind {
            Kind::Endpoint | Kind::Journey => "latency",
            Kind::Stage => "lateness",
        };
        let (family, labels) = (self.family, format!("{row}{}", self.labels));
        let case = Case::new(creep::ALERT, story, "528h");
        let all = series(&values[SECONDS.len()]);
        let case = case.series(&format!("{}_count", family.name()), &labels, all);
        let bounds = SECONDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let bucket = format!("{}_bucket", family.name());
        let case = bounds.zip(&values).fold(case, |case, (bound, values)| {
            case.series(&bucket, &format!("{labels},le=\"{bound}\""), series(values))
        });
        let threshold = Family::SloLatencyThreshold.name();
        case.series(threshold, &format!("{row},slo=\"{slo}\""), format!("{OBJECTIVE}x100"))
    }

    /// With what both quantiles' alerts say.
    fn fires(self, story: &str, p95: impl Fn(u32) -> f64) -> Case {
        let rule = creep::creeps();
        ["0.95", "0.99"].into_iter().fold(self.case(story, p95), |case, quantile| {
            let labels = vec![
                (self.kind.label(), self.row.to_owned()),
                ("job", "punctual".to_owned()),
                ("quantile", quantile.to_owned()),
            ];
            let says = format!(
                "The quantile {quantile} of {} rises from week to week. If it goes on like that, \
                 it is above its objective in four weeks or sooner; \
                 path:latency_objective:days_left says when. Nobody has to be woken: find out what \
                 grows.",
                self.row,
            );
            case.fires_of(&rule, labels, says)
        })
    }
}

fn days(step: u32) -> f64 {
    f64::from(step) / f64::from(A_DAY)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let story = "from two fifths of the objective, a hundredth of it more each day";
    let rising = |step| 0.4 + 0.01 * days(step);
    for path in Kind::ALL.map(Path::of).into_iter().chain([Path::of_stream()]) {
        cases.push(path.fires(story, rising));
        cases.push(path.case("flat", |_| 0.4));
    }
    let longer = "streams go on for longer each day, and begin as soon as ever";
    cases.push(Path::of_whole_stream().case(longer, rising));
    let path = Path::of(Kind::Endpoint);
    cases.extend([
        path.case("noise of a half up and down", |step| 0.4 * (0.5 + noise(step))),
        path.case("a weekly season of a third up and down", |step| {
            0.4 * (1.0 + 0.33 * (TAU * days(step) / 7.0).sin())
        }),
        path.case("one spike to three times as much, a quarter of the day before", |step| {
            if step == (DAYS - 1) * A_DAY { 1.2 } else { 0.4 }
        }),
    ]);
    cases
}
