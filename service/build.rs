//! Tells the program of which revision it is. Never here: anything that code is made from.

#[path = "build/revision.rs"]
mod revision;

use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/revision.rs");
    println!("cargo::rerun-if-env-changed={}", revision::GIVEN);
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let tree = if is_release { released() } else { revision::Tree::Changing };
    let given = std::env::var(revision::GIVEN).ok();
    match revision::of(given.as_deref(), git, tree) {
        Ok(revision) => {
            println!("cargo::rustc-env={}={revision}", revision::GIVEN);
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            println!("cargo::error={wrong}");
            ExitCode::FAILURE
        }
    }
}

/// A release says exactly what it is of, so it is looked again after each commit, and after each
/// change of a source, for which the crate is compiled anyway. Other builds don't: a commit makes
/// nobody wait for the compiler.
fn released() -> revision::Tree {
    let of_git = ["HEAD", "logs/HEAD"].into_iter();
    let of_git = of_git.filter_map(|name| git(&["rev-parse", "--git-path", name]));
    let sources = ["src", "sql", "migrations", "contract"].into_iter().map(str::to_owned);
    // What isn't there would be taken for changed each time.
    for path in of_git.chain(sources).filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    let is_as_committed = git(&["status", "--porcelain", "--untracked-files=no", ".."]);
    if is_as_committed.is_some_and(|changes| changes.is_empty()) {
        revision::Tree::Committed
    } else {
        revision::Tree::Changing
    }
}

/// What git says, if there is one that says anything.
fn git(arguments: &[&str]) -> Option<String> {
    // In a container the clone may belong to another user; it is only read.
    let output = Command::new("git").args(["-c", "safe.directory=*"]).args(arguments).output();
    let said = output.ok().filter(|output| output.status.success())?.stdout;
    Some(String::from_utf8(said).ok()?.trim().to_owned())
}
