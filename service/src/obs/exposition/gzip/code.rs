//! Deflate's codes (RFC 1951, section 3.2): the bits of a byte, of a copy's length and of its
//! distance, and the head of the one block, which says what they are.
//!
//! Belongs here: what the RFC says. Never here: how often what is written (`fitted`).

use super::fitted;

/// Bits to be written, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) bits: u64,
    pub(super) count: u32,
}

impl Coded {
    const NOTHING: Self = Self { bits: 0, count: 0 };

    /// These and then others.
    #[inline]
    pub(super) const fn then(self, next: Self) -> Self {
        Self { bits: self.bits | next.bits << self.count, count: self.count + next.count }
    }
}

/// The symbol behind those of the bytes: the end of the block.
pub(super) const END: usize = 256;
/// Bytes that one copy has at least.
pub(super) const COPY_MIN: usize = 3;
/// And at most.
pub(super) const COPY_MAX: usize = 258;
/// How far it reaches back.
pub(super) const DISTANCE_MAX: usize = 32 * 1024;

/// Of bytes, the end and lengths; of distances; of the lengths of all these codes.
pub(super) const SYMBOLS: usize = END + 1 + LENGTHS;
pub(super) const LENGTHS: usize = 29;
pub(super) const DISTANCES: usize = 30;
const LENGTHS_OF_CODES: usize = 19;

/// So that four bytes fit into one word, beside what waits.
pub(super) const BITS_MAX: u8 = 14;

static BY_SYMBOL: [Coded; SYMBOLS] = canonical(&fitted::SYMBOLS);
static BY_DISTANCE: [Coded; DISTANCES] = canonical(&fitted::DISTANCES);

/// Codes of so many bits each: those with fewer come first, and among equals the order is theirs.
/// A code is written from its highest bit on, everything else from its lowest.
const fn canonical<const N: usize>(lengths: &[u8; N]) -> [Coded; N] {
    let mut codes = [Coded::NOTHING; N];
    let (mut next, mut length) = (0_u32, 1);
    while length <= BITS_MAX {
        let mut symbol = 0;
        while symbol < N {
            if lengths[symbol] == length {
                let bits = (next.reverse_bits() >> (u32::BITS - length as u32)) as u64;
                codes[symbol] = Coded { bits, count: length as u32 };
                next += 1;
            }
            symbol += 1;
        }
        next <<= 1;
        length += 1;
    }
    assert!(next == 1 << (BITS_MAX + 1), "every sequence of bits must mean something");
    codes
}

/// The value with which a symbol begins, counted from the least, and how many bits say by how much
/// it is exceeded: so many symbols in a row have each number of bits, but for none, which twice as
/// many have.
const fn begins(symbol: usize, in_a_row: usize) -> (usize, u32) {
    if symbol < 2 * in_a_row {
        return (symbol, 0);
    }
    let more = symbol / in_a_row - 1;
    ((in_a_row + symbol % in_a_row) << more, more as u32)
}

static BY_LENGTH: [Coded; COPY_MAX + 1] = {
    let mut codes = [Coded::NOTHING; COPY_MAX + 1];
    let mut symbol = 0;
    while symbol < LENGTHS - 1 {
        let (first, count) = begins(symbol, 4);
        let mut more = 0;
        while more < 1 << count && COPY_MIN + first + more < COPY_MAX {
            let bits = Coded { bits: more as u64, count };
            codes[COPY_MIN + first + more] =
                canonical(&fitted::SYMBOLS)[END + 1 + symbol].then(bits);
            more += 1;
        }
        symbol += 1;
    }
    // The longest has a symbol of its own.
    codes[COPY_MAX] = canonical(&fitted::SYMBOLS)[SYMBOLS - 1];
    codes
};

/// A byte, or the end.
#[inline]
pub(super) fn of_byte(byte: usize) -> Coded {
    BY_SYMBOL[byte]
}

/// A copy's length, from [`COPY_MIN`] to [`COPY_MAX`].
#[inline]
pub(super) fn of_length(length: usize) -> Coded {
    BY_LENGTH[length]
}

/// A copy's distance, from one to [`DISTANCE_MAX`].
#[inline]
pub(super) fn of_distance(distance: usize) -> Coded {
    let beyond = distance - 1;
    if beyond < 4 {
        return BY_DISTANCE[beyond];
    }
    // As [`begins`] has it with two in a row: the two highest bits choose the symbol.
    let count = beyond.ilog2() - 1;
    let symbol = 2 * count as usize + (beyond >> count);
    let bits = (beyond & ((1 << count) - 1)) as u64;
    BY_DISTANCE[symbol].then(Coded { bits, count })
}

/// The head of a block that is the last one, with codes of its own. The RFC has a code for their
/// lengths as well; it is the plain one, four bits each, as there is one head a scrape.
pub(super) fn head() -> impl Iterator<Item = Coded> {
    let number = |bits, count| Coded { bits, count };
    let (is_last, own_codes) = (number(1, 1), number(2, 2));
    let counts = [
        number((SYMBOLS - 257) as u64, 5),
        number((DISTANCES - 1) as u64, 5),
        number((LENGTHS_OF_CODES - 4) as u64, 4),
    ];
    // The first three would be repetitions, and have no code.
    let of_lengths = (0..LENGTHS_OF_CODES).map(move |i| number(if i < 3 { 0 } else { 4 }, 3));
    let lengths = fitted::SYMBOLS.iter().chain(&fitted::DISTANCES);
    let lengths = lengths.map(move |&bits| number(u64::from(bits.reverse_bits() >> 4), 4));
    [is_last, own_codes].into_iter().chain(counts).chain(of_lengths).chain(lengths)
}
