//! Law 4: what a cancellation said it had stopped never reaches the wire.
//!
//! An appointment is known on the wire by its mention, the patient's first name with the day and
//! the time, in a text to its phone. A family's text may leave without the one who cancelled, so
//! it's the mention that counts, not the message. Where other appointments of the phone are spoken
//! of in the same words, a text may say them as often as there are others, and not once more.
//!
//! Never here: reading appointments (`replay::judge`), or how a text is worded beyond the mention.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::Check;
use super::wire::{Accepted, Mention, Wire};

/// What one answer said of one reminder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The rule.
    pub rule_id: u16,
    /// The text that it had become, where it had.
    pub message_id: Option<i64>,
    /// Whether it was stopped.
    pub in_time: bool,
}

/// A cancellation that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Its position in the plan's arrivals.
    pub arrival: usize,
    /// The machine's monotonic clock when the answer was in.
    pub answered_ns: u64,
    /// What it said; nothing when it was an upsert, which says nothing of its texts.
    pub entries: Option<Vec<Entry>>,
}

/// How an appointment was cancelled, and so who says what it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The call, whose answer does.
    Call,
    /// An upsert with that status: the appointment's later read does.
    Upsert,
}

/// A cancellation with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// The practice.
    pub practice_id: i64,
    /// The client's name for the appointment.
    pub appointment_id: String,
    /// How it was cancelled.
    pub by: By,
    /// The sender's number without its `+`.
    pub from: u64,
    /// The recipient's number without its `+`.
    pub to: u64,
    /// How a text speaks of it.
    pub mention: Mention,
    /// Other appointments to that phone that are spoken of in the same words.
    pub namesakes: usize,
    /// The machine's monotonic clock when it was answered.
    pub answered_ns: u64,
    /// When it was booked again, after which it may be spoken of again.
    pub booked_again_ns: Option<u64>,
    /// What the answer said; for an upsert, what the appointment's later read says.
    pub entries: Vec<Entry>,
}

/// What an appointment's read after the day says of one reminder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fate {
    /// The rule.
    pub rule_id: u16,
    /// The fate's name in the contract.
    pub fate: String,
    /// The text that it became, where it did.
    #[serde(default)]
    pub message_id: Option<i64>,
}

/// What appointments' reads after the day show, by practice and the client's name for them.
pub type Reads = HashMap<(i64, String), Vec<Fate>>;

impl Cancellation {
    fn stopped_something(&self) -> bool {
        self.entries.iter().any(|entry| entry.in_time)
    }

    fn key(&self) -> (i64, &str) {
        (self.practice_id, &self.appointment_id)
    }

    fn name(&self) -> String {
        format!("practice {} appointment {}", self.practice_id, self.appointment_id)
    }
}

/// Every call to cancel that was answered is a case: its appointment is known, so that what was
/// said of it can be held against the wire. `unknown` are those whose appointment isn't.
#[must_use]
pub fn calls_are_answered(stopped: &[Stopped], unknown: &[String], promised: u64) -> Check {
    let mut check = Check::new(4, "calls to cancel were answered", promised);
    check.cases = stopped.iter().filter(|stopped| stopped.entries.is_some()).count() as u64;
    for what in unknown {
        check.refuted(|| format!("{what}: no appointment of the plan, so nothing can be joined"));
    }
    check
}

/// Texts by recipient, with their position in the log.
struct ByRecipient<'a>(HashMap<(u64, u64), Vec<(usize, &'a Accepted)>>);

impl<'a> ByRecipient<'a> {
    fn new(wire: &'a Wire, cancellations: &[Cancellation]) -> Self {
        let wanted: HashSet<_> = cancellations.iter().map(|c| (c.from, c.to)).collect();
        let mut texts: HashMap<_, Vec<_>> = HashMap::new();
        for (at, text) in wire.accepted.iter().enumerate() {
            if wanted.contains(&(text.from, text.to)) {
                texts.entry((text.from, text.to)).or_default().push((at, text));
            }
        }
        Self(texts)
    }

    fn of(&self, cancellation: &Cancellation) -> &[(usize, &'a Accepted)] {
        self.0.get(&(cancellation.from, cancellation.to)).map_or(&[], Vec::as_slice)
    }

    /// The first text that it must have stopped.
    fn that_breaks(&self, wire: &Wire, cancellation: &Cancellation) -> Option<&'a Accepted> {
        let left = |(at, text): &&(usize, &Accepted)| {
            // A text that can't be read may say anything.
            let speaks = || match wire.bodies.get(at) {
                Some(body) => cancellation.mention.times_in(body) > cancellation.namesakes,
                None => true,
            };
            breaks(cancellation, text, speaks)
        };
        self.of(cancellation).iter().find(left).map(|(_, text)| *text)
    }
}

