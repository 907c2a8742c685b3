//! Where a run's report is put: one directory with the page, the text and the JSON; goose's own
//! report stands in `goose/` below it.
//!
//! Never here: what the report says.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::{Report, html, terminal};

/// Below the current directory; the repository's `.gitignore` names it.
const DEFAULT_PARENT: &str = "reports";

/// A report's directory.
#[derive(Debug, Clone)]
pub struct ReportDir(PathBuf);

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The directory or a file.
    #[error("report {path}: {source}; give another place with --report-dir", path = path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The page.
    #[error("report: {0}")]
    Html(#[from] html::HtmlError),
    /// The JSON.
    #[error("report: {0}")]
    Json(#[from] serde_json::Error),
}

impl ReportDir {
    /// Makes the directory given, or `reports/<time>` with `now` in its name.
    ///
    /// # Errors
    /// When it can't be made. It is made before the run, so that a run isn't lost to it.
    pub fn make(given: Option<&Path>, now: &Zoned) -> Result<Self, ReportError> {
        let path = given.map_or_else(
            || Path::new(DEFAULT_PARENT).join(now.strftime("%Y-%m-%dT%H-%M-%S").to_string()),
            Path::to_owned,
        );
        let path = std::path::absolute(&path).map_err(at(&path))?;
        fs::create_dir_all(&path).map_err(at(&path))?;
        Ok(Self(path))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes all faces of a report and returns the page's path.
    ///
    /// # Errors
    /// When the disk is full or the like.
    pub fn write(&self, report: &Report) -> Result<PathBuf, ReportError> {
        self.put("report.json", &serde_json::to_string_pretty(report)?)?;
        self.put("report.txt", &terminal::render(report))?;
        self.put("report.html", &html::render(report)?)
    }

    /// Writes one file and returns its path.
    pub(crate) fn put(&self, name: &str, text: &str) -> Result<PathBuf, ReportError> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(at(&path))?;
        Ok(path)
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> ReportError {
    let path = path.to_owned();
    move |source| ReportError::File { path, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{SCHEMA, sample};
    use super::*;

    #[test]
    fn all_faces_are_written_and_the_json_says_its_shape() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("new/run");
        let dir = ReportDir::make(Some(&place), &Zoned::default()).unwrap();
        let page = dir.write(&sample::report()).unwrap();
        assert!(page.ends_with("new/run/report.html") && place.join("report.txt").exists());
        let json = fs::read_to_string(place.join("report.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["schema"], SCHEMA);
        assert_eq!(json["ended"], "failed");
        assert_eq!(json["laws"].as_array().unwrap().len(), crate::laws::LAWS.len());
    }

    #[test]
    fn a_place_that_is_a_file_is_one_clear_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = ReportDir::make(Some(file.path()), &Zoned::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("--report-dir") && !text.contains('\n'), "{text}");
    }
}
