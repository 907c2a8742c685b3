//! Files that are whole or not there: whoever finds one that was cut short takes it for the whole.
//!
//! Never here: writing them (`report::files`, `engine::intervals`, `hlog::merge`).

use std::fs;
use std::path::Path;

/// Takes away what could not be written to its end; a device that stood in its place stays.
pub(crate) fn discard(path: &Path) {
    let is_ours = |data: fs::Metadata| data.is_file() || data.is_symlink();
    if fs::symlink_metadata(path).is_ok_and(is_ours) {
        let _absent = fs::remove_file(path);
    }
}
