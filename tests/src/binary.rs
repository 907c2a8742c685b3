//! The binaries: where they lie, and running them, or a tool, to their end.
//!
//! Never here: running it as a server, which is [`crate::TestApp`].

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::wait::soon;

/// The service's binary, built beside the tests. Cargo builds a package's programs for its own
/// tests alone, so this one has to be built before.
///
/// # Panics
/// When it isn't there, with what to do.
pub fn punctual() -> PathBuf {
    built("punctual")
}

/// The load harness' binary.
///
/// # Panics
/// When it isn't there, with what to do.
pub fn loadtest() -> PathBuf {
    built("loadtest")
}

fn built(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a running program knows its file");
    // target/debug/deps/integration-0123456789abcdef
    let folder = tests.parent().and_then(|deps| deps.parent()).expect("tests lie two folders deep");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo build --workspace --bins` first (`make test` does)",
        path.display()
    );
    path
}

/// How a run ended, and what it said.
#[derive(Debug)]
pub struct Output {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of or logged.
    pub stderr: String,
}

/// Runs a tool that is installed to its end.
///
/// # Panics
/// When it isn't, or doesn't end.
pub async fn tool(program: &str, arguments: &[&str], within: Duration) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(within, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{program} took longer than {within:?}"));
    let output = output.unwrap_or_else(|error| {
        panic!("{program}: {error} (`.ci/setup tests` installs it on Debian)")
    });
    told(output)
}

fn told(output: std::process::Output) -> Output {
    Output {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("it writes UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("it writes UTF-8"),
    }
}

/// Runs the service's binary to its end, with nothing in its environment of ours but what is given.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    run_program(&punctual(), arguments, environment).await
}

/// The same for any of the binaries.
pub async fn run_program(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_string_lossy().starts_with("PUNCTUAL_");
        if ours || name == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command.envs(environment.iter().copied());
    told(soon("the end of a program", command.output()).await.expect("it can be started"))
}
