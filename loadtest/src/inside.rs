//! The inside of a run: what the service says of itself, second by second, on the run's own clock,
//! and what it kept of the slowest requests. Any service with an endpoint in Prometheus' text
//! format can be looked at; what it doesn't say is told by name.
//!
//! Belongs here: asking, and keeping what was answered. Never here: which figures are worth a panel
//! (`rules`), what is measured from outside (`engine`), or a judgement.

pub mod flights;
pub mod place;
mod points;
pub mod rules;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use crate::client::Client;
use crate::engine::{Ledger, Source};
use crate::exit::Failure;
use crate::report::chart::most_telling;
use crate::report::sheet::{Line, Unit};
use crate::scrape::{FAMILIES, Metrics};
use flights::{Flights, Found};
pub use place::Place;
use points::{Reading, added_up, points};
use rules::Rule;

/// A look that takes longer is given up: a busy service must not hold up the next one.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// After a run, what was kept of its last slow requests is asked for this long.
const REST_WITHIN: Duration = Duration::from_secs(5);

/// Looks at all processes of a service.
#[derive(Debug)]
pub struct Inside {
    looked: Vec<Looked>,
    rules: Vec<Rule>,
    /// For each rule: its lines' points by name, and whether the service has it at all.
    lines: Vec<BTreeMap<String, Vec<(f64, f64)>>>,
    there: Vec<bool>,
    flights: Flights,
    tally: Tally,
}

/// A process and what it said last.
#[derive(Debug)]
struct Looked {
    place: Place,
    client: Client,
    last: Option<(f64, Metrics)>,
}

#[derive(Debug, Default)]
struct Tally {
    looks: u64,
    failed: u64,
    first_failure: Option<String>,
}

/// What the service said of itself during a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Told {
    /// Where it was asked.
    pub places: Vec<String>,
    /// How often.
    pub looks: u64,
    /// How often there was no answer that could be read.
    pub failed: u64,
    /// When that was first so, and why.
    pub first_failure: Option<String>,
    /// What it said over time.
    pub panels: Vec<Panel>,
    /// What it says nothing of.
    pub missing: Vec<String>,
}

/// One thing over time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Panel {
    /// What it is.
    pub title: String,
    /// The metric's name.
    pub family: String,
    /// Its unit.
    pub unit: Unit,
    /// By label, or by process: seconds since the start, and the value.
    pub lines: BTreeMap<String, Vec<(f64, f64)>>,
    /// Lines that are not shown, as others peak higher.
    pub left_out: u64,
    /// All lines added up, those too that are not shown.
    #[serde(skip)]
    pub sum: Vec<(f64, f64)>,
}

/// All that came of looking.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// What the service said over time.
    pub told: Told,
    /// What it kept, by trace.
    pub found: BTreeMap<String, Found>,
}

impl Inside {
    /// Of these processes, by the usual rules and some of one's own.
    ///
    /// # Errors
    /// When a header can't be sent.
    pub fn new(places: Vec<Place>, own: Vec<Rule>) -> Result<Self, Failure> {
        let rules: Vec<Rule> = own.into_iter().chain(rules::usual()).collect();
        let flights = Flights::new(&places)?;
        let looked = places
            .into_iter()
            .map(|place| {
                let client = place.client()?.within(LOOK_MAX);
                Ok(Looked { place, client, last: None })
            })
            .collect::<Result<_, Failure>>()?;
        let (lines, there) = (vec![BTreeMap::new(); rules.len()], vec![false; rules.len()]);
        Ok(Self { looked, rules, lines, there, flights, tally: Tally::default() })
    }

    /// Asks each process once, so that a wrong address is found before the run and not after it.
    ///
    /// # Errors
    /// When one doesn't answer, or with something else than metrics.
    pub async fn reach(&mut self) -> Result<(), Failure> {
        self.reach_with(None).await
    }

