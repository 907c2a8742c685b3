//! Each rule of the verdict, at its threshold.

use super::super::sample;
use super::*;
use crate::engine::ledger::{CleanRow, Counts};
use crate::engine::machine::Second;

/// A run with one kind of 1,000 requests of which so many are good, and so many missed by the
/// service itself.
fn run(good: u64, missed_by_service: u64) -> Facts {
    let mut facts = sample::facts();
    facts.kinds.truncate(1);
    let clean = &mut facts.kinds[0].clean;
    *clean = CleanRow { total: 1_000, good, missed_by_service, asked: 1_000, ..*clean };
    facts
}

fn spoil(facts: &mut Facts, seconds: usize) {
    let clean = Second { spoilt: None, ..facts.seconds[0] };
    let spoilt = Second { spoilt: Some(Spoilt::Steal), ..clean };
    facts.seconds = (0..10).map(|i| if i < seconds { spoilt } else { clean }).collect();
}

fn check(facts: &Facts, value: Value, says: &str) {
    let verdict = judge(facts, &sample::THRESHOLDS);
    assert_eq!(verdict.value, value, "{:?}", verdict.reasons);
    assert!(verdict.reasons.iter().any(|reason| reason.contains(says)), "{:?}", verdict.reasons);
}

#[test]
fn a_share_at_the_objective_passes_and_one_below_fails() {
    check(&run(990, 0), Value::Pass, "every objective");
    check(&run(989, 0), Value::Fail, "989 of 1,000 requests were good within");
}

#[test]
fn a_rate_that_was_not_achieved_is_invalid() {
    let achieved = |achieved_ratio| Facts { achieved_ratio, ..run(1_000, 0) };
    check(&achieved(0.995), Value::Pass, "every");
    check(&achieved(0.9949), Value::Invalid, "99.49 % of the offered rate");
    // A miss that may be the harness's own is no failure of the service.
    check(&Facts { achieved_ratio: 0.5, ..run(500, 0) }, Value::Invalid, "--connections");
}

#[test]
fn a_harness_that_was_late_itself_is_invalid() {
    let late = |p99| {
        let mut facts = run(1_000, 0);
        facts.kinds[0].clean.own_lag.p99 = p99;
        facts
    };
    check(&late(0.025), Value::Pass, "every");
    check(&late(0.026), Value::Invalid, "sent 26.0 ms late at p99, 25.0 ms at most");
}

#[test]
fn too_many_spoilt_seconds_are_invalid() {
    let spoilt = |seconds, missed| {
        let mut facts = run(1_000 - missed, missed);
        spoil(&mut facts, seconds);
        facts
    };
    check(&spoilt(2, 0), Value::Pass, "every");
    check(&spoilt(3, 0), Value::Invalid, "3 of 10 seconds were spoilt (3 by steal, 0 by");
    check(&spoilt(3, 500), Value::Invalid, "spoilt");
}

#[test]
fn a_kind_without_a_clean_request_is_invalid() {
    let mut facts = run(1_000, 0);
    facts.kinds[0].clean = CleanRow::default();
    check(&facts, Value::Invalid, "read_user: all of its requests fell into spoilt seconds");
}

#[test]
fn a_verdict_over_nothing_is_invalid() {
    let mut facts = run(1_000, 0);
    let kind = &mut facts.kinds[0];
    (kind.clean, kind.counts) = (CleanRow::default(), Counts::default());
    check(&facts, Value::Invalid, "no request was to be sent");
    facts.kinds.clear();
    check(&facts, Value::Invalid, "no request was to be sent");
    // One of which there was none says nothing of the others.
    let (mut facts, none) = (run(1_000, 0), sample::facts().kinds.remove(1));
    facts.kinds.push(KindRow { clean: CleanRow::default(), counts: Counts::default(), ..none });
    check(&facts, Value::Pass, "every");
}

#[test]
fn what_the_service_alone_misses_is_excused_by_nothing() {
    let facts = Facts { achieved_ratio: 0.5, ..run(900, 11) };
    check(&facts, Value::Fail, "11 of 1,000 requests failed, had no answer");
    check(&Facts { achieved_ratio: 0.5, ..run(900, 10) }, Value::Invalid, "50.00 %");
}

/// A service that hangs is sent little, and leaves all of it without an answer: that the harness
/// could not send the rest excuses nothing. What it had for a moment only is no proof.
#[test]
fn what_little_was_sent_is_judged() {
    let hangs = |missed, asked, young| {
        let mut facts = Facts { achieved_ratio: 0.004, ..run(0, missed) };
        let clean = &mut facts.kinds[0].clean;
        *clean = CleanRow { total: 20_000, asked, young, ..*clean };
        facts
    };
    check(&hangs(64, 64, 0), Value::Fail, "64 of 64 requests that it was asked failed, had no");
    check(&hangs(64, 64, 16), Value::Fail, "48 of 48 requests that it was asked");
    check(&hangs(16, 144, 16), Value::Invalid, "0.40 % of the offered rate");
    check(&hangs(1, 100, 0), Value::Invalid, "0.40 %");
    check(&hangs(2, 100, 0), Value::Fail, "2 of 100");
}

#[test]
fn a_rate_that_the_service_refused_is_not_the_harnesss_lack() {
    let refused = |refused| {
        let mut facts = Facts { planned: 1_000, sent: 993, achieved_ratio: 0.993, ..run(993, 7) };
        facts.kinds[0].counts.refused = refused;
        facts
    };
    check(&refused(7), Value::Pass, "every objective was met");
    check(&refused(0), Value::Invalid, "99.30 % of the offered rate");
    let gone = Facts { sent: 0, achieved_ratio: 0.0, ..refused(1_000) };
    assert!((gone.tried_ratio() - 1.0).abs() < 1e-9);
}

#[test]
fn what_was_stopped_is_not_judged() {
    check(&Facts { interrupted: true, ..run(0, 1_000) }, Value::Interrupted, "not judged");
}
