//! Properties of the decision over random histories of one appointment; `model` holds it.

use jiff::civil::{date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::*;

mod model;

use model::{Model, revision};

#[derive(Debug, Clone)]
enum Step {
    Upsert {
        version: i64,
        start_hours: i64,
        phone: i64,
        cancelled: bool,
    },
    Cancel {
        version: Option<i64>,
    },
    Replan,
    /// New settings: other hours, or another name alone.
    Revise {
        until_hour: Option<i8>,
    },
    Pass {
        hours: i64,
        stoppable: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_i64..12, 0_i64..120, 1_i64..3, prop::bool::weighted(0.2)).prop_map(
            |(version, start_hours, phone, cancelled)| Step::Upsert {
                version, start_hours, phone, cancelled
            }
        ),
        1 => prop::option::of(0_i64..12).prop_map(|version| Step::Cancel { version }),
        1 => Just(Step::Replan),
        1 => prop::option::of(16_i8..22).prop_map(|until_hour| Step::Revise { until_hour }),
        3 => (1_i64..40, any::<bool>()).prop_map(|(hours, stoppable)| {
            Step::Pass { hours, stoppable }
        }),
    ]
}

fn change(step: &Step) -> Option<Change> {
    let base: Timestamp = "2026-05-04T00:00:00Z".parse().unwrap();
    let appointment_id = "a".to_owned();
    match step {
        Step::Upsert { version, start_hours, phone, cancelled } => {
            Some(Change::Upsert(Appointment {
                appointment_id,
                version: *version,
                starts_at: base + start_hours.hours(),
                phone: *phone,
                patient_name: String::new(),
                instructions: String::new(),
                cancelled: *cancelled,
            }))
        }
        Step::Cancel { version } => Some(Change::Cancel { appointment_id, version: *version }),
        Step::Replan => Some(Change::Replan { appointment_id }),
        Step::Revise { .. } | Step::Pass { .. } => None,
    }
}

fn moves_nothing_of(was: &Appointment, is: &Appointment) -> bool {
    !was.cancelled && !is.cancelled && (was.starts_at, was.phone) == (is.starts_at, is.phone)
}

