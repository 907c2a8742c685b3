//! What to do with the text at the head of a lane: a pure decision over what the claim has read.

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;

use crate::stages::codes::Reason;

/// The head of a lane, its text, and its appointments as they are now.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) practice_id: i64,
    pub(super) phone: i64,
    pub(super) message_id: i64,
    /// Tries behind it.
    pub(super) attempts: i16,
    pub(super) expires_at: Timestamp,
    pub(super) local_day: Date,
    pub(super) rule_id: i16,
    /// The settings that it was worded under.
    pub(super) revision: i32,
    pub(super) due_at: Timestamp,
    pub(super) body: String,
    pub(super) is_opted_out: bool,
    /// What the provider said of an earlier try after all: that it took it.
    pub(super) receipt: Option<Receipt>,
    /// In the order of the text.
    pub(super) members: Vec<MemberNow>,
}

/// A proof that a text came through, whatever its try was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The provider's name for the text.
    pub(super) provider_ref: String,
    /// When the receipt came, in real time: it was accepted by then.
    pub(super) came_at: Timestamp,
}

/// An appointment in a text, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemberNow {
    pub(super) appointment_id: String,
    /// As the text tells it.
    pub(super) starts_at: Timestamp,
    /// Booked, at that time and for that phone.
    pub(super) is_true: bool,
    /// Last planned before the text was due: its promise is certainly the one in here.
    pub(super) is_settled: bool,
    pub(super) is_cancelled: bool,
}

impl From<&Row> for Head {
    fn from(row: &Row) -> Self {
        let ids: Vec<String> = row.get("appointment_ids");
        let starts: Vec<Timestamp> = row.get("starts_at");
        let (is_true, is_settled): (Vec<bool>, Vec<bool>) =
            (row.get("is_true"), row.get("is_settled"));
        let is_cancelled: Vec<bool> = row.get("is_cancelled");
        let members = ids.into_iter().zip(starts).enumerate();
        let members = members.map(|(n, (appointment_id, starts_at))| MemberNow {
            appointment_id,
            starts_at,
            is_true: is_true.get(n).copied().unwrap_or(false),
            is_settled: is_settled.get(n).copied().unwrap_or(false),
            is_cancelled: is_cancelled.get(n).copied().unwrap_or(true),
        });
        Self {
            practice_id: row.get("practice_id"),
            phone: row.get("phone"),
            message_id: row.get("message_id"),
            attempts: row.get("attempts"),
            expires_at: row.get("expires_at"),
            local_day: row.get("local_day"),
            rule_id: row.get("rule_id"),
            revision: row.get("revision"),
            due_at: row.get("due_at"),
            body: row.get("body"),
            is_opted_out: row.get::<_, Option<bool>>("opted_out").unwrap_or(false),
            receipt: receipt_of(row),
            members: members.collect(),
        }
    }
}

/// A text that was never tried has none: what names it then is of another text, which had its
/// number on a primary that was lost.
fn receipt_of(row: &Row) -> Option<Receipt> {
    let (attempts, rank): (i16, i16) = (row.get("attempts"), row.get("receipt"));
    if attempts == 0 || rank == 0 {
        return None;
    }
    let (provider_ref, came_at): (Option<String>, Option<Timestamp>) =
        (row.get("provider_ref"), row.get("receipt_at"));
    Some(Receipt { provider_ref: provider_ref?, came_at: came_at? })
}

impl Head {
    /// When the first of its appointments begins.
    pub(super) fn begins_at(&self) -> Timestamp {
        self.members.iter().map(|member| member.starts_at).min().unwrap_or(self.expires_at)
    }

    /// The members that look as they did and were planned again since: whether the promise in this
    /// text still holds is asked of the intents.
    pub(super) fn doubtful(&self) -> impl Iterator<Item = &MemberNow> {
        self.members.iter().filter(|member| member.is_true && !member.is_settled)
    }
}

/// What to do with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes out.
    Send,
    /// It lost some of its appointments, or there are newer words for it: it is worded anew with
    /// the members at these places, and claimed again.
    Amend(Vec<usize>),
    /// Some of its appointments have begun: their promises expire, and it is worded anew with the
    /// members at these places.
    Begun(Vec<usize>),
    /// It lost all of them.
    Lost,
    /// The provider has it already, though it refused it.
    Accepted(Receipt),
    /// All of its appointments have begun.
    Expire,
    /// It must not go out.
    Suppress(Reason),
    /// Its practice is closed. It waits until this domain instant: until the practice opens, or
    /// until the first of its appointments begins.
    Wait(Timestamp),
}

