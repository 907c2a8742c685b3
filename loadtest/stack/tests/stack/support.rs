//! What several of these tests need.
//!
//! What belongs here: places for run directories and looks at the process table. What never
//! does: assertions about the stack.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for a loaded machine; what waits for it ends as soon as it can.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A base for run directories that PostgreSQL's user may pass through.
pub(crate) fn base() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

/// The runs below a base.
pub(crate) fn runs(base: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(base)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("run-"))
        .map(|entry| entry.path())
        .collect()
}

/// Process ids of all that run and have this text in their command line or, as PostgreSQL's
/// children rewrite theirs, run in a directory below it.
pub(crate) fn processes_of(text: &Path) -> Vec<u32> {
    let needle = text.to_str().unwrap();
    let is_ours = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let directory = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(needle) || directory.starts_with(text)
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(is_ours)
        .collect()
}

/// Waits until this holds, looking often.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
