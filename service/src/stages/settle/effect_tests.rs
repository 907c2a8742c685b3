//! What each ending of a text changes, as a table, and what no order of endings can lead to.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::stages::codes::{LANE_LEASED, Reason};
use crate::stages::render::{Rewritten, Wording};
use crate::stages::settle::LostMember;
use crate::text::Text;

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

fn work(attempts: i16) -> Work {
    Work {
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
        expires_at: at() + SignedDuration::from_mins(4),
        lease_until: at(),
    }
}

fn judged(attempts: i16, ending: Ending) -> Effect {
    of_work(work(attempts), ending)
}

fn of_work(work: Work, ending: Ending) -> Effect {
    let since = std::time::Instant::now();
    let completion = Completion { work, ending, at: at(), since, flight: None };
    let now = Now {
        ready_at: at() + SignedDuration::from_millis(100),
        attempts_max: i16::MAX,
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
    // As often as it takes: for 256 seconds each time, but not beyond its appointment's begin.
    let transient =
        |attempts| judged(attempts, Ending::Answered(answer(DeliveryOutcome::Transient)));
    check(&transient(8), expect!["lane ready at 128, text Queued, try Transient, "]);
    check(&transient(9), expect!["lane ready at 240, text Queued, try Transient, "]);
    check(&transient(25_000), expect!["lane ready at 240, text Queued, try Transient, "]);
    // More can't be counted.
    check(&transient(i16::MAX), expect!["lane next, text Failed, try Transient, failed+3"]);
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
    // It waits as it is, and that was no try.
    let waits = |attempts, hours| {
        judged(attempts, Ending::Closed(at() + SignedDuration::from_hours(hours)))
    };
    check(&waits(0, 10), expect!["lane ready at 36000, text -, try -, "]);
    check(&waits(3, 10), expect!["lane ready at 36000, text -, try -, "]);
    assert_eq!((waits(0, 10).attempts, waits(3, 10).attempts), (0, 3));
    check(
        &judged(3, Ending::Aside(at() + SignedDuration::from_secs(20))),
        expect!["lane ready at 20, text -, try -, "],
    );
    // Nothing is ready below the floor.
    check(&waits(0, 0), expect!["lane ready at 0.1, text -, try -, "]);
    let drop = |reason| LostMember { appointment_id: "a".into(), reason };
    let drops = vec![drop(Reason::Cancelled), drop(Reason::Moved), drop(Reason::Moved)];
    check(
        &judged(0, Ending::Suppressed(Reason::Moved, drops)),
        expect!["lane next, text Suppressed m, try -, "],
    );
}

#[test]
fn what_came_through_though_it_was_refused() {
    let accepted = || Ending::Accepted { provider_ref: "SM1".into(), came_at: at() };
    check(&judged(2, accepted()), expect!["lane next, text Sent, try Sent, sent+3"]);
    let effect = judged(2, accepted());
    let (message, tried) = (effect.message.clone().unwrap(), effect.tried.clone().unwrap());
    assert_eq!((message.sent_at, message.provider_ref.as_deref()), (Some(at()), Some("SM1")));
    assert_eq!((effect.attempts, tried.provider_ref.as_deref()), (2, Some("SM1")));
    assert_eq!((effect.ended(), effect.is_given_up()), (3, false));
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
        expect!["lane ready at 128, text Queued, try NotAccepted, ambiguous-3"],
    );
    check(
        &judged(i16::MAX, Ending::NotAccepted),
        expect!["lane next, text Failed, try NotAccepted, failed+3 ambiguous-3"],
    );
    check(
        &judged(1, Ending::Refused(answer(DeliveryOutcome::Failed))),
        expect!["lane next, text Failed, try Failed, failed+3 ambiguous-3"],
    );
    check(&judged(1, Ending::StillUnknown(at())), expect!["lane looked up at 0, text -, try -, "]);
    check(&judged(1, Ending::GivenUp), expect!["lane next, text -, try -, "]);
}

