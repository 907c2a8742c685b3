//! The one error of this crate, sorted by what the caller can do about it.
//!
//! What belongs here: the variants and how they read on one line. What never does: retries,
//! exit statuses (the binaries map variants to those) and errors of the simulated provider's
//! HTTP, which are answers and no failures of the stack.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the stack can't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The machine lacks something: install or set what `remedy` says, then run again.
    #[error("{what}: {remedy}")]
    Missing {
        /// What was looked for and not found.
        what: String,
        /// What to do, as a sentence or a command.
        remedy: String,
    },
    /// A program ended in a way it should not; the end of its log says why.
    #[error("{what}{log}")]
    Failed {
        /// Which program, and how it ended.
        what: String,
        /// The last lines that it wrote.
        log: LogTail,
    },
    /// Something did not happen within its bound.
    #[error("{what} took longer than {within:?}{log}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// The bound.
        within: Duration,
        /// The last lines of the program that was waited for.
        log: LogTail,
    },
    /// A file or directory could not be used.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was attempted, as a verb: "create", "read".
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A statement or connection of the stack's own failed.
    #[error("{what}: {}", PostgresCause(source))]
    Postgres {
        /// What was attempted.
        what: String,
        /// What the driver or the server answered.
        source: tokio_postgres::Error,
    },
}

impl StackError {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    pub(crate) fn postgres(what: &str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let what = what.to_owned();
        move |source| Self::Postgres { what, source }
    }
}

/// The last lines of a program's log, printed below an error; nothing when there are none.
#[derive(Debug, Default)]
pub struct LogTail(String);

impl LogTail {
    /// Enough to hold a panic or PostgreSQL's reason, short enough to read on a terminal.
    const LINES_MAX: usize = 20;

    /// The end of the text of a log.
    pub fn of(log: &str) -> Self {
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(Self::LINES_MAX);
        Self(lines[from..].join("\n"))
    }

    /// Whether one of the last lines contains this text.
    pub fn contains(&self, text: &str) -> bool {
        self.0.contains(text)
    }
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0.lines() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// tokio-postgres prints "db error" for anything the server says; this prints what it said.
struct PostgresCause<'a>(&'a tokio_postgres::Error);

impl fmt::Display for PostgresCause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(db) => write!(f, "{} ({})", db.message(), db.code().code()),
            None => {
                write!(f, "{}", self.0)?;
                match std::error::Error::source(self.0) {
                    Some(cause) => write!(f, ": {cause}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_last_lines_and_indents_them() {
        let log: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        let shown = LogTail::of(&log).to_string();
        assert!(shown.starts_with("\n    line 11\n"), "{shown}");
        assert!(shown.ends_with("\n    line 30"), "{shown}");
        assert_eq!(LogTail::default().to_string(), "");
    }
}
