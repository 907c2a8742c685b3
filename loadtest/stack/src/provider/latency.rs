//! How long something takes: a distribution in one short form, `lognormal:4:30`.
//!
//! Here belong the forms, their text and their inverse; which draw feeds them is the caller's.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// No distribution waits longer than this: a client has given up by then.
const CEILING_MS: f64 = 60_000.0;

/// The standard normal quantile of 0.99, between the median and p99 of a lognormal.
const Z_99: f64 = 2.326_347_874_040_841;

/// A distribution of delays, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Latency {
    /// Always the same: `constant:5`.
    Constant {
        /// Milliseconds.
        ms: f64,
    },
    /// Evenly between two: `uniform:5:20`.
    Uniform {
        /// Milliseconds at the least.
        min_ms: f64,
        /// Milliseconds at the most.
        max_ms: f64,
    },
    /// A long tail, as networks have it: `lognormal:4:30` by its median and its 99th percentile.
    Lognormal {
        /// Milliseconds that half of them stay under.
        p50_ms: f64,
        /// Milliseconds that 99 % of them stay under.
        p99_ms: f64,
    },
}

/// Why a text is no latency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no latency: write constant:MS, uniform:MIN:MAX or lognormal:P50:P99 in \
     milliseconds up to 60000, the smaller first"
)]
pub struct LatencyError(String);

impl Latency {
    /// No delay at all.
    pub const NONE: Self = Self::Constant { ms: 0.0 };

    /// The delay that a draw in `[0, 1)` stands for.
    pub fn at(self, unit: f64) -> Duration {
        let ms = match self {
            Self::Constant { ms } => ms,
            Self::Uniform { min_ms, max_ms } => min_ms + unit * (max_ms - min_ms),
            Self::Lognormal { p50_ms, p99_ms } => {
                let sigma = (p99_ms / p50_ms).ln() / Z_99;
                p50_ms * (sigma * normal_quantile(unit)).exp()
            }
        };
        Duration::from_secs_f64(ms.clamp(0.0, CEILING_MS) / 1_000.0)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { ms } => write!(f, "constant:{ms}"),
            Self::Uniform { min_ms, max_ms } => write!(f, "uniform:{min_ms}:{max_ms}"),
            Self::Lognormal { p50_ms, p99_ms } => write!(f, "lognormal:{p50_ms}:{p99_ms}"),
        }
    }
}

impl FromStr for Latency {
    type Err = LatencyError;

    fn from_str(text: &str) -> Result<Self, LatencyError> {
        let wrong = || LatencyError(text.to_owned());
        let mut parts = text.split(':');
        let form = parts.next().unwrap_or_default();
        let numbers = parts
            .map(|part| part.parse().ok().filter(|ms| (0.0..=CEILING_MS).contains(ms)))
            .collect::<Option<Vec<f64>>>()
            .ok_or_else(wrong)?;
        match (form, numbers.as_slice()) {
            ("constant", &[ms]) => Ok(Self::Constant { ms }),
            ("uniform", &[min_ms, max_ms]) if min_ms <= max_ms => {
                Ok(Self::Uniform { min_ms, max_ms })
            }
            ("lognormal", &[p50_ms, p99_ms]) if 0.0 < p50_ms && p50_ms <= p99_ms => {
                Ok(Self::Lognormal { p50_ms, p99_ms })
            }
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Latency {
    type Error = LatencyError;

    fn try_from(text: String) -> Result<Self, LatencyError> {
        text.parse()
    }
}

impl From<Latency> for String {
    fn from(latency: Latency) -> Self {
        latency.to_string()
    }
}

/// The standard normal quantile by P. J. Acklam's rational approximation (2003); its relative
/// error is below 1.15e-9, far below what a delay needs.
fn normal_quantile(unit: f64) -> f64 {
    const LOW: f64 = 0.024_25;
    let p = unit.clamp(1e-12, 1.0 - 1e-12);
    if p < LOW {
        tail((-2.0 * p.ln()).sqrt())
    } else if p > 1.0 - LOW {
        -tail((-2.0 * (1.0 - p).ln()).sqrt())
    } else {
        centre(p - 0.5)
    }
}

fn tail(q: f64) -> f64 {
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    horner(&C, q) / horner(&D, q)
}

fn centre(q: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.383_577_518_672_69e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    let r = q * q;
    horner(&A, r) * q / horner(&B, r)
}

fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str, unit: f64) -> f64 {
        text.parse::<Latency>().unwrap().at(unit).as_secs_f64() * 1_000.0
    }

    #[test]
    fn each_form_meets_its_figures() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 0.001, "{a} is not {b}");
        near(ms("constant:5", 0.9), 5.0);
        near(ms("uniform:5:25", 0.25), 10.0);
        near(ms("lognormal:4:30", 0.5), 4.0);
        near(ms("lognormal:4:30", 0.99), 30.0);
        near(ms("lognormal:4:30", 0.01), 4.0 * 4.0 / 30.0);
        near(ms("lognormal:1000:60000", 0.999_999_999), 60_000.0);
    }

    #[test]
    fn text_and_back() {
        for text in ["constant:0", "uniform:0.5:20", "lognormal:4:30"] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_latency_says_what_is() {
        for text in [
            "",
            "5",
            "constant",
            "constant:-1",
            "constant:NaN",
            "uniform:9:1",
            "lognormal:0:1",
            "x:1",
        ] {
            let error = text.parse::<Latency>().unwrap_err().to_string();
            assert!(error.contains("lognormal:P50:P99"), "{error}");
        }
    }
}
