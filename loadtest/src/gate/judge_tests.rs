//! Duets that are made up, with what they must be worth.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::engine::ledger::{CleanRow, Counts, Quantiles};
use crate::engine::machine::{Spoilt, Tolerance};
use crate::engine::{Label, Row};
use crate::gate::stats::windows::Pair;

pub(in crate::gate) const RULES: Rules = Rules {
    confidence: 0.95,
    effect_min: [0.05, 0.10, 0.10],
    thresholds: Thresholds {
        achieved_min: 0.995,
        lag_max: 0.1,
        spoilt_max: 0.2,
        tolerance: Tolerance { steal_max: 0.2, waiting_max: 0.25, busy_max: 0.9 },
    },
};
const CLEAN: Second = Second {
    steal_ratio: 0.0,
    busy_ratio: 0.2,
    used_seconds: 0.1,
    waited_seconds: 0.0,
    spoilt: None,
};

fn label(name: &'static str) -> Label {
    Label {
        name,
        method: "GET",
        objective: Duration::from_millis(250),
        share: 0.99,
        critical: true,
    }
}

fn row(label: Label) -> Row {
    let q = Quantiles::default();
    let counts = Counts { total: 6_000, good: 6_000, ..Counts::default() };
    let reasons = BTreeMap::new();
    Row { label, counts, response: q, service: q, service_mean: 0.0, lag: q, reasons }
}

fn clean() -> CleanRow {
    CleanRow { total: 6_000, good: 6_000, ..CleanRow::default() }
}

/// Two minutes of a hundred pairs a second: what both sides take is noisy, the machine's mood of
/// each second is in both, and head takes this much of base.
pub(in crate::gate) fn played(seed: u64, slower: f64) -> Played {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut unit = move || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut pairs = Vec::new();
    for second in 0..120 {
        let mood = 1.0 + unit();
        for i in 0..100 {
            let mut side = |factor: f64| (1e6 * mood * factor * (1.0 + unit().powi(4))) as u64;
            let response_ns = [side(1.0), side(slower)];
            pairs.push(Pair { second, kind: u16::from(i % 4 == 0), response_ns });
        }
    }
    let kinds = vec![label("book"), label("read")];
    Played {
        pairs,
        seconds: vec![CLEAN; 120],
        rows: [0, 1].map(|_| kinds.iter().map(|kind| row(*kind)).collect()),
        clean: [vec![clean(); 2], vec![clean(); 2]],
        planned: 12_000,
        achieved_ratio: 1.0,
        kinds,
    }
}

pub(in crate::gate) fn duet(seed: u64, slower: f64) -> Duet {
    read(&played(seed, slower), seed)
}

fn read(played: &Played, seed: u64) -> Duet {
    let origin = Origin { started_first: 0, seed, plan_hash: "5f0c".to_owned() };
    Duet::of(played, origin, &RULES)
}

fn figure<'a>(duet: &'a Duet, kind: &str, quantile: &str) -> &'a Figure {
    let mut figures = duet.figures.iter();
    figures.find(|f| f.kind == kind && f.quantile == quantile).expect("it is there")
}

#[test]
fn the_same_build_is_not_red() {
    for seed in 0..20 {
        let duet = duet(seed, 1.0);
        assert!(!duet.is_red(), "{seed}: {:?}", duet.reds());
    }
    let verdict = judge(&[duet(1, 1.0)]);
    assert_eq!(verdict.value, Value::Pass);
    assert!(verdict.reasons[0].contains("would have shown +"), "{verdict:?}");
}

#[test]
fn a_slower_build_is_red_twice_and_fails() {
    let duets = [duet(1, 1.2), duet(2, 1.2)];
    assert!(duets[0].is_red());
    let verdict = judge(&duets);
    assert_eq!(verdict.value, Value::Fail);
    let first = &verdict.reasons[0];
    assert!(first.starts_with("all critical: p50 is +2") && first.contains("again +"), "{first}");
    let figure = figure(&duets[0], "book", "p50");
    assert!((figure.ratio.unwrap_or(0.0) - 1.2).abs() < 0.03, "{figure:?}");
}

#[test]
fn what_is_slower_by_less_than_matters_passes() {
    let duet = duet(3, 1.02);
    assert!(!duet.is_red(), "{:?}", duet.reds());
    assert_eq!(judge(&[duet]).value, Value::Pass);
}

