//! Which resource gives out first: how much of each was used while a rate was tried, as far as the
//! harness sees it and the service says it.
//!
//! Never here: asking for the figures (`inside`, `engine::machine`).

use contract::Limit;
use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::machine::Second;
use crate::inside::rules::{CHECKED_OUT, CONNECTIONS_MAX, HELD};
use crate::inside::{Panel, Told};
use crate::report::units::share;

/// Above this a resource counts as used up: queues in front of it grow without bound soon after.
const USED_UP: f64 = 0.8;

/// A resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Used {
    /// Which.
    pub(crate) name: String,
    /// How much of it was used in the mean.
    pub(crate) ratio: f64,
}

/// What the harness itself knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outside<'a> {
    pub(crate) seconds: &'a [Second],
    /// Requests under way in the mean.
    pub(crate) concurrency: f64,
    /// The most that there can be.
    pub(crate) connections: u64,
}

/// How much of everything was used.
pub(crate) fn used(outside: &Outside<'_>, told: &Told) -> Vec<Used> {
    let Outside { seconds, concurrency, connections } = outside;
    let busy: f64 = seconds.iter().map(|second| second.busy_ratio + second.steal_ratio).sum();
    let mut all = Vec::new();
    if !seconds.is_empty() {
        let ratio = busy / seconds.len() as f64;
        all.push(Used { name: "the processors of the harness's machine".to_owned(), ratio });
    }
    let ratio = concurrency / (*connections).max(1) as f64;
    all.push(Used { name: format!("the harness's {connections} connections"), ratio });
    let panel = |family: &str| told.panels.iter().find(|panel| panel.family == family);
    let bounds = panel("limit_used_ratio").into_iter().flat_map(|p| &p.lines);
    // A memory that is full gives nothing out. What is no row of ours is another service's bound.
    let forgets = |name: &str| Limit::from_name(name).is_some_and(|row| row.spec().forgets);
    for (name, points) in bounds.filter(|(name, _)| !forgets(name)) {
        all.push(Used { name: format!("the bound {name}"), ratio: mean(points) });
    }
    if let (Some(used), Some(most)) = (panel("db_client_connections"), panel(CONNECTIONS_MAX)) {
        all.extend(pools(used, most));
    }
    all.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    all
}

/// Connections that were held in the mean, by pool, until the last request was to leave: what comes
/// after it is less than the load.
pub(crate) fn held(told: &Told, span_seconds: f64) -> Vec<(String, f64)> {
    means(told, HELD, span_seconds)
}

/// Connections that were checked out a second, by pool, in the same time.
pub(crate) fn checkouts(told: &Told, span_seconds: f64) -> Vec<(String, f64)> {
    means(told, CHECKED_OUT, span_seconds)
}

/// The most connections that there may be, by pool.
pub(crate) fn connections(told: &Told) -> Vec<(String, f64)> {
    means(told, CONNECTIONS_MAX, f64::INFINITY)
}

fn means(told: &Told, family: &str, until_seconds: f64) -> Vec<(String, f64)> {
    let panel = told.panels.iter().find(|panel| panel.family == family);
    let lines = panel.into_iter().flat_map(|panel| &panel.lines);
    let of = |(name, points): (&String, &Vec<(f64, f64)>)| {
        let within: Vec<_> = points.iter().copied().filter(|p| p.0 <= until_seconds).collect();
        (name.clone(), mean(&within))
    };
    lines.map(of).collect()
}

fn pools(used: &Panel, most: &Panel) -> Vec<Used> {
    let of = |(name, points): (&String, &Vec<(f64, f64)>)| {
        let most = most.lines.get(name).map(|points| mean(points))?;
        let name = format!("the connections of the pool {name}");
        (most > 0.0).then(|| Used { name, ratio: mean(points) / most })
    };
    used.lines.iter().filter_map(of).collect()
}

fn mean(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|p| p.1).sum::<f64>() / points.len().max(1) as f64
}

