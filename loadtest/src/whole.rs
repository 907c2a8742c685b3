//! Files that are whole or not there: whoever finds one that was cut short takes it for the whole.
//!
//! Belongs here: what a full disk leaves of a file. Never here: what stands in one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Takes away what could not be written to its end; a device that stood in its place stays.
pub(crate) fn discard(path: &Path) {
    let is_ours = |data: fs::Metadata| data.is_file() || data.is_symlink();
    if fs::symlink_metadata(path).is_ok_and(is_ours) {
        let _absent = fs::remove_file(path);
    }
}

/// Puts a text in the place of what stands there, which stays as it is when that fails. A device or
/// a link is no file of ours: it is written to where it is.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|data| !data.is_file()) {
        return fs::write(path, text);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let written = fs::write(beside, text).and_then(|()| fs::rename(beside, path));
    if written.is_err() {
        discard(beside);
    }
    written
}

/// Appends a text to a file, all of it or nothing.
pub(crate) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    or_cut_back(&mut file, |file| file.write_all(text.as_bytes()))
}

fn or_cut_back(file: &mut File, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let before = file.metadata()?.len();
    let written = write(file);
    if written.is_err() {
        // A device can't be cut; nor has it anything to be cut off.
        let _device = file.set_len(before);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_cannot_be_replaced_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, beside) = (dir.path().join("counts.json"), dir.path().join("counts.json.new"));
        replace(&file, "first").unwrap();
        replace(&file, "old").unwrap();
        assert!(!beside.exists());
        symlink("/dev/full", &beside).unwrap();
        let error = replace(&file, "new").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert!(fs::symlink_metadata(&beside).is_err(), "nothing that is cut short stays");
        let link = dir.path().join("full");
        symlink("/dev/full", &link).unwrap();
        assert!(replace(&link, "new").is_err());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "it is not ours");
    }

    #[test]
    fn what_cannot_be_appended_leaves_no_half() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.csv");
        append(&path, "one\n").unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        let error = or_cut_back(&mut file, |file| {
            file.write_all(b"tw")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        append(&path, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let error = append(Path::new("/dev/full"), "three\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
