//! Files that may be packed by gzip, whatever they are called.
//!
//! Never here: what stands in them (`day::appointments`, `plan::lines`).

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// The first two bytes of a gzip file (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// What an input holds, unpacked if it is packed.
pub(crate) fn unpacked<'a>(mut input: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut head = Vec::with_capacity(GZIP_MAGIC.len());
    input.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
    let is_packed = head == GZIP_MAGIC;
    let whole = Cursor::new(head).chain(input);
    Ok(if is_packed {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(whole)))
    } else {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, whole))
    })
}
