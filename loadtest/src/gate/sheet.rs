//! A gate's outcome as a sheet: what every face of the report shows.
//!
//! Never here: a number that isn't in the outcome.

use super::judge::{
    Duet, Figure, Keeps, OBJECTIVE, Objective, QUANTILES, Red, Said, change, confirmed,
};
use super::{Outcome, SCHEMA};
use crate::report::sheet::{
    Block, Chart, Check, Line, Mark, Outcome as Ended, Section, Sheet, Stroke, Table, Unit,
};
use crate::report::units::{clock, count, latency, share};
use crate::run::verdict::Value;

/// The whole sheet.
pub(super) fn of(outcome: &Outcome) -> Sheet {
    let Outcome { verdict, duets, .. } = outcome;
    let failed = failed(outcome);
    let mut sections = Vec::new();
    for (n, duet) in (1..).zip(duets) {
        sections.push(figures(n, duet, &failed));
        sections.push(windows(n, duet));
        sections.extend(failures(n, duet));
    }
    Sheet {
        title: "loadtest gate".to_owned(),
        verdict: verdict.value.name().to_owned(),
        outcome: verdict.value.outcome(),
        reasons: verdict.reasons.clone(),
        facts: facts(outcome),
        checks: checks(outcome),
        sections,
        foot: format!("{SCHEMA}. All figures and windows are in gate.json."),
    }
}

fn facts(outcome: &Outcome) -> Vec<(String, String)> {
    let seconds = |seconds: f64| clock(std::time::Duration::from_secs_f64(seconds));
    let rules = &outcome.rules;
    let effects = QUANTILES.iter().zip(rules.effect_min);
    let effects: Vec<String> =
        effects.map(|((name, _), least)| format!("{name} {}", change(1.0 + least))).collect();
    let mut facts = vec![
        ("base".to_owned(), outcome.sides[0].clone()),
        ("head".to_owned(), outcome.sides[1].clone()),
        ("sent".to_owned(), format!("{}, to both sides", outcome.source)),
        (
            "time".to_owned(),
            format!(
                "{} of a budget of {}, building apart",
                seconds(outcome.took_seconds),
                seconds(outcome.budget_seconds)
            ),
        ),
        (
            "rules".to_owned(),
            format!(
                "red from {}, with all of a {} interval, in two duets",
                effects.join(", "),
                share(rules.confidence)
            ),
        ),
    ];
    for (n, duet) in (1..).zip(&outcome.duets) {
        facts.push((
            format!("duet {n}"),
            format!(
                "plan {}, {} started first, {} of {} pairs answered well, {} of {} seconds spoilt, \
                 {} of the rate",
                duet.plan_hash.chars().take(12).collect::<String>(),
                duet.started_first,
                count(duet.pairs_answered),
                count(duet.pairs_planned),
                count(duet.spoilt()),
                count(duet.seconds.len() as u64),
                share(duet.achieved_ratio)
            ),
        ));
    }
    facts
}

/// Each figure and each objective of each duet. What a duet says alone is not believed: only what
/// both call red fails, and only where the duets can tell.
fn checks(outcome: &Outcome) -> Vec<Check> {
    let Outcome { verdict, duets, .. } = outcome;
    let failed = failed(outcome);
    let check = |group: String, (kind, what): (&str, &str), name, alone, mut detail: String| {
        let is_alone = alone == Ended::Failed && !is_among(&failed, kind, what);
        let outcome = match verdict.value {
            Value::Interrupted => Ended::Skipped,
            Value::Invalid => Ended::Invalid,
            Value::Pass | Value::Fail if is_alone => {
                detail.push_str("; not seen in another duet");
                Ended::Skipped
            }
            Value::Pass | Value::Fail => alone,
        };
        Check { group, name, outcome, detail, examples: Vec::new() }
    };
    let mut checks = Vec::new();
    for (n, duet) in (1..).zip(duets) {
        for figure in &duet.figures {
            let alone = match figure.said {
                Said::Slower => Ended::Failed,
                Said::Faster | Said::Same => Ended::Passed,
                Said::Unseen => Ended::Skipped,
            };
            let red = (figure.kind.as_str(), figure.quantile);
            let name = format!("{} {}", figure.kind, figure.quantile);
            checks.push(check(format!("duet {n}"), red, name, alone, detail(figure)));
        }
        for objective in &duet.objectives {
            let alone = match objective.kept {
                Keeps::Kept => Ended::Passed,
                Keeps::Missed => Ended::Failed,
                Keeps::MissedByBoth | Keeps::Unknown => Ended::Skipped,
            };
            let (red, name) = ((objective.kind, OBJECTIVE), objective.kind.to_owned());
            checks.push(check(format!("objectives {n}"), red, name, alone, kept(objective)));
        }
    }
    checks
}

