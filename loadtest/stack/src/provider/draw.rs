//! Draws: every choice the simulator makes is a hash of the seed, the text and what is chosen.
//!
//! Here belongs how a text becomes a [`Key`] and a key becomes numbers; what the numbers decide is
//! in `faults` and `fate`. Never a random generator and never an arrival order: the same day with
//! the same seed must meet the same faults however its requests interleave.

/// Stands for one text to one number under one seed: what every draw about it starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(crate) u64);

/// What a draw decides, so that two decisions about one text are independent of each other.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Purpose {
    Fault = 1,
    Latency,
    ServerErrorStatus,
    Fate,
    ErrorCode,
    OutOfOrder,
    Duplicate,
    DuplicateDelay,
    Reply,
    ReplyText,
    SentDelay,
    FinalDelay,
    ReplyDelay,
    Reference,
    ReplyReference,
    Blocked,
}

impl Key {
    /// The key of a text. Lengths go in as well, so that "1" + "23" is not "12" + "3".
    pub(crate) fn of(seed: u64, to: &[u8], body: &[u8]) -> Self {
        Self(absorb(absorb(mix(seed), to), body))
    }

    /// The key of something that is no text, a connection for instance.
    pub(crate) fn of_number(seed: u64, number: u64) -> Self {
        Self(mix(mix(seed) ^ number))
    }

    /// 64 bits for this purpose; `n` tells repeats apart (an attempt, a step).
    pub(crate) fn draw(self, purpose: Purpose, n: u32) -> u64 {
        mix(self.0 ^ mix(((purpose as u64) << 32) | u64::from(n)))
    }

    /// The same draw as a number in `[0, 1)`.
    pub(crate) fn unit(self, purpose: Purpose, n: u32) -> f64 {
        // The top 53 bits are as many as an f64 holds exactly.
        (self.draw(purpose, n) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Hashes bytes that are no text of ours (a form, an idempotency key).
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    absorb(mix(0x70_75_6e_63_74_75_61_6c), bytes)
}

fn absorb(state: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hashed = words.iter().fold(state, |hash, word| mix(hash ^ u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(mix(hashed ^ u64::from_le_bytes(last)) ^ bytes.len() as u64)
}

/// The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every input bit
/// reaches every output bit. Its own increment goes first, so that zero does not map to zero.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_the_same_for_ever() {
        let key = Key::of(7, b"+99912345678", b"Your appointment is tomorrow.");
        assert_eq!(key, Key(3_399_053_902_683_359_500));
        assert_eq!(key.draw(Purpose::Fault, 1), 5_536_172_337_560_751_362);
    }

    #[test]
    fn purposes_attempts_seeds_and_boundaries_all_matter() {
        let key = Key::of(7, b"+99912345678", b"hello");
        assert_ne!(key.draw(Purpose::Fault, 1), key.draw(Purpose::Fault, 2));
        assert_ne!(key.draw(Purpose::Fault, 1), key.draw(Purpose::Latency, 1));
        assert_ne!(key, Key::of(8, b"+99912345678", b"hello"));
        assert_ne!(key, Key::of(7, b"+9991234567", b"8hello"));
        assert_ne!(digest(b""), digest(b"\0"));
    }

    #[test]
    fn shares_come_out_as_asked() {
        let hits = (0..100_000u64)
            .filter(|n| Key::of_number(1, *n).unit(Purpose::Fault, 1) < 0.01)
            .count();
        assert!((900..1_100).contains(&hits), "1 % of 100,000 came out as {hits}");
    }
}
