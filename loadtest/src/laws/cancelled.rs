//! Law 4: what a cancellation said it had stopped never reaches the wire.
//!
//! An appointment is known on the wire by its mention, the patient's first name with the time, in a
//! text to its phone.
//! A family's text may leave without the one who cancelled, so it's the mention that counts, not
//! the message. Where two appointments of a phone have the same mention, only the message does.
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

/// A cancellation with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// The practice.
    pub practice_id: i64,
    /// The client's name for the appointment.
    pub appointment_id: String,
    /// The sender's number without its `+`.
    pub from: u64,
    /// The recipient's number without its `+`.
    pub to: u64,
    /// How a text speaks of it, where nothing else to that phone is spoken of so.
    pub mention: Option<Mention>,
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

    fn name(&self) -> String {
        format!("practice {} appointment {}", self.practice_id, self.appointment_id)
    }
}

/// Every call to cancel is a case: it was answered.
#[must_use]
pub fn calls_are_answered(stopped: &[Stopped], promised: u64) -> Check {
    let mut check = Check::new(4, "calls to cancel were answered", promised);
    check.cases = stopped.iter().filter(|stopped| stopped.entries.is_some()).count() as u64;
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
}

fn speaks(wire: &Wire, at: usize, mention: &Mention) -> bool {
    wire.bodies.get(&at).is_some_and(|body| mention.is_in(body))
}

