//! What the rules mean, as tables that can be read without knowing the program.

use jiff::Timestamp;
use jiff::civil::time;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

fn practice(zone: &str) -> Revision {
    let rule = |rule_id, before_days, before_minutes, grouping_minutes, scatter_seconds| Rule {
        rule_id,
        name: format!("rule {rule_id}"),
        before_days,
        before_minutes,
        grouping_minutes,
        scatter_seconds,
        template: "x".into(),
    };
    Revision {
        practice_id: 7,
        revision: 1,
        timezone: TimeZone::get(zone).unwrap(),
        timezone_name: zone.into(),
        send_from: time(8, 0, 0, 0),
        send_until: time(20, 0, 0, 0),
        rules: vec![rule(1, 1, 0, 240, 0), rule(2, 0, 120, 60, 0)],
    }
}

/// `appointment | planned at` → `rule day slot due` of each reminder, all in the practice's zone.
fn check(zone: &str, starts: &str, planned: &str, expected: &[&str]) {
    let revision = practice(zone);
    let local = |text: &str| {
        let parsed: DateTime = text.parse().unwrap();
        to_instant(&revision, parsed).unwrap()
    };
    let shown: Vec<String> = plan(&revision, 999_123, local(starts), Since::new(local(planned)))
        .map(|due| {
            let at = due.due_at.to_zoned(revision.timezone.clone()).datetime();
            assert_eq!(at.date(), due.local_day, "the day is the due time's own");
            format!("{} {} {}", due.rule_id, due.group_slot, at)
        })
        .collect();
    assert_eq!(shown, expected, "{starts} planned at {planned}");
}

#[test]
fn a_week_ahead_both_rules_apply() {
    check(
        "America/Sao_Paulo",
        "2026-05-20T14:30:00",
        "2026-05-13T09:00:00",
        // A day before 14:30 lies in the window from 12:00; two hours before, in that from 12:00.
        &["1 3 2026-05-19T12:00:00", "2 12 2026-05-20T12:00:00"],
    );
}

#[test]
fn booked_on_the_day_only_the_short_rule_applies() {
    check(
        "America/Sao_Paulo",
        "2026-05-20T14:30:00",
        "2026-05-20T09:00:00",
        &["2 12 2026-05-20T12:00:00"],
    );
}

#[test]
fn booked_inside_the_window_it_is_due_at_once() {
    check(
        "America/Sao_Paulo",
        "2026-05-20T14:45:00",
        "2026-05-20T12:20:00",
        &["2 12 2026-05-20T12:20:00"],
    );
}

#[test]
fn booked_too_late_for_any_rule() {
    check("America/Sao_Paulo", "2026-05-20T14:30:00", "2026-05-20T13:00:00", &[]);
}

#[test]
fn early_appointments_are_reminded_when_the_practice_opens() {
    check(
        "America/Sao_Paulo",
        "2026-05-20T08:30:00",
        "2026-05-13T09:00:00",
        // Two hours before would be 06:30; the window that holds 08:00 opens at 08:00.
        &["1 2 2026-05-19T08:00:00", "2 8 2026-05-20T08:00:00"],
    );
}

#[test]
fn an_appointment_before_opening_gets_no_text_on_the_day() {
    check(
        "America/Sao_Paulo",
        "2026-05-20T07:30:00",
        "2026-05-13T09:00:00",
        &["1 2 2026-05-19T08:00:00"],
    );
}

#[test]
fn booked_after_closing_it_is_too_late_for_the_day_before() {
    check(
        "America/Sao_Paulo",
        "2026-05-20T22:00:00",
        "2026-05-19T21:00:00",
        &["2 19 2026-05-20T19:00:00"],
    );
}

#[test]
fn late_appointments_are_reminded_before_the_practice_closes() {
    check(
        "America/Sao_Paulo",
        "2026-05-20T21:30:00",
        "2026-05-13T09:00:00",
        // The last window of the day that begins before 20:00.
        &["1 4 2026-05-19T16:00:00", "2 19 2026-05-20T19:00:00"],
    );
}

#[test]
fn clocks_that_go_forward_and_back_keep_the_wall_time() {
    // Berlin: forward on 2026-03-29, back on 2026-10-25. The day before is the same wall time.
    check(
        "Europe/Berlin",
        "2026-03-29T12:15:00",
        "2026-03-20T09:00:00",
        &["1 3 2026-03-28T12:00:00", "2 10 2026-03-29T10:00:00"],
    );
    check(
        "Europe/Berlin",
        "2026-10-25T12:15:00",
        "2026-10-20T09:00:00",
        &["1 3 2026-10-24T12:00:00", "2 10 2026-10-25T10:00:00"],
    );
}

