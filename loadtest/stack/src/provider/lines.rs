//! Files of JSON lines that survive being killed: one write(2) a line, and a torn last line is
//! known for what it is.
//!
//! Here belongs the file; what a line says is in `log`. Never buffering: what `append` returned
//! from is in the kernel's hands, so it outlives the process (though not the machine).

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a log can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file itself.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another simulator writes to it.
    #[error("{}: another simulator is writing to this log; give each its own", .0.display())]
    InUse(PathBuf),
    /// A complete line that is none of the log's.
    #[error("{}, line {line}: {source}; move the file away if it is no log", .path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from one.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Where a line lies in its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// A file that lines are appended to. It is locked as long as it is open.
#[derive(Debug)]
pub(crate) struct LineFile {
    path: PathBuf,
    file: File,
    length: u64,
    /// Reused for every line.
    line: Vec<u8>,
}

/// Reads a file of lines, one at a time. A last line without its end is left out: nothing was
/// ever answered for it.
#[derive(Debug)]
pub struct LineReader<T> {
    path: PathBuf,
    lines: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    offset: u64,
    entries: PhantomData<fn() -> T>,
}

impl LineFile {
    /// Opens or creates the file, hands over what is in it and cuts off a torn last line.
    pub(crate) fn open<T: DeserializeOwned>(
        path: &Path,
        mut each: impl FnMut(T, Place),
    ) -> Result<Self, LogError> {
        let error = |source| LogError::File { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.map_err(error)?;
        file.try_lock().map_err(|_| LogError::InUse(path.to_owned()))?;
        let mut reader = LineReader::open(path)?;
        while let Some((entry, place)) = reader.next_placed()? {
            each(entry, place);
        }
        let length = reader.offset;
        file.set_len(length).map_err(error)?;
        Ok(Self { path: path.to_owned(), file, length, line: Vec::new() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one line. On an error (a full disk) nothing of it stays in the file.
    pub(crate) fn append(&mut self, entry: &impl Serialize) -> io::Result<Place> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry)?;
        self.line.push(b'\n');
        if let Err(error) = self.file.write_all(&self.line) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        let length = self.line.len();
        let place = Place { offset: self.length, length: length as u32 };
        self.length += length as u64;
        Ok(place)
    }

    /// Reads a line back.
    pub(crate) fn read<T: DeserializeOwned>(&self, place: Place) -> io::Result<T> {
        let mut line = vec![0; place.length as usize];
        self.file.read_exact_at(&mut line, place.offset)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

impl<T: DeserializeOwned> LineReader<T> {
    /// Opens a file of lines.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let file =
            File::open(path).map_err(|source| LogError::File { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            lines: BufReader::with_capacity(256 * 1024, file),
            line: Vec::new(),
            number: 0,
            offset: 0,
            entries: PhantomData,
        })
    }

    fn next_placed(&mut self) -> Result<Option<(T, Place)>, LogError> {
        self.line.clear();
        let length = self
            .lines
            .read_until(b'\n', &mut self.line)
            .map_err(|source| LogError::File { path: self.path.clone(), source })?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.number += 1;
        let entry = serde_json::from_slice(&self.line).map_err(|source| LogError::Line {
            path: self.path.clone(),
            line: self.number,
            source,
        })?;
        let place = Place { offset: self.offset, length: length as u32 };
        self.offset += length as u64;
        Ok(Some((entry, place)))
    }
}

impl<T: DeserializeOwned> Iterator for LineReader<T> {
    type Item = Result<T, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_placed().map(|entry| entry.map(|(entry, _)| entry)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<(LineFile, Vec<String>), LogError> {
        let mut found = Vec::new();
        LineFile::open(path, |entry, _| found.push(entry)).map(|file| (file, found))
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "\"one\"\n\"two\"\n\"thr").unwrap();
        let read: Vec<String> = LineReader::open(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, ["one", "two"]);

        let (mut file, found) = open(&path).unwrap();
        assert_eq!(found, ["one", "two"]);
        let place = file.append(&"three").unwrap();
        assert_eq!(file.read::<String>(place).unwrap(), "three");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\"one\"\n\"two\"\n\"three\"\n");
    }

    #[test]
    fn a_foreign_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "\"one\"\nhello\n\"two\"\n").unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains("log, line 2: ") && error.contains("move the file"), "{error}");
    }

    #[test]
    fn two_writers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (_file, _) = open(&path).unwrap();
        assert!(matches!(open(&path), Err(LogError::InUse(_))));
    }
}
