//! A history of figures as CSV, a line a run, for tools that look for the point at which something
//! changed: a time column, the commit, and a column for each figure, as the CSV importer of
//! `apache-otava` reads it.
//!
//! The importer takes no empty cell, so the file's first line says which figures there are: a run
//! that lacks one of them is not appended, and what the file has no column for is left out. Never
//! here: which figures are worth keeping (`gate`, `counts`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::whole;

/// The columns that every line begins with.
const FIRST: [&str; 2] = ["time", "commit"];

/// Why a run is not in the history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file.
    #[error("history {file}: {source}", file = file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It isn't a history.
    #[error("history {file}: is no history: it begins without time,commit", file = file.display())]
    Foreign {
        /// Which.
        file: PathBuf,
    },
    /// The run has fewer figures than the file has columns.
    #[error(
        "history {file}: this run has no {column}, so it is not appended; begin another file if it \
         won't come back", file = file.display()
    )]
    Lacks {
        /// Which file.
        file: PathBuf,
        /// Which column.
        column: String,
    },
}

/// Appends a run. What was left out for want of a column is returned.
///
/// # Errors
/// When the file can't be written, is none of these, or the run lacks one of its columns.
pub fn append(
    file: &Path,
    time: Timestamp,
    commit: &str,
    figures: &BTreeMap<String, f64>,
) -> Result<Vec<String>, HistoryError> {
    let at = |source| HistoryError::File { file: file.to_owned(), source };
    let known = columns(file)?;
    let is_new = known.is_none();
    let columns = known.unwrap_or_else(|| figures.keys().cloned().collect());
    let mut cells = vec![time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(), commit.to_owned()];
    for column in &columns {
        let figure = figures.get(column).filter(|figure| figure.is_finite());
        let Some(figure) = figure else {
            return Err(HistoryError::Lacks { file: file.to_owned(), column: column.clone() });
        };
        cells.push(figure.to_string());
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let io_error = |error: csv::Error| at(io::Error::other(error));
    if is_new {
        let names = columns.iter().map(String::as_str);
        writer.write_record(FIRST.into_iter().chain(names)).map_err(io_error)?;
    }
    writer.write_record(&cells).map_err(io_error)?;
    let lines = writer.into_inner().map_err(|error| at(error.into_error()))?;
    whole::append(file, &String::from_utf8_lossy(&lines)).map_err(at)?;
    Ok(figures.keys().filter(|name| !columns.contains(name)).cloned().collect())
}

/// The figures that a file has columns for; none where it isn't there, or empty.
fn columns(file: &Path) -> Result<Option<Vec<String>>, HistoryError> {
    let at = |source| HistoryError::File { file: file.to_owned(), source };
    let input = match File::open(file) {
        Ok(input) => input,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(error)),
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(input);
    let Some(first) = reader.records().next() else { return Ok(None) };
    let first = first.map_err(|error| at(io::Error::other(error)))?;
    if first.iter().take(FIRST.len()).ne(FIRST) {
        return Err(HistoryError::Foreign { file: file.to_owned() });
    }
    Ok(Some(first.iter().skip(FIRST.len()).map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn figures(all: &[(&str, f64)]) -> BTreeMap<String, f64> {
        all.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn a_line_a_run_under_one_header() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.csv");
        let time: Timestamp = "2027-03-09T09:00:00.5Z".parse().unwrap();
        let first = figures(&[("book.p50", 1.01), ("read.p50", 0.99)]);
        assert!(append(&file, time, "5f0c", &first).unwrap().is_empty());
        let more = figures(&[("book.p50", 1.02), ("new.p99", 3.0), ("read.p50", 1.0)]);
        assert_eq!(append(&file, time, "6a1d", &more).unwrap(), ["new.p99"]);
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "time,commit,book.p50,read.p50\n\
             2027-03-09T09:00:00+00:00,5f0c,1.01,0.99\n\
             2027-03-09T09:00:00+00:00,6a1d,1.02,1\n"
        );
    }

    #[test]
    fn what_would_leave_a_hole_is_not_appended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("history.csv");
        let time = Timestamp::UNIX_EPOCH;
        append(&file, time, "a", &figures(&[("x", 1.0), ("y", 2.0)])).unwrap();
        let before = fs::read_to_string(&file).unwrap();
        for run in [figures(&[("x", 1.0)]), figures(&[("x", 1.0), ("y", f64::NAN)])] {
            let error = append(&file, time, "b", &run).unwrap_err().to_string();
            assert!(error.contains("this run has no y"), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("other.csv");
        fs::write(&file, "a,b\n1,2\n").unwrap();
        let error = append(&file, Timestamp::UNIX_EPOCH, "a", &figures(&[("x", 1.0)])).unwrap_err();
        assert!(matches!(error, HistoryError::Foreign { .. }), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "a,b\n1,2\n");
    }
}