#[test]
fn what_one_duet_alone_says_is_not_believed() {
    let verdict = judge(&[duet(1, 1.2), duet(2, 1.0)]);
    assert_eq!(verdict.value, Value::Pass);
    assert!(verdict.reasons[0].contains("was not seen again"), "{verdict:?}");
    assert_eq!(judge(&[duet(1, 1.2)]).value, Value::Invalid, "half a judgement is none");
    assert_eq!(judge(&[]).value, Value::Invalid);
}

#[test]
fn a_faster_build_is_told_as_such() {
    let duet = duet(4, 0.8);
    assert_eq!(figure(&duet, ALL, "p50").said, Said::Faster);
    assert!(!duet.is_red());
}

const ALL: &str = figures::ALL_CRITICAL;

/// What could have been seen is seen, and half of what lies beyond the effect is not sure to be.
#[test]
fn the_smallest_change_that_is_seen_is_told() {
    let visible = figure(&duet(5, 1.0), ALL, "p50").could_have_seen.expect("there are windows");
    assert!((0.05..0.10).contains(&visible), "{visible}");
    let seen = (0..20).filter(|seed| duet(100 + seed, 1.0 + visible).is_red()).count();
    assert!(seen >= 15, "{seen} of 20");
}

#[test]
fn too_few_pairs_say_nothing() {
    let mut few = played(1, 3.0);
    few.pairs.retain(|pair| pair.kind == 0 || pair.second < 3);
    let duet = read(&few, 1);
    let rare = figure(&duet, "read", "p50");
    assert_eq!((rare.said, rare.pairs, rare.pairs_needed), (Said::Unseen, 75, 120));
    assert_eq!(figure(&duet, "book", "p50").said, Said::Slower);
}

/// Whoever reads it learns what lacked, and is not sent to play longer where that helps nothing.
#[test]
fn a_duet_without_a_figure_says_what_it_lacked() {
    type Lack = fn(&mut Played);
    let cases: [(Lack, &str, &str); 3] = [
        (
            |played| {
                played.planned = 60;
                played.pairs.truncate(50);
            },
            "of 60 pairs 50 were answered well on both sides, 50 of them in seconds",
            "with 50 pairs of 120; play it longer",
        ),
        (
            |played| played.pairs.truncate(50),
            "of 12,000 pairs 50 were answered well",
            "look at what failed",
        ),
        (
            |played| played.seconds[10..].fill(Second { spoilt: Some(Spoilt::Steal), ..CLEAN }),
            "of 12,000 pairs 12,000 were answered well on both sides, 1,000 of them in seconds",
            "with 10 windows of 12; use a quieter machine",
        ),
    ];
    for (lack, has, ends) in cases {
        let mut lacking = played(1, 3.0);
        lack(&mut lacking);
        let duet = read(&lacking, 1);
        let said = duet.invalid.last().expect("it can't tell");
        assert!(said.contains(has) && said.ends_with(ends), "{said}");
        assert_eq!(judge(&[duet]).value, Value::Invalid);
    }
}

/// There is no figure of what answers nothing well, and yet nothing is plainer.
#[test]
fn a_head_that_answers_nothing_well_fails() {
    let dead = |seed| {
        let mut dead = played(seed, 1.0);
        dead.pairs.clear();
        dead.clean[1].iter_mut().for_each(|row| row.good = 0);
        read(&dead, seed)
    };
    let duets = [dead(1), dead(2)];
    assert!(duets[0].is_red(), "another one is played: {:?}", duets[0].invalid);
    let verdict = judge(&duets);
    assert_eq!(verdict.value, Value::Fail, "{verdict:?}");
    assert!(verdict.reasons[0].contains("6,000 of 6,000 requests missed"), "{verdict:?}");
}

#[test]
fn an_objective_is_missed_by_the_exact_interval_and_by_head_alone() {
    let missing = |base: u64, head: u64| {
        let mut played = played(1, 1.0);
        played.clean[0][0].good -= base;
        played.clean[1][0].good -= head;
        read(&played, 1)
    };
    let kept = |duet: &Duet| duet.objectives[0].kept;
    assert_eq!(kept(&missing(0, 40)), Keeps::Kept, "0.67 %, at most 0.91 %");
    assert_eq!(kept(&missing(0, 60)), Keeps::Unknown, "1 %, which may be more or less");
    assert_eq!(kept(&missing(0, 90)), Keeps::Missed, "1.5 %, at least 1.2 %");
    assert_eq!(kept(&missing(90, 90)), Keeps::MissedByBoth);
    let verdict = judge(&[missing(0, 90), missing(0, 95)]);
    assert_eq!(verdict.value, Value::Fail);
    assert!(verdict.reasons[0].contains("90 of 6,000 requests missed 250 ms"), "{verdict:?}");
    assert_eq!(judge(&[missing(90, 90)]).value, Value::Pass);
}

