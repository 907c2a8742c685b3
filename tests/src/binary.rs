//! The binaries: where they lie, and running the service's to its end.
//!
//! Never here: running it as a server, which is [`crate::TestApp`].

use std::path::PathBuf;
use std::process::Stdio;

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

/// Runs the binary to its end, with nothing in its environment of ours but what is given.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(punctual());
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_string_lossy().starts_with("PUNCTUAL_");
        if ours || name == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command.envs(environment.iter().copied());
    let output = soon("the end of punctual", command.output()).await.expect("it can be started");
    Output {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("it writes UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("it writes UTF-8"),
    }
}
