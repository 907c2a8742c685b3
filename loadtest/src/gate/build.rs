//! A revision of this repository made into a binary of the service: a work tree of its own in the
//! run's directory, a build directory shared by all revisions (so that what they depend on is
//! built once), and the binary kept under its commit for the next time.
//!
//! Never here: running it.

use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use stack::RunDir;
use tokio_util::sync::CancellationToken;

use super::pairs::SIDES;
use crate::exit::Failure;

/// Between two looks at a build, which takes minutes.
const LOOK: Duration = Duration::from_millis(100);

/// What a side of the reminder service is.
#[derive(Debug, Clone)]
pub(super) struct Built {
    /// The binary.
    pub(super) program: PathBuf,
    /// The commit, where it is one.
    pub(super) commit: Option<String>,
    /// As it was asked for.
    pub(super) asked: String,
}

/// Which program a side names: a file, or a revision, which is built unless it was before.
///
/// # Errors
/// When it is neither, or doesn't build, or is told to stop meanwhile.
pub(super) fn program(
    side: usize,
    asked: &str,
    dir: Option<&Path>,
    stop: &CancellationToken,
) -> Result<Built, Failure> {
    if Path::new(asked).is_file() {
        let program = std::path::absolute(asked);
        let program = program.map_err(|e| Failure::Usage(format!("{asked}: {e}")))?;
        return Ok(Built { program, commit: None, asked: asked.to_owned() });
    }
    let commit = git(&["rev-parse", "--verify", "--quiet", &format!("{asked}^{{commit}}")]);
    let Ok(commit) = commit else {
        let side = SIDES[side];
        return Err(Failure::Usage(format!(
            "--{side} {asked}: neither a file nor a revision of the repository in this directory"
        )));
    };
    let dir = dir.map_or_else(default_dir, |dir| Ok(dir.to_owned()))?;
    let kept = dir.join("bin").join(format!("punctual-{commit}"));
    if !kept.is_file() {
        build(&commit, &dir, &kept, stop)?;
    }
    Ok(Built { program: kept, commit: Some(commit), asked: asked.to_owned() })
}

fn build(commit: &str, dir: &Path, kept: &Path, stop: &CancellationToken) -> Result<(), Failure> {
    let failed = |what: &str, e: io::Error| Failure::Usage(format!("{what}: {e}"));
    complain!("{:<8} {commit} (minutes the first time, kept in {})", "build", dir.display());
    let run = RunDir::create(None).map_err(|e| Failure::Unavailable(e.to_string()))?;
    let tree = WorkTree::add(run.path().join(format!("source-{commit}")), commit)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = dir.join("target");
    let child = Command::new(&cargo)
        // As fast as a release within a crate, without the wait for the whole.
        .args(["build", "--locked", "--profile", "bench", "-p", "punctual", "--bin", "punctual"])
        .current_dir(&tree.0)
        .env("CARGO_TARGET_DIR", &target)
        .stdin(Stdio::null())
        // A group of its own, so that it can be ended with all that it has started.
        .process_group(0)
        // Its own progress is ours.
        .spawn();
    let ended = child.and_then(|child| wait(child, stop));
    let Some(status) = ended.map_err(|e| failed(&cargo.to_string_lossy(), e))? else {
        return Err(Failure::Interrupted);
    };
    if !status.success() {
        return Err(Failure::Usage(format!("{commit} doesn't build: cargo ended with {status}")));
    }
    // The profile `bench` is a release as far as cargo's directories go.
    let built = target.join("release").join("punctual");
    let folder = kept.parent().unwrap_or(dir);
    fs::create_dir_all(folder).map_err(|e| failed(&folder.display().to_string(), e))?;
    // Under another name first: half a file must never be taken for the binary.
    let partly = kept.with_extension("part");
    fs::copy(&built, &partly).map_err(|e| failed(&built.display().to_string(), e))?;
    fs::rename(&partly, kept).map_err(|e| failed(&kept.display().to_string(), e))
}

/// How a build ended; none if it was given up.
fn wait(mut child: Child, stop: &CancellationToken) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if stop.is_cancelled() {
            let group = i32::try_from(child.id()).map_err(io::Error::other)?;
            killpg(Pid::from_raw(group), Signal::SIGTERM)?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// A work tree of the repository, gone with this.
struct WorkTree(PathBuf);

impl WorkTree {
    fn add(path: PathBuf, commit: &str) -> Result<Self, Failure> {
        // What an earlier run left behind when it was killed.
        git(&["worktree", "prune"])?;
        let shown = path.display().to_string();
        git(&["worktree", "add", "--detach", "--force", "--quiet", &shown, commit])?;
        Ok(Self(path))
    }
}

impl Drop for WorkTree {
    fn drop(&mut self) {
        let shown = self.0.display().to_string();
        // It goes with the run's directory all the same, and from git's list at the next build.
        let _pruned_later = git(&["worktree", "remove", "--force", &shown]);
    }
}

/// What git says.
pub(crate) fn git(arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git").args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|e| Failure::Usage(format!("git: {e}; is it installed?")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(Failure::Usage(format!("git {}: {said}", arguments.join(" "))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// In the user's cache.
fn default_dir() -> Result<PathBuf, Failure> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let none = "there is no home directory to build in; name a place with --build-dir";
    Ok(cache.ok_or_else(|| Failure::Usage(none.to_owned()))?.join("punctual").join("gate"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_taken_as_it_is_and_nonsense_is_one_clear_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("punctual");
        fs::write(&file, "").unwrap();
        let stop = CancellationToken::new();
        let built = program(0, file.to_str().unwrap(), None, &stop).unwrap();
        assert_eq!((built.program, built.commit), (file, None));
        let error = program(1, "no-such-branch", None, &stop).unwrap_err().to_string();
        assert!(error.starts_with("--head no-such-branch: neither a file"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