/// Settings and edits that move nothing lose no promise: one whose day isn't over stays, in its
/// window or in that of the new hours, and so does what was due and has not left.
fn loses_nothing(
    was: &Appointment,
    waited: &[Intent],
    model: &Model,
    decision: &Decision,
    now: Timestamp,
) -> Result<(), TestCaseError> {
    let hours_end = model.revision.send_until;
    for intent in waited.iter().filter(|intent| intent.released.is_none()) {
        let closes = intent.due_day.to_datetime(hours_end).to_zoned(TimeZone::UTC).unwrap();
        let closes = closes.timestamp();
        let is_there = model
            .live
            .iter()
            .any(|there| (there.rule_id, there.due_day) == (intent.rule_id, intent.due_day));
        let can_leave = now < closes && now < was.starts_at && intent.due_at < closes;
        prop_assert!(is_there || !can_leave, "{intent:?}");
        let is_kept = !decision.delete.contains(intent);
        prop_assert!(is_kept || intent.due_at > now || is_there, "{intent:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_history_keeps_its_promises(steps in prop::collection::vec(step(), 1..40)) {
        let mut model = Model::default();
        let mut now: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
        for step in &steps {
            if let Step::Pass { hours, stoppable } = step {
                now += hours.hours();
                model.release(now, *stoppable);
                model.expire(now);
                continue;
            }
            if let Step::Revise { until_hour } = step {
                model.revision.revision += 1;
                if let Some(hour) = until_hour {
                    model.revision.send_until = time(*hour, 0, 0, 0);
                }
                continue;
            }
            let was = model.known.as_ref().map(|known| known.appointment.clone());
            let waited = model.live.clone();
            let change = change(step).unwrap();
            let before = model.known.as_ref().map(|known| known.appointment.version);
            let decision = model.apply(&change, now);

            // Versions never go back.
            let after = model.known.as_ref().map(|known| known.appointment.version);
            prop_assert!(after >= before);
            // A rule has at most one reminder that is planned.
            for rule_id in [1, 2] {
                let planned = model.live.iter()
                    .filter(|intent| intent.rule_id == rule_id && intent.released.is_none());
                prop_assert!(planned.count() <= 1);
            }
            let Some(known) = &model.known else { continue };
            // Whatever is planned tells the truth of the newest version, of which nothing is
            // planned once it is cancelled.
            for intent in model.live.iter().filter(|intent| intent.released.is_none()) {
                prop_assert!(!known.appointment.cancelled);
                prop_assert_eq!(intent.starts_at, known.appointment.starts_at);
                prop_assert_eq!(intent.phone, known.appointment.phone);
            }
            // What could be stopped and is no longer true was stopped.
            for intent in &model.live {
                if intent.released.is_some_and(|released| released.stoppable) {
                    prop_assert!(!known.appointment.cancelled);
                    prop_assert_eq!(intent.starts_at, known.appointment.starts_at);
                }
            }
            if let Some(was) = was.filter(|was| moves_nothing_of(was, &known.appointment)) {
                loses_nothing(&was, &waited, &model, &decision, now)?;
            }
            // Nothing is promised for what has begun.
            prop_assert!(decision.insert.is_empty() || known.appointment.starts_at > now);
            // Every intent can be found again.
            for intent in model.live.iter().chain(&model.suppressed) {
                prop_assert!(known.intent_days.contains(&intent.due_day));
            }
            // Doing it again does nothing.
            let again = model.apply(&change, now);
            prop_assert!(again.delete.is_empty() && again.suppress.is_empty());
            prop_assert!(again.insert.is_empty(), "{:?}", again.insert);
        }
    }
}

#[test]
fn a_small_edit_after_the_text_left_sends_no_second_one() {
    let mut model = Model::default();
    let upsert = |version| {
        change(&Step::Upsert { version, start_hours: 14, phone: 1, cancelled: false }).unwrap()
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    model.apply(&upsert(1), at("2026-05-01T09:00:00Z"));
    assert_eq!(model.live.len(), 2);
    model.release(at("2026-05-04T12:30:00Z"), false);
    // Within the window of the two-hour rule, before its exact time of 12:00.
    let edited = model.apply(&upsert(2), at("2026-05-04T11:59:00Z"));
    assert_eq!((edited.insert.len(), edited.done.planned), (0, 0));
}

/// It expired with its text and is no longer live; the practice is open for hours yet.
#[test]
fn an_edit_after_the_begin_plans_nothing_that_expired() {
    let mut model = Model::default();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let upsert = |version| {
        change(&Step::Upsert { version, start_hours: 14, phone: 1, cancelled: false }).unwrap()
    };
    model.apply(&upsert(1), at("2026-05-04T09:00:00Z"));
    assert_eq!(model.live.len(), 1);
    model.release(at("2026-05-04T13:00:00Z"), true);
    model.expire(at("2026-05-04T14:00:00Z"));
    let edited = model.apply(&upsert(2), at("2026-05-04T14:00:00Z"));
    assert_eq!((edited.insert, edited.done.planned), (vec![], 0));
}

#[test]
fn cancelling_says_for_each_reminder_whether_it_was_in_time() {
    let mut model = Model::default();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let upsert =
        change(&Step::Upsert { version: 1, start_hours: 14, phone: 1, cancelled: false }).unwrap();
    model.apply(&upsert, at("2026-05-01T09:00:00Z"));
    model.release(at("2026-05-03T16:00:00Z"), false); // the day before has left
    let cancelled =
        model.apply(&change(&Step::Cancel { version: None }).unwrap(), at("2026-05-04T09:00:00Z"));
    let in_time: Vec<_> = cancelled.done.stopped.iter().map(|s| (s.rule_id, s.in_time)).collect();
    assert_eq!(in_time, [(1, false), (2, true)]);
    assert_eq!(cancelled.done.version, 2);
}

#[test]
fn a_cancellation_is_undone_by_nothing_older() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = at("2026-05-01T09:00:00Z");
    let upsert = |version| {
        change(&Step::Upsert { version, start_hours: 14, phone: 1, cancelled: false }).unwrap()
    };
    let cancel = |version| change(&Step::Cancel { version }).unwrap();
    let mut model = Model::default();
    model.apply(&upsert(2), now);
    assert_eq!(model.apply(&cancel(Some(3)), now).done.outcome, Outcome::Stored);
    let again = model.apply(&cancel(Some(9)), now).done;
    assert_eq!((again.outcome, again.version), (Outcome::Unchanged, 9));
    assert_eq!(model.apply(&upsert(5), now).done.outcome, Outcome::Superseded);
    // One that says otherwise under the version that the cancellation took is told so.
    assert_eq!(model.apply(&upsert(9), now).done.outcome, Outcome::Conflict);
    assert_eq!(model.live, []);
    assert_eq!(model.apply(&upsert(10), now).done.planned, 2);
    assert_eq!(model.apply(&upsert(10), now).done.outcome, Outcome::Unchanged);
}

#[test]
fn the_highest_version_can_be_cancelled_without_naming_one() {
    let now: Timestamp = "2026-05-01T09:00:00Z".parse().unwrap();
    let highest =
        Step::Upsert { version: VERSION_MAX, start_hours: 14, phone: 1, cancelled: false };
    let cancel = change(&Step::Cancel { version: None }).unwrap();
    let mut model = Model::default();
    model.apply(&change(&highest).unwrap(), now);
    for (outcome, stopped) in [(Outcome::Stored, 2), (Outcome::Unchanged, 0)] {
        let done = model.apply(&cancel, now).done;
        assert_eq!((done.outcome, done.version), (outcome, VERSION_MAX));
        assert_eq!((done.stopped.len(), model.live.len()), (stopped, 0));
    }
}

#[test]
fn other_settings_keep_what_was_promised() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let upsert =
        change(&Step::Upsert { version: 1, start_hours: 14, phone: 1, cancelled: false }).unwrap();
    let replan = change(&Step::Replan).unwrap();
    let mut model = Model::default();
    model.apply(&upsert, at("2026-05-01T09:00:00Z"));
    let promised = model.live.clone();
    // Two hours before 14:00 is past, and so is the day before: their texts have not left. With
    // another name, and with hours that are over, they still do.
    for (settings, at_time) in [
        (Revision { revision: 2, ..revision() }, "2026-05-04T12:04:30Z"),
        (
            Revision { revision: 3, send_until: time(12, 0, 0, 0), ..revision() },
            "2026-05-04T12:06:00Z",
        ),
    ] {
        model.revision = settings;
        let replanned = model.apply(&replan, at(at_time));
        assert_eq!((replanned.insert.len(), replanned.done.planned), (0, 2), "{replanned:?}");
        assert_eq!(model.live, promised);
    }
    // What was to leave later, and can't under the new hours, is promised no more.
    let mut model = Model::default();
    model.apply(&upsert, at("2026-05-04T09:00:00Z"));
    assert_eq!(model.live.len(), 1);
    model.revision = Revision { revision: 2, send_until: time(11, 0, 0, 0), ..revision() };
    let closed = model.apply(&replan, at("2026-05-04T11:30:00Z"));
    assert_eq!((closed.delete.len(), model.live.len()), (1, 0), "{closed:?}");
}

