//! Which user PostgreSQL runs as: it refuses root.
//!
//! What belongs here: choosing that user and checking that it can reach its data. What never
//! does: making users.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, User};

use crate::StackError;
use crate::process::Identity;
use crate::run_dir::BASE_VARIABLE;

/// Those that root becomes, the first that exists: the distribution's own, else the one that
/// owns nothing.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// `None` when we aren't root: then everything runs as we do.
pub(super) fn choose() -> Result<Option<Identity>, StackError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    CANDIDATES
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(|user| Some(Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
        .ok_or_else(|| StackError::Missing {
            what: format!(
                "PostgreSQL refuses root, and no user {} exists",
                CANDIDATES.join(" or ")
            ),
            remedy: "run this as an ordinary user".to_owned(),
        })
}

/// A directory can only be used by who may enter all directories above it.
pub(super) fn check_reachable(path: &Path, identity: Identity) -> Result<(), StackError> {
    for folder in path.ancestors() {
        let found = fs::metadata(folder).map_err(StackError::file("look at", folder))?;
        let bit = if found.uid() == identity.uid {
            0o100
        } else if found.gid() == identity.gid {
            0o010
        } else {
            0o001
        };
        if found.mode() & bit == 0 {
            return Err(StackError::Missing {
                what: format!(
                    "PostgreSQL runs as user number {}, who may not enter {}",
                    identity.uid,
                    folder.display()
                ),
                remedy: format!("name a place in {BASE_VARIABLE} that it may, such as /var/tmp/it"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_closed_directory_on_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("closed");
        let inside = closed.join("inside");
        fs::create_dir_all(&inside).unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        // A user and a group that own nothing here.
        let stranger = Identity { uid: 54_321, gid: 54_321 };
        check_reachable(root.path(), stranger).unwrap();
        let refused = check_reachable(&inside, stranger).unwrap_err().to_string();
        assert!(refused.contains("closed:"), "{refused}");
        assert!(refused.contains(BASE_VARIABLE), "{refused}");
    }
}