    /// The same, where one of them at least must say something by this rule.
    ///
    /// # Errors
    /// As of `reach`, and when none of them says that.
    pub async fn reach_with(&mut self, wanted: Option<&Rule>) -> Result<(), Failure> {
        let mut is_there = false;
        for looked in &mut self.looked {
            let Looked { place, client, .. } = looked;
            let text = client.text(&place.path).await?;
            let metrics = Metrics::parse_some(&text, &[""]);
            if metrics.names().is_empty() {
                return Err(Failure::Usage(format!(
                    "{place}: what it answers is not Prometheus' text format; is --metrics right?"
                )));
            }
            is_there |= wanted.is_some_and(|rule| rule.is_in(&metrics));
        }
        match wanted {
            Some(rule) if !is_there => Err(Failure::Usage(format!(
                "{}: the service says nothing of it; name one of its metrics",
                rule.family
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Looks once, at this time of the run.
    pub async fn look(&mut self, at_seconds: impl Fn() -> f64) {
        let rules = self.rules.iter().map(|rule| rule.family.as_str());
        let names: Vec<&str> = FAMILIES.into_iter().chain(rules).collect();
        let mut read = Vec::new();
        for (process, looked) in self.looked.iter_mut().enumerate() {
            self.tally.looks += 1;
            match looked.client.text(&looked.place.path).await {
                Ok(text) => {
                    let now = match &looked.last {
                        Some((_, before)) => Metrics::parse_next(&text, &names, before),
                        None => Metrics::parse_some(&text, &names),
                    };
                    read.push((process, at_seconds(), now));
                }
                Err(error) => {
                    self.tally.failed += 1;
                    self.tally.first_failure.get_or_insert_with(|| {
                        format!("{:.0} s from the start: {error}", at_seconds().max(0.0))
                    });
                }
            }
        }
        self.enter(&read);
        for (process, at, metrics) in read {
            self.looked[process].last = Some((at, metrics));
        }
    }

    /// What all processes said last, added up; none before each has said something.
    #[must_use]
    pub fn latest(&self) -> Option<Metrics> {
        let mut all = Metrics::default();
        for looked in &self.looked {
            all.add(looked.last.as_ref()?.1.clone());
        }
        Some(all)
    }

    /// Asks what was kept of the requests that are the slowest so far, of some at a time; the
    /// answer is of how many.
    pub async fn resolve<S: Source>(&mut self, ledger: &Ledger, source: &S) -> usize {
        let slow = ledger.slowest().all();
        let traces = slow.iter().filter_map(|slow| source.trace(slow.index));
        self.flights.resolve(traces.map(|trace| trace.to_string())).await
    }

    /// True when there is anybody to ask.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.looked.is_empty()
    }

    /// Asks until nothing is left to be asked, for a while.
    pub async fn resolve_rest<S: Source>(&mut self, ledger: &Ledger, source: &S) {
        let began = Instant::now();
        while began.elapsed() < REST_WITHIN && self.resolve(ledger, source).await > 0 {}
    }

    /// All that was said, and what was kept of traces.
    #[must_use]
    pub fn observed(self) -> Observed {
        let Self { looked, rules, lines, there, flights, tally } = self;
        let Tally { looks, failed, first_failure } = tally;
        let mut told = Told {
            places: looked.iter().map(|looked| looked.place.to_string()).collect(),
            looks,
            failed,
            first_failure,
            ..Told::default()
        };
        for ((rule, lines), there) in rules.into_iter().zip(lines).zip(there) {
            if !there {
                told.missing.push(rule.title);
                continue;
            }
            let sum = added_up(&lines);
            let lines = lines.into_iter().map(|(name, points)| Line::new(name, points));
            let (lines, left_out) = most_telling(lines.collect());
            told.panels.push(Panel {
                title: rule.title,
                family: rule.family,
                unit: rule.unit,
                lines: lines.into_iter().map(|line| (line.name, line.points)).collect(),
                left_out: left_out as u64,
                sum,
            });
        }
        Observed { told, found: flights.found() }
    }

    /// One point for each line of each rule.
    fn enter(&mut self, read: &[(usize, f64, Metrics)]) {
        let Some(at) = read.iter().map(|(_, at, _)| *at).reduce(f64::max) else { return };
        for (i, rule) in self.rules.iter().enumerate() {
            self.there[i] |= read.iter().any(|(_, _, metrics)| rule.is_in(metrics));
            let now = read.iter().map(|(process, at, metrics)| {
                let looked = &self.looked[*process];
                let name = (self.looked.len() > 1).then_some(looked.place.address.as_str());
                Reading { name, at: *at, now: metrics, before: looked.last.as_ref() }
            });
            for (name, value) in points(rule, now) {
                self.lines[i].entry(name).or_default().push((at, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn inside(own: &[&str]) -> Inside {
        let places = ["127.0.0.1:1", "127.0.0.1:2"].map(|text| text.parse().unwrap());
        let own = own.iter().map(|text| text.parse().unwrap()).collect();
        Inside::new(places.to_vec(), own).unwrap()
    }

    /// Enters what both processes say at a time.
    fn says(inside: &mut Inside, at: f64, texts: [&str; 2]) {
        let read: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(process, text)| (process, at, Metrics::parse_some(text, &[""])))
            .collect();
        inside.enter(&read);
        for (process, at, metrics) in read {
            inside.looked[process].last = Some((at, metrics));
        }
    }

    fn panel(told: &Told, family: &str) -> Panel {
        told.panels.iter().find(|panel| panel.family == family).unwrap().clone()
    }

    #[test]
    fn counters_become_rates_gauges_stay_and_what_is_missing_is_told() {
        let mut inside = inside(&["things_total"]);
        says(
            &mut inside,
            0.0,
            ["process_cpu_seconds_total 5\nthings_total 10\n", "things_total 1\n"],
        );
        let second = "process_cpu_seconds_total 6\nthings_total 30\n";
        says(&mut inside, 2.0, [second, "things_total 0\n"]);
        let Observed { told, found } = inside.observed();
        let cpu = panel(&told, "process_cpu_seconds_total");
        assert_eq!(cpu.lines["127.0.0.1:1"], [(2.0, 0.5)]);
        assert_eq!(panel(&told, "things_total").lines[""], [(2.0, 10.0)], "one began anew");
        assert!(told.missing.iter().any(|title| title.contains("lateness of the stages")));
        assert!(!told.missing.iter().any(|title| title.contains("things")) && found.is_empty());
    }

    #[test]
    fn histograms_of_a_second_are_added_up_over_processes() {
        let text = |low: u32, all: u32| {
            let name = "stage_lateness_seconds_bucket{stage=\"claim\"";
            format!("{name},le=\"0.1\"}} {low}\n{name},le=\"+Inf\"}} {all}\n")
        };
        let mut inside = inside(&[]);
        says(&mut inside, 0.0, [&text(0, 5), &text(0, 5)]);
        says(&mut inside, 1.0, [&text(100, 105), &text(100, 105)]);
        says(&mut inside, 2.0, [&text(100, 105), &text(100, 105)]);
        let lines = panel(&inside.observed().told, "stage_lateness_seconds").lines;
        assert_eq!(lines["claim"], [(1.0, 0.099)], "a second without any has no point");
    }

    /// A chart has fewer lines than a service may have queues; their sum is of all.
    #[test]
    fn lines_that_are_not_shown_are_in_the_sum() {
        let mut inside = inside(&["depth:queue"]);
        let text = |from: u32| -> String {
            (from..from + 20).map(|q| format!("depth{{queue=\"{q}\"}} {q}\n")).collect()
        };
        says(&mut inside, 0.0, [&text(1), &text(101)]);
        says(&mut inside, 1.0, [&text(1), "other 1\n"]);
        let panel = panel(&inside.observed().told, "depth");
        assert!(panel.left_out > 0 && panel.lines.len() < 20, "{panel:?}");
        assert_eq!(panel.sum, [(0.0, 210.0 + 2_210.0), (1.0, 210.0)]);
    }

    #[test]
    fn of_gauges_that_each_process_finds_by_itself_the_highest_counts() {
        let mut inside = inside(&[]);
        let text = |n: u32| format!("pending_messages{{stage=\"claim\"}} {n}\n");
        says(&mut inside, 0.0, [&text(7), &text(9)]);
        assert_eq!(panel(&inside.observed().told, "pending_messages").lines["claim"], [(0.0, 9.0)]);
    }
}
