//! Plans as a whole: the same from the same, never a copy, proportions, promises, bounds.

#![allow(clippy::unwrap_used)]

mod replay;

use std::collections::{HashMap, HashSet};

use super::*;
use crate::day::appointments::tests::shared_data;
use crate::day::profile::Profile;
use crate::day::request::Request;

fn plan(seed: u64, messages: u64) -> Plan {
    let options = Options { seed, messages, ..Options::default() };
    Plan::build(&options, &Source::from_profile(Profile::builtin(), seed)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_day() {
    let (first, second, other) = (plan(1, 1_000), plan(1, 1_000), plan(2, 1_000));
    assert_eq!(first.hash(), second.hash());
    assert_eq!(first.promise(), second.promise());
    assert_ne!(first.hash(), other.hash());
    // A known value: whoever changes it changes every published figure, and means to.
    expect_test::expect!["edfa8c9bcb003a8a3b22f70290d7613ee98d1ce37c3b2b830fb9a17819ceda79"]
        .assert_eq(first.hash());
}

#[test]
fn the_texts_are_enough_and_hardly_more() {
    for (seed, messages) in [(1, 1), (1, 1_000), (2, 1_000), (1, 20_000)] {
        let plan = plan(seed, messages);
        let Promise { messages_min, messages_max, .. } = *plan.promise();
        assert!(messages_min >= messages, "{messages_min} of {messages}");
        // A household more, and whole texts, are much of a tiny day.
        let most = messages as f64 * 1.02 + 10.0;
        assert!(messages_max as f64 <= most, "{messages_max} of {messages}");
        let by_practice: u64 = plan.practices().iter().map(|p| u64::from(p.texts.0)).sum();
        assert_eq!(by_practice, messages_min);
        assert_eq!(plan.promise().messages_by_rule_min.iter().sum::<u64>(), messages_min);
        assert_eq!(plan.promise().messages_by_hour_min.iter().sum::<u64>(), messages_min);
    }
}

/// Whatever the service's lateness within the margin, the day gives what was promised.
#[test]
fn a_replay_keeps_the_promises() {
    let margin = i64::from(Options::default().margin_seconds);
    for (seed, messages) in [(1, 1_000), (2, 5_000)] {
        let plan = plan(seed, messages);
        let mixed = move |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as i64 % margin;
        let days = [
            replay::replay(&plan, |_| 0),
            replay::replay(&plan, |_| 5),
            replay::replay(&plan, mixed),
            replay::replay(&plan, move |_| margin - 1),
        ];
        for day in days {
            let promise = plan.promise();
            let span = promise.messages_min..=promise.messages_max;
            assert!(span.contains(&day.texts), "{day:?} {promise:?}");
            assert!(day.family_texts >= promise.family_messages_min, "{day:?} {promise:?}");
            let in_time =
                promise.cancellations_in_time_min + promise.cancellations_in_time_later_min;
            let called = day.stopped_in_time - day.stopped_by_upsert;
            assert!(called >= in_time, "{day:?} {promise:?}");
            let unsaid = promise.cancellations_unsaid_min;
            assert!(unsaid > 0 && day.stopped_by_upsert >= unsaid, "{day:?} {promise:?}");
            assert!(day.too_late >= promise.cancellations_too_late_min, "{day:?} {promise:?}");
            let (first, last) = (plan.origin().as_second(), plan.window_ns() / 1_000_000_000);
            assert!(day.earliest >= first && day.latest <= first + last as i64, "{day:?}");
            // Spread over the sending hours: none has over a fifth of the day.
            assert!(day.by_hour.iter().all(|n| n * 5 < day.texts), "{:?}", day.by_hour);
        }
    }
}

/// Clocks that change on the next day, and a service that is never late.
#[test]
fn a_replay_where_the_clocks_change_keeps_the_promises() {
    let zone = |name: &str| ZoneShare { name: name.to_owned(), share: 0.5 };
    let options = Options {
        messages: 1_000,
        day: jiff::civil::date(2027, 3, 27),
        zones: vec![zone("Europe/Berlin"), zone("Europe/Lisbon")],
        margin_seconds: 0,
        ..Options::default()
    };
    let plan = Plan::build(&options, &Source::from_profile(Profile::builtin(), 1)).unwrap();
    let day = replay::replay(&plan, |_| 0);
    let promise = plan.promise();
    let span = promise.messages_min..=promise.messages_max;
    assert!(span.contains(&day.texts), "{day:?} {promise:?}");
}

#[test]
fn the_book_is_as_deep_as_asked() {
    let options = Options { messages: 1_000, book: Some(20_000), ..Options::default() };
    let source = Source::from_profile(Profile::builtin(), 1);
    let deep = Plan::build(&options, &source).unwrap();
    let book = deep.counts().book;
    assert!((20_000..20_100).contains(&book), "{book}");
    let flat = Plan::build(&Options { book: Some(0), ..options }, &source).unwrap();
    assert_eq!(flat.arrivals(), deep.arrivals(), "the book changes nothing of the day");
    assert_eq!(flat.promise(), deep.promise());
    // The next day's second reminders are always there.
    assert!(flat.counts().book > 300, "{}", flat.counts().book);
}

#[test]
fn everything_lies_in_the_window_and_in_order() {
    let plan = plan(3, 2_000);
    assert_eq!(plan.origin().to_string(), "2027-03-09T11:00:00Z");
    assert_eq!(plan.window_ns(), 48_600_000_000_000);
    assert!(plan.arrivals().is_sorted_by_key(|a| a.intended_domain_ns));
    assert!(plan.arrivals().iter().all(|a| a.intended_domain_ns < plan.window_ns()));
    let mut hours = HashMap::<u64, u64>::new();
    for arrival in plan.arrivals() {
        *hours.entry(arrival.intended_domain_ns / 3_600_000_000_000).or_default() += 1;
    }
    // The hour from seven is the busiest, as in the data: in the one zone, and an hour later in the
    // other.
    assert_eq!(hours.iter().max_by_key(|(_, n)| **n).unwrap().0, &2);
}

#[test]
fn nobody_is_there_twice() {
    let plan = plan(1, 5_000);
    let mut ids = HashSet::new();
    let mut instants = HashSet::new();
    let mut people = HashSet::new();
    for a in plan.import() {
        assert!(ids.insert((a.practice_id, a.serial)), "{a:?}");
        people.insert((a.practice_id, a.phone, a.name));
    }
    for arrival in plan.arrivals() {
        if let Request::UpsertAppointment(a) = arrival.request
            && a.version == 1
            && ids.insert((a.practice_id, a.serial))
        {
            assert!(instants.insert(arrival.intended_domain_ns), "{arrival:?}");
            people.insert((a.practice_id, a.phone, a.name));
        }
    }
    let counts = plan.counts();
    assert_eq!(ids.len() as u64, counts.imported + counts.booked);
    assert!(people.len() as f64 > 0.9 * counts.patients as f64, "{} people", people.len());
    let senders: HashSet<u64> = plan.practices().iter().map(|p| p.sender).collect();
    assert_eq!(senders.len(), plan.practices().len());
    let fiction = plan.import().iter().all(|a| a.phone.to_string().starts_with("999"));
    assert!(fiction);
}

/// What was made up has the stated proportions, what was resampled has the data's.
#[test]
fn proportions_are_as_stated() {
    let plan = plan(1, 20_000);
    let (counts, made_up) = (plan.counts(), MadeUp::default());
    let near = |what: &str, part: u64, whole: u64, expected: f64| {
        let share = part as f64 / whole as f64;
        assert!((share / expected - 1.0).abs() < 0.15, "{what}: {share} instead of {expected}");
    };
    near("shared phones", counts.shared_phones, counts.households, made_up.shared_phone);
    near("reads", counts.appointment_reads, counts.booked, made_up.appointment_reads);
    near("by upsert", counts.cancelled_by_upsert, counts.cancelled_by_call, 0.1);
    let promise = plan.promise();
    near(
        // Of appointments; some texts speak of several.
        "near due",
        promise.cancellations_near_due,
        promise.messages_min,
        0.0068,
    );
    // Half of the day's texts are of either rule, roughly.
    let [day_before, two_hours] = promise.messages_by_rule_min;
    assert!(day_before.min(two_hours) * 3 > promise.messages_min, "{promise:?}");
    assert!(promise.family_messages_min > 500, "{promise:?}");
    assert!(promise.recipients_in_order_min > 500, "{promise:?}");
    assert!(promise.cancellations_in_time_min > 200, "{promise:?}");
    assert!(promise.cancellations_too_late_min > 100, "{promise:?}");
    // As many bookings as visits of a day: two thirds of the texts.
    assert!((0.4..1.0).contains(&(counts.booked as f64 / 20_000.0)), "{counts:?}");
}

/// Each request that refers to an appointment comes after it was booked, by the margin.
#[test]
fn nothing_is_asked_of_what_is_not_there() {
    let plan = plan(4, 3_000);
    let mut there: HashMap<(u32, u32), u64> =
        plan.import().iter().map(|a| ((a.practice_id, a.serial), 0)).collect();
    let mut asked = 0;
    for arrival in plan.arrivals() {
        let ns = arrival.intended_domain_ns;
        let (key, first) = match arrival.request {
            Request::UpsertAppointment(a) => ((a.practice_id, a.serial), a.version == 1),
            Request::Cancel { practice_id, serial, .. }
            | Request::ReadAppointment { practice_id, serial } => ((practice_id, serial), false),
            Request::ListMessages { .. } | Request::DailyCounts { .. } => continue,
        };
        match there.get(&key) {
            None => assert!(first && there.insert(key, ns + 1_799_000_000_000).is_none()),
            Some(from) => {
                assert!(ns >= *from, "{arrival:?}");
                asked += 1;
            }
        }
    }
    assert!(asked > 500);
}

#[test]
fn bursts_and_hours_are_those_of_the_data() {
    let plan = plan(5, 20_000);
    let mut minutes = vec![0_u32; 870];
    for arrival in plan.arrivals() {
        if matches!(arrival.request, Request::UpsertAppointment(a) if a.version == 1) {
            minutes[(arrival.intended_domain_ns / 60_000_000_000) as usize] += 1;
        }
    }
    let busiest = *minutes.iter().max().unwrap();
    let mean_of_busiest_hour: u32 = minutes[60..120].iter().sum::<u32>() / 60;
    assert!(busiest > 2 * mean_of_busiest_hour, "{busiest} against {mean_of_busiest_hour}");
}

#[test]
fn a_plan_from_the_data_keeps_its_promises_too() {
    let Some(appointments) = shared_data() else {
        return;
    };
    let source = Source::from_appointments(&appointments);
    let options = Options { messages: 1_000, ..Options::default() };
    let plan = Plan::build(&options, &source).unwrap();
    let promise = plan.promise();
    assert!((1_000..=1_030).contains(&promise.messages_min), "{promise:?}");
    assert!(promise.messages_max <= 1_030, "{promise:?}");
}

#[test]
fn options_out_of_range_are_refused_with_what_to_do() {
    let source = Source::from_profile(Profile::builtin(), 1);
    let options = Options { messages: 100, ..Options::default() };
    let error = |options: Options| Plan::build(&options, &source).unwrap_err().to_string();
    let errors = [
        error(Options { messages: 0, ..options.clone() }),
        error(Options { book: Some(u64::MAX), ..options.clone() }),
        error(Options { zones: Vec::new(), ..options.clone() }),
        error(Options { reserve: f64::NAN, ..options.clone() }),
        error(Options { growth: Some(0.0), ..options.clone() }),
        error(Options { margin_seconds: 86_400, ..options.clone() }),
        error(Options { window_until: Time::constant(17, 0, 0, 0), ..options.clone() }),
        error(Options { window_from: Time::constant(21, 0, 0, 0), ..options.clone() }),
        error(Options { made_up: MadeUp { cancelled: 2.0, ..MadeUp::default() }, ..options }),
    ];
    expect_test::expect![[r#"
        messages: 0 is out of range, use 1 to 10000000
        book: 18446744073709551615 is out of range, use 0 to 100000000
        time zones: at least one is needed
        reserve: not a share, use a number from 0 to 1
        growth: not a positive number
        margin: 86400 s is out of range, use 0 to 7200
        window: 06:00:00 to 17:00:00 is too short: practices in America/New_York have texts due from 07:00:00 to 18:00:00, by the window's clock; use 06:00 to 19:30, or zones closer together
        window: 21:00:00 to 19:30:00 is empty, use an earlier start or a later end
        changes: not a share, use a number from 0 to 1"#]].assert_eq(&errors.join("\n"));
}

#[test]
fn a_source_with_too_little_is_refused() {
    let nobody = crate::day::Appointments::default();
    let source = Source::from_appointments(&nobody);
    let error = Plan::build(&Options::default(), &source).unwrap_err();
    assert!(matches!(error, PlanError::TooFew { planned: 0, .. }), "{error}");
}

#[test]
fn import_batches_are_of_one_practice() {
    let plan = plan(1, 1_000);
    let mut total = 0;
    for batch in plan.import_batches(50) {
        assert!(batch.len() <= 50 && !batch.is_empty());
        assert!(batch.iter().all(|a| a.practice_id == batch[0].practice_id));
        total += batch.len();
    }
    assert_eq!(total, plan.import().len());
}