/// What gives out first, in words, by what was used in the steps that failed.
pub(crate) fn first_to_give_out(failed: &[&[Used]]) -> String {
    let mut sums: Vec<(&str, f64, u32)> = Vec::new();
    for used in failed.iter().flat_map(|used| used.iter()) {
        match sums.iter_mut().find(|(name, ..)| *name == used.name) {
            Some((_, sum, n)) => {
                *sum += used.ratio;
                *n += 1;
            }
            None => sums.push((&used.name, used.ratio, 1)),
        }
    }
    let mean = |(name, sum, n): &(&str, f64, u32)| (name.to_string(), sum / f64::from(*n));
    let highest = sums.iter().map(mean).max_by(|a, b| a.1.total_cmp(&b.1));
    match highest {
        Some((name, ratio)) if ratio >= USED_UP => {
            format!("{name} ({} used)", share(ratio.min(1.0)))
        }
        Some((name, ratio)) => format!(
            "nothing that was looked at was used up (the most: {name}, {}); look at locks, disks, \
             the network and what the service calls",
            share(ratio)
        ),
        None => "not known, as no step failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::sheet::Unit;

    fn panel(family: &str, lines: &[(&str, f64)]) -> Panel {
        let points = |value: f64| vec![(0.0, value), (1.0, value)];
        Panel {
            title: family.to_owned(),
            family: family.to_owned(),
            unit: Unit::Number,
            lines: lines.iter().map(|(name, v)| ((*name).to_owned(), points(*v))).collect(),
            left_out: 0,
            sum: Vec::new(),
        }
    }

    #[test]
    fn everything_that_is_known_is_held_against_its_bound() {
        let second = Second {
            steal_ratio: 0.1,
            busy_ratio: 0.5,
            used_seconds: 0.0,
            waited_seconds: 0.0,
            spoilt: None,
        };
        let outside = Outside { seconds: &[second], concurrency: 16.0, connections: 64 };
        let told = Told {
            panels: vec![
                panel("limit_used_ratio", &[("commit_queue", 0.9), ("practice_cache", 1.0)]),
                panel("db_client_connections", &[("interactive", 6.0), ("odd", 1.0)]),
                panel("db_client_connections_max", &[("interactive", 8.0)]),
            ],
            ..Told::default()
        };
        let all = used(&outside, &told);
        let of: BTreeMap<&str, f64> = all.iter().map(|u| (u.name.as_str(), u.ratio)).collect();
        assert_eq!(of["the bound commit_queue"], 0.9);
        assert_eq!(of["the connections of the pool interactive"], 0.75);
        assert_eq!(of["the processors of the harness's machine"], 0.6);
        assert_eq!(of["the harness's 64 connections"], 0.25);
        assert_eq!((all.len(), all[0].name.as_str()), (4, "the bound commit_queue"));
        let told = Told { panels: vec![panel(HELD, &[("interactive", 2.5)])], ..told };
        assert_eq!(held(&told, 1.0), [("interactive".to_owned(), 2.5)]);
        assert_eq!((checkouts(&told, 1.0), connections(&told)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_held_once_all_has_left_is_not_the_loads() {
        let mut taken = panel(CHECKED_OUT, &[("pipeline", 30.0)]);
        taken.lines.entry("pipeline".to_owned()).or_default().push((2.0, 0.0));
        let told = Told { panels: vec![taken], ..Told::default() };
        assert_eq!(checkouts(&told, 1.5), [("pipeline".to_owned(), 30.0)]);
        assert_eq!(checkouts(&told, 2.0), [("pipeline".to_owned(), 20.0)]);
    }

    #[test]
    fn what_gives_out_is_named_only_where_it_was_used_up() {
        let used = |ratio| Used { name: "the pool".into(), ratio };
        assert_eq!(first_to_give_out(&[&[used(0.9)], &[used(1.0)]]), "the pool (95.00 % used)");
        assert!(first_to_give_out(&[&[used(0.5)]]).contains("(the most: the pool, 50.00 %)"));
        assert_eq!(first_to_give_out(&[]), "not known, as no step failed");
    }
}
