//! What a result changes: a pure function from a result to its lane, its text, its try and the
//! counts. The transaction writes down whatever this says.

use std::time::Duration;

use contract::{DeliveryOutcome, Fate};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::backoff::retry_after;
use super::{Completion, Ending, Work, risen};
use crate::provider::Answer;
use crate::stages::codes::{LANE_READY, LANE_UNRESOLVED, MessageState, TryEnd};

/// What to write down for one text whose lane is locked.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::stages) struct Effect {
    pub(in crate::stages) practice_id: i64,
    pub(in crate::stages) phone: i64,
    pub(in crate::stages) message_id: i64,
    pub(in crate::stages) local_day: Date,
    pub(in crate::stages) rule_id: i16,
    pub(in crate::stages) attempts: i16,
    pub(in crate::stages) lane: Lane,
    /// The text's new state; `None` leaves it as it is.
    pub(in crate::stages) message: Option<Message>,
    /// The try's end; `None` if there was none, or if it isn't known yet.
    pub(in crate::stages) tried: Option<Tried>,
    /// Changes of the counts.
    pub(in crate::stages) fates: Vec<(Fate, i32)>,
    /// The recipient told the provider that they want no texts.
    pub(in crate::stages) opts_out: bool,
}

impl Effect {
    /// How many promises came to their end, each once: that an answer was lost is none, and what
    /// is found out of it is.
    pub(super) fn ended(&self) -> u64 {
        let ends = |fate: Fate| fate.ends_a_promise() && fate != Fate::Ambiguous;
        risen(&self.fates).filter(|(fate, _)| ends(*fate)).map(|(_, n)| n).sum()
    }

    /// Whether the text has ended without being handed over, or known to be, though it was to
    /// leave.
    pub(super) fn is_given_up(&self) -> bool {
        let state = self.message.as_ref().map(|message| message.state);
        self.lane == Lane::Next
            && match state {
                // Without a new state it stays unknown for good.
                None | Some(MessageState::Failed | MessageState::Expired) => true,
                Some(
                    MessageState::Sent
                    | MessageState::Suppressed
                    | MessageState::Queued
                    | MessageState::Ambiguous,
                ) => false,
            }
    }
}

/// What becomes of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stages) enum Lane {
    /// Its head has ended: the next one, or none.
    Next,
    /// Its head stays and is tried again from then on.
    Ready(Timestamp),
    /// Its head stays and is looked up then.
    Unresolved(Timestamp),
}

impl Lane {
    /// As a lane that stays is stored.
    pub(super) const fn stored(self) -> Option<(i8, Timestamp)> {
        match self {
            Self::Next => None,
            Self::Ready(at) => Some((LANE_READY, at)),
            Self::Unresolved(at) => Some((LANE_UNRESOLVED, at)),
        }
    }
}

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stages) struct Message {
    pub(in crate::stages) state: MessageState,
    /// With suppressed, why.
    pub(in crate::stages) reason: Option<i8>,
    pub(in crate::stages) error_code: Option<i32>,
    pub(in crate::stages) sent_at: Option<Timestamp>,
    pub(in crate::stages) provider_ref: Option<String>,
}

impl Message {
    /// A text in a state that needs no more said.
    pub(in crate::stages) const fn is(state: MessageState) -> Self {
        Self { state, reason: None, error_code: None, sent_at: None, provider_ref: None }
    }
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stages) struct Tried {
    pub(in crate::stages) end: TryEnd,
    pub(in crate::stages) http_status: Option<i16>,
    pub(in crate::stages) error_code: Option<i32>,
    pub(in crate::stages) provider_ref: Option<String>,
    pub(in crate::stages) finished_at: Timestamp,
}

impl Tried {
    /// An end without an answer.
    pub(in crate::stages) const fn bare(end: TryEnd, finished_at: Timestamp) -> Self {
        Self { end, http_status: None, error_code: None, provider_ref: None, finished_at }
    }

    fn of(end: TryEnd, answer: &Answer, finished_at: Timestamp) -> Self {
        Self {
            end,
            http_status: answer.http_status,
            error_code: answer.error_code,
            provider_ref: answer.provider_ref.clone(),
            finished_at,
        }
    }
}

/// What the decision needs to know beside the result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Real time, at least the floor: no lane is ready earlier.
    pub(super) ready_at: Timestamp,
    /// Tries that can be counted. A text's appointment begins long before.
    pub(super) attempts_max: i16,
    /// How long after a lost answer the first look-up is.
    pub(super) look_after: Duration,
    /// From 0 to 1, for waits that shall not be in step.
    pub(super) chance: f64,
}

