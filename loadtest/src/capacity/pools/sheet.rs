//! A sweep of pools as a section of the sheet: the answers, each step, and waits and misses by the
//! number of workers a connection.
//!
//! Never here: a number that isn't in the sweep.

use contract::Pool;

use super::judge::{self, PoolAnswer, PoolStep};
use super::{PoolSweep, SweepStep};
use crate::report::sheet::{Across, Block, Chart, Line, Mark, Section, Stroke, Table, Unit};
use crate::report::units::{count, latency, rate, share};

/// The section.
pub(crate) fn section(sweep: &PoolSweep) -> Section {
    let PoolSweep { steps, pools, .. } = sweep;
    let mut blocks = vec![Block::Text(swept(sweep))];
    blocks.extend(pools.iter().flat_map(judge::said).map(Block::Text));
    blocks.push(Block::Table(table(steps)));
    blocks.extend(pools.iter().map(|answer| Block::Chart(waits(answer, steps))));
    blocks.push(Block::Chart(misses(steps)));
    let note = "A worker is a task of a stage that holds a connection of the pool while it works.";
    Section::new("Pools and workers", note, blocks)
}

fn swept(sweep: &PoolSweep) -> String {
    let PoolSweep { rate: at, step_seconds, shards, steps, broke_off, .. } = sweep;
    let mut text = format!(
        "Swept at {} in {} steps of {} each, on {shards} shards, so that each task finds one that \
         no other works on.",
        rate(*at),
        steps.len(),
        latency(*step_seconds)
    );
    let spoilt = steps.iter().filter(|step| step.spoilt.is_some()).count();
    if spoilt > 0 {
        text += &format!(" {spoilt} of them were spoilt by steal and say nothing.");
    }
    if steps.first().is_some_and(|step| step.missed || step.undone.is_some()) {
        text += " With what is set by default the objectives are missed there already: sweep a \
                 lower rate (--pools-at).";
    }
    if let Some(why) = broke_off {
        text += &format!(" {}.", sweep.broken(why));
    }
    text
}

fn table(steps: &[SweepStep]) -> Table {
    let mut table = Table::new(&[
        "pool",
        "connections",
        "workers",
        "workers a connection",
        "waits",
        "wait p99",
        "longer than 1 ms",
        "latest stage, p99",
        "worst over its objective",
        "worst p99",
    ]);
    let mut sorted: Vec<(usize, &SweepStep)> = steps.iter().enumerate().collect();
    sorted.sort_by(|(_, a), (_, b)| {
        let first = |step: &SweepStep| step.pools.first().map(|p| (p.connections, p.workers));
        first(a).cmp(&first(b))
    });
    for (number, step) in sorted {
        for (i, pool) in step.pools.iter().enumerate() {
            let mut cells = of_pool(pool, number);
            if i == 0 {
                cells.push(step.over());
                cells.push(latency(step.p99_seconds));
            }
            let mark = match (pool.starves || (i == 0 && step.missed), i) {
                (true, _) => Mark::Bad,
                (false, 0) => Mark::None,
                (false, _) => Mark::Sub,
            };
            table.push(mark, cells);
        }
    }
    table
}

fn of_pool(step: &PoolStep, number: usize) -> Vec<String> {
    let none = || "–".to_owned();
    let default = if number == 0 { " (as by default)" } else { "" };
    vec![
        format!("{}{default}", step.pool),
        step.connections.to_string(),
        step.workers.to_string(),
        format!("{:.2}", step.per_connection),
        count(step.waits),
        step.wait_p99_seconds.map_or_else(none, latency),
        step.waited_share.map_or_else(none, share),
        step.latest.as_ref().map_or_else(none, |(stage, p99)| format!("{stage} {}", latency(*p99))),
    ]
}

