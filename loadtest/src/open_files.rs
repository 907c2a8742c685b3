//! The limit of open files, which systems set low for every program (1,024 as a rule) and let it
//! raise by itself.
//!
//! Belongs here: that limit. Never here: who needs how many.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More than that nothing here opens.
const ENOUGH: u64 = 65_536;

/// Raises the limit as far as is allowed, for this process and for those that it starts. A day has
/// a connection for each user, callback and delivery, and reaches the service's bounds on purpose;
/// where the system allows fewer, whatever meets the limit says so.
pub(crate) fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard.min(ENOUGH).max(soft), hard)
    {
        tracing::warn!(%error, soft, "the limit of open files stays as it is");
    }
}
