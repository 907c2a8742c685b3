//! Fractions with the exact interval of the binomial distribution (Clopper and Pearson 1934), and
//! the sample without which nothing can be said of one.
//!
//! Never here: what is counted.

use statrs::distribution::{Beta, ContinuousCDF as _};

use super::{Interval, tail};

/// The interval of a fraction of which `hits` of `all` were seen.
pub(in crate::gate) fn fraction(hits: u64, all: u64, confidence: f64) -> Interval {
    let tail = tail(confidence);
    let (hits, rest) = (hits as f64, all.saturating_sub(hits) as f64);
    // Its parameters are at least 1 where it is asked for, so there is such a distribution.
    let bound = |a: f64, b: f64, share: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(share));
    let low = if hits > 0.0 { bound(hits, rest + 1.0, tail) } else { Ok(0.0) };
    let high = if rest > 0.0 { bound(hits + 1.0, rest, 1.0 - tail) } else { Ok(1.0) };
    Interval { low: low.unwrap_or(0.0), high: high.unwrap_or(1.0) }
}

/// How many must be seen, all of them good, before the interval says that at most `allowed` are
/// bad.
pub(in crate::gate) fn sample_needed(allowed: f64, confidence: f64) -> u64 {
    (tail(confidence).ln() / (-allowed).ln_1p()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use statrs::distribution::{Binomial, DiscreteCDF as _};

    use super::*;

    /// As the sums of the binomial distribution give them.
    #[test]
    fn known_intervals() {
        for (hits, all, low, high) in [
            (0, 300, 0.0, 0.012_220_97),
            (3, 10, 0.066_739_51, 0.652_452_9),
            (10, 10, 0.691_502_9, 1.0),
            (50, 10_000, 0.003_713_31, 0.006_586_63),
        ] {
            let Interval { low: is_low, high: is_high } = fraction(hits, all, 0.95);
            assert!((is_low - low).abs() < 2e-6, "{hits} of {all}: {is_low}");
            assert!((is_high - high).abs() < 2e-6, "{hits} of {all}: {is_high}");
        }
        assert_eq!(fraction(0, 0, 0.95), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn the_sample_that_a_share_needs() {
        assert_eq!(sample_needed(0.01, 0.95), 368);
        assert_eq!(sample_needed(0.001, 0.95), 3_688);
        // With none red in so many, one in a hundred is the most that can be.
        assert!(fraction(0, 299, 0.90).high <= 0.01 && fraction(0, 298, 0.90).high > 0.01);
    }

    proptest! {
        /// At the bound itself, what was seen or more of it has just the tail's probability.
        #[test]
        fn the_bounds_are_where_the_tails_end(all in 1_u64..2_000, share in 0.0..=1.0_f64) {
            let hits = (share * all as f64) as u64;
            let Interval { low, high } = fraction(hits, all, 0.95);
            prop_assert!(low <= hits as f64 / all as f64 && hits as f64 / all as f64 <= high);
            if hits > 0 {
                let below = Binomial::new(low, all).expect("a share").cdf(hits - 1);
                prop_assert!((1.0 - below - 0.025).abs() < 1e-4, "{hits} {all} {low} {below}");
            }
            if hits < all {
                let up_to = Binomial::new(high, all).expect("a share").cdf(hits);
                prop_assert!((up_to - 0.025).abs() < 1e-4, "{hits} {all} {high} {up_to}");
            }
        }

        #[test]
        fn what_is_needed_is_enough_and_no_less(allowed in 0.000_5..0.2_f64) {
            let needed = sample_needed(allowed, 0.95);
            prop_assert!(fraction(0, needed, 0.95).high <= allowed + 1e-6);
            prop_assert!(needed < 2 || fraction(0, needed - 1, 0.95).high > allowed - 1e-6);
        }
    }
}
