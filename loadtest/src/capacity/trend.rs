//! Whether a level rises: the backlog of a service that can't keep up.
//!
//! Never here: which level that is.

/// The slope of the least-squares line through points, a second, with the lower bound of its
/// interval at about 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slope {
    /// How much the level rises a second.
    pub(crate) per_second: f64,
    /// At least so much.
    pub(crate) at_least: f64,
}

/// Of fewer points nothing is said.
const POINTS_MIN: usize = 5;
/// Two standard errors, as in Student's t of some ten points; the points of a backlog hang
/// together, so that the interval is too narrow, and the rise is held against what is offered
/// besides.
const ERRORS: f64 = 2.2;

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
    let off: f64 = points.iter().map(|p| (p.1 - y - per_second * (p.0 - x)).powi(2)).sum();
    let error = (off / (n - 2.0) / across).sqrt();
    Some(Slope { per_second, at_least: per_second - ERRORS * error })
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
        assert_eq!(slope(&[(0.0, 0.0); 4]), None, "too few");
        assert_eq!(slope(&[(1.0, 0.0); 9]), None, "all at once");
    }
}