/// What made it fail.
fn failed(outcome: &Outcome) -> Vec<Red> {
    match outcome.verdict.value {
        Value::Fail => confirmed(&outcome.duets),
        Value::Pass | Value::Invalid | Value::Interrupted => Vec::new(),
    }
}

fn is_among(reds: &[Red], kind: &str, what: &str) -> bool {
    reds.iter().any(|red| (red.0.as_str(), red.1) == (kind, what))
}

fn detail(figure: &Figure) -> String {
    let (Some(ratio), Some(interval), Some(seen)) =
        (figure.ratio, figure.interval, figure.could_have_seen)
    else {
        return figure.lacks();
    };
    format!(
        "{} ({} to {}); {} would have been seen",
        change(ratio),
        change(interval.low),
        change(interval.high),
        change(1.0 + seen)
    )
}

fn kept(objective: &Objective) -> String {
    let of = |side: usize| {
        let misses = objective.sides[side];
        format!("{} of {}", count(misses.missed), count(misses.all))
    };
    let why = match objective.kept {
        Keeps::Kept | Keeps::Missed => String::new(),
        Keeps::MissedByBoth => "; base misses it as well, which says nothing of the change".into(),
        Keeps::Unknown if objective.allowed > 0.0 => {
            format!("; it takes {} good ones to say that it is kept", count(objective.needed))
        }
        Keeps::Unknown => "; no sample says that nothing ever misses it".into(),
    };
    format!(
        "over {}: base {}, head {} (at most {}; {} may){why}",
        latency(objective.seconds),
        of(0),
        of(1),
        share(objective.sides[1].interval.high),
        share(objective.allowed)
    )
}

fn figures(n: usize, duet: &Duet, failed: &[Red]) -> Section {
    let columns =
        ["kind", "quantile", "base", "head", "change", "from", "to", "would have seen", "windows"];
    let mut table = Table::new(&columns);
    for figure in &duet.figures {
        let is_bad = figure.said == Said::Slower && is_among(failed, &figure.kind, figure.quantile);
        let mark = if is_bad { Mark::Bad } else { Mark::None };
        let mut cells = vec![figure.kind.clone(), figure.quantile.to_owned()];
        if let (Some([base, head]), Some(ratio), Some(interval), Some(seen)) =
            (figure.seconds, figure.ratio, figure.interval, figure.could_have_seen)
        {
            cells.extend([latency(base), latency(head)]);
            cells.extend([ratio, interval.low, interval.high, 1.0 + seen].map(change));
            cells.push(count(figure.windows.len() as u64));
        } else {
            cells.push(figure.lacks());
        }
        table.push(mark, cells);
    }
    let note = "From the intended start to the last byte. The change is the middle of the windows' \
                ratios, from and to are its interval; what would have been seen is the smallest \
                change that both duets would have called red, four times in five.";
    Section::new(
        &format!("Duet {n}: {} started first", duet.started_first),
        note,
        vec![Block::Table(table)],
    )
}

/// The first kind's ratios, window by window.
fn windows(n: usize, duet: &Duet) -> Section {
    let first = duet.figures.first().map_or("", |figure| figure.kind.as_str());
    let of_first = duet.figures.iter().filter(|figure| figure.kind == first);
    let mut lines: Vec<Line> = of_first
        .map(|figure| Line {
            name: figure.quantile.to_owned(),
            stroke: Stroke::Solid,
            points: figure.windows.iter().map(|(at, ratio)| (f64::from(*at), *ratio)).collect(),
        })
        .collect();
    let last = duet.seconds.len() as f64;
    let even = Line {
        name: "the same".to_owned(),
        stroke: Stroke::Dashed,
        points: vec![(0.0, 1.0), (last, 1.0)],
    };
    lines.push(even);
    let spoilt = (0_u32..).zip(&duet.seconds).filter(|(_, second)| second.spoilt.is_some());
    let shaded = spoilt.map(|(at, _)| (f64::from(at), f64::from(at) + 1.0)).collect();
    let title = format!("head over base, {first}");
    let chart = Chart { shaded, ..Chart::over_time(title, Unit::Ratio, lines) };
    let note = "Each point is a window; shaded seconds were spoilt and left out.";
    Section::new(&format!("Duet {n}: window by window"), note, vec![Block::Chart(chart)])
}

