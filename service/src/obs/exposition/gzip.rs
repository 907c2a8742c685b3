//! Packs a scrape's text by gzip (RFC 1952), for which a packer that must find out how its input
//! repeats itself takes twice as long as printing does.
//!
//! Here that is known: a line has its begin and its end from the line before, so one copy takes the
//! end of a line and the begin of the next, whose distance is the line's length. What lies between
//! is a few digits, or names that were met before. Whoever prints the text may say where it repeats
//! itself ([`Repeat`]); where nobody does, lines are compared. The codes are not fitted to each
//! text but once, to ours (`fitted`). Any bytes can be packed, others than ours only worse.
//!
//! Belongs here: how text is cut into copies and bytes. Never here: what the text says.

use std::iter;

mod bits;
mod code;
mod fitted;
#[cfg(test)]
mod tests;

use bits::Bits;
use code::{COPY_MAX, COPY_MIN, DISTANCE_MAX, END};

/// Gzip's mark, deflate, no flags, no time, packed as fast as possible, by no system in particular.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// Text is looked at in parts of at most so much, so that a place in one is a `u32`. Nothing is
/// copied from one part to the next: the scrape's pieces are a few windows long, and lose little.
const PART: usize = 256 * 1024;

/// A copy of less takes more bits than its bytes do.
const WORTH_COPYING: usize = 4;

/// What lies between a line's begin and its end is searched for words from so many bytes on: less
/// is a bound and a count, in which there is nothing to be found.
const WORTH_SEARCHING: usize = 20;

/// Words that are remembered: some hundred names stand in a window.
const WORDS_LOG2: u32 = 11;

/// Some bytes of a text that stand in it before as well. A hint: where it is wrong, or too far
/// away, the bytes are packed as any others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// From which byte of the text on.
    pub(crate) at: usize,
    /// How many.
    pub(crate) length: usize,
    /// And how many bytes before.
    pub(crate) away: usize,
    /// What lies between the repetition before and this one is nothing but numbers: there are no
    /// names to be found in it.
    pub(crate) is_after_numbers: bool,
}

impl Repeat {
    /// Whether a copy may be made of it, behind what is written already.
    fn holds(&self, text: &[u8], written: usize) -> bool {
        let Self { at, length, away, .. } = *self;
        let here = text.get(at..at.saturating_add(length));
        let there = at.checked_sub(away).map(|before| &text[before.min(text.len())..]);
        at >= written
            && (1..=DISTANCE_MAX).contains(&away)
            && here.zip(there).is_some_and(|(here, there)| there.starts_with(here))
    }
}

/// A packer that is fed text piece by piece.
pub(crate) struct Packer {
    bits: Bits,
    sum: crc32fast::Hasher,
    /// Of the text so far, as the end tells it: modulo 2^32.
    length: u32,
    /// By the hash of its first bytes, where a word stood last, from one on; zero is nowhere.
    words: Box<[u32; 1 << WORDS_LOG2]>,
}

impl Packer {
    /// One whose result has room for so many bytes before it is moved.
    pub(crate) fn with_room(room: usize) -> Self {
        let mut bits = Bits::after(&HEAD, room);
        bits.put_all(code::head());
        Self {
            bits,
            sum: crc32fast::Hasher::new(),
            length: 0,
            words: Box::new([0; 1 << WORDS_LOG2]),
        }
    }

    /// Packs some more.
    pub(crate) fn write(&mut self, text: &[u8]) {
        self.sum.update(text);
        self.length = self.length.wrapping_add(text.len() as u32);
        for part in text.chunks(PART) {
            self.words.fill(0);
            self.lines(part);
        }
    }

    /// Packs some more, whose repetitions are known, in the order in which they stand in it.
    pub(crate) fn write_known(&mut self, text: &[u8], repeats: &[Repeat]) {
        if text.len() > PART {
            self.write(text);
            return;
        }
        self.sum.update(text);
        self.length = self.length.wrapping_add(text.len() as u32);
        self.words.fill(0);
        let mut written = 0;
        for repeat in repeats.iter().filter(|repeat| repeat.length >= WORTH_COPYING) {
            if !repeat.holds(text, written) {
                continue;
            }
            let Repeat { at, length, away, is_after_numbers } = *repeat;
            if is_after_numbers {
                self.bytes(&text[written..at]);
            } else {
                self.between(text, written, at);
            }
            written = at + length;
            self.copy(text, at, written, away);
        }
        self.between(text, written, text.len());
    }

    /// All of it, packed.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bits.put(code::of_byte(END));
        let mut bytes = self.bits.finish();
        bytes.extend_from_slice(&self.sum.finalize().to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes
    }

