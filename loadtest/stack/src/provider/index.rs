//! The index: where each accepted text lies in the log, by number, phone and idempotency key.
//!
//! Here belongs what is in memory for a text, about 150 bytes with its share of the maps; its
//! words stay in the log. Never a decision: those are in `ledger`.

use std::collections::HashMap;

use super::draw::{Key, digest};
use super::fate::Plan;
use super::lines::Place;
use super::log::LogEntry;

/// Stands for "no older message".
const NONE: u32 = u32::MAX;

/// One accepted text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) key: Key,
    pub(crate) place: Place,
    pub(crate) accepted_ms: i64,
    pub(crate) plan: Plan,
    /// How many steps of the plan are over.
    pub(crate) steps_done: u8,
    pub(crate) has_callback: bool,
    /// A hash of the sender, so that a list by sender needn't read every line.
    pub(crate) sender: u32,
    /// A client took its words out of what is shown.
    pub(crate) is_redacted: bool,
    /// A client deleted it: it isn't shown any more.
    pub(crate) is_deleted: bool,
    /// The message to the same phone before this one.
    older: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    messages: Vec<Message>,
    newest_by_phone: HashMap<u64, u32>,
    /// How often each text was asked for, accepted or not.
    attempts: HashMap<Key, u32>,
    by_idempotency_key: HashMap<u64, u32>,
}

impl Index {
    /// The number that the next message gets.
    pub(crate) fn next_number(&self) -> u32 {
        self.messages.len() as u32
    }

    /// The most of anything that is held, for its bound.
    pub(crate) fn fullest(&self) -> usize {
        self.messages.len().max(self.attempts.len())
    }

    /// Takes in an accepted text whose line lies at this place.
    pub(crate) fn add<S: AsRef<str>>(&mut self, key: Key, entry: &LogEntry<S>, place: Place) {
        let number = self.next_number();
        let older = phone(entry.to.as_ref())
            .and_then(|phone| self.newest_by_phone.insert(phone, number))
            .unwrap_or(NONE);
        if let Some(idempotency_key) = &entry.idempotency_key {
            let hash = digest(idempotency_key.as_ref().as_bytes());
            self.by_idempotency_key.insert(hash, number);
        }
        let attempts = self.attempts.entry(key).or_default();
        *attempts = entry.attempt.max(*attempts);
        self.messages.push(Message {
            key,
            place,
            accepted_ms: entry.real.as_millisecond(),
            plan: entry.plan,
            steps_done: 0,
            has_callback: entry.callback.is_some(),
            sender: entry.from.as_ref().map(|from| sender(from.as_ref())).unwrap_or_default(),
            is_redacted: false,
            is_deleted: false,
            older,
        });
    }

    /// Counts one more request for a text; the first is 1.
    pub(crate) fn count_attempt(&mut self, key: Key) -> u32 {
        let attempts = self.attempts.entry(key).or_default();
        *attempts += 1;
        *attempts
    }

    pub(crate) fn message(&self, number: u32) -> Option<&Message> {
        self.messages.get(number as usize)
    }

    /// Notes that a step of a message's plan is over.
    pub(crate) fn step_done(&mut self, number: u32, step: u8) {
        if let Some(message) = self.messages.get_mut(number as usize) {
            message.steps_done = message.steps_done.max(step + 1);
        }
    }

    /// Shows a message without its words from now on.
    pub(crate) fn redact(&mut self, number: u32) {
        if let Some(message) = self.messages.get_mut(number as usize) {
            message.is_redacted = true;
        }
    }

    /// Shows a message no more.
    pub(crate) fn delete(&mut self, number: u32) {
        if let Some(message) = self.messages.get_mut(number as usize) {
            message.is_deleted = true;
        }
    }

    pub(crate) fn idempotent(&self, idempotency_key: &str) -> Option<u32> {
        self.by_idempotency_key.get(&digest(idempotency_key.as_bytes())).copied()
    }

    /// Message numbers, newest first: all of them, or those to one phone.
    pub(crate) fn newest_first(&self, to: Option<&str>) -> impl Iterator<Item = u32> {
        let start = match to {
            Some(to) => phone(to).and_then(|phone| self.newest_by_phone.get(&phone)).copied(),
            None => self.next_number().checked_sub(1),
        };
        let all = to.is_none();
        std::iter::successors(
            start,
            move |number| {
                if all { number.checked_sub(1) } else { self.older(*number) }
            },
        )
    }

    fn older(&self, number: u32) -> Option<u32> {
        self.message(number).map(|message| message.older).filter(|older| *older != NONE)
    }
}

/// The hash of a sender that [`Message::sender`] holds.
pub(crate) fn sender(from: &str) -> u32 {
    digest(from.as_bytes()) as u32
}

/// An E.164 number as digits.
pub(crate) fn phone(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+')?;
    let well_formed = (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    well_formed.then(|| digits.parse().expect("at most fifteen digits fit"))
}

#[cfg(test)]
mod tests {
    use super::phone;

    #[test]
    fn phones() {
        assert_eq!(phone("+99912345678"), Some(99_912_345_678));
        for text in
            ["99912345678", "+", "+123456", "+0991234567", "+1234567890123456", "+99 9123456"]
        {
            assert_eq!(phone(text), None, "{text}");
        }
    }
}
