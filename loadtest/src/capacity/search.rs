//! Which rate is tried next: twice as much until it is too much, then the middle (of ratios)
//! between the highest that passed and the lowest that did not, then the rates around that edge
//! again and again in a shuffled order, so that nothing that drifts meanwhile looks like the rate's
//! doing.
//!
//! Pure: what is known so far decides. Never here: trying a rate, or what passing means (`step`).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use schemars::JsonSchema;
use serde::Serialize;

/// How a search goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Search {
    /// The first rate.
    pub(crate) start: f64,
    /// No rate is above this.
    pub(crate) most: f64,
    /// The edge is found when the lowest that failed is at most so many times the highest that
    /// passed.
    pub(crate) within: f64,
    /// How often each rate of the sweep is tried.
    pub(crate) repeats: u32,
    /// Decides the order of the sweep.
    pub(crate) seed: u64,
}

/// No rate is below this, in requests a second.
const LEAST: f64 = 1.0;
/// The rates of the sweep: the edge's two, and as shares of them some to either side.
const BELOW: [f64; 2] = [0.8, 0.9];
const ABOVE: [f64; 1] = [1.1];

/// Why a rate is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// To find a rate that is too much.
    Probe,
    /// To find the edge.
    Bisect,
    /// To see how sure the edge is.
    Sweep,
}

/// A rate that was tried, and whether it passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tried {
    pub(crate) rate: f64,
    pub(crate) phase: Phase,
    /// None where it had too few cases to tell, as any lower rate has: neither passed nor failed.
    pub(crate) passed: Option<bool>,
}

/// Between which rates the edge lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Bracket {
    /// The highest rate that passed more often than not, as did every lower one.
    pub(crate) passes: Option<Tally>,
    /// The lowest rate that did not.
    pub(crate) fails: Option<Tally>,
}

/// How often a rate passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Tally {
    /// The rate.
    pub(crate) rate: f64,
    /// How often it passed.
    pub(crate) passed: u32,
    /// How often it was tried.
    pub(crate) tried: u32,
}

impl Search {
    /// The rate to be tried next; none when all is known that is to be known.
    pub(crate) fn next(&self, tried: &[Tried]) -> Option<(f64, Phase)> {
        let edge = tried.iter().filter(|t| t.phase != Phase::Sweep);
        let of = |told| edge.clone().filter(move |t| t.passed == told).map(|t| t.rate);
        let passed = of(Some(true)).reduce(f64::max);
        let failed = of(Some(false)).reduce(f64::min);
        let few = of(None).reduce(f64::max);
        let swept = tried.iter().filter(|t| t.phase == Phase::Sweep).count();
        // Below a rate of too few cases there is nothing to be seen either: what is to be found is
        // above it, as above one that passed.
        let floor = passed.into_iter().chain(few).reduce(f64::max);
        let (floor, high) = match (floor, failed) {
            (None, None) => return Some((self.rounded(self.start), Phase::Probe)),
            // Nothing above may be tried; how sure this one is follows from its repeats.
            (Some(floor), None) if floor >= self.most => {
                let low = passed.filter(|_| swept < self.repeats as usize);
                return low.map(|low| (low, Phase::Sweep));
            }
            (Some(floor), None) => return Some((self.rounded(floor * 2.0), Phase::Probe)),
            (None, Some(high)) if high <= LEAST => return None,
            (None, Some(high)) => return Some((self.rounded(high / 2.0), Phase::Probe)),
            (Some(floor), Some(high)) => (floor, high),
        };
        let middle = self.rounded((floor * high).sqrt());
        // Rates are whole to three digits: there may be none between the two.
        if high > floor * self.within && middle > floor && middle < high {
            return Some((middle, Phase::Bisect));
        }
        let rate = self.sweep(passed?, high, few).get(swept).copied()?;
        Some((rate, Phase::Sweep))
    }

    /// The sweep around an edge, in its shuffled order; without what lies below it where the cases
    /// are too few.
    fn sweep(&self, low: f64, high: f64, few: Option<f64>) -> Vec<f64> {
        let below = BELOW.map(|share| self.rounded(low * share));
        let below = below.into_iter().filter(|rate| few.is_none_or(|few| *rate > few));
        let above = ABOVE.map(|share| self.rounded(high * share));
        let mut rates: Vec<f64> = below.chain([low, high]).chain(above).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let mut all: Vec<f64> = (0..self.repeats).flat_map(|_| rates.iter().copied()).collect();
        shuffle(&mut all, self.seed);
        all
    }

    /// To three digits, so that a rate can be given again, and within the bounds.
    fn rounded(&self, rate: f64) -> f64 {
        let unit = 10_f64.powf(rate.max(LEAST).log10().floor() - 2.0);
        let rounded = (rate / unit).round() * unit;
        // Without the digits that the powers of ten leave behind.
        ((rounded * 1e6).round() / 1e6).clamp(LEAST, self.most)
    }
}

/// Puts things into an order that the seed alone decides (Fisher and Yates).
pub(super) fn shuffle<T>(all: &mut [T], seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    for i in (1..all.len()).rev() {
        all.swap(i, (chance.next_u64() % (i as u64 + 1)) as usize);
    }
}

/// Each rate of which something can be told once, rising, with how often it passed.
pub(crate) fn tallies(tried: &[Tried]) -> Vec<Tally> {
    let mut all: Vec<Tally> = Vec::new();
    for t in tried {
        let Some(passed) = t.passed.map(u32::from) else { continue };
        match all.iter_mut().find(|tally| tally.rate == t.rate) {
            Some(tally) => {
                tally.passed += passed;
                tally.tried += 1;
            }
            None => all.push(Tally { rate: t.rate, passed, tried: 1 }),
        }
    }
    all.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    all
}

