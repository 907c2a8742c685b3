//! A file as numbered lines of bounded length, so that a file without line ends, or an unpacked
//! one of any size, costs no memory.
//!
//! Lines rather than CSV records: the format has no line end inside a field, and with records one
//! stray quote would swallow the rest of the file without a word.

use std::io::BufRead;

/// A longer line is a bad row. The data set's are under 200 bytes.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line without its end.
    Text(&'a [u8]),
    /// A line that was skipped.
    TooLong,
    /// No more.
    End,
}

/// The lines of a reader.
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// The number of the line that [`Self::next`] gave last; the first is 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line. An interrupted read is taken up again by `fill_buf`'s caller, std.
    pub(super) fn next(&mut self) -> std::io::Result<Line<'_>> {
        self.line.clear();
        let mut seen = false;
        let mut too_long = false;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                if !seen {
                    return Ok(Line::End);
                }
                break;
            }
            seen = true;
            let end = available.iter().position(|b| *b == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            if self.line.len() + part.len() > LINE_BYTES_MAX {
                too_long = true;
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        if too_long {
            return Ok(Line::TooLong);
        }
        let text = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        // A byte order mark is no part of the first column's name.
        Ok(Line::Text(if self.number == 1 {
            text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
        } else {
            text
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_numbered_and_bounded() {
        let mut input = b"\xef\xbb\xbfa,b\r\n\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', LINE_BYTES_MAX + 1));
        input.extend(b"\nlast");
        // A small buffer, so that lines span fills.
        let mut lines = Lines::new(std::io::BufReader::with_capacity(3, input.as_slice()));
        assert_eq!(lines.next().unwrap(), Line::Text(b"a,b"));
        assert_eq!(lines.next().unwrap(), Line::Text(b""));
        assert_eq!(lines.next().unwrap(), Line::TooLong);
        assert_eq!(lines.next().unwrap(), Line::Text(b"last"));
        assert_eq!(lines.number(), 4);
        assert_eq!(lines.next().unwrap(), Line::End);
        assert_eq!(lines.next().unwrap(), Line::End);
    }
}
