//! A replayed day as a sheet: for the page, for a pull request and for CI. The terminal has its own
//! text.
//!
//! Never here: a number that isn't in the report.

use super::outside::{self, Outside};
use super::sheet::{Block, Chart, Check, Line, Mark, Outcome, Section, Sheet, Table, Unit};
use super::units::{count, latency, megabytes, share};
use super::{Ended, EndpointRow, Report, Series, slow, terminal};
use crate::engine::ledger::Quantiles;
use crate::laws;

const ENDPOINTS_NOTE: &str = "\
Response counts from the intended start to the last byte, service from the send, lag lies between. \
What was late, unsent or unanswered counts at its age.";

/// The whole sheet.
#[must_use]
pub fn sheet(report: &Report) -> Sheet {
    let kinds: Vec<&str> = report.endpoints.iter().map(|row| row.name).collect();
    let Series { windows, offered, sent, seconds, .. } = &report.series;
    let outside = outside::section(&Outside { kinds: &kinds, windows, offered, sent, seconds });
    let mut sections =
        vec![endpoints(&report.endpoints), journeys(report), the_run(report), outside];
    sections.extend(outside::inside(&report.inside));
    sections.extend([stages(report), pools(report), processes(report)]);
    sections.extend(slow::section(&report.slowest));
    sections.extend(faults(report));
    Sheet {
        title: "A replayed day".to_owned(),
        verdict: terminal::word(report.ended).to_owned(),
        outcome: match report.ended {
            Ended::Passed => Outcome::Passed,
            Ended::Failed => Outcome::Failed,
            Ended::Interrupted => Outcome::Skipped,
        },
        reasons: vec![terminal::why(report)],
        facts: terminal::facts(report),
        checks: report.laws.iter().flat_map(checks).collect(),
        sections,
        foot: format!(
            "{}. The same numbers for machines: report.json. goose's own report, fed with the same \
             response times, stands in goose/.",
            report.schema
        ),
    }
}

/// A law's checks; a law of which nothing was checked is one that failed.
fn checks(verdict: &laws::Verdict) -> Vec<Check> {
    let group = format!("law {}: {}", verdict.law, verdict.name);
    if verdict.checks.is_empty() {
        return vec![Check {
            group,
            name: "checked".to_owned(),
            outcome: Outcome::Failed,
            detail: "nothing was checked".to_owned(),
            examples: Vec::new(),
        }];
    }
    let check = |check: &laws::Check| Check {
        group: group.clone(),
        name: check.name.clone(),
        outcome: Outcome::of(check.passed()),
        detail: format!(
            "{} cases of at least {}, {} violations",
            count(check.cases),
            count(check.promised),
            count(check.violations)
        ),
        examples: check.examples.clone(),
    };
    verdict.checks.iter().map(check).collect()
}

fn endpoints(rows: &[EndpointRow]) -> Section {
    let mut table =
        Table::new(&["", "requests", "p50", "p90", "p99", "p99.9", "max", "objective", "good"]);
    let quantiles = |q: &Quantiles| [q.p50, q.p90, q.p99, q.p999, q.max].map(latency);
    for row in rows.iter().filter(|row| row.counts.total > 0) {
        let sub = |name: &str, q: &Quantiles| {
            [vec![name.to_owned(), String::new()], quantiles(q).to_vec()].concat()
        };
        let head = [
            vec![row.name.to_owned(), count(row.counts.total)],
            quantiles(&row.response).to_vec(),
            vec![latency(row.objective_seconds), share(row.good_share)],
        ];
        table.push(if row.met { Mark::None } else { Mark::Bad }, head.concat());
        table.push(Mark::Sub, sub("service", &row.service));
        table.push(Mark::Sub, sub("lag", &row.lag));
        if let Some(trouble) = terminal::trouble(row) {
            table.push(Mark::Sub, vec![trouble]);
        }
    }
    Section::new("Endpoints, seen from outside", ENDPOINTS_NOTE, vec![Block::Table(table)])
}

fn journeys(report: &Report) -> Section {
    let mut table = Table::new(&["", "count", "p50", "p99", "objective", "good"]);
    for row in &report.journeys {
        let missed = row.good_share.is_some_and(|good| good < row.objective_share);
        let cells = vec![
            row.name.to_owned(),
            count(row.count),
            optional(row.p50_seconds),
            optional(row.p99_seconds),
            latency(row.objective_seconds),
            row.good_share.map_or("–".to_owned(), share),
        ];
        table.push(if missed { Mark::Bad } else { Mark::None }, cells);
    }
    let title = "Critical paths, as the service measured them";
    Section::new(title, "", vec![Block::Table(table)])
}

