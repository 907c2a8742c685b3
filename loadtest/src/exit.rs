//! How the program ends: one status for each thing that a person or a script does next.
//!
//! Never here: the errors' causes; they are printed where the program ends.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use stack::StackError;

use crate::engine::EngineError;

/// An exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The run went through and every law held, with enough cases.
    Passed,
    /// A law was broken, or had fewer cases than the plan promises.
    Failed,
    /// Wrong flags or files, or something that must be installed first.
    Usage,
    /// The service or a part of the stack is away or failed.
    Unavailable,
    /// The run can't tell whether the service is good: neither a pass nor a failure.
    Invalid,
    /// Ctrl-C, or nobody reads any more what it would say.
    Interrupted,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unavailable | Self::Invalid => 3,
            // 128 + SIGINT, as shells have it.
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// Why a command can't go on, by what the person does next. Each is one line: what is wrong,
/// where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Change a flag or a file, or install something.
    #[error("{0}")]
    Usage(String),
    /// Look at the service or the stack.
    #[error("{0}")]
    Unavailable(String),
    /// Nothing: it was asked for.
    #[error("interrupted")]
    Interrupted,
    /// Nothing: whoever read standard output has left.
    #[error("nobody reads standard output")]
    Unread,
}

/// What is missing has to be installed; all else is for whoever looks at the stack.
impl From<StackError> for Failure {
    fn from(error: StackError) -> Self {
        match error {
            StackError::Missing { .. } => Self::Usage(error.to_string()),
            StackError::Failed { .. }
            | StackError::TimedOut { .. }
            | StackError::File { .. }
            | StackError::Postgres { .. } => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Stopped => Self::Interrupted,
            EngineError::Goose(_) | EngineError::LineUp { .. } => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl Failure {
    /// How the program ends then.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Unavailable(_) => Exit::Unavailable,
            Self::Interrupted | Self::Unread => Exit::Interrupted,
        }
    }
}

/// What to say of a file that can't be read, or not as what it should be.
#[must_use]
pub fn unreadable(file: &Path, why: &dyn Display) -> String {
    format!("{}: {why}; give a file that can be read", file.display())
}

/// The text for `--help` of the program: each command says more of its own.
pub const ALL_EXIT_HELP: &str = "\
Exit status, of which each command's --help says more:
  0    passed, or what was asked for is done
  1    failed: a law was broken, an objective missed, a build slower, a count not the same
  2    usage: a wrong flag or file, or something must be installed first (the message says what)
  3    INVALID: the run can't tell; or something is away, or a report could not be written
  130  interrupted: Ctrl-C";

/// The text for `--help` of what only shows something.
pub const SHOWN_EXIT_HELP: &str = "\
Exit status:
  0    it was shown; nothing is judged
  2    usage: a wrong flag or file (the message says which line, and what to do)";

/// The text for `--help`.
pub const EXIT_HELP: &str = "\
Exit status:
  0    passed: every law held, with at least the cases that the plan promises
  1    failed: a law was broken, or had too few cases
  2    usage: a wrong flag or file, or something must be installed first (the message says what)
  3    unavailable: the service or a part of the stack is away or failed, or the report of a run
       that passed could not be written
  130  interrupted: Ctrl-C; the report covers what was done so far. A demo also ends so, without a
       report, when nobody reads its standard output any more";

/// The text for `--help` of what judges any service.
pub const RUN_EXIT_HELP: &str = "\
Exit status:
  0    PASS: every kind of request met its objective, and the run can tell
  1    FAIL: one did not
  2    usage: a wrong flag or file (the message says which line, and what to do)
  3    INVALID: the run can't tell, the target is away, or the report of a run that passed could
       not be written (one retry, then a person)
  130  interrupted: Ctrl-C; the report covers what was done so far";

/// The text for `--help` of a search for the capacity.
pub const CAPACITY_EXIT_HELP: &str = "\
Exit status:
  0    PASS: the capacity is known, and is enough where that was asked
  1    FAIL: no rate passes, or not the one asked for
  2    usage: a wrong flag or file (the message says which line, and what to do)
  3    INVALID: the machine or the harness gives out first, the target is away (the report covers
       the steps before that), or the report of a PASS could not be written
  130  interrupted: Ctrl-C; the report covers what was done so far";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stopped_is_not_what_is_away() {
        assert_eq!(Failure::from(EngineError::Stopped).exit(), Exit::Interrupted);
        let gone = EngineError::Goose("gone".to_owned());
        assert_eq!(Failure::from(gone).exit(), Exit::Unavailable);
    }

    #[test]
    fn help_tells_every_status() {
        for exit in [Exit::Passed, Exit::Failed, Exit::Usage, Exit::Unavailable, Exit::Interrupted]
        {
            let told = format!("\n  {} ", exit.status());
            for help in [ALL_EXIT_HELP, EXIT_HELP, RUN_EXIT_HELP, CAPACITY_EXIT_HELP] {
                assert!(help.contains(&told), "{exit:?}");
            }
        }
    }
}