/// What a text is judged by, beside what was read of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) domain_now: Timestamp,
    /// Its phone may be texted from here.
    pub(super) is_allowed: bool,
    /// When its practice sends next, in domain time, if it does not now.
    pub(super) opens_at: Option<Timestamp>,
    /// Its practice has newer words for it.
    pub(super) has_newer_words: bool,
}

/// Decides. `holds` says of each member whether its promise in this text still holds. What was
/// tried keeps its words, unless they are no longer true: it lost an appointment, or leaves on
/// another day (`amend`).
pub(super) fn judge(head: &Head, holds: impl Fn(&MemberNow) -> bool, now: Now) -> Verdict {
    let Now { domain_now, is_allowed, opens_at, has_newer_words } = now;
    let kept: Vec<usize> = head
        .members
        .iter()
        .enumerate()
        .filter(|(_, member)| member.is_true && (member.is_settled || holds(member)))
        .map(|(at, _)| at)
        .collect();
    let is_ahead = |at: &usize| head.members[*at].starts_at > domain_now;
    let ahead: Vec<usize> = kept.iter().copied().filter(is_ahead).collect();
    if kept.is_empty() {
        Verdict::Lost
    } else if kept.len() < head.members.len() {
        // What became of the text as a whole is decided when it says only what is true.
        Verdict::Amend(kept)
    } else if let Some(receipt) = &head.receipt {
        Verdict::Accepted(receipt.clone())
    } else if ahead.is_empty() {
        Verdict::Expire
    } else if ahead.len() < kept.len() {
        Verdict::Begun(ahead)
    } else if head.is_opted_out {
        Verdict::Suppress(Reason::OptedOut)
    } else if !is_allowed {
        Verdict::Suppress(Reason::NotAllowed)
    } else if let Some(opens_at) = opens_at {
        Verdict::Wait(opens_at.min(head.begins_at()))
    } else if has_newer_words && head.attempts == 0 {
        Verdict::Amend(kept)
    } else {
        Verdict::Send
    }
}

