//! The Universal Scalability Law (N. Gunther, "Guerrilla Capacity Planning", 2007): throughput over
//! concurrency, X(N) = λN ÷ (1 + σ(N − 1) + κN(N − 1)), with λ what one at a time brings, σ what
//! they wait for each other and κ what they cost each other.
//!
//! N ÷ X is linear in 1÷λ, σ÷λ and κ÷λ, which gives a first fit; a few steps of Gauss and Newton
//! make it the least squares of X itself. Intervals come from resampled measurements. Never here:
//! where N and X come from (by Little's law from one window, `step`).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use schemars::JsonSchema;
use serde::Serialize;

/// A measurement: concurrency and throughput.
pub(crate) type Point = (f64, f64);

/// The three figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Law {
    /// Throughput of one at a time.
    pub(crate) lambda: f64,
    /// Contention.
    pub(crate) sigma: f64,
    /// Coherency.
    pub(crate) kappa: f64,
}

/// A law with how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Fitted {
    /// The least squares of all measurements.
    pub(crate) law: Law,
    /// 95 % of the resamples lie between these.
    pub(crate) sigma_between: (f64, f64),
    /// The same for kappa.
    pub(crate) kappa_between: (f64, f64),
    /// The highest concurrency that was measured.
    pub(crate) measured_to: f64,
    /// Where throughput is highest, and how high: none where the measurements don't carry it.
    pub(crate) peak: Option<Point>,
}

/// Different concurrencies that a fit of three figures needs, with some to spare.
const POINTS_MIN: usize = 6;
const NEWTON_STEPS: usize = 40;
const RESAMPLES: usize = 2_000;
/// A peak so many times beyond what was measured is a guess.
const BEYOND_MAX: f64 = 2.0;

