//! The provider's log as the laws need it: every text that was accepted, in the order in which it
//! was accepted, packed. It is the oracle: what is not in it never left, what is in it did.
//!
//! Never here: what the service says about itself.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use stack::provider::{Fault, LogEntry, LogError, read_log};

/// A text that the provider accepted. 72 bytes: a day has half a million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The machine's monotonic clock when it was accepted, in nanoseconds.
    pub t_ns: u64,
    /// The practice, from the callback's address.
    pub practice_id: i64,
    /// The message, from the callback's address.
    pub message_id: i64,
    /// The sender's number without its `+`.
    pub from: u64,
    /// The recipient's number without its `+`.
    pub to: u64,
    /// Which try it was, from the callback's address.
    pub attempt_no: u32,
    /// True when the provider lost its answer on purpose.
    pub answer_lost: bool,
    /// How many appointments it speaks of.
    pub mentions: u32,
    /// A hash of its words, for this run alone.
    pub words: u64,
}

/// All accepted texts.
#[derive(Debug, Default)]
pub struct Wire {
    /// In the order of acceptance.
    pub accepted: Vec<Accepted>,
    /// Accepted texts that name no message of the service: nobody may send those.
    pub foreign: Vec<String>,
    /// What the provider did wrong on purpose, by name, of what left a trace in the log.
    pub faults: BTreeMap<String, u64>,
    /// The texts to the phones that were asked for, by position in `accepted`.
    pub bodies: HashMap<usize, String>,
    hasher: RandomState,
}

impl Wire {
    /// Reads a log. The bodies of texts to phones for which `keep` is true are kept.
    ///
    /// # Errors
    /// When the file can't be read or holds a line that is none of the log's.
    pub fn read(path: &Path, keep: impl Fn(u64) -> bool) -> Result<Self, LogError> {
        let mut wire = Self::default();
        for entry in read_log(path)? {
            wire.take(entry?, &keep);
        }
        Ok(wire)
    }

    fn take(&mut self, entry: LogEntry, keep: impl Fn(u64) -> bool) {
        let answer_lost = entry.fault == Some(Fault::AcceptThenDrop);
        if answer_lost {
            *self.faults.entry("accepted, answer lost".to_owned()).or_default() += 1;
        }
        if entry.plan.out_of_order {
            *self.faults.entry("callbacks out of order".to_owned()).or_default() += 1;
        }
        let Some((practice_id, message_id, attempt_no)) =
            entry.callback.as_deref().and_then(callback_names)
        else {
            self.foreign.push(format!("{} at seq {}", entry.sid, entry.seq));
            return;
        };
        let to = digits(&entry.to);
        let (mentions, words) = (mentions(&entry.body), self.hasher.hash_one(&entry.body));
        if keep(to) {
            self.bodies.insert(self.accepted.len(), entry.body);
        }
        self.accepted.push(Accepted {
            t_ns: entry.t_ns,
            practice_id,
            message_id,
            from: entry.from.as_deref().map_or(0, digits),
            to,
            attempt_no,
            answer_lost,
            mentions,
            words,
        });
    }

