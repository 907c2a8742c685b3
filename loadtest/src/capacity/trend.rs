//! Whether a level rises: the backlog of a service that can't keep up.
//!
//! Never here: which level that is.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How much a level rises from the first third of its points to the last, by their medians, a
/// second, with the lower bound of its two-sided interval at 95 %. Medians, as a burst that is
/// worked off is no trend; thirds, as no shape of the rise is taken for granted: a backlog that
/// stands at nothing until the service is full is as bad as one that grows from the start. The
/// interval is by the circular block bootstrap (Künsch 1989; Politis and Romano 1992), as a
/// backlog's neighbours hang together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slope {
    /// How much the level rises a second.
    pub(crate) per_second: f64,
    /// At least so much.
    pub(crate) at_least: f64,
}

/// Of fewer points nothing is said.
const POINTS_MIN: usize = 5;
/// Of fewer in a third, thirds overlap with what lies between them, up to halves: the medians of
/// one point each would differ in any noise.
const THIRD_MIN: usize = 3;
/// The share of an interval's error that lies on one of its sides.
const TAIL: f64 = 0.025;
/// Drawings: the bound rests on fifty values.
const RESAMPLES: usize = 2_000;

/// The slope, where there are enough points. They are in the order of time.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    let n = points.len();
    if n < POINTS_MIN {
        return None;
    }
    let third = (n / 3).max(THIRD_MIN.min(n / 2));
    let levels: Vec<f64> = points.iter().map(|p| p.1).collect();
    let (first, rest) = levels.split_at(third);
    let (between, last) = rest.split_at(rest.len() - third);
    let time = |of: &[(f64, f64)]| of.iter().map(|p| p.0).sum::<f64>() / third as f64;
    let seconds = time(&points[n - third..]) - time(&points[..third]);
    if seconds <= 0.0 {
        return None;
    }
    let (low, high) = (median(first), median(last));
    let per_second = (high - low) / seconds;
    // What rises does so throughout; noise that hangs together does so one time in three.
    let is_steady = between.is_empty() || (low..=high).contains(&median(between));
    let at_least = if is_steady { least(first, last) / seconds } else { f64::NEG_INFINITY };
    Some(Slope { per_second, at_least: at_least.min(per_second) })
}

/// The lower bound of the difference of two medians.
fn least(first: &[f64], last: &[f64]) -> f64 {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let mut all: Vec<f64> = (0..RESAMPLES)
        .map(|_| median(&drawn(last, &mut chance)) - median(&drawn(first, &mut chance)))
        .collect();
    all.sort_unstable_by(f64::total_cmp);
    all[(TAIL * RESAMPLES as f64) as usize]
}

/// As many levels, drawn in blocks of neighbours. Blocks grow with the third root, as is best for
/// an interval's width (Hall, Horowitz and Jing 1995).
fn drawn(levels: &[f64], chance: &mut ChaCha8Rng) -> Vec<f64> {
    let n = levels.len();
    let block = ((n as f64).cbrt().round() as usize).max(1);
    let mut drawn = Vec::with_capacity(n + block);
    while drawn.len() < n {
        let from = (chance.next_u64() % n as u64) as usize;
        drawn.extend((from..from + block).map(|i| levels[i % n]));
    }
    drawn.truncate(n);
    drawn
}

/// The middle of levels, of two middles the mean.
fn median(levels: &[f64]) -> f64 {
    let mut sorted = levels.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn over(seconds: u32, level: impl Fn(f64) -> f64) -> Slope {
        let points: Vec<_> = (0..seconds).map(|s| (f64::from(s), level(f64::from(s)))).collect();
        slope(&points).unwrap()
    }

    fn of(level: impl Fn(f64) -> f64) -> Slope {
        over(20, level)
    }

    /// Noise whose neighbours hang together by this much, of standard deviation 1 at the most.
    fn noise(seed: u64, correlation: f64, n: u32) -> Vec<f64> {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut level = 0.0;
        let mut next = || {
            // Twelve even ones make a normal one.
            let even = |chance: &mut ChaCha8Rng| chance.next_u64() as f64 / u64::MAX as f64;
            let normal = (0..12).map(|_| even(&mut chance)).sum::<f64>() - 6.0;
            level = correlation * level + (1.0 - correlation * correlation).sqrt() * normal;
            level
        };
        // It has begun long before.
        (0..100).for_each(|_| _ = next());
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn a_level_that_rises_is_told_from_one_that_swings() {
        let rising = of(|s| 10.0 * s + (s % 2.0));
        assert!((rising.per_second - 10.0).abs() < 0.1 && rising.at_least > 0.0, "{rising:?}");
        let swinging = of(|s| 100.0 * (s % 2.0));
        assert!(swinging.at_least <= 0.0, "{swinging:?}");
        let still = of(|_| 7.0);
        assert_eq!((still.per_second, still.at_least), (0.0, 0.0));
        // An hour's hump is no trend, though a line through it rises.
        let hump = of(|s| if (8.0..16.0).contains(&s) { 100.0 } else { 0.0 });
        assert!(hump.at_least <= 0.0, "{hump:?}");
        // What rises slowly below what swings rises for sure.
        let slowly = of(|s| 0.3 * s + (s % 2.0));
        assert!(slowly.at_least > 0.0, "{slowly:?}");
        assert_eq!(slope(&[(0.0, 0.0); 4]), None, "too few");
        assert_eq!(slope(&[(1.0, 0.0); 9]), None, "all at once");
    }

    #[test]
    fn a_rise_is_found_whatever_its_shape() {
        for seconds in [12, 15, 45, 150] {
            let middle = f64::from(seconds) / 2.0;
            let shapes: [(&str, &dyn Fn(f64) -> f64); 5] = [
                ("straight", &|s| 20.0 * s),
                ("square", &|s| s * s),
                ("ever faster", &|s| (s / 5.0).exp()),
                ("ever slower", &|s| (s + 1.0).ln()),
                ("from the middle on", &|s| (s - middle).max(0.0) * 20.0),
            ];
            for (shape, level) in shapes {
                let found = over(seconds, level);
                assert!(found.at_least > 0.0, "{shape} over {seconds} s: {found:?}");
                let falling = over(seconds, |s| -level(s));
                assert!(falling.at_least <= 0.0, "{shape} down over {seconds} s: {falling:?}");
            }
        }
    }

    #[test]
    fn a_spike_that_is_worked_off_is_no_rise() {
        for at in [8.0, 20.0, 33.0, 38.0] {
            let spike = over(45, |s| if s < at { 3.0 } else { (203.0 - 60.0 * (s - at)).max(3.0) });
            assert!(spike.at_least <= 0.0, "at {at}: {spike:?}");
        }
    }

    /// By the interval alone one in forty would rise, were its points independent.
    #[test]
    fn noise_seldom_rises() {
        for (correlation, most) in [(0.0, 20), (0.5, 40)] {
            let rises = |seed: &u64| {
                let levels = noise(*seed, correlation, 45);
                let points: Vec<_> = (0..45).map(f64::from).zip(levels).collect();
                slope(&points).unwrap().at_least > 0.0
            };
            let rose = (0..400).filter(rises).count();
            assert!(rose <= most, "{rose} of 400 at {correlation}");
        }
    }
}
