//! References: what the provider calls a message, `SM` and 32 hexadecimal digits.
//!
//! The last eight digits are the message's number under a mask made from the others, so that a
//! reference leads to its message without an index and two messages never share one.

use super::draw::{Key, Purpose};
use super::hex;

/// A reference as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference([u8; 34]);

impl Reference {
    /// The reference of the message with this number; `prefix` is Twilio's for its kind.
    pub(crate) fn new(prefix: [u8; 2], key: Key, attempt: u32, number: u32) -> Self {
        let high = key.draw(Purpose::Reference, attempt);
        let middle = key.draw(Purpose::ReplyReference, attempt) as u32;
        Self::assemble(prefix, high, middle, number)
    }

    /// The reference of the reply to a message; its number is the message's.
    pub(crate) fn reply(key: Key, number: u32) -> Self {
        Self::assemble(*b"SM", !key.draw(Purpose::ReplyReference, number), u32::MAX, number)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and a prefix of letters")
    }

    /// The number in a reference; whether there is such a message, and whether all of the
    /// reference is right, its log line tells.
    pub(crate) fn number(text: &str) -> Option<u32> {
        let bytes = hex::bytes(text.get(2..)?)?;
        let (high, rest) = bytes.split_first_chunk::<8>()?;
        let (middle, last) = rest.split_first_chunk::<4>()?;
        let last = u32::from_be_bytes(*last.first_chunk()?);
        Some(last ^ mask(u64::from_be_bytes(*high), u32::from_be_bytes(*middle)))
    }

    fn assemble(prefix: [u8; 2], high: u64, middle: u32, number: u32) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..12].copy_from_slice(&middle.to_be_bytes());
        bytes[12..].copy_from_slice(&(number ^ mask(high, middle)).to_be_bytes());
        let mut text = [0; 34];
        text[..2].copy_from_slice(&prefix);
        for (pair, byte) in text[2..].chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&hex::digits(byte));
        }
        Self(text)
    }
}

fn mask(high: u64, middle: u32) -> u32 {
    Key::of_number(high, u64::from(middle)).draw(Purpose::Reference, 0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_leads_to_its_number() {
        for number in [0, 1, 499_999, u32::MAX] {
            let key = Key::of_number(1, u64::from(number));
            for reference in [Reference::new(*b"SM", key, 1, number), Reference::reply(key, number)]
            {
                assert!(reference.as_str().starts_with("SM"));
                assert_eq!(Reference::number(reference.as_str()), Some(number));
            }
        }
        assert_eq!(Reference::number("SM123"), None);
        assert_eq!(Reference::number(""), None);
        assert_eq!(Reference::number("é"), None);
    }
}
