//! The interval of a median by the circular block bootstrap (Künsch 1989; Politis and Romano
//! 1992): windows are drawn in blocks of neighbours, as what disturbs one second disturbs the
//! next, and each window is as likely to be drawn as any other.
//!
//! Never here: what the values are.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Interval, median, tail};

/// Drawings: with ten thousand the bounds of a 95 % interval rest on 250 values each.
pub(in crate::gate) const RESAMPLES: usize = 10_000;

/// The interval of the median of values in the order of time. None of none.
pub(in crate::gate) fn median_interval(
    values: &[f64],
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    let n = values.len();
    let block = block_length(n);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = vec![0.0; n];
    let mut medians = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        for piece in drawn.chunks_mut(block) {
            let from = below(&mut rng, n);
            for (i, slot) in piece.iter_mut().enumerate() {
                *slot = values[(from + i) % n];
            }
        }
        medians.push(median(&mut drawn)?);
    }
    medians.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| medians[(share * (RESAMPLES - 1) as f64).round() as usize];
    Some(Interval { low: at(tail(confidence)), high: at(1.0 - tail(confidence)) })
}

/// Grows with the third root, as is best for an interval's width (Hall, Horowitz and Jing 1995).
fn block_length(n: usize) -> usize {
    ((n as f64).cbrt().round() as usize).max(1)
}

/// Multiply and shift: the bias is below n ÷ 2^64.
fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn interval(values: &[f64]) -> Interval {
        median_interval(values, 0.95, 7).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 100)).collect();
        assert_eq!(interval(&values), interval(&values));
        assert_ne!(median_interval(&values, 0.95, 8), median_interval(&values, 0.95, 7));
        assert_eq!(median_interval(&[], 0.95, 7), None);
        assert_eq!(interval(&[2.0; 9]), Interval { low: 2.0, high: 2.0 });
    }

    /// Of independent values, the order statistics around the median have an exact interval: for
    /// 100 of them the 40th and the 61st, 96.5 %. Blocks of what has no order change little.
    #[test]
    fn of_independent_values_it_is_that_of_the_order_statistics() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut values: Vec<f64> = (0..100).map(f64::from).collect();
        for i in (1..values.len()).rev() {
            values.swap(i, below(&mut rng, i + 1));
        }
        let Interval { low, high } = interval(&values);
        assert!((34.0..=44.0).contains(&low) && (55.0..=65.0).contains(&high), "{low} {high}");
    }

    /// Values that come in runs of ten alike say as much as a tenth of them: the interval is wider
    /// than that of the same values in another order.
    #[test]
    fn neighbours_that_are_alike_widen_it() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let runs: Vec<f64> = (0..40)
            .flat_map(|_| {
                let value = below(&mut rng, 1_000) as f64;
                (0..10).map(move |i| value + f64::from(i) / 100.0)
            })
            .collect();
        let mut mixed = runs.clone();
        for i in (1..mixed.len()).rev() {
            mixed.swap(i, below(&mut rng, i + 1));
        }
        let width = |values: &[f64]| interval(values).high - interval(values).low;
        assert!(width(&runs) > 1.5 * width(&mixed), "{} {}", width(&runs), width(&mixed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn it_holds_the_median_and_turns_with_the_sign(
            values in prop::collection::vec(-1.0..1.0_f64, 12..60),
        ) {
            let found = interval(&values);
            let middle = median(&mut values.clone()).unwrap();
            prop_assert!(found.low <= middle && middle <= found.high);
            // The logarithm of base over head is minus that of head over base.
            let turned: Vec<f64> = values.iter().map(|v| -v).collect();
            let turned = interval(&turned);
            prop_assert!((turned.low + found.high).abs() < 0.2);
            prop_assert!((turned.high + found.low).abs() < 0.2);
        }
    }
}
