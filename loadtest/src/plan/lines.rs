//! Files as lines with numbers, plain or gzip, with a bound on how long a line may be.
//!
//! Never here: what a line means.

use std::fs::File;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use super::{BODY_BYTES_MAX, PlanError};
use crate::unpacked::unpacked;

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
    std::fs::read_to_string(file).map_err(|source| at(file, source))
}

/// What the system said about a file.
pub(super) fn at(file: &Path, source: std::io::Error) -> PlanError {
    PlanError::File { file: file.to_owned(), source }
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
                return Err(self.wrong(format!(
                    "is longer than {} MiB, so its body is too; leave the row out",
                    LINE_BYTES_MAX >> 20
                )));
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
