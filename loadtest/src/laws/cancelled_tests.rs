//! Planted texts that should have been stopped, and cases that are too few.

use super::super::wire::DayInWords;
use super::super::wire::tests::{accepted, wire};
use super::*;

const PHONE: u64 = 999_100_000_000_001;

fn cancellation(entries: Vec<Entry>) -> Cancellation {
    Cancellation {
        practice_id: 7,
        appointment_id: "a0000001".into(),
        by: By::Call,
        from: 9_990_000_000_007,
        to: PHONE,
        mention: Mention { name: "Ana".into(), day: DayInWords::Today, time: "14:20".into() },
        namesakes: 0,
        answered_ns: 100,
        booked_again_ns: None,
        entries,
    }
}

fn entry(message_id: Option<i64>, in_time: bool) -> Entry {
    Entry { rule_id: 1, message_id, in_time }
}

fn log(t_ns: u64, message_id: i64, body: &str) -> Wire {
    let mut log = wire(vec![accepted(t_ns, message_id, PHONE)]);
    log.bodies.insert(0, body.to_owned());
    log
}

#[test]
fn a_stopped_text_that_left_breaks_it_and_one_that_did_not_keeps_it() {
    let speaks = "Park Clinic: see you soon. Ana, today at 14:20.";
    let silent = "Park Clinic: see you soon. Bruno, today at 14:25.";
    for (what, wire, entries, violations, cases) in [
        ("stopped, left later", log(200, 5, speaks), vec![entry(Some(5), true)], 1, 1),
        ("stopped, left before", log(50, 5, speaks), vec![entry(Some(5), true)], 1, 1),
        ("left without it", log(200, 5, silent), vec![entry(Some(5), true)], 0, 1),
        ("planned, left later", log(200, 5, speaks), vec![entry(None, true)], 1, 1),
        ("another text, before", log(50, 5, speaks), vec![entry(None, true)], 0, 1),
        (
            "said to be too late",
            log(200, 5, speaks),
            vec![entry(Some(5), false), entry(None, true)],
            0,
            1,
        ),
        ("nothing stopped", log(200, 5, speaks), vec![entry(Some(5), false)], 0, 0),
        ("nothing left", wire(vec![]), vec![entry(None, true)], 0, 1),
    ] {
        let check = nothing_leaves(&wire, &[cancellation(entries)], By::Call, 0);
        assert_eq!((check.violations, check.cases), (violations, cases), "{what}");
    }
    let check = nothing_leaves(&wire(vec![]), &[], By::Call, 1);
    assert!(!check.passed(), "no case is too few");
    let again =
        Cancellation { booked_again_ns: Some(150), ..cancellation(vec![entry(None, true)]) };
    assert!(nothing_leaves(&log(200, 6, speaks), &[again], By::Call, 1).passed(), "booked again");
}

#[test]
fn what_is_not_joined_by_name_is_no_pass() {
    let speaks = "Park Clinic: see you soon. Ana, today at 14:20.";
    let stopped = || cancellation(vec![entry(Some(5), true)]);
    let judged = |log: &Wire, cancellation: &Cancellation| {
        let check = nothing_leaves(log, std::slice::from_ref(cancellation), By::Call, 1);
        (check.cases, check.violations)
    };
    // A namesake of the same phone may be meant once, and not twice.
    let namesake = Cancellation { namesakes: 1, ..stopped() };
    assert_eq!(judged(&log(200, 5, speaks), &namesake), (1, 0));
    let both = "Park Clinic: see you soon. Ana, today at 14:20. Ana, today at 14:20.";
    assert_eq!(judged(&log(200, 5, both), &namesake), (1, 1));
    // Tomorrow's appointment at the same time is another one.
    let tomorrow = "Park Clinic: Ana, tomorrow at 14:20.";
    assert_eq!(judged(&log(200, 5, tomorrow), &stopped()), (1, 0));
    // A text of which the words are not there may be about anything.
    let mut unread = log(200, 5, speaks);
    unread.bodies.clear();
    assert_eq!(judged(&unread, &stopped()), (1, 1));
}

