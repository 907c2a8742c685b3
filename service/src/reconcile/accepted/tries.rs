//! The tries of a stretch of time: what is known here as sent, and the lost answers, each of which
//! may turn out to be one text of the provider's list, to the same recipient and of that time.
//!
//! Never here: the provider's list.

use std::collections::{HashMap, HashSet};

use contract::Read;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::{Sides, Surplus};
use crate::db::DbError;
use crate::db::router::Class;
use crate::provider::Span;

/// A try may have been accepted so long after it began, and the provider's clock differ so much.
pub(super) const SLACK: SignedDuration = SignedDuration::from_mins(10);
/// A text leaves on its local day, in any zone, or in the days after it that its lane was blocked.
const DAYS: i64 = 3;

/// Whose text, and to which number.
pub(super) type Recipient = (i64, i64);

/// A try that was accepted.
pub(super) struct Sent {
    pub(super) practice_id: i64,
    pub(super) message_id: i64,
    pub(super) started_at: Timestamp,
    pub(super) is_listed: bool,
}

/// The tries of a stretch of time, and what the provider lists that is none of them.
#[derive(Default)]
pub(super) struct Tries {
    /// Those that were accepted, by the provider's name for them.
    pub(super) sent: HashMap<String, Sent>,
    /// What the provider lists that is none of them, by its name.
    pub(super) strange: HashSet<String>,
    /// How many answers are lost and not found out yet.
    pub(super) open: u64,
    /// When those began.
    lost: HashMap<Recipient, Vec<Timestamp>>,
    /// Texts to their recipients that are not known here.
    like_lost: HashMap<Recipient, Vec<Surplus>>,
}

/// Reads those that began around the span.
pub(super) async fn read(sides: &Sides<'_>, span: Span) -> Result<Tries, DbError> {
    let day = |real: Timestamp| -> Date {
        sides.clock.pace().domain_at(real).to_zoned(TimeZone::UTC).date()
    };
    let (since, until) = (span.since - SLACK, span.until + SLACK);
    let first = day(since).saturating_sub(DAYS.days());
    let last = day(until).saturating_add(1.day());
    let mut tries = Tries::default();
    for shard in 0..sides.shard_count {
        let mut reader = sides.db.reader(Class::Report);
        for row in
            reader.rows(Read::ReconcileSent, &[&shard, &first, &last, &since, &until]).await?
        {
            let (practice_id, started_at) = (row.get("practice_id"), row.get("started_at"));
            let provider_ref: Option<String> = row.get("provider_ref");
            if row.get("is_open") {
                tries.open += 1;
                let phone: Option<i64> = row.get("phone");
                if let Some(phone) = phone {
                    tries.lost.entry((practice_id, phone)).or_default().push(started_at);
                }
            } else if let Some(provider_ref) = provider_ref {
                let message_id = row.get("message_id");
                let sent = Sent { practice_id, message_id, started_at, is_listed: false };
                tries.sent.insert(provider_ref, sent);
            }
        }
    }
    Ok(tries)
}

impl Tries {
    /// Whether a text is known here and on the list.
    pub(super) fn agrees(&self, provider_ref: &str) -> bool {
        self.sent.get(provider_ref).is_some_and(|sent| sent.is_listed)
    }

    /// Keeps a text that is not known here, if a lost answer was to its recipient; else gives it
    /// back.
    pub(super) fn doubt(&mut self, to: Option<i64>, text: Surplus) -> Option<Surplus> {
        let recipient = (text.practice_id, to.unwrap_or_default());
        if !self.lost.contains_key(&recipient) {
            return Some(text);
        }
        self.like_lost.entry(recipient).or_default().push(text);
        None
    }

    /// Of the texts that were kept, how many a lost answer may be each, and those that none is.
    pub(super) fn doubted(&mut self) -> (u64, Vec<Surplus>) {
        let (mut explained, mut surplus) = (0, Vec::new());
        for (recipient, texts) in std::mem::take(&mut self.like_lost) {
            let kept = texts.len();
            let left = unexplained(self.lost.remove(&recipient).unwrap_or_default(), texts);
            explained += (kept - left.len()) as u64;
            surplus.extend(left);
        }
        (explained, surplus)
    }
}

/// The texts of one recipient that are left when each lost try has explained one at the most.
fn unexplained(mut lost: Vec<Timestamp>, mut texts: Vec<Surplus>) -> Vec<Surplus> {
    lost.sort_unstable();
    texts.sort_unstable_by_key(|text| text.accepted_at);
    let mut lost = lost.into_iter().peekable();
    texts.retain(|text| {
        // Too early for this one is too early for those after it.
        while lost.next_if(|began| *began + SLACK < text.accepted_at).is_some() {}
        lost.next_if(|began| *began - SLACK <= text.accepted_at).is_none()
    });
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn check(lost: &[i64], texts: &[i64], expected: &[i64]) {
        let text = |minute: &i64| Surplus {
            practice_id: 1,
            provider_ref: String::new(),
            accepted_at: at(*minute),
        };
        let began = lost.iter().map(|minute| at(*minute)).collect();
        let left = unexplained(began, texts.iter().map(text).collect());
        let left: Vec<i64> = left.iter().map(|text| text.accepted_at.as_second() / 60).collect();
        assert_eq!(left, expected, "{texts:?} by {lost:?}");
    }

    #[test]
    fn a_lost_try_explains_one_text_of_its_time() {
        check(&[], &[1], &[1]);
        check(&[0], &[1], &[]);
        check(&[0], &[1, 2], &[2]);
        check(&[0, 30], &[1, 2], &[2]);
        check(&[30, 0], &[31, 1], &[]);
        // The provider's clock may be ahead, or behind.
        check(&[0], &[10], &[]);
        check(&[10], &[0], &[]);
        check(&[0], &[11], &[11]);
        check(&[11], &[0], &[0]);
        // The earlier try is taken first, or the second text would be left.
        check(&[0, 9], &[5, 15], &[]);
    }
}