#[test]
fn a_wall_time_that_does_not_exist_moves_forward() {
    let mut revision = practice("Europe/Berlin");
    revision.send_from = time(0, 0, 0, 0);
    revision.rules = vec![Rule { grouping_minutes: 15, ..revision.rules[0].clone() }];
    // 02:30 on 2026-03-29 does not exist in Berlin.
    let starts: Timestamp = "2026-03-30T02:30:00+02:00".parse().unwrap();
    let planned: Timestamp = "2026-03-20T00:00:00Z".parse().unwrap();
    let dues: Vec<Due> = plan(&revision, 1, starts, Since::new(planned)).collect();
    assert_eq!(dues[0].due_at, "2026-03-29T03:30:00+02:00".parse::<Timestamp>().unwrap());
}

#[test]
fn of_a_wall_time_that_comes_twice_the_second_is_meant() {
    let mut revision = practice("Europe/London");
    revision.send_from = time(0, 0, 0, 0);
    let hourly = Rule { grouping_minutes: 30, ..revision.rules[1].clone() };
    revision.rules = vec![hourly];
    // 01:30 on 2027-10-31 comes twice in London.
    let starts: Timestamp = "2027-10-31T03:30:00Z".parse().unwrap();
    let due_at = |planned: &str| {
        let since = Since::new(planned.parse().unwrap());
        plan(&revision, 1, starts, since).map(|due| due.due_at.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due_at("2027-10-20T00:00:00Z"), ["2027-10-31T01:30:00Z"]);
    assert_eq!(due_at("2027-10-31T01:00:00Z"), ["2027-10-31T01:30:00Z"], "it is still to come");
}

#[test]
fn settings_that_come_later_lose_nothing_that_was_promised() {
    let mut revision = practice("America/Sao_Paulo");
    revision.rules[1].scatter_seconds = 3_600;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let starts = at("2026-05-20T14:30:00-03:00");
    let planned_at = at("2026-05-13T09:00:00-03:00");
    let of = |revised: &str, phone: i64| {
        let since = Since { planned_at, revised_at: at(revised) };
        let dues = plan(&revision, phone, starts, since).filter(|due| due.rule_id == 2);
        dues.map(|due| due.due_at).collect::<Vec<_>>()
    };
    let before = of("2026-05-13T09:00:00-03:00", 7);
    // Its exact time has passed, and its spread one has not.
    assert_eq!(
        of("2026-05-20T12:31:00-03:00", 7),
        [before[0].max(at("2026-05-20T12:31:00-03:00"))]
    );
    // It is late by now, and of today.
    assert_eq!(of("2026-05-20T14:00:00-03:00", 7), [at("2026-05-20T14:00:00-03:00")]);
    assert_eq!(of("2026-05-20T14:30:00-03:00", 7), [], "the appointment begins");
}

/// `now` → when it opens, both in the practice's zone; "-" while it is open.
fn check_opens(revision: &Revision, now: &str, expected: &str) {
    let now: Timestamp = now.parse().unwrap();
    let opens = opens_after(revision, now);
    let shown = opens.map(|at| {
        assert!(at > now, "{at} is over at {now}");
        at.to_zoned(revision.timezone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    });
    assert_eq!(shown.as_deref().unwrap_or("-"), expected, "{now}");
}

#[test]
fn a_practice_is_open_from_its_first_minute_to_before_its_last() {
    let sao_paulo = practice("America/Sao_Paulo");
    for (now, expected) in [
        ("2026-05-23T07:59:59.999-03:00", "2026-05-23T08:00:00-03:00"),
        ("2026-05-23T08:00:00-03:00", "-"),
        ("2026-05-23T19:59:59.999-03:00", "-"),
        ("2026-05-23T20:00:00-03:00", "2026-05-24T08:00:00-03:00"),
        ("2026-05-23T22:30:00-03:00", "2026-05-24T08:00:00-03:00"),
        ("2026-05-24T00:10:00-03:00", "2026-05-24T08:00:00-03:00"),
        // Where the service's machines are, or the month ends, is nothing to it.
        ("2026-05-31T23:30:00Z", "2026-06-01T08:00:00-03:00"),
    ] {
        check_opens(&sao_paulo, now, expected);
    }
}

#[test]
fn hours_follow_the_clocks() {
    let berlin = practice("Europe/Berlin");
    check_opens(&berlin, "2026-03-28T22:00:00+01:00", "2026-03-29T08:00:00+02:00");
    check_opens(&berlin, "2026-10-24T22:00:00+02:00", "2026-10-25T08:00:00+01:00");
    // From 02:30 on: not there on the day on which clocks go forward, twice when they go back.
    let mut night = practice("Europe/Berlin");
    (night.send_from, night.send_until) = (time(2, 30, 0, 0), time(5, 0, 0, 0));
    check_opens(&night, "2026-03-29T01:59:00+01:00", "2026-03-29T03:30:00+02:00");
    check_opens(&night, "2026-10-25T02:10:00+02:00", "2026-10-25T02:30:00+02:00");
    check_opens(&night, "2026-10-25T02:40:00+02:00", "-");
    check_opens(&night, "2026-10-25T02:10:00+01:00", "2026-10-25T02:30:00+01:00");
    // On Samoa there was no 30 December 2011.
    let apia = practice("Pacific/Apia");
    check_opens(&apia, "2011-12-29T21:00:00-10:00", "2011-12-31T08:00:00+14:00");
}

proptest! {
    #[test]
    fn what_waits_for_the_hours_waits_until_they_begin(
        minute in 0_i64..60 * 24 * 700,
        from in 0_i8..24,
        length in 1_i64..24 * 60,
        zone in prop::sample::select(vec![
            "America/Sao_Paulo", "Europe/Berlin", "America/New_York", "Asia/Kolkata",
            "Australia/Lord_Howe", "Pacific/Apia",
        ]),
    ) {
        let mut revision = practice(zone);
        revision.send_from = time(from, 0, 0, 0);
        let last = time(23, 59, 0, 0);
        let until = revision.send_from.checked_add(length.minutes()).unwrap_or(last);
        revision.send_until = if until > revision.send_from { until } else { last };
        let base: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let now = base + minute.minutes();
        if let Some(opens) = opens_after(&revision, now) {
            prop_assert!(opens > now);
            let wall = opens.to_zoned(revision.timezone.clone()).time();
            prop_assert!(wall >= revision.send_from);
            // Every minute on the way there is closed.
            let minutes = opens.duration_since(now).as_secs() / 60;
            prop_assert!(minutes <= 48 * 60);
            for minute in (0..minutes).step_by(7) {
                let at = now + minute.minutes();
                prop_assert_eq!(opens_after(&revision, at), Some(opens), "at {}", at);
            }
        }
    }

    #[test]
    fn a_due_time_is_in_hours_before_the_appointment_and_not_before_planning(
        start_minutes in 0_i64..60 * 24 * 700,
        lead_minutes in 0_i64..60 * 24 * 200,
        phone in 999_000_000_i64..999_999_999,
        scatter_seconds in 0_i32..3600,
        grouping in 1_i32..=1440,
        zone in prop::sample::select(vec![
            "America/Sao_Paulo", "Europe/Berlin", "America/New_York", "Asia/Kolkata",
            "Australia/Lord_Howe", "Pacific/Apia",
        ]),
    ) {
        let mut revision = practice(zone);
        for rule in &mut revision.rules {
            rule.scatter_seconds = scatter_seconds;
            rule.grouping_minutes = grouping;
        }
        let base: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let starts = base + start_minutes.minutes();
        let planned = starts - lead_minutes.minutes();
        for due in plan(&revision, phone, starts, Since::new(planned)) {
            let local = due.due_at.to_zoned(revision.timezone.clone());
            prop_assert!(due.due_at < starts);
            prop_assert!(due.due_at >= planned);
            prop_assert!(local.time() >= revision.send_from);
            prop_assert!(local.time() < revision.send_until);
            prop_assert_eq!(opens_after(&revision, due.due_at), None);
            prop_assert_eq!(local.date(), due.local_day);
        }
    }

    #[test]
    fn a_familys_appointments_in_one_window_fall_due_together(
        first in 8_i64 * 60..18 * 60,
        gap in 0_i64..60,
        phone in 999_000_000_i64..999_999_999,
    ) {
        let mut revision = practice("America/Sao_Paulo");
        for rule in &mut revision.rules {
            rule.scatter_seconds = 600;
        }
        let midnight: Timestamp = "2026-05-20T00:00:00-03:00".parse().unwrap();
        let since = Since::new("2026-05-01T00:00:00-03:00".parse().unwrap());
        let a: Vec<Due> = plan(&revision, phone, midnight + first.minutes(), since).collect();
        let b: Vec<Due> =
            plan(&revision, phone, midnight + (first + gap).minutes(), since).collect();
        for (a, b) in a.iter().zip(&b) {
            if (a.rule_id, a.local_day, a.group_slot) == (b.rule_id, b.local_day, b.group_slot) {
                prop_assert_eq!(a.due_at, b.due_at);
            }
        }
    }
}