/// What a planner with a bug leaves behind: a replan takes back what can still be stopped.
#[test]
fn one_reminder_of_a_rule_stands_and_what_none_gives_is_taken_back() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let upsert =
        change(&Step::Upsert { version: 1, start_hours: 14, phone: 1, cancelled: false }).unwrap();
    let booked = || {
        let mut model = Model::default();
        model.apply(&upsert, at("2026-05-01T09:00:00Z"));
        model
    };
    let first = booked().live[0];
    let decided = |mut model: Model, more: Intent, domain_now: &str| {
        model.live.push(more);
        let decision = model.apply(&change(&Step::Replan).unwrap(), at(domain_now));
        assert_eq!(decision.insert, []);
        let suppressed: Vec<Intent> = decision.suppress.iter().map(|(intent, _)| *intent).collect();
        (decision.delete, suppressed, decision.store.unwrap().revised_at)
    };
    let text = |message_id, stoppable| Some(Released { message_id, stoppable });
    let booked_at = at("2026-05-01T09:00:00Z");

    // On a day on which no rule gives it, due since it was planned.
    let (due, now) = ("2026-05-02T12:00:00Z", "2026-05-02T13:00:00Z");
    let early = Intent { due_day: date(2026, 5, 2), due_at: at(due), ..first };
    assert_eq!(decided(booked(), early, now), (vec![early], vec![], booked_at));
    // A claim sees that the text has lost its promise by when that was planned again.
    let queued = Intent { released: text(7, true), ..early };
    assert_eq!(decided(booked(), queued, now), (vec![], vec![queued], at(now)));
    // What left is that rule's reminder.
    let left = Intent { released: text(7, false), ..early };
    assert_eq!(decided(booked(), left, now), (vec![first], vec![], booked_at));

    // Twice on its day, and due before the settings that take that rule away.
    let now = "2026-05-03T12:30:00Z";
    let twice = Intent { plan_version: 2, ..first };
    let mut model = booked();
    model.revision.revision = 2;
    model.revision.rules.remove(0);
    assert_eq!(decided(model, twice, now), (vec![twice], vec![], at(now)));
    // Two texts of which one is enough; one text that both are in can't be half stopped.
    for (message_id, suppressed_at) in [(8, at(now)), (7, booked_at)] {
        let mut model = booked();
        model.live[0].released = text(7, true);
        let twice = Intent { released: text(message_id, true), ..twice };
        let suppressed = if message_id == 8 { vec![twice] } else { vec![] };
        assert_eq!(decided(model, twice, now), (vec![], suppressed, suppressed_at));
    }
}
