//! What a duet says, and what two of them are worth: PASS, FAIL or INVALID, from figures alone.
//!
//! FAIL needs the same thing twice: in two duets that share nothing but the builds and the plan's
//! kind, the same quantile of the same kind is slower by more than the least effect that matters,
//! with the whole interval. What one duet alone says may be chance. Never here: sending (`play`),
//! words for people (`text`).

pub(super) mod figures;
pub(super) mod objectives;

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;

use super::pairs::SIDES;
use super::play::Played;
use crate::engine::machine::Second;
use crate::report::units::{count, latency, share};
use crate::run::verdict::{Thresholds, Value, Verdict};
pub(super) use figures::{Figure, QUANTILES, Said};
pub(super) use objectives::{Keeps, Objective};

/// Of base's requests of a kind more than this failed: there is nothing to compare with.
const BASE_FAILED_MAX: f64 = 0.01;

/// By what is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Rules {
    /// Of all intervals, as a ratio.
    pub confidence: f64,
    /// The least change that matters of each of the quantiles, as a ratio.
    pub effect_min: [f64; QUANTILES.len()],
    /// When a duet can't tell.
    pub thresholds: Thresholds,
}

/// What a duet says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Duet {
    /// Which side was started first.
    pub started_first: &'static str,
    /// Decides the order within pairs, and the drawings.
    pub seed: u64,
    /// The plan's hash.
    pub plan_hash: String,
    /// Pairs of the plan.
    pub pairs_planned: u64,
    /// Pairs that were answered well on both sides.
    pub pairs_answered: u64,
    /// The rate at which requests left, or found no connection, over the one at which they were to.
    pub achieved_ratio: f64,
    /// Why it can't tell, if it can't.
    pub invalid: Vec<String>,
    /// Each quantile of each kind.
    pub figures: Vec<Figure>,
    /// Each kind's objective.
    pub objectives: Vec<Objective>,
    /// Failures of base and of head, by kind and reason.
    pub failures: Vec<Failures>,
    /// The machine, second by second.
    pub seconds: Vec<Second>,
}

/// Requests that failed in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failures {
    /// Which side.
    pub side: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// In which way.
    pub reason: &'static str,
    /// How often.
    pub count: u64,
}

/// A red thing by its kind, and the quantile or [`OBJECTIVE`].
pub(super) type Red = (String, &'static str);
/// What an objective's red is called.
pub(super) const OBJECTIVE: &str = "objective";

/// Where a duet comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) started_first: usize,
    pub(super) seed: u64,
    pub(super) plan_hash: String,
}

impl Duet {
    /// What was played, read by the rules.
    pub(super) fn of(played: &Played, origin: Origin, rules: &Rules) -> Self {
        let Origin { started_first, seed, plan_hash } = origin;
        let figures = figures::all(played, rules, seed);
        let objectives = objectives::all(played, rules.confidence);
        let mut invalid: Vec<String> = spoilt(played, &rules.thresholds).into_iter().collect();
        // A head that hangs by itself is what held the harness up.
        if !objectives.iter().any(|objective| objective.is_alone) {
            invalid.extend(held_up(played, &rules.thresholds));
        }
        // A head that answers nothing well leaves no figure, and says enough by its objectives.
        let is_missed = objectives.iter().any(|objective| objective.kept == Keeps::Missed);
        if !is_missed && figures.iter().all(|figure| figure.said == Said::Unseen) {
            invalid.push(lacking(played, &figures));
        }
        Self {
            started_first: SIDES[started_first],
            seed,
            plan_hash,
            pairs_planned: played.planned,
            pairs_answered: played.pairs.len() as u64,
            achieved_ratio: played.achieved_ratio,
            invalid,
            figures,
            objectives,
            failures: failures(played),
            seconds: played.seconds.clone(),
        }
    }

    /// Seconds that were left out.
    #[must_use]
    pub fn spoilt(&self) -> u64 {
        self.seconds.iter().filter(|second| second.spoilt.is_some()).count() as u64
    }

    /// Whether it is a reason to play another one.
    #[must_use]
    pub fn is_red(&self) -> bool {
        self.invalid.is_empty() && !self.reds().is_empty()
    }

    /// What is red in it, by names that a second duet has as well.
    fn reds(&self) -> Vec<Red> {
        let slower = self.figures.iter().filter(|figure| figure.said == Said::Slower);
        let missed = self.objectives.iter().filter(|objective| objective.kept == Keeps::Missed);
        slower
            .map(|figure| (figure.kind.clone(), figure.quantile))
            .chain(missed.map(|objective| (objective.kind.to_owned(), OBJECTIVE)))
            .collect()
    }
}

/// What is red in both duets: what one alone says may be chance.
pub(super) fn confirmed(duets: &[Duet]) -> Vec<Red> {
    let [first, second, ..] = duets else { return Vec::new() };
    let again = second.reds();
    first.reds().into_iter().filter(|red| again.contains(red)).collect()
}

/// What the duets are worth together: one that is not red, or two.
#[must_use]
pub fn judge(duets: &[Duet]) -> Verdict {
    let invalid: Vec<String> = duets
        .iter()
        .zip(1..)
        .flat_map(|(duet, n)| duet.invalid.iter().map(move |why| format!("duet {n}: {why}")))
        .collect();
    if !invalid.is_empty() {
        return Verdict { value: Value::Invalid, reasons: invalid };
    }
    let Some((first, rest)) = duets.split_first() else {
        let reasons = vec!["no duet was played".to_owned()];
        return Verdict { value: Value::Invalid, reasons };
    };
    let reds = first.reds();
    match rest.first() {
        None if reds.is_empty() => Verdict { value: Value::Pass, reasons: vec![nothing(first)] },
        None => {
            let reasons = vec!["a red duet was not followed by a second one".to_owned()];
            Verdict { value: Value::Invalid, reasons }
        }
        Some(second) => {
            let both = confirmed(duets);
            if both.is_empty() {
                let said = reds.iter().map(|red| format!("{} {}", red.0, red.1));
                let said = said.collect::<Vec<_>>().join(", ");
                let reason = format!("the first duet's {said} was not seen again in the second");
                return Verdict { value: Value::Pass, reasons: vec![reason] };
            }
            let reasons = both.iter().map(|red| why(red, [first, second])).collect();
            Verdict { value: Value::Fail, reasons }
        }
    }
}

