//! How far ahead the creep alert fires, and what it stays silent on, measured over months on the
//! buckets that the service has: three months in promtool's time for each course of events.
//!
//! The days found here are the ones in `docs/alerts.md`, whose table is held against them.

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::time::Duration;

use contract::{Endpoint, Family};
use stack::RunDir;
use tests::TestApp;
use tests::binary::tool;

use super::repository;

/// The path whose objective is crossed.
const ROUTE: Endpoint = Endpoint::UpsertAppointments;
/// The grid of `service/src/obs/buckets.rs`, as a scrape shows it.
const BOUNDS: [f64; 21] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.75,
    1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Two flat weeks, then eleven of whatever happens.
const FLAT_DAYS: f64 = 14.0;
const DAYS: u32 = 91;
const SAMPLES_A_DAY: u32 = 4;
const REQUESTS_A_SAMPLE: f64 = 6_000.0;

/// Log-logistic distributions, whose quantiles are simple; the shape is their narrowness. With 4
/// the 95th percentile is twice the median, as for a request that waits for a disk now and then;
/// with 16 it is 1.2 times, and lies in one bucket with nearly everything.
const WIDE: f64 = 4.0;
const NARROW: f64 = 16.0;

/// What happens to the 95th percentile, in seconds, by the day.
struct Course {
    name: &'static str,
    shape: f64,
    p95: fn(f64) -> f64,
    /// Requests at weekends, as a share of other days'.
    weekend: f64,
    /// The whole days from the start on which it first fires for the 95th percentile and for the
    /// 99th; none if it must not.
    fires_on: Option<[u32; 2]>,
}

fn linear(day: f64) -> f64 {
    0.2 + 0.4 * (day - FLAT_DAYS).max(0.0) / 77.0
}

/// What fills up: a table of random ids, a disk, a pool.
fn fill(day: f64) -> f64 {
    0.16 / (1.0 - 0.8 * (day - FLAT_DAYS).max(0.0) / 77.0)
}

fn noise(day: f64) -> f64 {
    let step = (day * f64::from(SAMPLES_A_DAY)).round() as u32;
    f64::from(step.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24) * 2.0 - 1.0
}

fn weekly(day: f64) -> f64 {
    0.2 * (1.0 + 0.33 * (TAU * day / 7.0).sin())
}

fn spiky(day: f64) -> f64 {
    // A quarter of a day in nine, to three times as much.
    if day.rem_euclid(9.0) < 0.25 { 0.6 } else { 0.2 }
}

/// Of what is silent: nine tenths of the objective, so that whatever there is of a slope would
/// cross it within the four weeks that are looked ahead.
const NEAR: f64 = 0.45;

const fn silent(name: &'static str, shape: f64, p95: fn(f64) -> f64) -> Course {
    Course { name, shape, p95, weekend: 1.0, fires_on: None }
}

const fn fires(name: &'static str, shape: f64, p95: fn(f64) -> f64, days: [u32; 2]) -> Course {
    Course { name, shape, p95, weekend: 1.0, fires_on: Some(days) }
}

