//! How many bits each of deflate's symbols takes: fewer the more often it is written for our text,
//! by Huffman's method with an upper bound, from the counts of three scrapes, as a busy process has
//! them in both formats and as one has them in which nine in ten series are empty.
//!
//! Belongs here: what is worth fitting again when the text changes much. Never here: the codes,
//! which follow (`code`). A misfit costs bytes, never the text.

use super::code;

/// Bytes by their bits. What isn't here has the most: it hardly occurs.
const BYTES: &[(u8, &[u8])] = &[
    (4, b" \"0123567"),
    (5, b"489}"),
    (6, b".cef"),
    (7, b"abdnot"),
    (8, b"+I_rsu"),
    (9, b"=ilp"),
    (10, b",km{"),
    (11, b"\nghqvy"),
    (12, b"#EPTjw"),
    (13, b"DGHLORSUYxz"),
];

/// The lengths' symbols, from the shortest on.
const LENGTHS: [u8; code::LENGTHS] =
    [14, 8, 9, 9, 9, 8, 10, 9, 8, 8, 9, 11, 8, 9, 9, 8, 6, 9, 9, 8, 7, 7, 7, 5, 5, 9, 14, 14, 13];

/// Bytes, the end and lengths.
pub(super) const SYMBOLS: [u8; code::SYMBOLS] = {
    let mut bits = [code::BITS_MAX; code::SYMBOLS];
    let mut row = 0;
    while row < BYTES.len() {
        let mut i = 0;
        while i < BYTES[row].1.len() {
            bits[BYTES[row].1[i] as usize] = BYTES[row].0;
            i += 1;
        }
        row += 1;
    }
    let mut length = 0;
    while length < code::LENGTHS {
        bits[code::END + 1 + length] = LENGTHS[length];
        length += 1;
    }
    bits
};

/// The distances' symbols, from the nearest on.
pub(super) const DISTANCES: [u8; code::DISTANCES] = [
    14, 14, 13, 13, 11, 13, 12, 12, 11, 9, 8, 6, 3, 2, 2, 5, 6, 6, 6, 6, 5, 6, 4, 4, 6, 6, 5, 7, 7,
    7,
];