#[test]
fn what_cannot_tell_is_invalid_whatever_it_says() {
    let stolen = Second { spoilt: Some(Spoilt::Steal), ..CLEAN };
    type Spoil = fn(&mut Played);
    let cases: [(Spoil, &str); 4] = [
        (|played| played.achieved_ratio = 0.98, "98.00 % of the offered rate"),
        (|played| played.clean[1][1].own_lag.p99 = 0.03, "read of head: the harness itself sent"),
        (|played| played.rows[0][0].counts.failed = 70, "70 of 6,000 requests to base itself"),
        (|_| {}, ""),
    ];
    for (spoil, says) in cases {
        let mut spoilt = played(1, 1.5);
        spoil(&mut spoilt);
        if says.is_empty() {
            spoilt.seconds[..30].fill(stolen);
        }
        let duet = read(&spoilt, 1);
        let says = if says.is_empty() { "30 of 120 seconds were spoilt" } else { says };
        assert!(duet.invalid[0].contains(says), "{:?}", duet.invalid);
        assert!(!duet.is_red(), "it is not played again: it can't tell");
        assert_eq!(judge(&[duet]).value, Value::Invalid);
    }
}

#[test]
fn spoilt_seconds_are_left_out() {
    let mut played = played(1, 1.0);
    for pair in played.pairs.iter_mut().filter(|pair| pair.second < 20) {
        pair.response_ns[1] *= 50;
    }
    played.seconds[..20].fill(Second { spoilt: Some(Spoilt::Starved), ..CLEAN });
    let duet = read(&played, 1);
    assert!(duet.invalid.is_empty() && !duet.is_red() && duet.spoilt() == 20);
    assert_eq!(figure(&duet, ALL, "p50").windows.len(), 100);
}

#[test]
fn failures_are_told_by_side_kind_and_reason() {
    let mut failing = played(1, 1.0);
    failing.rows[1][0].reasons.insert("status 500", 3);
    failing.rows[1][0].counts.unsent = 2;
    let of = |reason, count| Failures { side: "head", kind: "book", reason, count };
    let wanted = vec![of("status 500", 3), of("unsent at the end", 2)];
    assert_eq!(read(&failing, 1).failures, wanted);
}

/// It holds the connections, so that base gets next to nothing either.
#[test]
fn a_head_that_hangs_by_itself_fails() {
    let hung = |base_missed| {
        let mut played = played(7, 1.0);
        played.pairs.clear();
        played.achieved_ratio = 0.01;
        let asked = CleanRow { total: 6_000, good: 70, asked: 70, ..CleanRow::default() };
        let head = CleanRow { good: 0, missed_by_service: 66, young: 2, ..asked };
        let base = CleanRow { missed_by_service: base_missed, ..asked };
        played.clean = [vec![base; 2], vec![head; 2]];
        for row in &mut played.rows[0] {
            row.counts = Counts { total: 6_000, good: 70, unsent: 5_930, ..Counts::default() };
        }
        read(&played, 7)
    };
    let verdict = judge(&[hung(0), hung(0)]);
    assert_eq!(verdict.value, Value::Fail, "{verdict:?}");
    let says = "64 of 68 requests that it was asked missed 250 ms";
    assert!(verdict.reasons[0].contains(says), "{verdict:?}");

    // In part: most pairs go through, and base is good by any measure.
    let slow = |seed| {
        let mut played = played(seed, 1.0);
        played.achieved_ratio = 0.99;
        let base = CleanRow { asked: 6_000, ..clean() };
        let head = CleanRow { good: 5_800, missed_by_service: 200, ..base };
        played.clean = [vec![base; 2], vec![head; 2]];
        read(&played, seed)
    };
    let verdict = judge(&[slow(1), slow(2)]);
    assert_eq!(verdict.value, Value::Fail, "{verdict:?}");
    assert!(verdict.reasons[0].contains("200 of 6,000 requests missed 250 ms"), "{verdict:?}");

    let both = hung(60);
    assert!(!both.is_red() && judge(&[both]).value == Value::Invalid, "base hangs as well");
}
