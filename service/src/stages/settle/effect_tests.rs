//! What each ending of a text changes, as a table.

use expect_test::{Expect, expect};

use super::*;
use crate::stages::codes::{LANE_LEASED, Reason};
use crate::stages::settle::LostMember;

const AT: &str = "2026-05-04T09:00:00Z";

fn at() -> Timestamp {
    AT.parse().unwrap()
}

fn answer(outcome: DeliveryOutcome) -> Answer {
    Answer {
        outcome,
        http_status: Some(201),
        error_code: None,
        provider_ref: None,
        retry_after: None,
        is_opted_out: false,
    }
}

fn judged(attempts: i16, ending: Ending) -> Effect {
    let completion = Completion {
        work: Work {
            practice_id: 1,
            phone: 2,
            message_id: 3,
            token: 4,
            lane_state: LANE_LEASED,
            attempts,
            local_day: Date::constant(2026, 5, 4),
            rule_id: 1,
            members: 3,
            due_at: at(),
            lease_until: at(),
        },
        ending,
        at: at(),
        since: std::time::Instant::now(),
        flight: None,
    };
    let now = Now {
        ready_at: at() + SignedDuration::from_millis(100),
        attempts_max: 8,
        look_after: Duration::from_secs(2),
        chance: 0.5,
    };
    effect(&completion, &now)
}

fn check(effect: &Effect, expected: Expect) {
    let seconds = |time: Timestamp| time.duration_since(at()).as_secs_f64();
    let lane = match effect.lane {
        Lane::Next => "next".to_owned(),
        Lane::Ready(time) => format!("ready at {}", seconds(time)),
        Lane::Unresolved(time) => format!("looked up at {}", seconds(time)),
    };
    let message = effect.message.as_ref().map_or("-".to_owned(), |m| {
        let reason = m.reason.map_or(String::new(), |r| format!(" {}", r.cast_unsigned() as char));
        format!("{:?}{reason}", m.state)
    });
    let tried = effect.tried.as_ref().map_or("-".to_owned(), |t| format!("{:?}", t.end));
    let fates: Vec<String> =
        effect.fates.iter().map(|(fate, n)| format!("{}{n:+}", fate.name())).collect();
    let opts_out = if effect.opts_out { ", opts out" } else { "" };
    expected.assert_eq(&format!(
        "lane {lane}, text {message}, try {tried}, {}{opts_out}",
        fates.join(" ")
    ));
}

#[test]
fn what_a_provider_answers() {
    let of = |outcome| judged(1, Ending::Answered(answer(outcome)));
    check(&of(DeliveryOutcome::Sent), expect!["lane next, text Sent, try Sent, sent+3"]);
    check(
        &of(DeliveryOutcome::Transient),
        expect!["lane ready at 1, text Queued, try Transient, "],
    );
    check(&of(DeliveryOutcome::Failed), expect!["lane next, text Failed, try Failed, failed+3"]);
    check(
        &of(DeliveryOutcome::Ambiguous),
        expect!["lane looked up at 2, text Ambiguous, try Ambiguous, ambiguous+3"],
    );
    let last = judged(8, Ending::Answered(answer(DeliveryOutcome::Transient)));
    check(&last, expect!["lane next, text Failed, try Transient, failed+3"]);
    let stop = Answer { is_opted_out: true, ..answer(DeliveryOutcome::Failed) };
    check(
        &judged(1, Ending::Answered(stop)),
        expect!["lane next, text Failed, try Failed, failed+3, opts out"],
    );
}

#[test]
fn what_never_reached_the_provider() {
    check(&judged(0, Ending::Expired), expect!["lane next, text Expired, try -, expired+3"]);
    check(
        &judged(0, Ending::Suppressed(Reason::OptedOut, Vec::new())),
        expect!["lane next, text Suppressed o, try -, suppressed_opted_out+3"],
    );
    let drop = |reason| LostMember { appointment_id: "a".into(), reason };
    let drops = vec![drop(Reason::Cancelled), drop(Reason::Moved), drop(Reason::Moved)];
    check(
        &judged(0, Ending::Suppressed(Reason::Moved, drops)),
        expect!["lane next, text Suppressed m, try -, "],
    );
}

#[test]
fn what_a_look_up_finds() {
    let found = Ending::Found { provider_ref: "SM1".into(), accepted_at: at() };
    check(&judged(1, found), expect!["lane next, text Sent, try Sent, sent+3 ambiguous-3"]);
    check(
        &judged(2, Ending::NotAccepted),
        expect!["lane ready at 2, text Queued, try NotAccepted, ambiguous-3"],
    );
    check(
        &judged(8, Ending::NotAccepted),
        expect!["lane next, text Failed, try NotAccepted, failed+3 ambiguous-3"],
    );
    check(
        &judged(1, Ending::Refused(answer(DeliveryOutcome::Failed))),
        expect!["lane next, text Failed, try Failed, failed+3 ambiguous-3"],
    );
    check(&judged(1, Ending::StillUnknown(at())), expect!["lane looked up at 0, text -, try -, "]);
    check(&judged(1, Ending::GivenUp), expect!["lane next, text -, try -, "]);
}