    fn lines(&mut self, text: &[u8]) {
        // Where the line before begins, where this one does, and up to where all is written: the
        // rest of the line before is as far from what it repeats as this line is from that one.
        let (mut before, mut line, mut written) = (0, 0, 0);
        while line < text.len() {
            let away = line - before;
            let same = if away <= DISTANCE_MAX {
                same_begin(&text[before..line], &text[line..])
            } else {
                0
            };
            let differs = line + same;
            self.copy(text, written, differs, away);
            let next = end_of_line(text, line, differs);
            let same = if next - line <= DISTANCE_MAX {
                same_end(&text[before..line], &text[differs..next])
            } else {
                0
            };
            written = next - same;
            self.between(text, differs, written);
            (before, line) = (line, next);
        }
        self.copy(text, written, line, line - before);
    }

    /// What is neither the begin nor the end of the line before.
    fn between(&mut self, text: &[u8], from: usize, to: usize) {
        let (mut at, mut written) = (from, from);
        while to - from >= WORTH_SEARCHING && at < to {
            if let Some((length, away)) = self.met_before(text, at, to) {
                self.bytes(&text[written..at]);
                self.copy(text, at, at + length, away);
                at += length;
                written = at;
            } else {
                at = next_word(text, at, to);
            }
        }
        self.bytes(&text[written..to]);
    }

    /// How much of what stands here stood somewhere before, and how far away, if that is worth a
    /// copy. Remembers that it stands here.
    fn met_before(&mut self, text: &[u8], at: usize, to: usize) -> Option<(usize, usize)> {
        let word = u32::from_le_bytes(*text[at..to].first_chunk()?);
        // Knuth's multiplicative hash: the golden ratio of 2^32.
        let slot = word.wrapping_mul(0x9e37_79b1) >> (u32::BITS - WORDS_LOG2);
        let here = at as u32 + 1;
        let met = std::mem::replace(&mut self.words[slot as usize], here);
        let away = (here - met) as usize;
        if met == 0 || away > DISTANCE_MAX {
            return None;
        }
        let length = same_begin(&text[at - away..], &text[at..to]);
        (length >= WORTH_COPYING).then_some((length, away))
    }

    /// Text that stands so many bytes before as well.
    fn copy(&mut self, text: &[u8], from: usize, to: usize, away: usize) {
        let mut left = to - from;
        if left < WORTH_COPYING {
            self.bytes(&text[from..to]);
            return;
        }
        let distance = code::of_distance(away);
        while left > COPY_MAX {
            // What is left must be long enough for a copy as well.
            let part = COPY_MAX.min(left - COPY_MIN);
            self.bits.put(code::of_length(part).then(distance));
            left -= part;
        }
        self.bits.put(code::of_length(left).then(distance));
    }

    /// Text as it is.
    fn bytes(&mut self, bytes: &[u8]) {
        let (fours, rest) = bytes.as_chunks::<4>();
        let of_byte = |byte: u8| code::of_byte(usize::from(byte));
        let of_four = |four: &[u8; 4]| {
            let [a, b, c, d] = four.map(of_byte);
            a.then(b).then(c.then(d))
        };
        self.bits.put_all(fours.iter().map(of_four));
        match *rest {
            [a] => self.bits.put(of_byte(a)),
            [a, b] => self.bits.put(of_byte(a).then(of_byte(b))),
            [a, b, c] => self.bits.put(of_byte(a).then(of_byte(b)).then(of_byte(c))),
            _ => {}
        }
    }
}

/// Whether a word may begin behind a byte: names, labels and their values do.
static ENDS_A_WORD: [bool; 256] = {
    let (mut ends, marks) = ([false; 256], b"_{\"=, #\n");
    let mut i = 0;
    while i < marks.len() {
        ends[marks[i] as usize] = true;
        i += 1;
    }
    ends
};

fn next_word(text: &[u8], at: usize, to: usize) -> usize {
    let end = text[at..to].iter().position(|&byte| ENDS_A_WORD[usize::from(byte)]);
    end.map_or(to, |end| at + end + 1)
}

/// Behind the line break of a line that differs from the one before it only from some place on.
fn end_of_line(text: &[u8], line: usize, differs: usize) -> usize {
    // It is the line before once more: that ends with the only line break in it.
    if differs > line && text[differs - 1] == b'\n' {
        return differs;
    }
    let end = text[differs..].iter().position(|&byte| byte == b'\n');
    end.map_or(text.len(), |end| differs + end + 1)
}

/// How many bytes two texts have in common before they differ.
pub(super) fn same_begin(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    for (a, b) in iter::zip(a.as_chunks::<8>().0, b.as_chunks::<8>().0) {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return same + (differ.trailing_zeros() / u8::BITS) as usize;
        }
        same += 8;
    }
    same + iter::zip(&a[same..], &b[same..]).take_while(|(a, b)| a == b).count()
}

/// The same from their ends on.
fn same_end(a: &[u8], b: &[u8]) -> usize {
    iter::zip(a.iter().rev(), b.iter().rev()).take_while(|(a, b)| a == b).count()
}
