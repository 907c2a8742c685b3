//! What to start: a program with its arguments, environment and user.
//!
//! What belongs here: describing a child and turning that into a `Command`. What never does:
//! starting it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::leash;

/// A user and group to run a program as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    pub(super) name: String,
    pub(super) program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    identity: Option<Identity>,
    pub(super) ending: Signal,
}

impl ProcessSpec {
    /// A program with a name of its own, which is the name of its log: two processes of one run
    /// directory that live at the same time should have two names.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            identity: None,
            ending: Signal::SIGKILL,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn arguments<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        self.arguments.extend(arguments.into_iter().map(|one| one.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable. The rest is inherited, without `PUNCTUAL_*` and `PG*`:
    /// what is set in the caller's shell is about another service and another server.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it as this user.
    #[must_use]
    pub fn identity(mut self, identity: Option<Identity>) -> Self {
        self.identity = identity;
        self
    }

    /// The signal that ends it when it is dropped or when we die, SIGKILL unless said here. For
    /// programs that must tidy up behind themselves even then, as PostgreSQL its shared memory.
    #[must_use]
    pub fn ending(mut self, ending: Signal) -> Self {
        self.ending = ending;
        self
    }

    pub(super) fn command(&self, program: &Path, log: File) -> std::io::Result<Command> {
        let mut command = leash::command(program, self.ending);
        command.args(&self.arguments).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy();
            if shown.starts_with("PUNCTUAL_") || shown.starts_with("PG") {
                command.env_remove(&name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(Identity { uid, gid }) = self.identity {
            // The caller's directory may be closed to that user.
            command.uid(uid).gid(gid).current_dir("/");
        }
        // Ctrl-C must reach us alone, so that we can end everything in order and report.
        command.process_group(0);
        Ok(command)
    }
}
