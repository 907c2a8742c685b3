//! A run as a sheet: for the page, for a pull request and for CI. The terminal has its own text.
//!
//! Never here: a number that isn't in the facts, or a judgement that isn't in the verdict.

use super::facts::{Facts, KindRow, SCHEMA};
use super::text::{self, machine_line, seconds_line};
use super::verdict::{Thresholds, Value, Verdict, lag_limit};
use crate::engine::ledger::Quantiles;
use crate::report::outside::{self, Outside};
use crate::report::sheet::{Block, Check, Mark, Outcome, Section, Sheet, Table};
use crate::report::slow;
use crate::report::units::{count, latency, share};

const KINDS_NOTE: &str = "\
Response counts from the intended start to the last byte, service from the send, lag lies between. \
What was late, unsent or unanswered counts at its age.";

/// The whole sheet.
#[must_use]
pub fn sheet(facts: &Facts, verdict: &Verdict, thresholds: &Thresholds) -> Sheet {
    let kinds: Vec<&str> = facts.kinds.iter().map(|kind| kind.name).collect();
    let outside = outside::section(&Outside {
        kinds: &kinds,
        windows: &facts.windows,
        offered: &facts.offered,
        sent: &facts.sent_by_second,
        seconds: &facts.seconds,
    });
    let mut sections = vec![requests(facts, thresholds), outside];
    sections.extend(outside::inside(&facts.inside));
    sections.extend(slow::section(&facts.slowest));
    Sheet {
        title: "loadtest run".to_owned(),
        verdict: verdict.value.name().to_owned(),
        outcome: verdict.value.outcome(),
        reasons: verdict.reasons.clone(),
        facts: text::facts(facts),
        checks: checks(facts, verdict, thresholds),
        sections,
        foot: format!(
            "{SCHEMA}. The same numbers for machines: run.json; every second's histograms: \
             response.hlog, service.hlog, lag.hlog. goose's own report, fed with the same response \
             times, stands in goose/."
        ),
    }
}

fn checks(facts: &Facts, verdict: &Verdict, thresholds: &Thresholds) -> Vec<Check> {
    let check = |group: &str, name: &str, outcome, detail: String| Check {
        group: group.to_owned(),
        name: name.to_owned(),
        outcome,
        detail,
        examples: Vec::new(),
    };
    // What a run can't tell is no failure of the service, and no pass.
    let judged = |met: bool, can_tell: bool| match verdict.value {
        Value::Interrupted => Outcome::Skipped,
        Value::Pass | Value::Fail | Value::Invalid if met => Outcome::Passed,
        Value::Pass | Value::Fail | Value::Invalid if can_tell => Outcome::Failed,
        Value::Pass | Value::Fail | Value::Invalid => Outcome::Invalid,
    };
    let objective = |kind: &KindRow| {
        let detail = text::objective(kind);
        let outcome = match verdict.value {
            Value::Invalid => Outcome::Invalid,
            Value::Pass | Value::Fail | Value::Interrupted => judged(kind.met(), true),
        };
        check("objectives", kind.name, outcome, detail)
    };
    let late = |kind: &KindRow| {
        let (lag, limit) = (kind.clean.own_lag.p99, lag_limit(kind, thresholds));
        let detail = format!("sent {} late at p99, {} at most", latency(lag), latency(limit));
        check("the harness on time", kind.name, judged(lag <= limit, false), detail)
    };
    let seen = || facts.kinds.iter().filter(|kind| kind.counts.total > 0);
    let spoilt = facts.spoilt_share();
    let mut checks: Vec<Check> = seen().map(objective).collect();
    checks.push(check(
        "the run",
        "achieved rate",
        judged(facts.tried_ratio() >= thresholds.achieved_min, false),
        format!(
            "{} of the offered rate{}, {} at least",
            share(facts.tried_ratio()),
            text::refused(facts).map_or_else(String::new, |refused| format!(", with {refused}")),
            share(thresholds.achieved_min)
        ),
    ));
    checks.push(check(
        "the run",
        "spoilt seconds",
        judged(spoilt <= thresholds.spoilt_max, false),
        format!("{} of the seconds, {} at most", share(spoilt), share(thresholds.spoilt_max)),
    ));
    checks.extend(seen().map(late));
    checks
}

fn requests(facts: &Facts, thresholds: &Thresholds) -> Section {
    let columns =
        ["", "requests", "p50", "p90", "p99", "p99.9", "max", "objective", "good"].as_slice();
    let mut table = Table::new(columns);
    let quantiles = |q: &Quantiles| [q.p50, q.p90, q.p99, q.p999, q.max].map(latency);
    for row in facts.kinds.iter().filter(|row| row.counts.total > 0) {
        let sub = |name: &str, q: &Quantiles| {
            [vec![name.to_owned(), String::new()], quantiles(q).to_vec()].concat()
        };
        let head = [
            vec![row.name.to_owned(), count(row.counts.total)],
            quantiles(&row.response).to_vec(),
            vec![latency(row.objective_seconds), share(row.good_share())],
        ];
        table.push(if row.met() { Mark::None } else { Mark::Bad }, head.concat());
        table.push(Mark::Sub, sub("service", &row.service));
        table.push(Mark::Sub, sub("lag", &row.lag));
        table.push(Mark::Sub, sub("of it the harness's", &row.clean.own_lag));
        if let Some(trouble) = text::trouble(row) {
            table.push(Mark::Sub, vec![trouble]);
        }
    }
    let mut blocks = vec![Block::Table(table)];
    if !facts.seconds.is_empty() {
        blocks.push(Block::Text(format!("The machine: {}", machine_line(facts))));
        let line = seconds_line(facts, thresholds);
        blocks.push(Block::Text(format!("Seconds: {line}")));
    }
    Section::new("Requests", KINDS_NOTE, blocks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::{sample, verdict};
    use super::*;
    use crate::report::{junit, markdown, page};

    fn outcomes(facts: &Facts) -> Vec<(String, Outcome)> {
        let verdict = verdict::judge(facts, &sample::THRESHOLDS);
        let checks = checks(facts, &verdict, &sample::THRESHOLDS);
        checks.into_iter().map(|check| (check.group, check.outcome)).collect()
    }

    #[test]
    fn a_run_on_a_pull_request_reads_like_this() {
        let facts = sample::facts();
        let verdict = verdict::judge(&facts, &sample::THRESHOLDS);
        let sheet = sheet(&facts, &verdict, &sample::THRESHOLDS);
        expect_file!["../../testdata/run.md"].assert_eq(&markdown::render(&sheet));
        assert!(page::render(&sheet).unwrap().contains("loadtest run: PASS"));
        assert!(junit::render(&sheet).unwrap().contains("objectives"));
    }

    #[test]
    fn what_cannot_be_told_is_neither_passed_nor_failed() {
        let good = outcomes(&sample::facts());
        assert!(good.iter().all(|(_, outcome)| *outcome == Outcome::Passed), "{good:?}");
        let slow = outcomes(&Facts { achieved_ratio: 0.5, ..sample::facts() });
        let of = |group: &str| slow.iter().find(|(g, _)| g == group).unwrap().1;
        assert_eq!((of("objectives"), of("the run")), (Outcome::Invalid, Outcome::Invalid));
        assert_eq!(of("the harness on time"), Outcome::Passed);
        let stopped = outcomes(&Facts { interrupted: true, ..sample::facts() });
        assert!(stopped.iter().all(|(_, outcome)| *outcome == Outcome::Skipped), "{stopped:?}");
    }
}
