//! What a sweep of pools says: from how many workers a connection somebody waits for one, up to how
//! many nobody does, and the size that is enough beside the one by Little's law.
//!
//! Pure. Never here: measuring, or how it looks (`sheet`).

use contract::{Pool, Stage};
use schemars::JsonSchema;
use serde::Serialize;

use super::SweepStep;
use crate::capacity::answer::PoolSize;
use crate::report::units::{latency, rate as rate_of};

/// A wait for a connection counts from this share of the tightest lateness that stages of its pool
/// may have: the share by which the harness's own lag is judged.
const WAIT_SHARE_MAX: f64 = 0.1;

/// A pool in one step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PoolStep {
    pub(crate) pool: String,
    /// As the service said, of one process.
    pub(crate) connections: u32,
    /// Tasks of a process that work with a connection each.
    pub(crate) workers: u32,
    /// Workers for each connection.
    pub(crate) per_connection: f64,
    /// Waits for a connection, also of those that got none.
    pub(crate) waits: u64,
    /// 99th percentile of a wait.
    pub(crate) wait_p99_seconds: Option<f64>,
    /// The share of waits that took longer than a millisecond: what is free is had in less.
    pub(crate) waited_share: Option<f64>,
    /// The stage that was latest, and how late at the 99th percentile.
    pub(crate) latest: Option<(String, f64)>,
    /// The wait is one that counts.
    pub(crate) starves: bool,
}

/// What the sweep says of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PoolAnswer {
    /// By Little's law, of one process.
    pub(crate) by_law: PoolSize,
    /// The smallest size from which on nobody waits, with the fewest workers that were tried.
    pub(crate) shown: Option<u32>,
    /// Up to so many workers a connection nobody waits, at the law's size and above.
    pub(crate) starves_nobody: Option<f64>,
    /// From so many on somebody does.
    pub(crate) starves_from: Option<f64>,
    /// A wait counts from here on at the 99th percentile.
    pub(crate) wait_seconds_max: f64,
}

/// From here on a wait for a pool's connection counts, in seconds.
pub(crate) fn wait_seconds_max(pool: Pool) -> f64 {
    let latest = Stage::of_pool(pool).map(|stage| stage.spec().lateness_ms).min();
    latest.map_or(f64::INFINITY, |ms| f64::from(ms) / 1e3 * WAIT_SHARE_MAX)
}

/// What the steps say of a pool. Those that the machine spoilt say nothing.
pub(crate) fn answer(pool: Pool, by_law: PoolSize, steps: &[SweepStep]) -> PoolAnswer {
    let told = steps.iter().filter(|step| step.spoilt.is_none());
    let of_pool = told.flat_map(|step| &step.pools).filter(|step| step.pool == pool.name());
    let tried: Vec<&PoolStep> = of_pool.collect();
    let (starves_nobody, starves_from) = ratios(&tried, by_law.size);
    PoolAnswer {
        shown: shown(&tried),
        starves_nobody,
        starves_from,
        wait_seconds_max: wait_seconds_max(pool),
        by_law,
    }
}

/// The highest ratio below every one at which somebody waits, and the lowest of those. A pool that
/// is smaller than what is held in it makes everybody wait, whatever the ratio, and is left out.
fn ratios(tried: &[&PoolStep], size: u32) -> (Option<f64>, Option<f64>) {
    let enough = || tried.iter().filter(|step| step.connections >= size);
    let from = enough().filter(|step| step.starves).map(|step| step.per_connection);
    let from = from.reduce(f64::min);
    let below = |ratio: &f64| from.is_none_or(|from| *ratio < from);
    let nobody = enough().filter(|step| !step.starves).map(|step| step.per_connection);
    (nobody.filter(below).reduce(f64::max), from)
}

/// The smallest size from which on nobody waits, by the step of each size with the fewest workers.
fn shown(tried: &[&PoolStep]) -> Option<u32> {
    let mut fewest: Vec<&PoolStep> = tried.to_vec();
    fewest.sort_by(|a, b| {
        let by_ratio = a.per_connection.total_cmp(&b.per_connection);
        a.connections.cmp(&b.connections).then(by_ratio)
    });
    fewest.dedup_by_key(|step| step.connections);
    let enough = fewest.iter().rev().take_while(|step| !step.starves);
    enough.last().map(|step| step.connections)
}