/// Points of a pool's steps, a line for each size: what they are over workers a connection.
fn by_size(
    pool: &str,
    steps: &[SweepStep],
    value: impl Fn(&SweepStep, &PoolStep) -> Option<f64>,
) -> Vec<Line> {
    let mut lines: Vec<(u32, Vec<(f64, f64)>)> = Vec::new();
    for step in steps.iter().filter(|step| step.spoilt.is_none()) {
        for of_pool in step.pools.iter().filter(|other| other.pool == pool) {
            let Some(value) = value(step, of_pool) else { continue };
            let point = (of_pool.per_connection, value);
            match lines.iter_mut().find(|(size, _)| *size == of_pool.connections) {
                Some((_, points)) => points.push(point),
                None => lines.push((of_pool.connections, vec![point])),
            }
        }
    }
    lines.sort_by_key(|(size, _)| *size);
    let line = |(size, mut points): (u32, Vec<(f64, f64)>)| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let name = format!("{size} connection{}", if size == 1 { "" } else { "s" });
        Line { stroke: Stroke::Marked, ..Line::new(name, points) }
    };
    lines.into_iter().map(line).collect()
}

/// The wait for a connection over workers a connection, and from where on it counts.
fn waits(answer: &PoolAnswer, steps: &[SweepStep]) -> Chart {
    let pool = &answer.by_law.pool;
    let mut lines = by_size(pool, steps, |_, step| step.wait_p99_seconds);
    let right = lines.iter().flat_map(|line| &line.points).map(|p| p.0).fold(0.0, f64::max);
    let bound = vec![(0.0, answer.wait_seconds_max), (right, answer.wait_seconds_max)];
    lines.push(Line { stroke: Stroke::Dashed, ..Line::new("counts from here on", bound) });
    chart(format!("wait for a connection of {pool}, p99"), Unit::Seconds, lines)
}

/// The share of the worst critical path that was over its objective.
fn misses(steps: &[SweepStep]) -> Chart {
    let lines = by_size(Pool::Interactive.name(), steps, |step, _| Some(step.over_share));
    let title = "share of the worst critical path over its objective, by size of interactive";
    chart(title.to_owned(), Unit::Ratio, lines)
}

fn chart(title: String, unit: Unit, lines: Vec<Line>) -> Chart {
    let across = Across::Number("workers a connection".to_owned());
    Chart { title, across, unit, lines, shaded: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::super::{judge, sample, step_of};
    use super::*;
    use crate::report::chart;

    #[test]
    fn each_size_has_a_line_over_workers_a_connection() {
        let steps = [(6, 2.0, true), (3, 1.0, false), (6, 0.5, false)]
            .map(|(size, ratio, starves)| step_of(judge::sample(size, ratio, starves)));
        let lines = by_size("interactive", &steps, |_, pool| pool.wait_p99_seconds);
        let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["3 connections", "6 connections"]);
        assert_eq!(lines[1].points, [(0.5, 0.000_2), (2.0, 0.05)], "rising, whatever the order");
        assert!(by_size("pipeline", &steps, |_, pool| pool.wait_p99_seconds).is_empty());
    }

    #[test]
    fn a_sweep_has_its_answers_its_steps_and_its_charts() {
        let section = section(&sample());
        let texts = section.blocks.iter().filter(|block| matches!(block, Block::Text(_)));
        assert_eq!(texts.count(), 3);
        let charts = section.blocks.iter().filter_map(|block| match block {
            Block::Chart(chart) => Some(chart),
            Block::Text(_) | Block::Table(_) | Block::Waterfall(_) => None,
        });
        let charts: Vec<&Chart> = charts.collect();
        assert_eq!(charts.len(), 2);
        for drawn in charts {
            assert!(chart::render(drawn).is_ok_and(|svg| svg.contains("workers a connection")));
        }
        let marks: Vec<Mark> = table(&sample().steps).rows.iter().map(|row| row.mark).collect();
        assert_eq!(marks, [Mark::None, Mark::Bad]);
    }

    #[test]
    fn what_was_left_open_is_said() {
        let mut sweep = sample();
        sweep.steps[0].missed = true;
        sweep.steps[1].spoilt = Some("steal".to_owned());
        sweep.broke_off = Some("no service".to_owned());
        let said = swept(&sweep);
        for part in ["1 of them were spoilt", "--pools-at", "broke off after 2 steps: no service"] {
            assert!(said.contains(part), "{said}");
        }
    }
}
