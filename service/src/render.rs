//! Files that are derived from the contract's tables and checked in: alerts, dashboards, documents.
//! A row that is added, or a number that is changed, reaches them all by `punctual render`, and a
//! test fails while they are behind.
//!
//! Belongs here: which files there are, writing and comparing them. Never here: what stands in
//! them (`alerts`, `dashboards`, `docs`).

mod alerts;
mod dashboards;
mod docs;

use std::collections::BTreeSet;
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

/// Where whoever is paged reads on, if it is elsewhere than in what is checked in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// The folder of the documents.
    pub(crate) docs: Option<String>,
    /// Grafana.
    pub(crate) grafana: Option<String>,
}

impl Links {
    fn put_into(&self, text: &str) -> String {
        let usual = [(alerts::DOCS_URL, &self.docs), (alerts::GRAFANA_URL, &self.grafana)];
        usual.iter().fold(text.to_owned(), |text, (usual, own)| match own {
            Some(own) => text.replace(usual, own.trim_end_matches('/')),
            None => text,
        })
    }
}

/// Every derived file.
///
/// # Errors
/// A row that can't be rendered.
pub(crate) fn files(links: &Links) -> Result<Vec<File>, RenderError> {
    let files = [alerts::files()?, dashboards::files(), docs::files()].concat();
    let linked = files.into_iter().map(|file| File { text: links.put_into(&file.text), ..file });
    Ok(linked.collect())
}

/// Writes what is stale under a directory; says which files that were.
///
/// # Errors
/// A row that can't be rendered, or the first file that could not be read or written.
pub(crate) fn write(root: &Path, links: &Links) -> Result<Vec<String>, RenderError> {
    let files = files(links)?;
    let left = left_over(root, &files);
    let mut written = Vec::new();
    for file in files {
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
    for path in left {
        let whole = root.join(&path);
        std::fs::remove_file(&whole).map_err(|source| RenderError::File { path: whole, source })?;
        written.push(path);
    }
    Ok(written)
}

/// Files beside the derived ones that say that they are written by this, and that no row makes any
/// more: whoever loads a whole folder would go on loading them.
fn left_over(root: &Path, files: &[File]) -> Vec<String> {
    let ours: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let folders: BTreeSet<&str> =
        ours.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
    let mut left = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let text = std::fs::read(entry.path()).unwrap_or_default();
            if !ours.contains(path.as_str()) && text.starts_with(alerts::WRITTEN.as_bytes()) {
                left.push(path);
            }
        }
    }
    left.sort_unstable();
    left
}

/// How the files under a directory differ from what they should be, as unified diffs. Empty where
/// they don't.
///
/// # Errors
/// A row that can't be rendered, or the first file that could not be read.
pub(crate) fn differences(root: &Path, links: &Links) -> Result<String, RenderError> {
    let files = files(links)?;
    let left = left_over(root, &files);
    let mut diffs = String::new();
    for file in files {
        let found = found(&root.join(&file.path))?;
        let (ours, path) = (TextDiff::from_lines(found.as_str(), &file.text), &file.path);
        let diff = ours.unified_diff().header(path, &format!("{path} (rendered)")).to_string();
        diffs.push_str(&diff);
    }
    for path in left {
        let text = found(&root.join(&path))?;
        let diff = TextDiff::from_lines(text.as_str(), "");
        let nothing = format!("{path} (no longer rendered)");
        diffs.push_str(&diff.unified_diff().header(&path, &nothing).to_string());
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

    const USUAL: Links = Links { docs: None, grafana: None };

    #[test]
    fn what_is_checked_in_is_up_to_date() {
        for file in files(&USUAL).unwrap() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
            crate::golden::check(&format!("{path}{}", file.path), &file.text);
        }
    }

    #[test]
    fn stale_files_are_shown_and_written() {
        let directory = tempfile::tempdir().unwrap();
        let first = files(&USUAL).unwrap().remove(0);
        let missing = differences(directory.path(), &USUAL).unwrap();
        assert!(missing.contains(&format!("+++ {} (rendered)", first.path)), "{missing}");
        assert_eq!(write(directory.path(), &USUAL).unwrap().len(), files(&USUAL).unwrap().len());
        assert_eq!(differences(directory.path(), &USUAL).unwrap(), "");
        assert_eq!(write(directory.path(), &USUAL).unwrap(), Vec::<String>::new());
        // One of an earlier release, and one of the operator's own.
        let (old, own) = ("alerts/old.rules.yaml", "alerts/own.rules.yaml");
        let text = format!("{} from the contract's tables.\n", alerts::WRITTEN);
        std::fs::write(directory.path().join(old), text).unwrap();
        std::fs::write(directory.path().join(own), "groups: []\n").unwrap();
        let left = differences(directory.path(), &USUAL).unwrap();
        assert!(left.contains(old) && !left.contains(own), "{left}");
        assert_eq!(write(directory.path(), &USUAL).unwrap(), [old]);
        assert!(!directory.path().join(old).exists() && directory.path().join(own).exists());
        std::fs::write(directory.path().join(&first.path), "old\n").unwrap();
        assert!(differences(directory.path(), &USUAL).unwrap().contains("\n-old\n"));
    }

    #[test]
    fn links_lead_where_they_were_told_to() {
        let own = |url: &str| Some(url.to_owned());
        let docs = own("https://wiki.internal/punctual/");
        let links = Links { docs, grafana: own("http://grafana:3000") };
        let all: String = files(&links).unwrap().into_iter().map(|file| file.text).collect();
        assert!(all.contains("https://wiki.internal/punctual/runbook.md#"));
        assert!(all.contains("http://grafana:3000/d/"));
        assert!(!all.contains(alerts::DOCS_URL) && !all.contains(alerts::GRAFANA_URL));
    }
}