fn the_run(report: &Report) -> Section {
    let accepted = rates(&report.series.accepted);
    let memory = report.series.memory.iter().map(|(name, points)| {
        Line::new(name, points.iter().map(|(at, bytes)| (*at, *bytes as f64)).collect())
    });
    let charts = [
        Chart::over_time(
            "texts accepted a second",
            Unit::PerSecond,
            vec![Line::new("accepted", accepted)],
        ),
        Chart::over_time("resident memory", Unit::Bytes, memory.collect()),
    ];
    Section::new("The run", "", charts.map(Block::Chart).to_vec())
}

/// A rising count as a rate between its points.
fn rates(points: &[(f64, u64)]) -> Vec<(f64, f64)> {
    points
        .windows(2)
        .filter(|pair| pair[1].0 > pair[0].0)
        .map(|pair| {
            let (from, to) = (pair[0], pair[1]);
            (to.0, to.1.saturating_sub(from.1) as f64 / (to.0 - from.0))
        })
        .collect()
}

fn stages(report: &Report) -> Section {
    let mut table =
        Table::new(&["", "batches", "items", "failures", "batch p99", "late p99", "objective"]);
    for row in report.stages.iter().filter(|row| row.batches > 0 || row.failures > 0) {
        table.push(
            Mark::None,
            vec![
                row.name.to_owned(),
                count(row.batches),
                count(row.items),
                count(row.failures),
                optional(row.duration_p99_seconds),
                optional(row.lateness_p99_seconds),
                latency(row.lateness_objective_seconds),
            ],
        );
    }
    Section::new("Stages, as the service measured them", "", vec![Block::Table(table)])
}

fn pools(report: &Report) -> Section {
    let mut table = Table::new(&["", "waits", "wait p99", "longer than 1 ms"]);
    for row in report.pools.iter().filter(|row| row.waits > 0) {
        let cells = vec![
            row.name.to_owned(),
            count(row.waits),
            optional(row.wait_p99_seconds),
            row.waited_share.map_or("–".to_owned(), share),
        ];
        table.push(Mark::None, cells);
    }
    let note = "A connection that is free is had in less than a millisecond.";
    Section::new("Waits for connections, by pool", note, vec![Block::Table(table)])
}

fn processes(report: &Report) -> Section {
    let mut table =
        Table::new(&["", "CPU", "memory max", "1st quarter", "2nd", "3rd", "4th", "last ÷ second"]);
    for row in &report.processes {
        let mut cells = vec![
            row.name.clone(),
            format!("{:.1} s", row.cpu_seconds),
            megabytes(row.memory_max_bytes),
        ];
        cells.extend(row.memory_quarters_bytes.map(megabytes));
        cells.push(row.growth().map_or(String::new(), |growth| format!("{growth:.2}")));
        table.push(Mark::None, cells);
    }
    Section::new("Processes", "Memory by quarter of the run.", vec![Block::Table(table)])
}

fn faults(report: &Report) -> Option<Section> {
    if report.faults.is_empty() {
        return None;
    }
    let all = report.faults.iter().map(|(name, n)| format!("{name} {}", count(*n)));
    let text = all.collect::<Vec<_>>().join(", ");
    Some(Section::new("Faults on purpose", "", vec![Block::Text(text)]))
}

fn optional(seconds: Option<f64>) -> String {
    seconds.map_or("–".to_owned(), latency)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::{junit, markdown, page, sample};
    use super::*;

    #[test]
    fn a_day_on_a_pull_request_reads_like_this() {
        let sheet = sheet(&sample::report());
        expect_file!["../../testdata/report.md"].assert_eq(&markdown::render(&sheet));
        assert!(page::render(&sheet).unwrap().contains("A replayed day: "));
        let xml = junit::render(&sheet).unwrap();
        assert!(xml.contains("law 3") && xml.contains("message 12"), "{xml}");
    }

    #[test]
    fn a_count_becomes_a_rate() {
        let points = [(0.0, 0), (1.0, 100), (3.0, 400), (3.0, 401)];
        assert_eq!(rates(&points), [(1.0, 100.0), (3.0, 150.0)]);
        assert!(rates(&[]).is_empty());
    }

    #[test]
    fn a_law_of_which_nothing_was_checked_is_a_failed_check() {
        let unchecked = laws::verdicts(&[]);
        let all: Vec<Check> = unchecked.iter().flat_map(checks).collect();
        assert_eq!(all.len(), laws::LAWS.len());
        assert!(all.iter().all(|check| check.outcome == Outcome::Failed));
    }
}
