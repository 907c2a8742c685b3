//! When requests arrive at a given rate: constant, rising or in steps, evenly or by chance (a
//! Poisson process). Pure functions of the rate and the seed.
//!
//! The n-th arrival comes when the expected number of arrivals reaches n (evenly), or the sum of n
//! exponential gaps (Poisson), so every rate works both ways. Never here: the platform's libm,
//! whose last digit would change a plan's hash; square roots are exact everywhere, and the gaps
//! are drawn by comparisons alone.

use std::time::Duration;

use super::ARRIVALS_MAX;
use crate::day::draw::{Draw, Purpose};

/// A stretch of time whose rate goes in a straight line from one value to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Arrivals a second at its start.
    pub from: f64,
    /// Arrivals a second at its end.
    pub to: f64,
    /// How long it is.
    pub seconds: f64,
}

impl Segment {
    /// Expected arrivals.
    fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// Seconds from its start until so many arrivals are expected: the root of
    /// from·t + (to − from)·t² / 2·seconds = n, in the form that also holds for a flat line and
    /// for one that begins at zero.
    fn reaches(&self, n: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        let root = (self.from * self.from + 2.0 * slope * n).max(0.0).sqrt();
        let below = self.from + root;
        if below > 0.0 { (2.0 * n / below).min(self.seconds) } else { 0.0 }
    }
}

/// Reads a rate: `1000` (constant), `100..2000` (a ramp) or `100,200,400` (steps of equal length).
///
/// # Errors
/// When it is none of these, or more than a plan holds.
pub fn segments(rate: &str, duration: Duration) -> Result<Vec<Segment>, String> {
    let usage = || {
        format!(
            "{rate:?}: write a rate a second such as 1000, a ramp such as 100..2000, or steps such \
             as 100,200,400"
        )
    };
    let number = |text: &str| match text.trim().parse::<f64>() {
        Ok(rate) if (0.0..=1e7).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => Err(usage()),
    };
    let seconds = duration.as_secs_f64();
    let segments = if let Some((from, to)) = rate.split_once("..") {
        vec![Segment { from: number(from)?, to: number(to)?, seconds }]
    } else {
        let steps = rate.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
        let seconds = seconds / steps.len() as f64;
        steps.iter().map(|&rate| Segment { from: rate, to: rate, seconds }).collect()
    };
    let total: f64 = segments.iter().map(Segment::area).sum();
    if total < 1.0 {
        return Err(format!(
            "{rate:?} for {seconds} s is less than one request; \
             give a higher rate or a longer --duration"
        ));
    }
    if total > ARRIVALS_MAX as f64 {
        return Err(format!(
            "{rate:?} for {seconds} s is more than {ARRIVALS_MAX} requests; \
             give a lower rate or a shorter --duration"
        ));
    }
    Ok(segments)
}

/// Intended starts in nanoseconds, evenly: the first at once.
#[must_use]
pub fn even(segments: &[Segment]) -> Vec<u64> {
    let mut n = 0.0;
    at(segments, || {
        let this = n;
        n += 1.0;
        this
    })
}

/// Intended starts in nanoseconds by chance; the same seed gives the same ones.
#[must_use]
pub fn poisson(segments: &[Segment], seed: u64) -> Vec<u64> {
    let mut draw = Draw::new(seed, Purpose::Gaps, 0);
    let mut n = 0.0;
    at(segments, || {
        n += exponential(&mut draw);
        n
    })
}

/// The instants at which the expected number of arrivals reaches each of a rising series.
fn at(segments: &[Segment], mut next: impl FnMut() -> f64) -> Vec<u64> {
    let mut arrivals = Vec::new();
    let mut n = next();
    let (mut before, mut began) = (0.0, 0.0);
    for segment in segments {
        while n - before < segment.area() && arrivals.len() < ARRIVALS_MAX {
            arrivals.push(((began + segment.reaches(n - before)) * 1e9).round() as u64);
            n = next();
        }
        before += segment.area();
        began += segment.seconds;
    }
    arrivals
}

