//! Whether a level rises: the backlog of a service that can't keep up.
//!
//! Never here: which level that is.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// The slope of the least-squares line through points, a second, with the lower bound of its
/// two-sided interval at 95 %. A backlog's points hang together, so that fewer of them speak for
/// themselves: as many as the correlation of neighbours leaves (Bayley and Hammersley, 1946, for a
/// first-order process).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slope {
    /// How much the level rises a second.
    pub(crate) per_second: f64,
    /// At least so much.
    pub(crate) at_least: f64,
}

/// Of fewer points nothing is said.
const POINTS_MIN: usize = 5;
const CONFIDENCE: f64 = 0.95;
/// Neighbours that hang together more than this leave no interval.
const CORRELATION_MAX: f64 = 0.99;

/// The slope, where there are enough points.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    if points.len() < POINTS_MIN {
        return None;
    }
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let across: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    if across <= 0.0 {
        return None;
    }
    let per_second = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / across;
    let off: Vec<f64> = points.iter().map(|p| p.1 - y - per_second * (p.0 - x)).collect();
    let squares: f64 = off.iter().map(|d| d * d).sum();
    if squares <= 0.0 {
        return Some(Slope { per_second, at_least: per_second });
    }
    let neighbours: f64 = off.windows(2).map(|two| two[0] * two[1]).sum();
    let correlation = (neighbours / squares).clamp(0.0, CORRELATION_MAX);
    let speak = n * (1.0 - correlation) / (1.0 + correlation);
    // Two are used up by the line; of less than one more the interval is that of one.
    let freedom = (speak - 2.0).max(1.0);
    let error = (squares / across / freedom).sqrt();
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(f64::midpoint(1.0, CONFIDENCE));
    Some(Slope { per_second, at_least: per_second - t * error })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(level: impl Fn(f64) -> f64) -> Slope {
        let points: Vec<_> = (0..20).map(|s| (f64::from(s), level(f64::from(s)))).collect();
        slope(&points).unwrap()
    }

    #[test]
    fn a_level_that_rises_is_told_from_one_that_swings() {
        let rising = of(|s| 10.0 * s + (s % 2.0));
        assert!((rising.per_second - 10.0).abs() < 0.1 && rising.at_least > 9.0, "{rising:?}");
        let swinging = of(|s| 100.0 * (s % 2.0));
        assert!(swinging.at_least < 0.0, "{swinging:?}");
        let still = of(|_| 7.0);
        assert_eq!((still.per_second, still.at_least), (0.0, 0.0));
        // An hour's hump is no trend, though a line through it rises.
        let hump = of(|s| if (8.0..16.0).contains(&s) { 100.0 } else { 0.0 });
        assert!(hump.per_second > 0.0 && hump.at_least < 0.0, "{hump:?}");
        // What rises slowly below what swings rises for sure.
        let slowly = of(|s| 0.3 * s + (s % 2.0));
        assert!(slowly.at_least > 0.0, "{slowly:?}");
        assert_eq!(slope(&[(0.0, 0.0); 4]), None, "too few");
        assert_eq!(slope(&[(1.0, 0.0); 9]), None, "all at once");
    }
}