/// Why a text lost an appointment.
pub(super) const fn why(member: &MemberNow) -> Reason {
    if member.is_cancelled { Reason::Cancelled } else { Reason::Moved }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(is_true: bool, is_settled: bool, is_cancelled: bool) -> MemberNow {
        let starts_at = "2026-05-04T12:00:00Z".parse().unwrap();
        let appointment_id = "a".to_owned();
        MemberNow { appointment_id, starts_at, is_true, is_settled, is_cancelled }
    }

    fn head(members: Vec<MemberNow>) -> Head {
        Head {
            practice_id: 1,
            phone: 2,
            message_id: 3,
            attempts: 0,
            expires_at: "2026-05-04T12:00:00Z".parse().unwrap(),
            local_day: Date::constant(2026, 5, 4),
            rule_id: 1,
            revision: 1,
            due_at: "2026-05-04T09:00:00Z".parse().unwrap(),
            body: String::new(),
            is_opted_out: false,
            receipt: None,
            members,
        }
    }

    #[test]
    fn what_becomes_of_a_head() {
        let booked = || member(true, true, false);
        let cancelled = || member(false, true, true);
        let moved = || member(false, false, false);
        let moved_and_back = || member(true, false, false);
        let domain_now: Timestamp = "2026-05-04T10:00:00Z".parse().unwrap();
        let now = Now { domain_now, is_allowed: true, opens_at: None, has_newer_words: false };
        let late = Now { domain_now: "2026-05-04T12:00:00Z".parse().unwrap(), ..now };
        let not_allowed = |now| Now { is_allowed: false, ..now };
        let broken = |_: &MemberNow| false;
        let kept = |_: &MemberNow| true;

        let one = head(vec![booked()]);
        assert_eq!(judge(&one, broken, now), Verdict::Send);
        assert_eq!(judge(&one, broken, late), Verdict::Expire);
        let refused = Verdict::Suppress(Reason::NotAllowed);
        assert_eq!(judge(&one, broken, not_allowed(now)), refused);
        let stopped = Head { is_opted_out: true, ..one };
        let opted_out = Verdict::Suppress(Reason::OptedOut);
        assert_eq!(judge(&stopped, broken, not_allowed(now)), opted_out);

        assert_eq!(judge(&head(vec![cancelled()]), kept, not_allowed(late)), Verdict::Lost);
        let family = head(vec![booked(), cancelled(), moved(), booked()]);
        assert_eq!(judge(&family, kept, not_allowed(late)), Verdict::Amend(vec![0, 3]));

        // It looks the same, and the promise in this text was ended all the same.
        let back = head(vec![moved_and_back()]);
        assert_eq!(judge(&back, broken, now), Verdict::Lost);
        assert_eq!(judge(&back, kept, now), Verdict::Send);
        assert_eq!(back.doubtful().count(), 1);
        assert_eq!((why(&cancelled()), why(&moved())), (Reason::Cancelled, Reason::Moved));

        // Newer words are for what would be sent and has never been.
        let newer = Now { has_newer_words: true, ..now };
        let whole = head(vec![booked(), booked()]);
        assert_eq!(judge(&whole, kept, newer), Verdict::Amend(vec![0, 1]));
        assert_eq!(judge(&whole, kept, not_allowed(newer)), refused);
        assert_eq!(judge(&stopped, kept, newer), opted_out);
        let tried = Head { attempts: 1, ..whole };
        assert_eq!(judge(&tried, kept, newer), Verdict::Send);
    }

    /// It has left: neither another try, nor a word on it that it hasn't.
    #[test]
    fn what_came_through_after_all_is_not_tried_again() {
        let now: Timestamp = "2026-05-04T10:00:00Z".parse().unwrap();
        let now = Now { domain_now: now, is_allowed: true, opens_at: None, has_newer_words: true };
        let receipt = Receipt { provider_ref: "SM1".into(), came_at: now.domain_now };
        let came = Head {
            attempts: 1,
            receipt: Some(receipt.clone()),
            ..head(vec![member(true, true, false)])
        };
        let accepted = Verdict::Accepted(receipt);
        assert_eq!(judge(&came, |_| true, now), accepted);
        let over = Now { domain_now: came.expires_at, opens_at: Some(Timestamp::MAX), ..now };
        let stopped = Head { is_opted_out: true, ..came.clone() };
        assert_eq!(judge(&stopped, |_| true, Now { is_allowed: false, ..over }), accepted);
        // It is counted for those alone whose promise it kept.
        let members = vec![member(true, true, false), member(false, true, true)];
        let family = Head { members, ..came.clone() };
        assert_eq!(judge(&family, |_| true, over), Verdict::Amend(vec![0]));
        let gone = Head { members: vec![member(false, true, true)], ..came };
        assert_eq!(judge(&gone, |_| true, over), Verdict::Lost);
    }

    /// What would have left by itself does so as well in a family.
    #[test]
    fn a_family_loses_those_that_have_begun() {
        let at = |hour: u8| format!("2026-05-04T{hour}:00:00Z").parse::<Timestamp>().unwrap();
        let of = |hour| MemberNow { starts_at: at(hour), ..member(true, true, false) };
        let family = Head { expires_at: at(15), ..head(vec![of(12), of(13), of(15)]) };
        let judged = |family: &Head, hour, opens_at| {
            let domain_now = at(hour);
            let now = Now { domain_now, is_allowed: true, opens_at, has_newer_words: false };
            judge(family, |_| true, now)
        };
        assert_eq!(judged(&family, 11, None), Verdict::Send);
        assert_eq!(judged(&family, 12, None), Verdict::Begun(vec![1, 2]));
        assert_eq!(judged(&family, 14, None), Verdict::Begun(vec![2]));
        assert_eq!(judged(&family, 15, None), Verdict::Expire);
        // It waits for none of them too long.
        assert_eq!(judged(&family, 11, Some(at(14))), Verdict::Wait(at(12)));
        // Who was lost is so, whether that appointment would have begun or not.
        let cancelled = MemberNow { starts_at: at(12), ..member(false, true, true) };
        let family = Head { members: vec![cancelled, of(12), of(15)], ..family };
        assert_eq!(judged(&family, 13, None), Verdict::Amend(vec![1, 2]));
    }

    #[test]
    fn outside_the_hours_it_waits_for_them_or_for_its_appointment() {
        let now: Timestamp = "2026-05-04T10:00:00Z".parse().unwrap();
        let soon: Timestamp = "2026-05-04T11:00:00Z".parse().unwrap();
        let text = head(vec![member(true, true, false)]);
        let begins = text.expires_at;
        let judged = |text: &Head, domain_now, opens_at| {
            let opens_at = Some(opens_at);
            let now = Now { domain_now, is_allowed: true, opens_at, has_newer_words: true };
            judge(text, |_| true, now)
        };
        assert_eq!(judged(&text, now, soon), Verdict::Wait(soon));
        // It opens when, or after, the appointment begins: it expires as others do.
        assert_eq!(judged(&text, now, begins), Verdict::Wait(begins));
        assert_eq!(judged(&text, now, Timestamp::MAX), Verdict::Wait(begins));
        assert_eq!(judged(&text, begins, Timestamp::MAX), Verdict::Expire);
        // What will never go out does not wait, and what is told is true when it does.
        let stopped = Head { is_opted_out: true, ..text };
        assert_eq!(judged(&stopped, now, soon), Verdict::Suppress(Reason::OptedOut));
        let gone = head(vec![member(false, true, true)]);
        assert_eq!(judged(&gone, now, soon), Verdict::Lost);
    }
}
