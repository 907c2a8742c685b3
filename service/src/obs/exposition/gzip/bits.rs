//! Bits as deflate has them: the first of a byte is its lowest.
//!
//! Belongs here: writing them down. Never here: what they mean.

use super::code::Coded;

/// Bytes, and the bits that wait for their byte to be full.
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// The lowest is the first; above them all is zero.
    waiting: u64,
    /// Fewer than eight.
    count: u32,
}

impl Bits {
    /// What begins with bytes.
    pub(super) const fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, waiting: 0, count: 0 }
    }

    /// Writes at most 56 bits.
    #[inline]
    pub(super) fn put(&mut self, coded: Coded) {
        let (waiting, count) = (self.waiting | coded.bits << self.count, self.count + coded.count);
        // A whole word is written, and what isn't full of it is written again with the next: so
        // it makes no difference to the processor how much that is.
        let full = self.bytes.len() + (count / u8::BITS) as usize;
        self.bytes.extend_from_slice(&waiting.to_le_bytes());
        self.bytes.truncate(full);
        self.waiting = waiting >> (count / u8::BITS * u8::BITS);
        self.count = count % u8::BITS;
    }

    /// All bytes, the last one filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.put(Coded { bits: 0, count: u8::BITS - 1 });
        self.bytes
    }
}