const COURSES: [Course; 20] = [
    fires("linear, 200 to 600 ms, wide", WIDE, linear, [32, 25]),
    fires("linear, narrow", NARROW, linear, [30, 26]),
    fires(
        "linear, with noise of a fifth",
        WIDE,
        |day| linear(day) * (1.0 + 0.2 * noise(day)),
        [31, 27],
    ),
    Course {
        weekend: 0.01,
        ..fires("linear, nearly no requests at weekends", WIDE, linear, [33, 25])
    },
    fires("160 ms / (1 − fill), fill 0 to 0.8, wide", WIDE, fill, [59, 49]),
    fires("160 ms / (1 − fill), narrow", NARROW, fill, [56, 50]),
    silent("flat at 200 ms", WIDE, |_| 0.2),
    silent("noise of a half around 200 ms, wide", WIDE, |day| 0.2 * (1.0 + 0.5 * noise(day))),
    silent("noise of a half around 200 ms, narrow", NARROW, |day| 0.2 * (1.0 + 0.5 * noise(day))),
    silent("weekly season of a third around 200 ms", WIDE, weekly),
    Course { weekend: 0.01, ..silent("the same, nearly no requests at weekends", WIDE, weekly) },
    silent("spikes from 200 to 600 ms each nine days", WIDE, spiky),
    silent("one step from 200 to 300 ms", WIDE, |day| if day < 40.0 { 0.2 } else { 0.3 }),
    silent("flat at 450 ms, wide", WIDE, |_| NEAR),
    silent("flat at 450 ms, narrow", NARROW, |_| NEAR),
    silent("noise of a fifth around 450 ms, wide", WIDE, |day| NEAR * (1.0 + 0.2 * noise(day))),
    silent("noise of a fifth around 450 ms, narrow", NARROW, |day| NEAR * (1.0 + 0.2 * noise(day))),
    silent("weekly season of a third around 450 ms", WIDE, |day| NEAR / 0.2 * weekly(day)),
    silent("spikes from 450 to 1,350 ms each nine days", WIDE, |day| NEAR / 0.2 * spiky(day)),
    silent("one step from 300 to 450 ms", WIDE, |day| if day < 40.0 { 0.3 } else { NEAR }),
];

fn objective() -> f64 {
    f64::from(ROUTE.spec().latency_ms) / 1e3
}

impl Course {
    /// The day on which the 95th percentile crosses the objective.
    fn crosses_on(&self) -> Option<f64> {
        let days = (0..DAYS * 24).map(|hour| f64::from(hour) / 24.0);
        days.into_iter().find(|day| (self.p95)(*day) > objective())
    }

    /// Its row in the document.
    fn row(&self) -> String {
        match (self.fires_on, self.crosses_on()) {
            (Some([p95, p99]), Some(crosses)) => {
                let ahead = (crosses - f64::from(p95)).floor();
                format!("| {} | {crosses:.1} | {p95} | {ahead} | {p99} |", self.name)
            }
            _ => format!("| {} | – | never | – | never |", self.name),
        }
    }

    /// The counters of three months.
    fn series(&self) -> String {
        let mut sums = [0.0; BOUNDS.len() + 1];
        let mut values = vec![String::from("0"); BOUNDS.len() + 1];
        for step in 0..DAYS * SAMPLES_A_DAY {
            let day = f64::from(step) / f64::from(SAMPLES_A_DAY);
            let is_weekend = day.rem_euclid(7.0) >= 5.0;
            let requests = REQUESTS_A_SAMPLE * if is_weekend { self.weekend } else { 1.0 };
            let p95 = (self.p95)(day);
            for (i, sum) in sums.iter_mut().enumerate() {
                let over = |bound: &f64| (p95 / bound).powf(self.shape) / 19.0;
                let share = BOUNDS.get(i).map_or(1.0, |bound| 1.0 / (1.0 + over(bound)));
                *sum += requests * share;
                _ = write!(values[i], " {:.0}", sum.round());
            }
        }
        let route = format!("job=\"punctual\",http_route=\"{}\"", ROUTE.name());
        let family = Family::HttpServerRequestDuration.name();
        let threshold = Family::SloLatencyThreshold.name();
        let mut text = format!(
            "    - series: '{threshold}{{{route},slo=\"latency\"}}'\n      values: '{}x{}'\n",
            objective(),
            DAYS * SAMPLES_A_DAY,
        );
        let mut add = |name: String, values: &str| {
            _ = write!(text, "    - series: '{family}{name}'\n      values: '{values}'\n");
        };
        for (i, values) in values.iter().enumerate() {
            let bound = BOUNDS.get(i).map_or("+Inf".to_owned(), f64::to_string);
            add(format!("_bucket{{{route},outcome=\"ok\",le=\"{bound}\"}}"), values);
        }
        add(format!("_count{{{route},outcome=\"ok\"}}"), &values[BOUNDS.len()]);
        text
    }

