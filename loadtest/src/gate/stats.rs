//! The arithmetic of the gate, free of clocks and sockets: ratios of windows, their median with an
//! interval, fractions with exact intervals, and how small a change could have been seen.
//!
//! Requests are not independent of each other: those of one second met the same machine. So
//! nothing here takes single requests for a sample; windows are what is drawn from, in blocks.
//! Never here: what is compared with what (`judge`), or words.

pub(super) mod bootstrap;
pub(super) mod exact;
pub(super) mod windows;

use schemars::JsonSchema;
use serde::Serialize;

/// Two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Interval {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

/// The share of an interval's error that lies on one of its sides.
pub(super) fn tail(confidence: f64) -> f64 {
    (1.0 - confidence) / 2.0
}

/// The middle of some values; of two middles the mean. None of none.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let (n, half) = (values.len(), values.len() / 2);
    if n == 0 {
        return None;
    }
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let middle = *middle;
    if n % 2 == 1 {
        return Some(middle);
    }
    let other = below.iter().copied().max_by(f64::total_cmp)?;
    Some(f64::midpoint(other, middle))
}

/// The value that this share of the values does not exceed: the nearest rank, as histograms have
/// it. None of none.
pub(super) fn quantile(values: &mut [u64], share: f64) -> Option<u64> {
    let rank = (share * values.len() as f64).ceil() as usize;
    let at = rank.clamp(1, values.len().max(1)) - 1;
    (at < values.len()).then(|| *values.select_nth_unstable(at).1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_middle_and_the_nearest_rank() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 9.0]), Some(3.0));
        let hundred = || (1..=100).collect::<Vec<u64>>();
        for (share, value) in [(0.0, 1), (0.5, 50), (0.9, 90), (0.99, 99), (0.991, 100), (1.0, 100)]
        {
            assert_eq!(quantile(&mut hundred(), share), Some(value), "{share}");
        }
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    proptest! {
        #[test]
        fn a_quantile_is_a_value_that_the_share_does_not_exceed(
            values in prop::collection::vec(0_u64..1_000, 1..200),
            share in 0.0..=1.0_f64,
        ) {
            let found = quantile(&mut values.clone(), share).expect("there are values");
            let below = values.iter().filter(|value| **value <= found).count() as f64;
            let under = values.iter().filter(|value| **value < found).count() as f64;
            let n = values.len() as f64;
            prop_assert!(values.contains(&found));
            prop_assert!(below >= share * n - 1e-9 && under < (share * n).max(1.0));
        }
    }
}
