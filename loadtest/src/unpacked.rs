//! Files that may be packed by gzip, whatever they are called, and that may begin with a
//! byte-order mark.
//!
//! Never here: what stands in them (`day::appointments`, `plan::lines`).

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// The first two bytes of a gzip file (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// What some programs begin a text in UTF-8 with.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";
/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// What an input holds, unpacked if it is packed, without the mark that spreadsheets put first.
pub(crate) fn unpacked<'a>(input: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let (is_packed, whole) = begins_with(&GZIP_MAGIC, input)?;
    let text: Box<dyn Read + 'a> =
        if is_packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    let (is_marked, mut whole) = begins_with(BYTE_ORDER_MARK.as_bytes(), text)?;
    if is_marked {
        whole.read_exact(&mut [0; BYTE_ORDER_MARK.len()])?;
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, whole)))
}

/// An input of which the begin was read, whole.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// Whether an input begins with these bytes, and the whole of it.
fn begins_with<R: Read>(bytes: &[u8], mut input: R) -> io::Result<(bool, Whole<R>)> {
    let mut head = Vec::with_capacity(bytes.len());
    input.by_ref().take(bytes.len() as u64).read_to_end(&mut head)?;
    Ok((head == bytes, Cursor::new(head).chain(input)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        io::read_to_string(unpacked(bytes).unwrap()).unwrap()
    }

    #[test]
    fn a_text_is_the_same_packed_or_marked_or_both() {
        for (input, expected) in
            [("", ""), ("a", "a"), ("abcd", "abcd"), ("\u{feff}abcd", "abcd"), ("\u{feff}", "")]
        {
            assert_eq!(text(input.as_bytes()), expected);
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(input.as_bytes()).unwrap();
            assert_eq!(text(&packed.finish().unwrap()), expected);
        }
    }
}