    /// The case: on which days it first fires, and that it goes on until the objective is crossed.
    fn case(&self) -> String {
        let mut text = format!("  - interval: 6h\n    input_series:\n{}", self.series());
        text += "    promql_expr_test:\n";
        let mut add = |expr: String, at: String, value: Option<u32>| {
            let sample = value
                .map_or(String::new(), |value| format!("{{ labels: '{{}}', value: {value} }}"));
            _ = write!(
                text,
                "    - expr: '{expr}'\n      eval_time: {at}\n      exp_samples: [{sample}]\n"
            );
        };
        let mut alert = String::new();
        for (i, quantile) in ["0.95", "0.99"].into_iter().enumerate() {
            alert = format!(
                "ALERTS{{alertname=\"PunctualLatencyCreeps\",alertstate=\"firing\",\
                 quantile=\"{quantile}\"}}"
            );
            let first = format!("floor(min(min_over_time(timestamp({alert})[91d:6h])) / 86400)");
            add(first, "91d".to_owned(), self.fires_on.map(|days| days[i]));
        }
        if let Some(day) = self.crosses_on().filter(|_| self.fires_on.is_some()) {
            // In whole samples.
            let hours = (day * f64::from(SAMPLES_A_DAY)).floor() * 24.0 / f64::from(SAMPLES_A_DAY);
            add(format!("count({alert})"), format!("{hours}h"), Some(1));
        }
        text
    }
}

/// What is found here holds for the buckets that the service has, and for no others.
#[tokio::test]
async fn the_grid_is_the_services() {
    let app = TestApp::start().await;
    let scrape = app.scrape().await;
    for family in [
        Family::HttpServerRequestDuration,
        Family::HttpServerTimeToFirstByte,
        Family::JourneyDuration,
        Family::StageLateness,
    ] {
        let name = format!("{}_bucket", family.name());
        let series = scrape.all(&name, &[]).map(|sample| sample.labels["le"].as_str());
        let bounds: BTreeSet<&str> = series.collect();
        let known = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let known: Vec<String> = known.collect();
        assert_eq!(bounds, known.iter().map(String::as_str).collect(), "{}", family.name());
    }
    app.finish().await;
}

/// The document says what is tested here, and nothing else.
#[test]
fn the_document_has_these_days() {
    let document = std::fs::read_to_string(repository("docs/alerts.md")).unwrap();
    let head = "| Course of the 95th percentile |";
    let found = document.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let found: Vec<&str> = found.take_while(|line| line.starts_with('|')).collect();
    let rows: Vec<String> = COURSES.iter().map(Course::row).collect();
    assert_eq!(found, rows, "docs/alerts.md should have:\n{}", rows.join("\n"));
}

#[tokio::test]
async fn creep_is_told_a_fortnight_ahead_and_nothing_else_is() {
    for course in &COURSES {
        if let (Some([fires, _]), Some(crosses)) = (course.fires_on, course.crosses_on()) {
            // A day that has begun counts as over.
            let ahead = crosses - f64::from(fires + 1);
            assert!(ahead >= 14.0, "{}: {ahead} days ahead", course.name);
        }
        assert!(course.fires_on.is_none() || course.crosses_on().is_some(), "{}", course.name);
    }
    let run = RunDir::create(None).unwrap();
    let rules = repository("alerts/creep.rules.yaml").canonicalize().unwrap();
    // In their file's order: what is looked at all the time is made of what is computed seldom.
    let head = format!(
        "rule_files: ['{}']\nevaluation_interval: 6h\n\
         group_eval_order: [punctual_creep_hourly, punctual_creep]\ntests:\n",
        rules.display()
    );
    let mut wrong = Vec::new();
    for course in &COURSES {
        let file = run.path().join("creep.yaml");
        std::fs::write(&file, format!("{head}{}", course.case())).unwrap();
        let arguments = ["test", "rules", file.to_str().unwrap()];
        let output = tool("promtool", &arguments, Duration::from_secs(120)).await;
        if output.status != Some(0) {
            wrong.push(format!("{}: {}{}", course.name, output.stdout, output.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