    /// How many different messages were accepted.
    #[must_use]
    pub fn messages(&self) -> u64 {
        let mut ids: Vec<_> = self.accepted.iter().map(|a| (a.practice_id, a.message_id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len() as u64
    }
}

/// Practice, message and attempt from
/// `…/status/{practice_id}/{message_id}/{attempt_no}/{signature}`.
fn callback_names(url: &str) -> Option<(i64, i64, u32)> {
    let (_, names) = url.split_once("/status/")?;
    let mut names = names.split('/');
    let practice_id = names.next()?.parse().ok()?;
    let message_id = names.next()?.parse().ok()?;
    let attempt_no = names.next()?.parse().ok()?;
    Some((practice_id, message_id, attempt_no))
}

/// How a text of the plan's templates speaks of an appointment: `<first name>, <day> at <time>.`
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mention {
    /// The patient's first name.
    pub name: String,
    /// The day in words, as seen from the replayed one.
    pub day: DayInWords,
    /// The local time as `HH:MM`.
    pub time: String,
}

/// How texts of the replayed day call a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DayInWords {
    /// `today`
    Today,
    /// `tomorrow`
    Tomorrow,
    /// `on Friday 12 March`
    Other,
}

impl Mention {
    /// How often a text says so: the name, and to the end of its sentence the day and the time.
    #[must_use]
    pub fn times_in(&self, body: &str) -> usize {
        let begins = match self.day {
            DayInWords::Today => "today at ",
            DayInWords::Tomorrow => "tomorrow at ",
            DayInWords::Other => "on ",
        };
        let says_so = |(at, name): &(usize, &str)| {
            let rest = &body[at + name.len()..];
            let sentence = rest.split('.').next().unwrap_or_default();
            sentence.starts_with(begins) && sentence.ends_with(&format!(" at {}", self.time))
        };
        body.match_indices(&format!("{}, ", self.name)).filter(says_so).count()
    }
}

/// How many appointments a text speaks of: how often it says ` at ` and a time.
#[must_use]
pub fn mentions(body: &str) -> u32 {
    let is_time = |after: &str| {
        let bytes = after.as_bytes();
        matches!(bytes, [a, b, b':', c, d, ..] if [a, b, c, d].iter().all(|x| x.is_ascii_digit()))
    };
    let found = body.match_indices(" at ").filter(|(at, found)| is_time(&body[at + found.len()..]));
    // A text has at most 1,600 characters.
    found.count() as u32
}

/// `+999…` as a number; 0 for what is none.
#[must_use]
pub fn digits(phone: &str) -> u64 {
    phone.trim_start_matches('+').parse().unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A text that was accepted without trouble.
    pub(crate) fn accepted(t_ns: u64, message_id: i64, to: u64) -> Accepted {
        Accepted {
            t_ns,
            practice_id: 7,
            message_id,
            from: 9_990_000_000_007,
            to,
            attempt_no: 1,
            answer_lost: false,
            mentions: 1,
            words: message_id.unsigned_abs(),
        }
    }

    /// A log of these.
    pub(crate) fn wire(accepted: Vec<Accepted>) -> Wire {
        Wire { accepted, ..Wire::default() }
    }

    #[test]
    fn a_callback_names_its_message() {
        let url = "http://127.0.0.1:8080/v1/callbacks/twilio/status/7/123/2/c2lnbg";
        assert_eq!(callback_names(url), Some((7, 123, 2)));
        assert_eq!(callback_names("http://127.0.0.1:8080/elsewhere/7/123/2"), None);
        assert_eq!(callback_names("http://127.0.0.1/v1/callbacks/x/status/7/x/2/s"), None);
        assert_eq!(digits("+999100000001"), 999_100_000_001);
    }

    #[test]
    fn mentions_are_found_and_counted() {
        let body = "Clinic at Sea: Ana, tomorrow at 14:05. Bring it. Bo, today at 9:20. \
                    Ana, on Friday 12 March at 14:05.";
        let times = |name: &str, day, time: &str| {
            Mention { name: name.into(), day, time: time.into() }.times_in(body)
        };
        assert_eq!(times("Ana", DayInWords::Tomorrow, "14:05"), 1);
        assert_eq!(times("Ana", DayInWords::Other, "14:05"), 1);
        assert_eq!(times("Ana", DayInWords::Today, "14:05"), 0);
        assert_eq!(times("Bo", DayInWords::Tomorrow, "14:05"), 0);
        assert_eq!(times("Ana", DayInWords::Today, "9:20"), 0);
        let twins = "Ana, today at 10:00. Ana, today at 10:00.";
        let ana = Mention { name: "Ana".into(), day: DayInWords::Today, time: "10:00".into() };
        assert_eq!(ana.times_in(twins), 2);
        assert_eq!(mentions(body), 2, "9:20 is no time of ours");
        assert_eq!(mentions("A, at 10:00. B, today at 11:30. see you at noon"), 2);
    }

    #[test]
    fn messages_are_counted_once() {
        let log = wire(vec![accepted(1, 1, 5), accepted(2, 2, 5), accepted(3, 1, 5)]);
        assert_eq!(log.messages(), 2);
    }
}