/// However long it takes to find out how.
#[test]
fn each_promise_ends_once() {
    let ended = |attempts, ending| judged(attempts, ending).ended();
    let answered = |outcome| Ending::Answered(answer(outcome));
    assert_eq!(ended(1, answered(DeliveryOutcome::Sent)), 3);
    assert_eq!(ended(1, answered(DeliveryOutcome::Failed)), 3);
    assert_eq!(ended(1, answered(DeliveryOutcome::Transient)), 0);
    assert_eq!(ended(i16::MAX, answered(DeliveryOutcome::Transient)), 3, "it was the last");
    assert_eq!(ended(0, Ending::Expired), 3);
    assert_eq!(ended(0, Ending::Suppressed(Reason::OptedOut, Vec::new())), 3);

    // Its answer is lost; then it is known.
    assert_eq!(ended(1, answered(DeliveryOutcome::Ambiguous)), 0);
    assert_eq!(ended(1, Ending::StillUnknown(at())), 0);
    assert_eq!(ended(1, Ending::Found { provider_ref: "SM1".into(), accepted_at: at() }), 3);
    assert_eq!(ended(1, Ending::Refused(answer(DeliveryOutcome::Failed))), 3);
    assert_eq!(ended(1, Ending::NotAccepted), 0);

    // One of them was cancelled: whoever ended that promise has counted it.
    let drops = vec![LostMember { appointment_id: "a".into(), reason: Reason::Cancelled }];
    assert_eq!(ended(0, Ending::Suppressed(Reason::Cancelled, drops)), 2);
}

#[test]
fn what_is_given_up_was_to_leave_and_has_ended_without_it() {
    let is = |attempts, ending| judged(attempts, ending).is_given_up();
    let answered = |outcome| Ending::Answered(answer(outcome));
    for (attempts, ending) in [
        (1, answered(DeliveryOutcome::Failed)),
        (i16::MAX, answered(DeliveryOutcome::Transient)),
        (i16::MAX, Ending::NotAccepted),
        (1, Ending::Refused(answer(DeliveryOutcome::Failed))),
        (0, Ending::Expired),
        (1, Ending::GivenUp),
    ] {
        assert!(is(attempts, ending.clone()), "{ending:?}");
    }
    for (attempts, ending) in [
        (1, answered(DeliveryOutcome::Sent)),
        (8, answered(DeliveryOutcome::Transient)),
        (0, Ending::Closed(at())),
        (0, Ending::Aside(at())),
        (1, answered(DeliveryOutcome::Ambiguous)),
        (1, Ending::NotAccepted),
        (1, Ending::StillUnknown(at())),
        (1, Ending::Found { provider_ref: "SM1".into(), accepted_at: at() }),
        (0, Ending::Suppressed(Reason::OptedOut, Vec::new())),
    ] {
        assert!(!is(attempts, ending.clone()), "{ending:?}");
    }
}

/// A lane and its head as the tables hold them, and everybody who took it so far.
struct Held {
    lane_state: i8,
    token: i64,
    text: MessageState,
    attempts: i16,
    /// What is so, whatever the tables say: the provider may have the text.
    may_be_taken: bool,
    takings: Vec<Work>,
    has_ended: bool,
}

/// What can happen to it, in any order: a result may come twice, or long after another.
#[derive(Debug, Clone)]
enum Event {
    Claimed,
    /// Its process died or was cut off in the middle of a try.
    LeaseRanOut,
    LookedUp,
    /// Which taking's result, and which of those that it can have.
    Came(usize, usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => Just(Event::Claimed),
        1 => Just(Event::LeaseRanOut),
        3 => Just(Event::LookedUp),
        6 => (0..64_usize, 0..64_usize).prop_map(|(which, how)| Event::Came(which, how)),
    ];
    proptest::collection::vec(event, 1..60)
}