impl Law {
    /// Throughput at a concurrency.
    pub(crate) fn throughput(&self, n: f64) -> f64 {
        self.lambda * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    /// Where it is highest; none where it never falls.
    fn peak(&self) -> Option<Point> {
        let n = ((1.0 - self.sigma) / self.kappa).sqrt();
        (self.kappa > 0.0 && n.is_finite() && n >= 1.0).then(|| (n, self.throughput(n)))
    }
}

/// Fits the law; none where the measurements are too few or say nothing.
pub(crate) fn fit(points: &[Point], seed: u64) -> Option<Fitted> {
    let points: Vec<Point> = points.iter().copied().filter(|(n, x)| *n > 0.0 && *x > 0.0).collect();
    if distinct(&points) < POINTS_MIN {
        return None;
    }
    let law = least_squares(&points)?;
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let (mut sigmas, mut kappas) = (Vec::new(), Vec::new());
    for _ in 0..RESAMPLES {
        let mut one = || points[(chance.next_u64() % points.len() as u64) as usize];
        let sample: Vec<Point> = (0..points.len()).map(|_| one()).collect();
        // Three different ones are the fewest that a fit goes through.
        if distinct(&sample) < 4 {
            continue;
        }
        if let Some(law) = least_squares(&sample) {
            sigmas.push(law.sigma);
            kappas.push(law.kappa);
        }
    }
    let kappa_between = between(kappas)?;
    let measured_to = points.iter().map(|p| p.0).fold(0.0, f64::max);
    // Where kappa may as well be zero, there may be no peak at all.
    let peak = law.peak().filter(|(n, _)| kappa_between.0 > 0.0 && *n <= measured_to * BEYOND_MAX);
    Some(Fitted { law, sigma_between: between(sigmas)?, kappa_between, measured_to, peak })
}

fn distinct(points: &[Point]) -> usize {
    let mut all: Vec<u64> = points.iter().map(|(n, _)| (n * 1e3) as u64).collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

/// The middle 95 %.
fn between(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.retain(|value| value.is_finite());
    // Where most resamples could not be fitted, the interval of the rest means nothing.
    if values.len() < RESAMPLES / 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values[((values.len() - 1) as f64 * q).round() as usize];
    Some((at(0.025), at(0.975)))
}

/// 1, N − 1, N(N − 1): what N ÷ X is made of.
fn terms(n: f64) -> [f64; 3] {
    [1.0, n - 1.0, n * (n - 1.0)]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn least_squares(points: &[Point]) -> Option<Law> {
    let rows = points.iter().map(|(n, x)| (terms(*n).map(|term| term * x), *n));
    let mut b = linear(rows)?;
    let off = |b: [f64; 3]| -> f64 {
        points.iter().map(|(n, x)| (x - n / dot(b, terms(*n))).powi(2)).sum()
    };
    for _ in 0..NEWTON_STEPS {
        let rows = points.iter().map(|(n, x)| {
            let y = dot(b, terms(*n));
            (terms(*n).map(|term| -n / (y * y) * term), x - n / y)
        });
        let Some(step) = linear(rows) else { break };
        let (before, mut share) = (off(b), 1.0);
        let at = |share: f64| [0, 1, 2].map(|i| b[i] + share * step[i]);
        let is_better = |share: f64| off(at(share)) < before;
        while share > 1e-6 && !is_better(share) {
            share /= 2.0;
        }
        if share <= 1e-6 {
            break;
        }
        b = at(share);
    }
    let lambda = 1.0 / b[0];
    let law = Law { lambda, sigma: b[1] * lambda, kappa: b[2] * lambda };
    let sound = law.lambda > 0.0 && law.sigma.is_finite() && law.kappa.is_finite();
    sound.then_some(law)
}

/// The least squares of a linear model, by its normal equations.
fn linear(rows: impl Iterator<Item = ([f64; 3], f64)>) -> Option<[f64; 3]> {
    let mut m = [[0.0; 4]; 3];
    for (row, value) in rows {
        for (i, line) in m.iter_mut().enumerate() {
            for (j, cell) in line.iter_mut().take(3).enumerate() {
                *cell += row[i] * row[j];
            }
            line[3] += row[i] * value;
        }
    }
    // Gauss and Jordan, the largest first.
    for i in 0..3 {
        let largest = (i..3).max_by(|&a, &b| m[a][i].abs().total_cmp(&m[b][i].abs()))?;
        m.swap(i, largest);
        let pivot = m[i];
        if pivot[i].abs() < 1e-300 {
            return None;
        }
        for (_, line) in m.iter_mut().enumerate().filter(|(r, _)| *r != i) {
            let factor = line[i] / pivot[i];
            for (cell, of_pivot) in line.iter_mut().zip(pivot) {
                *cell -= factor * of_pivot;
            }
        }
    }
    let solved = [0, 1, 2].map(|i| m[i][3] / m[i][i]);
    solved.iter().all(|value| value.is_finite()).then_some(solved)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// SPEC SDM91 on a Sun SPARCcenter 2000, as in Gunther's book and in R's package `usl`.
    const SDM91: [Point; 7] = [
        (1.0, 64.9),
        (18.0, 995.9),
        (36.0, 1_652.4),
        (72.0, 1_853.2),
        (108.0, 1_828.9),
        (144.0, 1_775.0),
        (216.0, 1_702.2),
    ];

    #[test]
    fn the_fit_is_that_of_the_literature() {
        // R: λ 89.9952330, σ 0.0277285, κ 0.0001043.
        let law = least_squares(&SDM91).unwrap();
        assert!((law.lambda - 89.995_233).abs() < 1e-3, "{law:?}");
        assert!((law.sigma - 0.027_728_5).abs() < 1e-6, "{law:?}");
        assert!((law.kappa - 0.000_104_37).abs() < 1e-7, "{law:?}");
        // The crate `usl` prints 1882.42 at 96 for the same rounded to whole numbers.
        let rounded = SDM91.map(|(n, x)| (n, x.round()));
        let (n, x) = least_squares(&rounded).unwrap().peak().unwrap();
        assert!((n - 96.0).abs() < 1.0 && (x / 1_882.42 - 1.0).abs() < 1e-3, "{n} {x}");
    }

    #[test]
    fn a_law_is_found_again_from_its_own_points() {
        let law = Law { lambda: 50.0, sigma: 0.05, kappa: 0.001 };
        let points: Vec<Point> = [1, 2, 4, 8, 16, 24, 32, 48]
            .map(|n| (f64::from(n), law.throughput(f64::from(n))))
            .to_vec();
        let fitted = fit(&points, 1).unwrap();
        assert!((fitted.law.lambda - 50.0).abs() < 1e-6, "{fitted:?}");
        assert!((fitted.law.kappa - 0.001).abs() < 1e-9, "{fitted:?}");
        let (n, _) = fitted.peak.unwrap();
        assert!((n - (0.95_f64 / 0.001).sqrt()).abs() < 1e-3, "{fitted:?}");
    }

    #[test]
    fn nothing_is_said_beyond_what_the_measurements_carry() {
        // A straight line: kappa may as well be zero.
        let noise = [0.98, 1.03, 0.97, 1.01, 1.02, 0.99, 1.01, 0.98];
        let straight: Vec<Point> = noise
            .iter()
            .enumerate()
            .map(|(i, e)| (i as f64 + 1.0, 10.0 * (i as f64 + 1.0) * e))
            .collect();
        let fitted = fit(&straight, 1).unwrap();
        assert!(fitted.kappa_between.0 <= 0.0 && fitted.peak.is_none(), "{fitted:?}");
        assert_eq!(fit(&straight[..5], 1), None, "too few");
        assert_eq!(fit(&[(3.0, 5.0); 20], 1), None, "all the same");
    }
}