/// What a result changes.
pub(super) fn effect(completion: &Completion, now: &Now) -> Effect {
    let Completion { work, ending, at, .. } = completion;
    let n = work.members;
    let ended = |state, fate| base(work, Lane::Next, Some(Message::is(state)), vec![(fate, n)]);
    match ending {
        Ending::Answered(answer) => answered(work, answer, *at, now),
        Ending::Suppressed(reason, _) => {
            // What it lost one by one is counted one by one, by whoever ended the promise.
            let fates = match work.members_left(ending) {
                0 => Vec::new(),
                left => vec![(reason.fate(), left)],
            };
            let message =
                Message { reason: Some(reason.stored()), ..Message::is(MessageState::Suppressed) };
            base(work, Lane::Next, Some(message), fates)
        }
        Ending::Expired => ended(MessageState::Expired, Fate::Expired),
        Ending::Closed(until) | Ending::Aside(until) => {
            base(work, Lane::Ready((*until).max(now.ready_at)), None, Vec::new())
        }
        Ending::Amended(..) => base(work, Lane::Ready(now.ready_at), None, Vec::new()),
        Ending::Accepted { provider_ref, came_at } => taken(work, provider_ref, *came_at, *at),
        Ending::Found { provider_ref, accepted_at } => {
            let mut effect = taken(work, provider_ref, *accepted_at, *at);
            effect.fates.push((Fate::Ambiguous, -n));
            effect
        }
        Ending::NotAccepted => {
            let tried = Tried::bare(TryEnd::NotAccepted, *at);
            let mut effect = again(work, None, tried, None, now);
            effect.fates.push((Fate::Ambiguous, -n));
            effect
        }
        Ending::Refused(answer) => {
            let mut effect = failed(work, answer, *at);
            effect.fates.push((Fate::Ambiguous, -n));
            effect
        }
        Ending::StillUnknown(look_at) => base(work, Lane::Unresolved(*look_at), None, Vec::new()),
        Ending::GivenUp => base(work, Lane::Next, None, Vec::new()),
    }
}

/// The provider took its last try, as came to light afterwards.
fn taken(work: &Work, provider_ref: &str, sent_at: Timestamp, at: Timestamp) -> Effect {
    let provider_ref = Some(provider_ref.to_owned());
    Effect {
        message: Some(Message {
            sent_at: Some(sent_at),
            provider_ref: provider_ref.clone(),
            ..Message::is(MessageState::Sent)
        }),
        tried: Some(Tried { provider_ref, ..Tried::bare(TryEnd::Sent, at) }),
        ..base(work, Lane::Next, None, vec![(Fate::Sent, work.members)])
    }
}

fn answered(work: &Work, answer: &Answer, at: Timestamp, now: &Now) -> Effect {
    let n = work.members;
    match answer.outcome {
        DeliveryOutcome::Sent => Effect {
            message: Some(Message {
                sent_at: Some(at),
                provider_ref: answer.provider_ref.clone(),
                ..Message::is(MessageState::Sent)
            }),
            tried: Some(Tried::of(TryEnd::Sent, answer, at)),
            ..base(work, Lane::Next, None, vec![(Fate::Sent, n)])
        },
        DeliveryOutcome::Transient => {
            let tried = Tried::of(TryEnd::Transient, answer, at);
            again(work, answer.error_code, tried, answer.retry_after, now)
        }
        DeliveryOutcome::Failed => failed(work, answer, at),
        DeliveryOutcome::Ambiguous => {
            let look_at = at + SignedDuration::try_from(now.look_after).unwrap_or_default();
            Effect {
                message: Some(Message::is(MessageState::Ambiguous)),
                tried: Some(Tried::of(TryEnd::Ambiguous, answer, at)),
                ..base(work, Lane::Unresolved(look_at), None, vec![(Fate::Ambiguous, n)])
            }
        }
    }
}

/// A try that the provider did not take, which says nothing of the text: another one later, however
/// many there were. Its appointment ends them: it is claimed again when that begins, and expires.
fn again(
    work: &Work,
    error_code: Option<i32>,
    tried: Tried,
    asked: Option<Duration>,
    now: &Now,
) -> Effect {
    if work.attempts >= now.attempts_max {
        return Effect {
            message: Some(Message { error_code, ..Message::is(MessageState::Failed) }),
            tried: Some(tried),
            ..base(work, Lane::Next, None, vec![(Fate::Failed, work.members)])
        };
    }
    let wait = retry_after(work.attempts, asked, now.chance);
    let wait = SignedDuration::try_from(wait).unwrap_or_default();
    let ready_at = tried.finished_at.saturating_add(wait).unwrap_or(Timestamp::MAX);
    let ready_at = ready_at.min(work.expires_at);
    Effect {
        message: Some(Message::is(MessageState::Queued)),
        tried: Some(tried),
        ..base(work, Lane::Ready(ready_at.max(now.ready_at)), None, Vec::new())
    }
}

fn failed(work: &Work, answer: &Answer, at: Timestamp) -> Effect {
    let error_code = answer.error_code;
    Effect {
        message: Some(Message { error_code, ..Message::is(MessageState::Failed) }),
        tried: Some(Tried::of(TryEnd::Failed, answer, at)),
        opts_out: answer.is_opted_out,
        ..base(work, Lane::Next, None, vec![(Fate::Failed, work.members)])
    }
}

fn base(work: &Work, lane: Lane, message: Option<Message>, fates: Vec<(Fate, i32)>) -> Effect {
    Effect {
        practice_id: work.practice_id,
        phone: work.phone,
        message_id: work.message_id,
        local_day: work.local_day,
        rule_id: work.rule_id,
        attempts: work.attempts,
        lane,
        message,
        tried: None,
        fates,
        opts_out: false,
    }
}

impl Work {
    /// Promises that a text keeps when it ends so.
    fn members_left(&self, ending: &Ending) -> i32 {
        match ending {
            Ending::Suppressed(_, drops) | Ending::Amended(_, drops) => {
                self.members - i32::try_from(drops.len()).unwrap_or(self.members)
            }
            Ending::Answered(_)
            | Ending::Expired
            | Ending::Closed(_)
            | Ending::Aside(_)
            | Ending::Accepted { .. }
            | Ending::Found { .. }
            | Ending::NotAccepted
            | Ending::Refused(_)
            | Ending::StillUnknown(_)
            | Ending::GivenUp => self.members,
        }
    }
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod effect_tests;