/// How a taking can end: a delivery, or a look-up.
fn endings(work: Work) -> Vec<Ending> {
    if work.lane_state == LANE_UNRESOLVED {
        let found = Ending::Found { provider_ref: "SM1".into(), accepted_at: at() };
        let refused = Ending::Refused(answer(DeliveryOutcome::Failed));
        let unknown = Ending::StillUnknown(at());
        return vec![unknown, Ending::NotAccepted, found, refused, Ending::GivenUp];
    }
    let rewritten = Rewritten {
        practice_id: work.practice_id,
        phone: work.phone,
        message_id: work.message_id,
        due_at: at(),
        expires_at: at(),
        appointment_ids: vec!["a".into()],
        starts_at: vec![at()],
        wording: Wording { text: Text { body: String::new(), segments: 1 }, revision: 1 },
    };
    DeliveryOutcome::ALL
        .iter()
        .map(|&outcome| Ending::Answered(answer(outcome)))
        .chain([
            Ending::Suppressed(Reason::OptedOut, Vec::new()),
            Ending::Expired,
            Ending::Closed(at()),
            Ending::Aside(at()),
            Ending::Amended(Box::new(rewritten), Vec::new()),
        ])
        .collect()
}

impl Held {
    fn new() -> Self {
        Self {
            lane_state: LANE_READY,
            token: 1,
            text: MessageState::Queued,
            attempts: 0,
            may_be_taken: false,
            takings: Vec::new(),
            has_ended: false,
        }
    }

    /// `claim_lanes` and `resolve_lanes`: the token is raised, and the result is valid under it.
    fn take(&mut self, lane_state: i8, attempts: i16) {
        self.lane_state = lane_state;
        self.token += 1;
        self.takings.push(Work { token: self.token, lane_state, ..work(attempts) });
    }

    /// `lane_reset`: as well.
    fn give_back(&mut self, lane_state: i8) {
        self.lane_state = lane_state;
        self.token += 1;
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Claimed if self.lane_state == LANE_READY => {
                self.take(LANE_LEASED, self.attempts + 1);
            }
            // What `recover` makes of a try that was begun.
            Event::LeaseRanOut if self.lane_state == LANE_LEASED => {
                (self.text, self.may_be_taken) = (MessageState::Ambiguous, true);
                self.give_back(LANE_UNRESOLVED);
            }
            Event::LookedUp if self.lane_state == LANE_UNRESOLVED => {
                self.take(LANE_UNRESOLVED, self.attempts);
            }
            Event::Came(which, how) if !self.takings.is_empty() => {
                let work = self.takings[which % self.takings.len()];
                // `settle_lock`: a result holds under its token and state alone.
                if (work.token, work.lane_state) == (self.token, self.lane_state) {
                    let endings = endings(work);
                    self.comes(work, &endings[how % endings.len()]);
                }
            }
            Event::Claimed | Event::LeaseRanOut | Event::LookedUp | Event::Came(..) => {}
        }
    }

    fn comes(&mut self, work: Work, ending: &Ending) {
        let of_doubt = matches!(ending, Ending::Answered(answer)
            if answer.outcome == DeliveryOutcome::Ambiguous);
        self.may_be_taken = of_doubt || self.may_be_taken && !matches!(ending, Ending::NotAccepted);
        let effect = of_work(work, ending.clone());
        self.attempts = effect.attempts;
        if let Some(message) = &effect.message {
            self.text = message.state;
        }
        match effect.lane.stored() {
            Some((lane_state, _)) => self.give_back(lane_state),
            None => self.has_ended = true,
        }
    }
}

proptest! {
    /// Only what the provider says that it never took is sent again.
    #[test]
    fn an_ambiguous_texts_lane_is_never_ready(events in events()) {
        let mut held = Held::new();
        for event in &events {
            held.happens(event);
            if held.has_ended {
                break;
            }
            let is_in_doubt = held.may_be_taken || held.text == MessageState::Ambiguous;
            prop_assert!(!(held.lane_state == LANE_READY && is_in_doubt), "after {event:?}");
        }
    }
}