/// Every cancellation that stopped something is a case: no text that it stopped, and no text
/// accepted after its answer, speaks of the appointment.
#[must_use]
pub fn nothing_leaves(wire: &Wire, cancellations: &[Cancellation], promised: u64) -> Check {
    let mut check = Check::new(4, "wire: what was stopped never left", promised);
    let texts = ByRecipient::new(wire, cancellations);
    for cancellation in cancellations.iter().filter(|c| c.stopped_something()) {
        let left = texts.of(cancellation).iter().find(|(at, text)| {
            breaks(cancellation, text, |mention: &Mention| speaks(wire, *at, mention))
        });
        match left {
            None => check.kept(),
            Some((_, text)) => check.broken(|| {
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

fn breaks(c: &Cancellation, text: &Accepted, speaks: impl Fn(&Mention) -> bool) -> bool {
    let said = c.entries.iter().filter(|e| e.message_id == Some(text.message_id));
    let (stopped, too_late) =
        said.fold((false, false), |(s, l), entry| (s || entry.in_time, l || !entry.in_time));
    if c.booked_again_ns.is_some_and(|again| text.t_ns >= again) {
        return false;
    }
    match &c.mention {
        Some(mention) if stopped => speaks(mention),
        Some(mention) => !too_late && text.t_ns > c.answered_ns && speaks(mention),
        // Without a mention of its own, a stopped text that was its alone must not be there; one
        // that it shared may be, so nothing is said.
        None => false,
    }
}

/// Every cancellation that came too late for a text that did leave is a case: that text speaks of
/// the appointment. It shows that the check above can see what it looks for.
///
/// "Too late" says that the text may have left. One that was being worded anew just then, or was
/// tried again, leaves without the appointment after all, which its later read shows: no case.
#[must_use]
pub fn too_late_is_seen(
    wire: &Wire,
    cancellations: &[Cancellation],
    reads: &Reads,
    promised: u64,
) -> Check {
    let mut check = Check::new(4, "wire: what was too late is there by name", promised);
    let texts = ByRecipient::new(wire, cancellations);
    for cancellation in cancellations {
        let Some(mention) = &cancellation.mention else { continue };
        for entry in cancellation.entries.iter().filter(|entry| !entry.in_time) {
            let left = texts
                .of(cancellation)
                .iter()
                .find(|(_, text)| Some(text.message_id) == entry.message_id);
            if let Some((at, text)) = left {
                let speaks = speaks(wire, *at, mention);
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
mod tests {
    use super::super::wire::tests::{accepted, wire};
    use super::*;

    const PHONE: u64 = 999_100_000_000_001;

    fn cancellation(entries: Vec<Entry>) -> Cancellation {
        Cancellation {
            practice_id: 7,
            appointment_id: "a0000001".into(),
            from: 9_990_000_000_007,
            to: PHONE,
            mention: Some(Mention { name: "Ana".into(), time: "14:20".into() }),
            answered_ns: 100,
            booked_again_ns: None,
            entries,
        }
    }

    fn entry(message_id: Option<i64>, in_time: bool) -> Entry {
        Entry { rule_id: 1, message_id, in_time }
    }

    fn log(t_ns: u64, message_id: i64, body: &str) -> Wire {
        let mut log = wire(vec![accepted(t_ns, message_id, PHONE)]);
        log.bodies.insert(0, body.to_owned());
        log
    }

    #[test]
    fn a_stopped_text_that_left_breaks_it_and_one_that_did_not_keeps_it() {
        let speaks = "Park Clinic: see you soon. Ana, today at 14:20.";
        let silent = "Park Clinic: see you soon. Bruno, today at 14:25.";
        for (what, wire, entries, violations, cases) in [
            ("stopped, left later", log(200, 5, speaks), vec![entry(Some(5), true)], 1, 1),
            ("stopped, left before", log(50, 5, speaks), vec![entry(Some(5), true)], 1, 1),
            ("left without it", log(200, 5, silent), vec![entry(Some(5), true)], 0, 1),
            ("planned, left later", log(200, 5, speaks), vec![entry(None, true)], 1, 1),
            ("another text, before", log(50, 5, speaks), vec![entry(None, true)], 0, 1),
            (
                "said to be too late",
                log(200, 5, speaks),
                vec![entry(Some(5), false), entry(None, true)],
                0,
                1,
            ),
            ("nothing stopped", log(200, 5, speaks), vec![entry(Some(5), false)], 0, 0),
            ("nothing left", wire(vec![]), vec![entry(None, true)], 0, 1),
        ] {
            let check = nothing_leaves(&wire, &[cancellation(entries)], 0);
            assert_eq!((check.violations, check.cases), (violations, cases), "{what}");
        }
        let check = nothing_leaves(&wire(vec![]), &[], 1);
        assert!(!check.passed(), "no case is too few");
        let again =
            Cancellation { booked_again_ns: Some(150), ..cancellation(vec![entry(None, true)]) };
        assert!(nothing_leaves(&log(200, 6, speaks), &[again], 1).passed(), "booked again");
    }

    #[test]
    fn calls_without_an_answer_are_too_few() {
        let by_call = Stopped { arrival: 1, answered_ns: 1, entries: Some(Vec::new()) };
        let by_upsert = Stopped { entries: None, ..by_call.clone() };
        assert!(calls_are_answered(&[by_call.clone(), by_upsert.clone()], 1).passed());
        assert!(!calls_are_answered(&[by_call, by_upsert], 2).passed());
    }

    #[test]
    fn what_was_too_late_must_be_there_by_name() {
        let too_late = [cancellation(vec![entry(Some(5), false)])];
        let seen = |log: &Wire, reads: &Reads, promised| {
            let check = too_late_is_seen(log, &too_late, reads, promised);
            (check.cases, check.violations, check.passed())
        };
        let silent = log(50, 5, "… Ana, today at 2:20 pm.");
        let none = Reads::new();
        assert_eq!(seen(&log(50, 5, "… Ana, today at 14:20. …"), &none, 1), (1, 0, true));
        assert_eq!(seen(&silent, &none, 1), (1, 1, false));
        // One that never left for another reason is no case, and then there are too few.
        assert_eq!(seen(&wire(vec![]), &none, 1), (0, 0, false));
        // It left without her, and her reminder counts as stopped; as sent it would be a lie.
        let read = |fate: &str, message_id| {
            let fate = Fate { rule_id: 1, fate: fate.into(), message_id: Some(message_id) };
            Reads::from([((7, "a0000001".to_owned()), vec![fate])])
        };
        assert_eq!(seen(&silent, &read("suppressed_cancelled", 5), 0), (0, 0, true));
        assert_eq!(seen(&silent, &read("suppressed_cancelled", 6), 1), (1, 1, false));
        assert_eq!(seen(&silent, &read("sent", 5), 1), (1, 1, false));
    }

    #[test]
    fn a_read_that_shows_it_sent_breaks_it() {
        let stopped = [cancellation(vec![entry(None, true)])];
        let key = (7, "a0000001".to_owned());
        let fate = |fate: &str| Fate { rule_id: 1, fate: fate.into(), message_id: None };
        let read = |name: &str| HashMap::from([(key.clone(), vec![fate(name)])]);
        assert!(not_shown_as_sent(&stopped, &read("suppressed_cancelled"), 1).passed());
        assert!(!not_shown_as_sent(&stopped, &read("sent"), 1).passed());
        assert!(!not_shown_as_sent(&stopped, &HashMap::new(), 1).passed(), "too few");
    }
}
