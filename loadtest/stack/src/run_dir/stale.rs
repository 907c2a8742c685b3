//! What dead runs left behind: children that still live, and their directories.
//!
//! What belongs here: telling dead from living runs, and ending only processes that the dead
//! run's own list names with their start mark. What never does: anything by a program's name.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process::{ending, table};

/// PostgreSQL needs well under a second for an immediate shutdown; then SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Ends and removes every run below the base whose owner is dead.
///
/// What fails is said and left: it is another run's dirt, no reason not to start this one.
pub(super) fn remove_dead_runs(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with("run-") && is_dead(&path) {
            end_children(&path.join("children"));
            if let Err(error) = fs::remove_dir_all(&path)
                && path.exists()
            {
                tracing::warn!(path = %path.display(), %error, "can't remove a dead run");
            }
        }
    }
}

/// The lock on `owner` is free exactly when the process that took it is gone. A directory
/// without that file belongs to an owner that died before it could write it: runs are made
/// under the base's lock, which we hold.
fn is_dead(run: &Path) -> bool {
    match File::open(run.join("owner")) {
        Ok(owner) => owner.try_lock().is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn end_children(list: &Path) {
    let Ok(entries) = fs::read_dir(list) else {
        return;
    };
    let living: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read_to_string(entry.path()).ok()?;
            let mark = line.split_whitespace().nth(1)?;
            // Its number may have gone to another process since.
            (table::start_mark(pid)? == mark).then_some(pid)
        })
        .collect();
    for pid in &living {
        ending::signal_group(*pid, Signal::SIGQUIT);
    }
    for pid in living {
        if !ending::gone_within(pid, GRACE) {
            ending::signal_group(pid, Signal::SIGKILL);
            ending::gone_within(pid, GRACE);
        }
    }
}
