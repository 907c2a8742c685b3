//! The only source of chance in a plan: ChaCha8 streams named by seed, purpose and index, and the
//! few ways to draw from them.
//!
//! The arithmetic is our own rather than rand's distributions, whose values may change between
//! releases: a plan's hash must not. Never here: anything that depends on a platform's libm.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for. Streams of different purposes never overlap, so that a change to one part
/// of a plan leaves the others as they were.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The made-up population behind a profile; the index is the clinic.
    Population = 1,
    /// The bursts of the day, for all practices together.
    Bursts = 2,
    /// A practice's settings; the index is the practice.
    Practice = 3,
    /// The patients of a practice on the day; the index is the practice.
    Patients = 4,
    /// A practice's patients of later days; the index is the practice.
    Book = 5,
    /// A practice's look-ups; the index is the practice.
    Lookups = 6,
    /// The gaps between arrivals at a rate (`crate::plan`).
    Gaps = 7,
    /// Which request arrives (`crate::plan`).
    Mix = 8,
}

/// A stream of chance.
#[derive(Debug)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of this seed, purpose and index.
    pub(crate) fn new(seed: u64, purpose: Purpose, index: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((purpose as u64) << 32 | u64::from(index));
        Self(rng)
    }

    /// `0 .. n`; 0 when `n` is 0. Multiply and shift: the bias is below n ÷ 2^64.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        // The product's upper half is below n, so it fits.
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u32
    }

    /// `low ..= high`.
    pub(crate) fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1).unsigned_abs()) as i32
    }

    /// `0 ≤ x < 1` with 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// An index with a probability in proportion to its weight.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return i;
            }
        }
        // Rounding can leave a crumb: the last index that has a weight.
        weights.iter().rposition(|w| *w > 0.0).unwrap_or(0)
    }

    /// A value of the distribution that these evenly spaced quantiles describe.
    pub(crate) fn quantile(&mut self, quantiles: &[u32]) -> u32 {
        let at = self.unit();
        interpolate(quantiles, at)
    }
}

/// The value at `0 ≤ at ≤ 1` of evenly spaced quantiles, linear between them, rounded down.
pub(crate) fn interpolate(quantiles: &[u32], at: f64) -> u32 {
    let [.., last] = quantiles else { return 0 };
    let position = at * (quantiles.len() - 1) as f64;
    let index = position as usize;
    let Some(&high) = quantiles.get(index + 1) else {
        return *last;
    };
    let low = quantiles[index];
    low + ((f64::from(high) - f64::from(low)) * (position - index as f64)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_stable_and_apart() {
        let first = |purpose, index| Draw::new(7, purpose, index).below(1_000_000);
        assert_eq!(first(Purpose::Book, 3), first(Purpose::Book, 3));
        assert_ne!(first(Purpose::Book, 3), first(Purpose::Book, 4));
        assert_ne!(first(Purpose::Book, 3), first(Purpose::Lookups, 3));
        // Known values: a change here changes every plan's hash and must be meant.
        let mut draw = Draw::new(1, Purpose::Patients, 0);
        let seen: Vec<u32> = (0..4).map(|_| draw.below(1000)).collect();
        assert_eq!(seen, KNOWN);
    }

    const KNOWN: [u32; 4] = [757, 572, 159, 189];

    #[test]
    fn draws_stay_in_range() {
        let mut draw = Draw::new(1, Purpose::Bursts, 0);
        assert_eq!(draw.below(0), 0);
        for _ in 0..1000 {
            assert!(draw.below(3) < 3);
            assert!((-2..=2).contains(&draw.between(-2, 2)));
            assert!((0.0..1.0).contains(&draw.unit()));
            assert!(draw.weighted(&[0.0, 1.0, 0.0]) == 1);
        }
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(interpolate(&[0, 10, 110], 0.0), 0);
        assert_eq!(interpolate(&[0, 10, 110], 0.25), 5);
        assert_eq!(interpolate(&[0, 10, 110], 0.75), 60);
        assert_eq!(interpolate(&[0, 10, 110], 1.0), 110);
        assert_eq!(interpolate(&[], 0.5), 0);
    }
}
