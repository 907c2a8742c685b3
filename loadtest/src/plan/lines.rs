//! Files as lines with numbers, plain or gzip, with a bound on how long a line may be.
//!
//! Never here: what a line means.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{BODY_BYTES_MAX, PlanError};
use crate::unpacked::{BYTE_ORDER_MARK, unpacked};

/// Longest line: a body, in which every byte may be escaped, and the rest of a request.
const LINE_BYTES_MAX: usize = 2 * BODY_BYTES_MAX + (64 << 10);

/// Opens a file; one that is packed by gzip is unpacked.
///
/// # Errors
/// When it can't be opened.
pub fn open(file: &Path) -> Result<Box<dyn BufRead>, PlanError> {
    let opened = File::open(file).and_then(unpacked);
    opened.map_err(|source| at(file, source))
}

/// Reads a small file of text.
pub(super) fn read_to_string(file: &Path) -> Result<String, PlanError> {
    let text = std::fs::read_to_string(file).map_err(|source| at(file, source))?;
    Ok(text.trim_start_matches(BYTE_ORDER_MARK).to_owned())
}

/// What the system said about a file.
pub(super) fn at(file: &Path, source: std::io::Error) -> PlanError {
    PlanError::File { file: file.to_owned(), source }
}

/// What is said of a line, or a record of several, that is longer than any may be.
pub(super) fn too_long() -> String {
    format!("is longer than {} MiB, so its body is too; leave the row out", LINE_BYTES_MAX >> 20)
}

/// A reader of whose bytes none come beyond the longest record, until that is over: for parsers
/// that keep a record whole, however long it is.
pub(super) struct Bounded<R> {
    reader: R,
    left: Left,
}

/// What a [`Bounded`] reader still gives of this record.
#[derive(Debug, Clone)]
pub(super) struct Left(Rc<Cell<usize>>);

impl<R: Read> Bounded<R> {
    /// What is read, and what says when a record is over.
    pub(super) fn new(reader: R) -> (Self, Left) {
        let left = Left(Rc::default());
        left.renew();
        (Self { reader, left: left.clone() }, left)
    }
}

impl Left {
    /// A record is over. A parser may have read ahead of it, so the next one has all of its own.
    pub(super) fn renew(&self) {
        self.0.set(LINE_BYTES_MAX);
    }

    /// Whether a record went on beyond its bound.
    pub(super) fn is_used_up(&self) -> bool {
        self.0.get() == 0
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.left.0.get();
        if left == 0 {
            return Err(io::Error::other(too_long()));
        }
        let most = into.len().min(left);
        let read = self.reader.read(&mut into[..most])?;
        self.left.0.set(left - read);
        Ok(read)
    }
}

/// The lines of a file that aren't blank, with their numbers.
pub(super) struct Lines {
    file: PathBuf,
    reader: Box<dyn BufRead>,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn open(file: &Path) -> Result<Self, PlanError> {
        Ok(Self { file: file.to_owned(), reader: open(file)?, number: 0, line: Vec::new() })
    }

    /// The next line, as text; what isn't UTF-8 in it is replaced.
    pub(super) fn next(&mut self) -> Result<Option<(u64, String)>, PlanError> {
        loop {
            self.line.clear();
            let mut bounded = (&mut self.reader).take(LINE_BYTES_MAX as u64 + 1);
            let read = bounded.read_until(b'\n', &mut self.line);
            if read.map_err(|source| at(&self.file, source))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() > LINE_BYTES_MAX {
                return Err(self.wrong(too_long()));
            }
            let text = String::from_utf8_lossy(&self.line);
            let text = text.trim_end_matches(['\r', '\n']);
            if !text.trim().is_empty() {
                return Ok(Some((self.number, text.to_owned())));
            }
        }
    }

    /// Something wrong with the line that was read last.
    pub(super) fn wrong(&self, what: String) -> PlanError {
        PlanError::Line { file: self.file.clone(), line: self.number, what }
    }
}