/// An exponential gap of mean 1 (J. von Neumann, "Various techniques used in connection with random
/// digits", 1951): the length of a falling run of uniform numbers decides, without a logarithm.
fn exponential(draw: &mut Draw) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = draw.unit();
        let (mut last, mut run) = (first, 1_u32);
        loop {
            let next = draw.unit();
            if next >= last {
                break;
            }
            last = next;
            run += 1;
        }
        if run % 2 == 1 {
            return whole + first;
        }
        whole += 1.0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_constant_rate_is_evenly_spread() {
        let arrivals = even(&segments("1000", seconds(10)).unwrap());
        assert_eq!(arrivals.len(), 10_000);
        assert!(arrivals.iter().enumerate().all(|(i, at)| *at == i as u64 * 1_000_000));
    }

    #[test]
    fn a_ramp_has_its_area_and_its_ends() {
        let arrivals = even(&segments("0..1000", seconds(10)).unwrap());
        assert_eq!(arrivals.len(), 5_000);
        let within = |from: u64, to: u64| {
            arrivals.iter().filter(|at| (from..to).contains(&(**at / 1_000_000_000))).count()
        };
        assert_eq!((within(0, 1), within(4, 5), within(9, 10)), (50, 450, 950));
        let down = even(&segments("1000..0", seconds(10)).unwrap());
        assert_eq!(down.len(), 5_000);
        assert!(down.is_sorted() && *down.last().unwrap() <= 10_000_000_000);
    }

    #[test]
    fn steps_share_the_time() {
        let arrivals = even(&segments("100,0,400", seconds(30)).unwrap());
        let within = |from: u64, to: u64| {
            arrivals.iter().filter(|at| (from..to).contains(&(**at / 1_000_000_000))).count()
        };
        assert_eq!((within(0, 10), within(10, 20), within(20, 30)), (1_000, 0, 4_000));
    }

    /// A Poisson process: the counts of equal windows vary as much as their mean, the gaps as much
    /// as theirs.
    #[test]
    fn chance_is_poisson_and_the_seed_decides() {
        let flat = segments("1000", seconds(100)).unwrap();
        let arrivals = poisson(&flat, 7);
        assert_eq!(arrivals, poisson(&flat, 7));
        assert_ne!(arrivals, poisson(&flat, 8));
        assert!((arrivals.len() as f64 - 1e5).abs() < 4.0 * 1e5_f64.sqrt(), "{}", arrivals.len());
        let gaps: Vec<f64> = arrivals.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.02 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let long = gaps.iter().filter(|g| **g > 2.0).count() as f64 / gaps.len() as f64;
        assert!((long - (-2.0_f64).exp()).abs() < 0.005, "{long}");
    }

    #[test]
    fn a_rate_that_is_none_says_what_to_write() {
        for rate in ["", "fast", "-1", "1..", "1,,2", "1e9"] {
            let error = segments(rate, seconds(1)).unwrap_err();
            assert!(error.contains("100..2000"), "{error}");
        }
        assert!(segments("0", seconds(10)).unwrap_err().contains("less than one"));
        assert!(segments("1000000", seconds(1_000)).unwrap_err().contains("more than"));
    }

    proptest! {
        #[test]
        fn every_rate_gives_its_number_in_order(
            rates in prop::collection::vec((0.0..500.0_f64, 0.0..500.0_f64, 0.1..5.0_f64), 1..6)
        ) {
            let segments: Vec<_> = rates
                .into_iter()
                .map(|(from, to, seconds)| Segment { from, to, seconds })
                .collect();
            let arrivals = even(&segments);
            let expected: f64 = segments.iter().map(Segment::area).sum();
            prop_assert!((arrivals.len() as f64 - expected).abs() <= 1.0);
            prop_assert!(arrivals.is_sorted());
        }
    }
}
