//! The rules of planning by example, in the words of the practice.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::day::plan::{Options, ZoneShare};

const DAY_BEFORE: usize = 0;
const TWO_HOURS_BEFORE: usize = 1;
const PHONE: u64 = 999_100_000_000_001;
const MARGIN: i32 = 1_800;

/// One zone with whole hours, a practice that sends from 8 to 19, and the window from 6 to 20:30.
fn with_terms<T>(check: impl FnOnce(&Terms<'_>) -> T) -> T {
    let zones = vec![ZoneShare { name: "America/Sao_Paulo".to_owned(), share: 1.0 }];
    let options = Options { zones, ..Options::default() };
    let zones = Zones::new(&options).unwrap();
    let mut practice = Practice::draw(&options, 0, 1);
    practice.send_from = 8 * 60;
    practice.send_until = 19 * 60;
    practice.rules[DAY_BEFORE].grouping_minutes = 60;
    check(&Terms { practice: &practice, zone: &zones.zones[0], zones: &zones, margin: MARGIN })
}

/// Seconds from the origin (06:00) to this wall time of the day.
fn at(hour: i32, minute: i32) -> i32 {
    (hour - 6) * 3600 + minute * 60
}

/// An appointment on this day at this wall time, as imported.
fn imported(rule: usize, day: i16, hour: u16, minute: u16) -> Option<Intent> {
    with_terms(|terms| terms.intent(rule, PHONE, (day, hour * 60 + minute), Accepted::IMPORTED))
}

#[test]
fn a_day_before_at_the_same_wall_time_scattered_over_its_hour() {
    let intent = imported(DAY_BEFORE, 1, 10, 20).unwrap();
    assert_eq!((intent.day, intent.slot), (0, 10));
    assert_eq!(intent.exact, at(10, 20));
    assert!((at(10, 0)..at(11, 0)).contains(&intent.earliest));
    assert_eq!(intent.earliest, intent.latest);
    assert!(intent.sure);
    // The whole family has the same second.
    assert_eq!(imported(DAY_BEFORE, 1, 10, 50).unwrap().earliest, intent.earliest);
}

#[test]
fn sending_hours_move_an_early_text_to_their_start() {
    let early = imported(DAY_BEFORE, 1, 7, 0).unwrap();
    assert_eq!(early.slot, 8);
    assert!((at(8, 0)..at(9, 0)).contains(&early.earliest));
    // Two hours before 08:00 is 06:00, moved to 08:00: the appointment has begun.
    assert_eq!(imported(TWO_HOURS_BEFORE, 0, 8, 0), None);
    let later = imported(TWO_HOURS_BEFORE, 0, 9, 30).unwrap();
    assert!((at(8, 0)..at(8, 15)).contains(&later.earliest), "{later:?}");
}

#[test]
fn sending_hours_move_a_late_text_to_their_last_window() {
    let late = imported(DAY_BEFORE, 1, 21, 0).unwrap();
    assert_eq!(late.slot, 18);
    assert!((at(18, 0)..at(19, 0)).contains(&late.earliest));
}

#[test]
fn a_rule_whose_time_has_passed_does_not_apply() {
    // Booked for tomorrow at ten.
    let booked = |when: i32| {
        with_terms(|terms| terms.intent(DAY_BEFORE, PHONE, (1, 600), terms.accepted(when)))
    };
    assert_eq!(booked(at(10, 1)), None);
    assert!(!booked(at(9, 45)).unwrap().sure, "within the margin");
    assert!(booked(at(9, 0)).unwrap().sure);
    // Yesterday's reminder of what is imported for today is none.
    assert_eq!(imported(DAY_BEFORE, 0, 10, 0), None);
}

#[test]
fn a_text_that_was_due_earlier_in_its_window_is_due_at_once() {
    // Booked at 10:25, taken in by 10:26, for tomorrow 10:59: the window began at 10:00.
    let accepted = Accepted { at: at(10, 25), late: 60 };
    let booked = with_terms(|terms| terms.intent(DAY_BEFORE, PHONE, (1, 659), accepted)).unwrap();
    let due = imported(DAY_BEFORE, 1, 10, 59).unwrap().earliest;
    assert_eq!(booked.earliest, due.max(at(10, 25)));
    assert_eq!(booked.latest, due.max(at(10, 26)));
}

fn member(rule: u8, due: i32, ended: Option<i32>) -> Member {
    let intent =
        Intent { rule, day: 0, slot: 0, exact: due, earliest: due, latest: due, sure: true };
    Member { intent, ended }
}

fn counted(members: &[Member]) -> (u32, u32, u32) {
    let texts = with_terms(|terms| terms.texts(&mut members.to_vec()));
    (texts.min, texts.max, texts.families)
}

#[test]
fn a_group_is_one_text() {
    let due = at(12, 0);
    for (what, members, expected) in [
        ("nobody", vec![], (0, 0, 0)),
        ("alone", vec![member(0, due, None)], (1, 1, 0)),
        ("a family", vec![member(0, due, None); 3], (1, 1, 1)),
        ("two rules", vec![member(0, due, None), member(1, due, None)], (2, 2, 0)),
        (
            "joined after it left",
            vec![member(0, due, None), member(0, due + MARGIN + 1, None)],
            (2, 2, 0),
        ),
        (
            "joined while it may be leaving",
            vec![member(0, due, None), member(0, due + MARGIN, None)],
            (1, 2, 0),
        ),
        ("cancelled early", vec![member(0, due, Some(due - MARGIN - 1))], (0, 0, 0)),
        ("cancelled late", vec![member(0, due, Some(due + MARGIN + 1))], (1, 1, 0)),
        ("cancelled as it leaves", vec![member(0, due, Some(due - 60))], (0, 1, 0)),
        (
            "one of a family cancelled",
            vec![member(0, due, None), member(0, due, Some(due - MARGIN - 1))],
            (1, 1, 0),
        ),
        ("after the window", vec![member(0, at(20, 31), None)], (0, 0, 0)),
    ] {
        assert_eq!(counted(&members), expected, "{what}");
    }
}

#[test]
fn an_unsure_member_counts_at_most() {
    let sure = member(0, at(12, 0), None);
    let mut unsure = sure;
    unsure.intent.sure = false;
    assert_eq!(counted(&[unsure]), (0, 1, 0));
    assert_eq!(counted(&[unsure, sure]), (1, 1, 0));
    let mut open = sure;
    open.intent.latest += 60;
    assert_eq!(counted(&[open, sure]), (1, 2, 0));
}
