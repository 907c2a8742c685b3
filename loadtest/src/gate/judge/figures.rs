//! Each quantile of each kind as a change from base to head, with its interval and the smallest
//! change that would have been seen.
//!
//! Never here: what the figures are worth together (`judge`).

use schemars::JsonSchema;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::Rules;
use crate::gate::play::Played;
use crate::gate::stats::windows::{self, Pair, Window};
use crate::gate::stats::{Interval, bootstrap, median, tail};
use crate::report::units::count;

/// What is compared, with its share.
pub(in crate::gate) const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];

/// All kinds of critical requests together, as one more kind.
pub(in crate::gate) const ALL_CRITICAL: &str = "all critical";

/// With fewer windows than this no interval is worth its name.
const WINDOWS_MIN: usize = 12;
/// A change that could have been seen is one that both duets would have seen, four times in five.
const SEEN_BY_EACH: f64 = 0.894_427;

/// What a figure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Slower by more than the least effect that matters, with the whole interval.
    Slower,
    /// Faster, with the whole interval.
    Faster,
    /// Neither.
    Same,
    /// There are too few pairs to say.
    Unseen,
}

/// A quantile of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Figure {
    /// The kind, or all critical ones.
    pub kind: String,
    /// Which quantile.
    pub quantile: &'static str,
    /// Its pairs in clean seconds.
    pub pairs: u64,
    /// Pairs that it would take; more than there are where nothing can be said.
    pub pairs_needed: u64,
    /// The middle of the windows, of base and of head.
    pub seconds: Option<[f64; 2]>,
    /// The middle of the windows' ratios, head over base.
    pub ratio: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// The least change that matters, as a ratio.
    pub effect_min: f64,
    /// The smallest change that would have been seen, as a ratio: by both duets, four times in
    /// five.
    pub could_have_seen: Option<f64>,
    /// What it says.
    pub said: Said,
    /// Each window: its first second, and the ratio in it; also where they are too few to say
    /// anything.
    pub windows: Vec<(u32, f64)>,
}

impl Figure {
    /// What it has, and what it would take, in words.
    #[must_use]
    pub(in crate::gate) fn lacks(&self) -> String {
        if self.pairs < self.pairs_needed {
            return format!("{} pairs of {}", count(self.pairs), count(self.pairs_needed));
        }
        format!("{} windows of {WINDOWS_MIN}", self.windows.len())
    }
}

pub(super) fn all(played: &Played, rules: &Rules, seed: u64) -> Vec<Figure> {
    let spoilt: Vec<bool> = played.seconds.iter().map(|second| second.spoilt.is_some()).collect();
    let critical: Vec<u16> = (0..)
        .zip(&played.kinds)
        .filter_map(|(kind, label)| label.critical.then_some(kind))
        .collect();
    let mut kinds: Vec<(String, Vec<u16>)> =
        (0..).zip(&played.kinds).map(|(kind, label)| (label.name.to_owned(), vec![kind])).collect();
    if critical.len() > 1 {
        kinds.insert(0, (ALL_CRITICAL.to_owned(), critical));
    }
    let mut figures = Vec::new();
    for (name, kinds) in kinds {
        let pairs: Vec<Pair> =
            played.pairs.iter().filter(|pair| kinds.contains(&pair.kind)).copied().collect();
        for ((quantile, share), effect_min) in QUANTILES.into_iter().zip(rules.effect_min) {
            let windows = windows::cut(pairs.iter().copied(), &spoilt, share);
            let clean = |pair: &&Pair| spoilt.get(pair.second as usize) == Some(&false);
            let figure = Figure {
                kind: name.clone(),
                quantile,
                pairs: pairs.iter().filter(clean).count() as u64,
                pairs_needed: (WINDOWS_MIN * windows::pairs_needed(share)) as u64,
                seconds: None,
                ratio: None,
                interval: None,
                effect_min,
                could_have_seen: None,
                said: Said::Unseen,
                windows: Vec::new(),
            };
            figures.push(read(figure, &windows, rules, seed));
        }
    }
    figures
}

fn read(figure: Figure, windows: &[Window], rules: &Rules, seed: u64) -> Figure {
    let ratios = windows.iter().map(|w| (w.second, w.log_ratio().exp())).collect();
    let figure = Figure { windows: ratios, ..figure };
    if windows.len() < WINDOWS_MIN {
        return figure;
    }
    let logs: Vec<f64> = windows.iter().map(Window::log_ratio).collect();
    let interval = bootstrap::median_interval(&logs, rules.confidence, seed);
    let (Some(interval), Some(ratio)) = (interval, median(&mut logs.clone())) else {
        return figure;
    };
    let effect = figure.effect_min.ln_1p();
    let said = if interval.low > effect {
        Said::Slower
    } else if interval.high < 0.0 {
        Said::Faster
    } else {
        Said::Same
    };
    let middle = |side: usize| {
        let mut ns: Vec<f64> = windows.iter().map(|window| window.ns[side] as f64).collect();
        median(&mut ns).unwrap_or(0.0) / 1e9
    };
    Figure {
        seconds: Some([middle(0), middle(1)]),
        ratio: Some(ratio.exp()),
        interval: Some(Interval { low: interval.low.exp(), high: interval.high.exp() }),
        could_have_seen: Some((effect + visible(interval, rules.confidence)).exp_m1()),
        said,
        ..figure
    }
}

/// By how much the logarithm must lie beyond the effect for each of two duets to see it, taking the
/// interval for that of a normal distribution.
fn visible(interval: Interval, confidence: f64) -> f64 {
    let normal = Normal::standard();
    let bound = normal.inverse_cdf(1.0 - tail(confidence));
    let error = (interval.high - interval.low) / (2.0 * bound);
    (bound + normal.inverse_cdf(SEEN_BY_EACH)) * error
}
