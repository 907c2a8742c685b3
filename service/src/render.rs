//! Files that are derived from the contract's tables and checked in: alerts, dashboards, documents.
//! A row that is added, or a number that is changed, reaches them all by `punctual render`, and a
//! test fails while they are behind.
//!
//! Belongs here: which files there are, writing and comparing them. Never here: what stands in
//! them (`alerts`, `dashboards`, `docs`).

mod alerts;
mod dashboards;
mod docs;

use std::path::{Path, PathBuf};

use similar::TextDiff;

/// A derived file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Where it is, from the top of the repository.
    pub(crate) path: String,
    /// What stands in it.
    pub(crate) text: String,
}

/// Why nothing was rendered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A row of the tables can't be rendered: mend the row.
    #[error(transparent)]
    Refused(#[from] alerts::Refused),
}

/// Every derived file.
///
/// # Errors
/// A row that can't be rendered.
pub(crate) fn files() -> Result<Vec<File>, RenderError> {
    Ok([alerts::files()?, dashboards::files(), docs::files()].concat())
}

/// Writes what is stale under a directory; says which files that were.
///
/// # Errors
/// A row that can't be rendered, or the first file that could not be read or written.
pub(crate) fn write(root: &Path) -> Result<Vec<String>, RenderError> {
    let mut written = Vec::new();
    for file in files()? {
        let path = root.join(&file.path);
        let failed = |source| RenderError::File { path: path.clone(), source };
        if found(&path)? == file.text {
            continue;
        }
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        std::fs::write(&path, &file.text).map_err(failed)?;
        written.push(file.path);
    }
    Ok(written)
}

/// How the files under a directory differ from what they should be, as unified diffs. Empty where
/// they don't.
///
/// # Errors
/// A row that can't be rendered, or the first file that could not be read.
pub(crate) fn differences(root: &Path) -> Result<String, RenderError> {
    let mut diffs = String::new();
    for file in files()? {
        let found = found(&root.join(&file.path))?;
        let (ours, path) = (TextDiff::from_lines(found.as_str(), &file.text), &file.path);
        let diff = ours.unified_diff().header(path, &format!("{path} (rendered)")).to_string();
        diffs.push_str(&diff);
    }
    Ok(diffs)
}

/// What stands in a file; nothing where there is none.
fn found(path: &Path) -> Result<String, RenderError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(RenderError::File { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_up_to_date() {
        for file in files().unwrap() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
            crate::golden::check(&format!("{path}{}", file.path), &file.text);
        }
    }

    #[test]
    fn stale_files_are_shown_and_written() {
        let directory = tempfile::tempdir().unwrap();
        let first = files().unwrap().remove(0);
        let missing = differences(directory.path()).unwrap();
        assert!(missing.contains(&format!("+++ {} (rendered)", first.path)), "{missing}");
        assert_eq!(write(directory.path()).unwrap().len(), files().unwrap().len());
        assert_eq!(differences(directory.path()).unwrap(), "");
        assert_eq!(write(directory.path()).unwrap(), Vec::<String>::new());
        std::fs::write(directory.path().join(&first.path), "old\n").unwrap();
        assert!(differences(directory.path()).unwrap().contains("\n-old\n"));
    }
}