#[test]
fn cases_are_appointments_and_each_way_to_cancel_has_its_own() {
    let called = cancellation(vec![entry(None, true)]);
    let by_upsert = Cancellation { by: By::Upsert, ..called.clone() };
    let repeated = Cancellation { answered_ns: 300, ..called.clone() };
    let all = [called, by_upsert, repeated];
    let none = wire(vec![]);
    assert!(nothing_leaves(&none, &all, By::Call, 1).passed());
    assert!(!nothing_leaves(&none, &all, By::Call, 2).passed(), "repeated, or not a call");
    assert!(!nothing_leaves(&none, &all, By::Upsert, 2).passed(), "calls");
    // What the repeated call was told is held against the wire as well.
    let speaks = "Park Clinic: see you soon. Ana, today at 14:20.";
    let between = log(200, 6, speaks);
    let check = nothing_leaves(&between, &all, By::Call, 1);
    assert_eq!((check.cases, check.violations), (1, 1));
}

#[test]
fn calls_without_an_answer_are_too_few() {
    let by_call = Stopped { arrival: 1, answered_ns: 1, entries: Some(Vec::new()) };
    let by_upsert = Stopped { entries: None, ..by_call.clone() };
    let both = [by_call, by_upsert];
    assert!(calls_are_answered(&both, &[], 1).passed());
    assert!(!calls_are_answered(&both, &[], 2).passed());
    let unknown = ["arrival 7".to_owned()];
    let check = calls_are_answered(&both, &unknown, 1);
    assert!(!check.passed() && check.examples[0].starts_with("arrival 7"), "{check:?}");
}

#[test]
fn what_was_too_late_must_be_there_by_name() {
    let too_late = [cancellation(vec![entry(Some(5), false)])];
    let seen = |log: &Wire, reads: &Reads, promised| {
        let check = too_late_is_seen(log, &too_late, reads, promised);
        (check.cases, check.violations, check.passed())
    };
    let silent = log(50, 5, "… Ana, today at 2:20 pm.");
    let none = Reads::new();
    assert_eq!(seen(&log(50, 5, "… Ana, today at 14:20. …"), &none, 1), (1, 0, true));
    assert_eq!(seen(&silent, &none, 1), (1, 1, false));
    // One that never left for another reason is no case, and then there are too few.
    assert_eq!(seen(&wire(vec![]), &none, 1), (0, 0, false));
    // It left without her, and her reminder counts as stopped; as sent it would be a lie.
    let read = |fate: &str, message_id| {
        let fate = Fate { rule_id: 1, fate: fate.into(), message_id: Some(message_id) };
        Reads::from([((7, "a0000001".to_owned()), vec![fate])])
    };
    assert_eq!(seen(&silent, &read("suppressed_cancelled", 5), 0), (0, 0, true));
    assert_eq!(seen(&silent, &read("suppressed_cancelled", 6), 1), (1, 1, false));
    assert_eq!(seen(&silent, &read("sent", 5), 1), (1, 1, false));
}

#[test]
fn a_read_that_shows_it_sent_breaks_it() {
    let stopped = [cancellation(vec![entry(None, true)])];
    let key = (7, "a0000001".to_owned());
    let fate = |fate: &str| Fate { rule_id: 1, fate: fate.into(), message_id: None };
    let read = |name: &str| HashMap::from([(key.clone(), vec![fate(name)])]);
    assert!(not_shown_as_sent(&stopped, &read("suppressed_cancelled"), 1).passed());
    assert!(!not_shown_as_sent(&stopped, &read("sent"), 1).passed());
    assert!(!not_shown_as_sent(&stopped, &HashMap::new(), 1).passed(), "too few");
}