/// The bracket that follows from all that was tried.
pub(crate) fn bracket(tried: &[Tried]) -> Bracket {
    let all = tallies(tried);
    let holds = |tally: &&Tally| tally.passed * 2 > tally.tried;
    let passes = all.iter().take_while(holds).last().copied();
    let fails = all.iter().find(|tally| !holds(tally)).copied();
    Bracket { passes, fails }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SEARCH: Search = Search { start: 50.0, most: 1e6, within: 1.1, repeats: 3, seed: 1 };

    /// Everything that is tried of a service that carries up to this rate.
    fn all(search: Search, ceiling: f64) -> Vec<Tried> {
        let mut tried = Vec::new();
        while let Some((rate, phase)) = search.next(&tried) {
            tried.push(Tried { rate, phase, passed: Some(rate <= ceiling) });
            assert!(tried.len() < 100, "it ends");
        }
        tried
    }

    /// The same, where up to a rate the cases are too few.
    fn all_above(few: f64, ceiling: f64) -> Vec<Tried> {
        let search = Search { most: 20_000.0, ..SEARCH };
        let mut tried = Vec::new();
        while let Some((rate, phase)) = search.next(&tried) {
            tried.push(Tried { rate, phase, passed: (rate > few).then_some(rate <= ceiling) });
            assert!(tried.len() < 100, "it ends");
        }
        tried
    }

    #[test]
    fn above_too_few_cases_the_search_goes_up_and_never_below_them() {
        // Every step of the first search would have halved the rate, to fewer cases still.
        let tried = all_above(120.0, 730.0);
        let probed: Vec<f64> = tried.iter().take(5).map(|t| t.rate).collect();
        assert_eq!(probed, [50.0, 100.0, 200.0, 400.0, 800.0]);
        let bracket_of = bracket(&tried);
        let (passes, fails) = (bracket_of.passes.unwrap(), bracket_of.fails.unwrap());
        assert!(passes.rate <= 730.0 && 730.0 < fails.rate, "{bracket_of:?}");
        // What passes lies right above what can't be told: nothing is swept below it.
        let near = all_above(700.0, 740.0);
        let swept = near.iter().filter(|t| t.phase == Phase::Sweep);
        assert!(swept.clone().count() > 0 && swept.clone().all(|t| t.rate > 700.0), "{near:?}");
        // What is too much lies right above what can't be told: no rate is known to pass or not to.
        let none = all_above(700.0, 650.0);
        let bracket_of = bracket(&none);
        assert_eq!(bracket_of.passes, None);
        assert!(bracket_of.fails.unwrap().rate <= 700.0 * 1.1, "{none:?}");
        // Nothing can be told at all.
        let last = all_above(1e9, 1e9).last().copied().unwrap();
        assert_eq!((last.rate, last.passed), (20_000.0, None));
        assert_eq!(bracket(&all_above(1e9, 1e9)), Bracket { passes: None, fails: None });
    }

    #[test]
    fn the_edge_is_found_from_either_side() {
        for ceiling in [1.0, 3.3, 47.0, 50.0, 730.0, 99_999.0] {
            let bracket = bracket(&all(SEARCH, ceiling));
            let (passes, fails) = (bracket.passes.unwrap(), bracket.fails.unwrap());
            assert!(passes.rate <= ceiling && ceiling < fails.rate, "{ceiling}: {bracket:?}");
            // Below ten, three digits are finer than the width; the sweep looks a tenth beyond.
            assert!(fails.rate / passes.rate <= 1.1 * 1.11, "{ceiling}: {bracket:?}");
            assert!(passes.tried >= 3 && fails.tried >= 3, "{bracket:?}");
        }
    }

    #[test]
    fn first_it_doubles_then_it_halves_then_it_sweeps_in_a_shuffled_order() {
        let tried = all(SEARCH, 730.0);
        let rates = |phase| -> Vec<f64> {
            tried.iter().filter(|t| t.phase == phase).map(|t| t.rate).collect()
        };
        assert_eq!(rates(Phase::Probe), [50.0, 100.0, 200.0, 400.0, 800.0]);
        assert_eq!(rates(Phase::Bisect), [566.0, 673.0, 734.0]);
        let swept = rates(Phase::Sweep);
        assert_eq!(swept.len(), 15);
        let rises = swept.windows(2).all(|two| two[0] <= two[1]);
        assert!(!rises, "shuffled: {swept:?}");
        assert_eq!(all(SEARCH, 730.0), tried, "the same seed, the same order");
    }

    #[test]
    fn what_has_no_edge_is_said_to_have_none() {
        let search = Search { most: 400.0, ..SEARCH };
        let never = bracket(&all(search, 1e9));
        let highest = Tally { rate: 400.0, passed: 4, tried: 4 };
        assert_eq!((never.passes, never.fails), (Some(highest), None));
        let always = bracket(&all(search, 0.0));
        assert_eq!((always.passes, always.fails.unwrap().rate), (None, 1.0));
    }

    #[test]
    fn a_rate_that_passes_now_and_then_is_no_pass() {
        let tried = |rate, passed| Tried { rate, phase: Phase::Sweep, passed: Some(passed) };
        let bracket = bracket(&[
            tried(100.0, true),
            tried(110.0, true),
            tried(110.0, false),
            tried(120.0, true),
            tried(100.0, true),
        ]);
        assert_eq!(bracket.passes.unwrap(), Tally { rate: 100.0, passed: 2, tried: 2 });
        assert_eq!(bracket.fails.unwrap(), Tally { rate: 110.0, passed: 1, tried: 2 });
    }
}
