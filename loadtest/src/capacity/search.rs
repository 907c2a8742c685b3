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
    pub(crate) passed: bool,
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
        let passed = edge.clone().filter(|t| t.passed).map(|t| t.rate).reduce(f64::max);
        let failed = edge.filter(|t| !t.passed).map(|t| t.rate).reduce(f64::min);
        let swept = tried.iter().filter(|t| t.phase == Phase::Sweep).count();
        let (low, high) = match (passed, failed) {
            (None, None) => return Some((self.rounded(self.start), Phase::Probe)),
            // Nothing above may be tried; how sure this one is follows from its repeats.
            (Some(low), None) if low >= self.most => {
                return (swept < self.repeats as usize).then_some((low, Phase::Sweep));
            }
            (Some(low), None) => return Some((self.rounded(low * 2.0), Phase::Probe)),
            (None, Some(high)) if high <= LEAST => return None,
            (None, Some(high)) => return Some((self.rounded(high / 2.0), Phase::Probe)),
            (Some(low), Some(high)) => (low, high),
        };
        let middle = self.rounded((low * high).sqrt());
        // Rates are whole to three digits: there may be none between the two.
        if high > low * self.within && middle > low && middle < high {
            return Some((middle, Phase::Bisect));
        }
        self.sweep(low, high).get(swept).map(|rate| (*rate, Phase::Sweep))
    }

    /// The sweep around an edge, in its shuffled order.
    fn sweep(&self, low: f64, high: f64) -> Vec<f64> {
        let below = BELOW.map(|share| self.rounded(low * share));
        let above = ABOVE.map(|share| self.rounded(high * share));
        let mut rates: Vec<f64> = below.into_iter().chain([low, high]).chain(above).collect();
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

/// Each rate once, rising, with how often it passed.
pub(crate) fn tallies(tried: &[Tried]) -> Vec<Tally> {
    let mut all: Vec<Tally> = Vec::new();
    for t in tried {
        let passed = u32::from(t.passed);
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
            tried.push(Tried { rate, phase, passed: rate <= ceiling });
            assert!(tried.len() < 100, "it ends");
        }
        tried
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
        let tried = |rate, passed| Tried { rate, phase: Phase::Sweep, passed };
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
