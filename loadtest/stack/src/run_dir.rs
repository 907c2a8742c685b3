//! A private directory for one run, which outlives nothing: it goes when its owner does.
//!
//! What belongs here: making the directory, the list of child processes that must not outlive
//! the owner, and three nets under both. The first is `Drop`. The second is a watchdog (a `sh`
//! that reads from a pipe of ours): when the owner dies in whatever way, the pipe ends, and the
//! watchdog ends the children and removes the directory. The third is the next run, which does
//! the same for directories whose owner is dead. What never does: starting the children, which
//! is `process.rs`, or anything outside of the directory.
//!
//! ```text
//! /var/tmp/punctual-<uid>/        mode 0711, ours
//!   lock                          held while a run is made or a dead one removed
//!   run-<pid>-<random>/
//!     owner                       pid and start mark; locked as long as the owner lives
//!     children/<pid>              the signal that ends it, and its start mark
//!     log/<name>.log
//! ```

mod stale;
mod watchdog;

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::signal::Signal;
use nix::unistd::Uid;

use crate::StackError;
use crate::process::table;
use watchdog::Watchdog;

/// The environment variable that says where run directories are made.
pub const BASE_VARIABLE: &str = "PUNCTUAL_STACK_DIR";

/// Others may pass through (PostgreSQL's user must reach its data), but not look around.
const MODE: u32 = 0o711;

/// A handle on the private directory; the directory goes with the last clone.
#[derive(Clone, Debug)]
pub struct RunDir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    children: Children,
    /// Kept open for its lock: the kernel gives that back when we die, however we die.
    _owner: File,
    watchdog: Watchdog,
}

impl RunDir {
    /// Removes what dead runs left behind, then makes a directory for this one.
    ///
    /// `base` is where run directories lie; `None` takes `PUNCTUAL_STACK_DIR`, else
    /// `/var/tmp/punctual-<uid>`. Not `/tmp`: that is memory on many systems, and a day of
    /// half a million messages writes gigabytes.
    pub fn create(base: Option<&Path>) -> Result<Self, StackError> {
        let base = base.map_or_else(default_base, Path::to_owned);
        make_base(&base)?;
        let _turn = take_turn(&base)?;
        stale::remove_dead_runs(&base);
        let pid = std::process::id();
        let path = base.join(format!("run-{pid}-{:08x}", rand::random::<u32>()));
        make(&path)?;
        let children = Children(path.join("children"));
        make(&children.0)?;
        make(&path.join("log"))?;
        let owner = claim(&path.join("owner"), pid)?;
        let watchdog = Watchdog::start(&path)?;
        Ok(Self(Arc::new(Inner { path, children, _owner: owner, watchdog })))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Where the process of this name writes its log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.0.path.join("log").join(format!("{name}.log"))
    }

    pub(crate) fn children(&self) -> &Children {
        &self.0.children
    }
}

/// The list of children that must not outlive the owner: one file each.
#[derive(Clone, Debug)]
pub(crate) struct Children(PathBuf);

impl Children {
    pub(crate) fn add(&self, pid: u32, ending: Signal) -> Result<(), StackError> {
        let path = self.0.join(pid.to_string());
        let mark = table::start_mark(pid).unwrap_or_default();
        // sh's kill takes the name without SIG.
        let signal = ending.as_str().trim_start_matches("SIG");
        fs::write(&path, format!("{signal} {mark}\n")).map_err(StackError::file("write", &path))
    }

    pub(crate) fn remove(&self, pid: u32) {
        // Not there any more when the directory itself is gone, which is as good.
        let _ = fs::remove_file(self.0.join(pid.to_string()));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What can't be removed now the watchdog tries again, as it isn't told to stand down.
        if fs::remove_dir_all(&self.path).is_ok() {
            self.watchdog.stand_down();
        }
    }
}

fn default_base() -> PathBuf {
    std::env::var_os(BASE_VARIABLE).map_or_else(
        || PathBuf::from(format!("/var/tmp/punctual-{}", Uid::effective())),
        PathBuf::from,
    )
}

/// Makes the base, or checks that the one that is there is ours: `/var/tmp` is everybody's, and
/// somebody else's directory or link under our name must not be used.
fn make_base(base: &Path) -> Result<(), StackError> {
    match make(base) {
        Ok(()) => return Ok(()),
        Err(StackError::File { source, .. })
            if source.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(other) => return Err(other),
    }
    let found = fs::symlink_metadata(base).map_err(StackError::file("look at", base))?;
    if found.is_dir() && found.uid() == Uid::effective().as_raw() {
        return Ok(());
    }
    Err(StackError::Missing {
        what: format!("{} is not a directory of the user who runs this", base.display()),
        remedy: format!("remove it, or name another place in {BASE_VARIABLE}"),
    })
}

fn make(path: &Path) -> Result<(), StackError> {
    DirBuilder::new().mode(MODE).create(path).map_err(StackError::file("create directory", path))
}

/// One run at a time is made or removed below a base.
fn take_turn(base: &Path) -> Result<File, StackError> {
    let path = base.join("lock");
    let lock = File::create(&path).map_err(StackError::file("create", &path))?;
    lock.lock().map_err(StackError::file("lock", &path))?;
    Ok(lock)
}

fn claim(path: &Path, pid: u32) -> Result<File, StackError> {
    let mut owner = File::create(path).map_err(StackError::file("create", path))?;
    owner.lock().map_err(StackError::file("lock", path))?;
    // For people who wonder; whether the owner lives is told by the lock alone.
    writeln!(owner, "{pid} {}", table::start_mark(pid).unwrap_or_default())
        .map_err(StackError::file("write", path))?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_run_directory_goes_with_its_last_handle() {
        let base = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(base.path())).unwrap();
        let path = run.path().to_owned();
        let clone = run.clone();
        drop(run);
        assert!(path.join("owner").exists());
        drop(clone);
        assert!(!path.exists());
    }

    #[test]
    fn the_directory_of_a_living_owner_stays_and_that_of_a_dead_one_goes() {
        let base = tempfile::tempdir().unwrap();
        let alive = RunDir::create(Some(base.path())).unwrap();
        let dead = base.path().join("run-1-dead");
        fs::create_dir_all(dead.join("children")).unwrap();
        fs::write(dead.join("owner"), "1 long-gone\n").unwrap();
        let unrelated = base.path().join("notes");
        fs::create_dir(&unrelated).unwrap();

        let next = RunDir::create(Some(base.path())).unwrap();

        assert!(!dead.exists());
        assert!(alive.path().exists() && next.path().exists() && unrelated.exists());
    }

    #[test]
    fn a_base_that_is_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        let refused = RunDir::create(Some(&link)).unwrap_err();
        assert!(refused.to_string().contains(BASE_VARIABLE), "{refused}");
    }
}