fn nothing(duet: &Duet) -> String {
    let seen = duet.figures.iter().filter_map(|figure| figure.could_have_seen);
    let least = seen.min_by(f64::total_cmp).unwrap_or(f64::INFINITY);
    format!(
        "no figure is slower by more than it may; the finest of them would have shown +{:.1} %",
        least * 100.0
    )
}

fn why((kind, what): &Red, duets: [&Duet; 2]) -> String {
    let changes = duets.map(|duet| {
        let same = |figure: &&Figure| figure.kind == *kind && figure.quantile == *what;
        let figure = duet.figures.iter().find(same)?;
        Some((figure.ratio?, figure.interval?, figure.effect_min))
    });
    if let [Some((first, low, effect)), Some((second, again, _))] = changes {
        return format!(
            "{kind}: {what} is {} (at least {}), again {} (at least {}); {} may be",
            change(first),
            change(low.low),
            change(second),
            change(again.low),
            change(1.0 + effect)
        );
    }
    let of = |duet: &Duet| {
        let objective = duet.objectives.iter().find(|objective| objective.kind == kind.as_str());
        objective.map_or_else(String::new, Objective::said_of_head)
    };
    format!("{kind}: {}; again {}", of(duets[0]), of(duets[1]))
}

/// A ratio as a change.
pub(super) fn change(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

/// Too many seconds in which the machine was somewhere else.
fn spoilt(played: &Played, thresholds: &Thresholds) -> Option<String> {
    let all = played.seconds.len();
    let spoilt = played.seconds.iter().filter(|second| second.spoilt.is_some()).count();
    (spoilt as f64 > thresholds.spoilt_max * all as f64).then(|| {
        format!(
            "{spoilt} of {all} seconds were spoilt by steal or by a harness out of processor time, \
             {} at most; use a quieter machine, or a lower rate",
            share(thresholds.spoilt_max)
        )
    })
}

/// What kept the harness from its plan, and base from answering.
fn held_up(played: &Played, thresholds: &Thresholds) -> Vec<String> {
    let mut invalid = Vec::new();
    if played.achieved_ratio < thresholds.achieved_min {
        invalid.push(format!(
            "only {} of the offered rate was achieved, {} at least: try a lower rate, or more \
             --connections",
            share(played.achieved_ratio),
            share(thresholds.achieved_min)
        ));
    }
    for (side, rows) in SIDES.iter().zip(&played.clean) {
        for (kind, row) in played.kinds.iter().zip(rows) {
            let most = kind.objective.as_secs_f64() * thresholds.lag_max;
            if row.own_lag.p99 > most {
                invalid.push(format!(
                    "{} of {side}: the harness itself sent {} late at p99, {} at most",
                    kind.name,
                    latency(row.own_lag.p99),
                    latency(most)
                ));
            }
        }
    }
    for row in &played.rows[0] {
        let counts = row.counts;
        let failed = counts.failed + counts.unanswered + counts.unsent;
        if failed as f64 > BASE_FAILED_MAX * counts.total as f64 {
            invalid.push(format!(
                "{}: {} of {} requests to base itself failed; there is nothing to compare with",
                row.label.name,
                count(failed),
                count(counts.total)
            ));
        }
    }
    invalid
}

/// What a duet lacked of whose figures none says anything.
fn lacking(played: &Played, figures: &[Figure]) -> String {
    let answered = played.pairs.len() as u64;
    let spoilt =
        |second: u32| played.seconds.get(second as usize).is_none_or(|s| s.spoilt.is_some());
    let clean = played.pairs.iter().filter(|pair| !spoilt(pair.second)).count() as u64;
    let failed = played.planned.saturating_sub(answered);
    let what = if failed > answered {
        "look at what failed"
    } else if clean < answered / 2 {
        "use a quieter machine"
    } else {
        "play it longer"
    };
    let most = figures
        .iter()
        .max_by_key(|figure| (figure.windows.len(), figure.pairs, Reverse(figure.pairs_needed)));
    let most = most.map_or_else(String::new, |most| {
        format!("; the best is {} {} with {}", most.kind, most.quantile, most.lacks())
    });
    format!(
        "no figure says anything: of {} pairs {} were answered well on both sides, {} of them in \
         seconds that nothing spoilt{most}; {what}",
        count(played.planned),
        count(answered),
        count(clean)
    )
}

fn failures(played: &Played) -> Vec<Failures> {
    let of = |(side, rows): (&&'static str, &Vec<crate::engine::Row>)| {
        let mut found = Vec::new();
        for row in rows {
            let (side, kind) = (*side, row.label.name);
            let reasons = row.reasons.iter().map(|(reason, count)| (*reason, *count));
            let others = [
                ("unanswered at the end", row.counts.unanswered),
                ("unsent at the end", row.counts.unsent),
            ];
            let all = reasons.chain(others).filter(|(_, count)| *count > 0);
            found.extend(all.map(|(reason, count)| Failures { side, kind, reason, count }));
        }
        found
    };
    SIDES.iter().zip(&played.rows).flat_map(of).collect()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
pub(in crate::gate) mod tests;
