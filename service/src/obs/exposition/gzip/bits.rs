//! Bits as deflate has them: the first of a byte is its lowest.
//!
//! Belongs here: writing them down. Never here: what they mean.

use std::iter;

use super::code::Coded;

/// Bytes, and the bits that wait for their byte to be full.
pub(super) struct Bits {
    /// Those that are full, and room behind them.
    bytes: Vec<u8>,
    full: usize,
    /// The lowest is the first; above them all is zero.
    waiting: u64,
    /// Fewer than eight.
    count: u32,
}

impl Bits {
    /// What begins with bytes and has room for so many behind them before it is moved.
    pub(super) fn after(begin: &[u8], room: usize) -> Self {
        let mut bytes = vec![0; begin.len() + room];
        bytes[..begin.len()].copy_from_slice(begin);
        Self { bytes, full: begin.len(), waiting: 0, count: 0 }
    }

    /// Writes at most 56 bits.
    #[inline]
    pub(super) fn put(&mut self, coded: Coded) {
        self.put_all(iter::once(coded));
    }

    /// Writes at most 56 bits, several times.
    #[inline]
    pub(super) fn put_all(&mut self, all: impl Iterator<Item = Coded>) {
        // Kept in registers, as nobody else sees them in between.
        let (mut full, mut waiting, mut count) = (self.full, self.waiting, self.count);
        for coded in all {
            waiting |= coded.bits << count;
            count += coded.count;
            // A whole word is written, and what isn't full of it is written again with the next:
            // so it makes no difference to the processor how much that is.
            let word = waiting.to_le_bytes();
            match self.bytes.get_mut(full..).and_then(|room| room.first_chunk_mut()) {
                Some(room) => *room = word,
                None => self.put_where_no_room_is(full, word),
            }
            full += (count / u8::BITS) as usize;
            waiting >>= count / u8::BITS * u8::BITS;
            count %= u8::BITS;
        }
        (self.full, self.waiting, self.count) = (full, waiting, count);
    }

    #[cold]
    fn put_where_no_room_is(&mut self, at: usize, word: [u8; 8]) {
        self.bytes.resize(2 * (at + word.len()), 0);
        self.bytes[at..at + word.len()].copy_from_slice(&word);
    }

    /// All bytes, the last one filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.put(Coded { bits: 0, count: u8::BITS - 1 });
        self.bytes.truncate(self.full);
        self.bytes
    }
}