/// The answer in plain words.
pub(crate) fn said(answer: &PoolAnswer) -> Vec<String> {
    let PoolAnswer { by_law, shown, starves_nobody, starves_from, wait_seconds_max } = answer;
    let PoolSize { pool, rate, hold_seconds, held, size } = by_law;
    let is_requests = pool == Pool::Interactive.name();
    let who = if is_requests { "critical requests" } else { "stages that move texts" };
    let wait = latency(*wait_seconds_max);
    let sweep = match shown {
        Some(shown) => format!("the sweep shows {shown} to be enough"),
        None => "of the sizes that were swept none is enough".to_owned(),
    };
    let law = format!(
        "{pool}: {} checkouts held for {} each keep {held:.2} connections in the mean, so by \
         Little's law and Erlang's C {size}; {sweep}.",
        rate_of(*rate),
        latency(*hold_seconds),
    );
    let ratio = match (starves_nobody, starves_from) {
        (Some(nobody), Some(from)) => format!(
            "with up to {nobody:.2} workers a connection nobody waits, from {from:.2} on {who} do"
        ),
        (Some(nobody), None) => format!(
            "with up to {nobody:.2} workers a connection, the most that was tried, nobody waits"
        ),
        (None, Some(from)) => format!(
            "from {from:.2} workers a connection on, the fewest that were tried, {who} wait"
        ),
        (None, None) => "nothing can be told of workers".to_owned(),
    };
    vec![law, format!("{pool}: {ratio} (for {wait} and more at p99).")]
}

#[cfg(test)]
pub(crate) fn sample(connections: u32, per_connection: f64, starves: bool) -> PoolStep {
    PoolStep {
        pool: Pool::Interactive.name().to_owned(),
        connections,
        workers: (f64::from(connections) * per_connection).round() as u32,
        per_connection,
        waits: 1_000,
        wait_p99_seconds: Some(if starves { 0.05 } else { 0.000_2 }),
        waited_share: Some(if starves { 0.1 } else { 0.0 }),
        latest: Some((Stage::Plan.name().to_owned(), 0.01)),
        starves,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::answer::sized;
    use crate::capacity::pools::step_of;

    fn check(tried: &[(u32, f64, bool)], says: (Option<u32>, Option<f64>, Option<f64>)) {
        let steps: Vec<SweepStep> = tried
            .iter()
            .map(|(size, ratio, starves)| step_of(sample(*size, *ratio, *starves)))
            .collect();
        let answer = answer(Pool::Interactive, sized(Pool::Interactive.name(), 2.0, 1.5), &steps);
        let PoolAnswer { shown, starves_nobody, starves_from, .. } = answer;
        assert_eq!((shown, starves_nobody, starves_from), says, "{tried:?}");
    }

    #[test]
    fn the_ratio_lies_between_the_most_that_nobody_waits_at_and_the_least_that_somebody_does() {
        // By the law six connections are needed for one and a half held.
        assert_eq!(sized("interactive", 2.0, 1.5).size, 6);
        let full = [(6, 0.5, false), (6, 1.0, false), (6, 2.0, true), (12, 1.5, false)];
        check(&full, (Some(6), Some(1.5), Some(2.0)));
        // What is calm above a ratio at which somebody waits proves nothing.
        check(
            &[(6, 1.0, false), (6, 2.0, true), (12, 3.0, false)],
            (Some(6), Some(1.0), Some(2.0)),
        );
        // A pool that is too small makes everybody wait, whatever the ratio.
        let small = [(3, 0.5, true), (3, 1.0, true), (6, 0.5, false), (6, 1.0, false)];
        check(&small, (Some(6), Some(1.0), None));
        check(&[(6, 0.5, true), (6, 1.0, true)], (None, None, Some(0.5)));
        check(&[], (None, None, None));
    }

    #[test]
    fn the_size_is_the_smallest_from_which_on_all_are_enough() {
        // Two were enough by chance: three were not.
        let by_chance = [(2, 1.0, false), (3, 1.0, true), (6, 1.0, false), (12, 1.0, false)];
        check(&by_chance, (Some(6), Some(1.0), None));
        // Each size by its fewest workers.
        check(&[(3, 0.5, false), (3, 4.0, true), (6, 0.5, false)], (Some(3), Some(0.5), None));
    }

    #[test]
    fn what_the_machine_spoilt_says_nothing() {
        let spoilt = SweepStep { spoilt: Some("steal".into()), ..step_of(sample(6, 0.5, true)) };
        let steps = [spoilt, step_of(sample(6, 1.0, false))];
        let answer = answer(Pool::Interactive, sized("interactive", 2.0, 1.5), &steps);
        assert_eq!((answer.starves_nobody, answer.starves_from), (Some(1.0), None));
    }

    #[test]
    fn the_answer_is_told_in_plain_words() {
        let steps = [step_of(sample(6, 1.0, false)), step_of(sample(6, 2.0, true))];
        let answer = answer(Pool::Interactive, sized("interactive", 100.0, 1.5), &steps);
        assert_eq!(
            said(&answer),
            [
                "interactive: 100/s checkouts held for 15.0 ms each keep 1.50 connections in the \
                 mean, so by Little's law and Erlang's C 6; the sweep shows 6 to be enough.",
                "interactive: with up to 1.00 workers a connection nobody waits, from 2.00 on \
                 critical requests do (for 25.0 ms and more at p99).",
            ]
        );
        assert_eq!(wait_seconds_max(Pool::Pipeline), 0.1);
    }
}
