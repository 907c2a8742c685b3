//! The comment that leads a statement, by the specification of sqlcommenter: keys in their order,
//! each value percent-encoded, in quotes. It is put together while the program is compiled.
//!
//! It leads where the specification has it follow, as `pg_stat_activity` cuts long texts at their
//! end. Never here: what is said of a statement; that is its row.

/// A piece of a statement's text.
#[derive(Clone, Copy)]
pub(super) enum Piece {
    /// As it stands.
    Plain(&'static str),
    /// A value between quotes: what could end it, or the comment, is encoded.
    Value(&'static str),
}

/// How many bytes the pieces are together.
pub(super) const fn len(pieces: &[Piece]) -> usize {
    let (mut sum, mut at) = (0, 0);
    while at < pieces.len() {
        sum += match pieces[at] {
            Piece::Plain(text) => text.len(),
            Piece::Value(text) => encoded_len(text.as_bytes()),
        };
        at += 1;
    }
    sum
}

/// The pieces one after the other, which are so many bytes.
pub(super) const fn text<const LEN: usize>(pieces: &[Piece]) -> [u8; LEN] {
    let mut text = Text { bytes: [0; LEN], len: 0 };
    let mut at = 0;
    while at < pieces.len() {
        match pieces[at] {
            Piece::Plain(piece) => text.push_plain(piece.as_bytes()),
            Piece::Value(piece) => text.push_encoded(piece.as_bytes()),
        }
        at += 1;
    }
    assert!(text.len == LEN, "it was measured beforehand");
    text.bytes
}

/// What stands for itself (RFC 3986, unreserved).
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const fn encoded_len(value: &[u8]) -> usize {
    let (mut sum, mut at) = (0, 0);
    while at < value.len() {
        sum += if is_plain(value[at]) { 1 } else { 3 };
        at += 1;
    }
    sum
}

struct Text<const LEN: usize> {
    bytes: [u8; LEN],
    len: usize,
}

impl<const LEN: usize> Text<LEN> {
    const fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    const fn push_plain(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            self.push(text[at]);
            at += 1;
        }
    }

    const fn push_encoded(&mut self, value: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut at = 0;
        while at < value.len() {
            let byte = value[at];
            if is_plain(byte) {
                self.push(byte);
            } else {
                self.push(b'%');
                self.push(DIGITS[(byte >> 4) as usize]);
                self.push(DIGITS[(byte & 15) as usize]);
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_ends_it_or_the_comment() {
        const PIECES: &[Piece] = &[
            Piece::Plain("/*file='"),
            Piece::Value("a/b c.rs'*/ DROP -- ü%,~"),
            Piece::Plain("'*/"),
        ];
        const TEXT: [u8; len(PIECES)] = text(PIECES);
        let text = std::str::from_utf8(&TEXT).unwrap();
        assert_eq!(text, "/*file='a%2Fb%20c.rs%27%2A%2F%20DROP%20--%20%C3%BC%25%2C~'*/");
    }

    #[test]
    fn what_is_encoded_reads_back() {
        let every: String = (0..=0x2_ff).filter_map(char::from_u32).collect();
        let mut text = Text { bytes: [0; 8_192], len: 0 };
        text.push_encoded(every.as_bytes());
        assert_eq!(text.len, encoded_len(every.as_bytes()));
        let encoded = std::str::from_utf8(&text.bytes[..text.len]).unwrap();
        assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap(), every);
        assert!(encoded.bytes().all(|byte| is_plain(byte) || byte == b'%'));
    }
}