/// Every appointment of which a cancellation said that something was stopped in time is a case,
/// joined with the wire by the name in the texts to its phone: no text that it stopped, and no text
/// accepted after its answer, speaks of it. A call that is repeated is the same case.
#[must_use]
pub fn nothing_leaves(wire: &Wire, cancellations: &[Cancellation], by: By, promised: u64) -> Check {
    let name = match by {
        By::Call => "wire: what a call stopped in time never left",
        By::Upsert => "wire: what an upsert stopped in time never left",
    };
    let mut check = Check::new(4, name, promised);
    let texts = ByRecipient::new(wire, cancellations);
    let in_time = cancellations.iter().filter(|c| c.by == by && c.stopped_something());
    let mut in_time: Vec<&Cancellation> = in_time.collect();
    in_time.sort_by_key(|c| c.key());
    for same in in_time.chunk_by(|a, b| a.key() == b.key()) {
        let left = same.iter().find_map(|c| texts.that_breaks(wire, c).map(|text| (c, text)));
        match left {
            None => check.kept(),
            Some((cancellation, text)) => check.broken(|| {
                let after = text.t_ns as i128 - cancellation.answered_ns as i128;
                format!(
                    "{}: stopped in time, but message {} left {} ms after the answer",
                    cancellation.name(),
                    text.message_id,
                    after / 1_000_000
                )
            }),
        }
    }
    check
}

fn breaks(c: &Cancellation, text: &Accepted, speaks: impl FnOnce() -> bool) -> bool {
    let said = c.entries.iter().filter(|e| e.message_id == Some(text.message_id));
    let (stopped, too_late) =
        said.fold((false, false), |(s, l), entry| (s || entry.in_time, l || !entry.in_time));
    if c.booked_again_ns.is_some_and(|again| text.t_ns >= again) {
        return false;
    }
    if stopped { speaks() } else { !too_late && text.t_ns > c.answered_ns && speaks() }
}

/// Every cancellation that came too late for a text that did leave is a case: that text speaks of
/// the appointment. It shows that the check above can see what it looks for.
///
/// "Too late" says that the text may have left. One that was being worded anew just then, or was
/// tried again, leaves without the appointment after all, which its later read shows: no case. Nor
/// is one of whose words another appointment of the phone may be the reason.
#[must_use]
pub fn too_late_is_seen(
    wire: &Wire,
    cancellations: &[Cancellation],
    reads: &Reads,
    promised: u64,
) -> Check {
    let mut check = Check::new(4, "wire: what was too late is there by name", promised);
    let texts = ByRecipient::new(wire, cancellations);
    for cancellation in cancellations.iter().filter(|c| c.namesakes == 0) {
        for entry in cancellation.entries.iter().filter(|entry| !entry.in_time) {
            let left = texts
                .of(cancellation)
                .iter()
                .find(|(_, text)| Some(text.message_id) == entry.message_id);
            if let Some((at, text)) = left {
                let body = wire.bodies.get(at);
                let speaks = body.is_some_and(|body| cancellation.mention.times_in(body) > 0);
                if !speaks && stopped_after_all(reads, cancellation, entry) {
                    continue;
                }
                check.case(speaks, || {
                    format!(
                        "{}: message {} was too late to stop but does not name it",
                        cancellation.name(),
                        text.message_id
                    )
                });
            }
        }
    }
    check
}

fn stopped_after_all(reads: &Reads, cancellation: &Cancellation, entry: &Entry) -> bool {
    let key = (cancellation.practice_id, cancellation.appointment_id.clone());
    let mut fates = reads.get(&key).into_iter().flatten();
    fates.any(|fate| {
        (fate.rule_id, fate.message_id) == (entry.rule_id, entry.message_id)
            && fate.fate == contract::Fate::SuppressedCancelled.name()
    })
}

/// Every reminder that was stopped is a case: a later read doesn't show it as sent.
#[must_use]
pub fn not_shown_as_sent(cancellations: &[Cancellation], reads: &Reads, promised: u64) -> Check {
    let mut check = Check::new(4, "reads: what was stopped is not shown as sent", promised);
    for cancellation in cancellations.iter().filter(|c| c.booked_again_ns.is_none()) {
        let key = (cancellation.practice_id, cancellation.appointment_id.clone());
        let Some(fates) = reads.get(&key) else { continue };
        for entry in cancellation.entries.iter().filter(|entry| entry.in_time) {
            let shown = fates.iter().filter(|fate| fate.rule_id == entry.rule_id);
            let sent = shown
                .filter(|fate| entry.message_id.is_none() || fate.message_id == entry.message_id)
                .find(|fate| fate.fate == contract::Fate::Sent.name());
            check.case(sent.is_none(), || {
                format!("{}: rule {} is shown as sent", cancellation.name(), entry.rule_id)
            });
        }
    }
    check
}

#[cfg(test)]
#[path = "cancelled_tests.rs"]
mod tests;
