//! A plan as text: what `loadtest plan` prints.
//!
//! Never here: a number that isn't in the plan.

use std::fmt::Write;
use std::time::Duration;

use super::Plan;
use crate::report::units::{clock, count, latency, rate, share};

/// Lines of the plot.
const ROWS: usize = 20;
/// Columns of its longest bar.
const BAR: usize = 40;

/// The plan in a screenful.
#[must_use]
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    let mut put = |line: String| writeln!(out, "{}", line.trim_end()).expect("a String takes all");
    let about = plan.about();
    put(format!("{:<10} {}", "plan", plan.hash()));
    let seed = about.seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
    put(format!("{:<10} {}{seed}", "source", about.source));
    for note in &about.notes {
        put(format!("{:<10} {note}", ""));
    }
    put(format!(
        "{:<10} {} over {}: {} in the mean, {} in the busiest second",
        "requests",
        count(plan.arrivals().len() as u64),
        latency(plan.span().as_secs_f64()),
        rate(plan.mean_rate()),
        count(plan.busiest_second())
    ));
    put(format!("{:<10} {} different ones", "", count(plan.requests().len() as u64)));
    put(String::new());
    let all = plan.arrivals().len() as f64;
    for (kind, n) in plan.kinds().iter().zip(plan.counts()) {
        put(format!("{:<40} {:>11} {:>9}", kind.name, count(n), share(n as f64 / all)));
    }
    put(String::new());
    for (from, per_second, bar) in bars(plan) {
        put(format!("{:>8} {:>9} {}", clock(from), rate(per_second), "█".repeat(bar)));
    }
    out
}

/// The rate over time: from when, how much, and how long its bar is.
fn bars(plan: &Plan) -> Vec<(Duration, f64, usize)> {
    let last = plan.arrivals().last().map_or(0, |arrival| arrival.intended_ns);
    let span = (plan.span().as_nanos() as u64).max(last + 1);
    let mut counts = [0_u64; ROWS];
    for arrival in plan.arrivals() {
        let row = u128::from(arrival.intended_ns) * ROWS as u128 / u128::from(span);
        counts[row as usize] += 1;
    }
    let seconds = span as f64 / 1e9 / ROWS as f64;
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let bar = |n: u64| (n as f64 / most as f64 * BAR as f64).round() as usize;
    let from = |row: usize| Duration::from_secs_f64(seconds * row as f64);
    let row = |(row, &n): (usize, &u64)| (from(row), n as f64 / seconds, bar(n));
    counts.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::arrivals::{even, segments};
    use super::super::build::{Builder, Wanted};
    use super::super::requests::Mix;
    use super::super::routes::Routes;
    use super::super::{About, Plan};
    use super::*;

    fn plan() -> Plan {
        let mut builder = Builder::new(Routes::default());
        let wanted = Wanted { path: "/users/1".into(), ..Wanted::default() };
        let mix = Mix::one(&mut builder, wanted).unwrap();
        let duration = Duration::from_secs(100);
        let instants = even(&segments("0..100", duration).unwrap());
        let about = About {
            source: "0..100 a second for 100s, evenly".into(),
            seed: Some(1),
            notes: vec!["3 rows left out: they write (first in line 7)".into()],
        };
        builder.plan(mix.arrivals(&instants, 1), duration, about).unwrap()
    }

    #[test]
    fn a_plan_reads_like_this() {
        expect_file!["../../testdata/plan.txt"].assert_eq(&render(&plan()));
    }
}
