//! How what processes say at an instant becomes points: by line, and all lines together.
//!
//! Never here: asking them (`inside`), or which of their metrics (`rules`). Its tests are those of
//! `inside`, where it is asked.

use std::collections::BTreeMap;

use super::rules::{Across, How, Rule};
use crate::scrape::{Buckets, Metrics};

/// The points of all lines added up, in the order of time. Lines of one look have its very instant.
pub(super) fn added_up(lines: &BTreeMap<String, Vec<(f64, f64)>>) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = lines.values().flatten().copied().collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let of_instant = |points: &[(f64, f64)]| (points[0].0, points.iter().map(|p| p.1).sum::<f64>());
    all.chunk_by(|a, b| a.0 == b.0).map(of_instant).collect()
}

/// What one process says now, and said before.
pub(super) struct Reading<'a> {
    /// How it is called where each has a line of its own.
    pub(super) name: Option<&'a str>,
    pub(super) at: f64,
    pub(super) now: &'a Metrics,
    pub(super) before: Option<&'a (f64, Metrics)>,
}

/// A rule's values by line.
pub(super) fn points<'a>(
    rule: &Rule,
    readings: impl Iterator<Item = Reading<'a>>,
) -> BTreeMap<String, f64> {
    let mut values: BTreeMap<String, f64> = BTreeMap::new();
    let mut histograms: BTreeMap<String, Buckets> = BTreeMap::new();
    let by: Vec<&str> = rule.by.iter().map(String::as_str).collect();
    for Reading { name, at, now, before } in readings {
        let line = |key: String| match (rule.across, name) {
            (Across::Each, Some(name)) if key.is_empty() => name.to_owned(),
            (Across::Each, Some(name)) => format!("{name} {key}"),
            (Across::Each | Across::Sum | Across::Max, _) => key,
        };
        let mut enter = |key: String, value: f64| {
            let sum = values.entry(line(key)).or_insert(0.0);
            *sum = match rule.across {
                Across::Max => sum.max(value),
                Across::Each | Across::Sum => *sum + value,
            };
        };
        match (rule.how, before) {
            (How::Value, _) => {
                for (key, value) in now.sums_by(&rule.family, &by, &rule.only()) {
                    enter(key, value);
                }
            }
            (How::Rate, Some((since, before))) if at > *since => {
                let before = before.sums_by(&rule.family, &by, &rule.only());
                for (key, value) in now.sums_by(&rule.family, &by, &rule.only()) {
                    let risen = value - before.get(&key).copied().unwrap_or(0.0);
                    // A process that was started anew counts from zero again.
                    enter(key, risen.max(0.0) / (at - since));
                }
            }
            (How::Quantile(_), Some((_, before))) => {
                let before = before.buckets_by(&rule.family, &by);
                for (key, buckets) in now.buckets_by(&rule.family, &by) {
                    let since = before.get(&key).map_or(buckets.clone(), |b| buckets.since(b));
                    histograms.entry(line(key)).or_default().merge(&since);
                }
            }
            // From the first look there is no second to speak of.
            (How::Rate | How::Quantile(_), _) => {}
        }
    }
    if let How::Quantile(quantile) = rule.how {
        let of = |(name, buckets): (String, Buckets)| Some((name, buckets.quantile(quantile)?));
        values.extend(histograms.into_iter().filter_map(of));
    }
    values.retain(|name, _| !rule.except.iter().any(|except| except == name));
    values
}