fn failures(n: usize, duet: &Duet) -> Option<Section> {
    if duet.failures.is_empty() {
        return None;
    }
    let mut table = Table::new(&["side", "kind", "reason", "requests"]);
    for failure in &duet.failures {
        let cells = [failure.side, failure.kind, failure.reason].map(str::to_owned);
        let mut cells = cells.to_vec();
        cells.push(count(failure.count));
        table.push(Mark::None, cells);
    }
    Some(Section::new(&format!("Duet {n}: what failed"), "", vec![Block::Table(table)]))
}

#[cfg(test)]
pub(super) mod tests {
    use expect_test::expect_file;

    use super::super::judge;
    use super::super::judge::tests::{RULES, duet};
    use super::*;
    use crate::report::{markdown, plain, schema};

    pub(in crate::gate) fn outcome() -> Outcome {
        of_duets(vec![duet(1, 1.2), duet(2, 1.2)])
    }

    fn of_duets(duets: Vec<Duet>) -> Outcome {
        Outcome {
            schema: SCHEMA,
            started_at: "2027-03-09T12:00:00Z".to_owned(),
            sides: ["main (0123456789ab)".to_owned(), "HEAD (ba9876543210)".to_owned()],
            source: "a day of 12000 texts in 120s".to_owned(),
            length_seconds: 120.0,
            budget_seconds: 600.0,
            took_seconds: 310.0,
            verdict: judge::judge(&duets),
            rules: RULES,
            duets,
        }
    }

    #[test]
    fn an_outcome_reads_like_this() {
        let sheet = of(&outcome());
        assert_eq!(sheet.outcome, Ended::Failed);
        expect_file!["../../testdata/gate.txt"].assert_eq(&plain::render(&sheet));
    }

    #[test]
    fn what_one_duet_alone_says_is_no_failure() {
        let sheet = of(&of_duets(vec![duet(1, 1.2), duet(2, 1.0)]));
        assert_eq!(sheet.outcome, Ended::Passed);
        let is = |outcome| sheet.checks.iter().filter(move |check| check.outcome == outcome);
        assert_eq!(is(Ended::Failed).count(), 0, "{:?}", sheet.checks);
        let alone: Vec<&Check> = is(Ended::Skipped).collect();
        assert!(alone.iter().any(|check| check.group == "duet 1"), "{alone:?}");
        assert!(alone.iter().all(|check| check.detail.ends_with("not seen in another duet")));
        assert!(!markdown::render(&sheet).contains('❌'), "nor does a table say so");
        let failed = of(&outcome());
        assert!(failed.checks.iter().any(|check| check.outcome == Ended::Failed));
        assert!(markdown::render(&failed).contains('❌'));
    }

    #[test]
    fn what_cannot_be_told_is_neither_passed_nor_failed() {
        let sheet = of(&of_duets(vec![duet(1, 1.2)]));
        assert_eq!(sheet.outcome, Ended::Invalid, "half a judgement is none");
        assert!(!sheet.checks.is_empty());
        assert!(sheet.checks.iter().all(|check| check.outcome == Ended::Invalid), "{sheet:?}");
    }

    #[test]
    fn a_figure_that_nothing_was_seen_of_is_a_case_as_well() {
        let mut duets = vec![duet(1, 1.0)];
        duets[0].figures[0].said = Said::Unseen;
        let sheet = of(&of_duets(duets));
        assert_eq!((sheet.outcome, sheet.checks[0].outcome), (Ended::Passed, Ended::Skipped));
    }

    #[test]
    fn what_was_stopped_is_shown_and_not_judged() {
        let mut outcome = outcome();
        outcome.verdict.value = Value::Interrupted;
        let sheet = of(&outcome);
        assert_eq!((sheet.verdict.as_str(), sheet.outcome), ("INTERRUPTED", Ended::Skipped));
        assert!(!sheet.checks.is_empty() && sheet.sections.len() >= 4, "{sheet:?}");
        assert!(sheet.checks.iter().all(|check| check.outcome == Ended::Skipped), "{sheet:?}");
    }

    #[test]
    fn the_json_is_as_it_is_written_down() {
        schema::check(expect_file!["../../../docs/gate.schema.json"], &[outcome()]);
    }
}
