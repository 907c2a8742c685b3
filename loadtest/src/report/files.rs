//! Where a run's report is put: one directory with the page, the text and the JSON; goose's own
//! report stands in `goose/` below it.
//!
//! Never here: what the report says.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use jiff::Zoned;
use serde::Serialize;

use super::sheet::Sheet;
use super::{Report, junit, markdown, of_day, page, terminal};
use crate::exit::Exit;
use crate::whole::discard;

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
    Page(#[from] page::PageError),
    /// The XML.
    #[error("report: {0}")]
    Xml(#[from] quick_junit::SerializeError),
    /// The JSON.
    #[error("report: {0}")]
    Json(#[from] serde_json::Error),
    /// Each face that is not there.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nloadtest: "))]
    Several(Vec<ReportError>),
}

impl ReportDir {
    /// Makes the directory given, or `reports/<time>` with `now` in its name, and `-2` and so on
    /// behind that where another run has it already.
    ///
    /// # Errors
    /// When it can't be made. It is made before the run, so that a run isn't lost to it.
    pub fn make(given: Option<&Path>, now: &Zoned) -> Result<Self, ReportError> {
        match given {
            Some(path) => {
                let path = std::path::absolute(path).map_err(at(path))?;
                fs::create_dir_all(&path).map_err(at(&path))?;
                Ok(Self(path))
            }
            None => Self::by_time(Path::new(DEFAULT_PARENT), now),
        }
    }

    fn by_time(parent: &Path, now: &Zoned) -> Result<Self, ReportError> {
        let parent = std::path::absolute(parent).map_err(at(parent))?;
        fs::create_dir_all(&parent).map_err(at(&parent))?;
        let time = now.strftime("%Y-%m-%dT%H-%M-%S").to_string();
        let mut path = parent.join(&time);
        let mut n = 1;
        loop {
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    n += 1;
                    path = parent.join(format!("{time}-{n}"));
                }
                Err(error) => return Err(at(&path)(error)),
            }
        }
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
        let json = serde_json::to_string_pretty(report)?;
        self.write_faces("report", &json, &terminal::render(report), &of_day::sheet(report))
    }

    /// Writes `STEM.json`, `.txt`, `.html` and `.md`, and `junit.xml`, and returns the page's path.
    /// What can be written is, also when something else can't.
    ///
    /// # Errors
    /// All that can't be, such as by a full disk.
    pub fn write_faces(
        &self,
        stem: &str,
        json: &str,
        text: &str,
        sheet: &Sheet,
    ) -> Result<PathBuf, ReportError> {
        let put = |name: &str, text: &str| self.put(name, text).map(drop);
        let written = [
            put(&format!("{stem}.json"), json),
            put(&format!("{stem}.txt"), text),
            put(&format!("{stem}.md"), &markdown::render(sheet)),
            junit::render(sheet).map_err(ReportError::from).and_then(|xml| put("junit.xml", &xml)),
        ];
        let page = page::render(sheet).map_err(ReportError::from);
        let page = page.and_then(|page| self.put(&format!("{stem}.html"), &page));
        let mut failed: Vec<ReportError> = written.into_iter().filter_map(Result::err).collect();
        match page {
            Ok(page) if failed.is_empty() => Ok(page),
            Ok(_) => Err(ReportError::Several(failed)),
            Err(error) => {
                failed.push(error);
                Err(ReportError::Several(failed))
            }
        }
    }

    /// Prints a report and writes all faces of it; the answer is how the program ends then.
    pub(crate) fn tell(
        &self,
        stem: &str,
        document: &impl Serialize,
        text: &str,
        sheet: &Sheet,
        exit: Exit,
    ) -> Exit {
        // First of all: a disk that is full must not cost the numbers.
        let said = say(&format!("\n{}\n", text.trim_end()));
        let json = serde_json::to_string_pretty(document).expect("numbers and strings only");
        kept(self.write_faces(stem, &json, text, sheet), said, exit)
    }

    /// Writes one file and returns its path. A file that would be cut short is taken away: whoever
    /// reads it would take it for the whole.
    fn put(&self, name: &str, text: &str) -> Result<PathBuf, ReportError> {
        let path = self.0.join(name);
        if let Err(error) = fs::write(&path, text) {
            discard(&path);
            return Err(at(&path)(error));
        }
        Ok(path)
    }
}

/// Prints what a person is to see, whatever becomes of it: where standard output takes nothing (a
/// full disk behind it, nobody who reads), standard error does. The answer is whether it stands
/// where it belongs.
pub(crate) fn say(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = &said {
        complain!("loadtest: standard output: {error}\n{}", text.trim_end_matches('\n'));
    }
    said.is_ok()
}

/// Says where the page of a report is, or why there is none, and how the program ends then; `said`
/// is whether the figures were printed.
pub(crate) fn kept(written: Result<PathBuf, ReportError>, said: bool, exit: Exit) -> Exit {
    match written {
        Ok(page) if said => {
            say(&format!("report: {}\n", page.display()));
            exit
        }
        Ok(_) => unkept(exit),
        Err(error) => {
            complain!("loadtest: {error}");
            unkept(exit)
        }
    }
}

/// How a program ends whose report could not be kept: a failure stays one, and what passed but left
/// nothing to show for it did not go through.
pub(crate) const fn unkept(exit: Exit) -> Exit {
    match exit {
        Exit::Passed => Exit::Unavailable,
        Exit::Failed | Exit::Usage | Exit::Unavailable | Exit::Invalid | Exit::Interrupted => exit,
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
    fn a_file_that_cannot_be_written_costs_that_file_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = ReportDir::make(Some(parent.path()), &Zoned::default()).unwrap();
        let json = parent.path().join("report.json");
        std::os::unix::fs::symlink("/dev/full", &json).unwrap();
        let error = dir.write(&sample::report()).unwrap_err().to_string();
        assert!(error.contains("report.json") && error.contains("No space left"), "{error}");
        assert!(!json.exists(), "nothing that is cut short stays");
        std::os::unix::fs::symlink("/dev/full", &json).unwrap();
        let text = parent.path().join("report.txt");
        fs::remove_file(&text).unwrap();
        std::os::unix::fs::symlink("/dev/full", &text).unwrap();
        let error = dir.write(&sample::report()).unwrap_err().to_string();
        assert!(error.contains("report.json") && error.contains("report.txt"), "both: {error}");
        assert!(Path::new("/dev/full").exists(), "what stood behind it stays");
        dir.write(&sample::report()).unwrap();
        for name in ["report.txt", "report.md", "report.html", "junit.xml"] {
            assert!(parent.path().join(name).metadata().unwrap().len() > 0, "{name}");
        }
    }

    /// As all commands end: run, gate, counts, isolate, incidents.
    #[test]
    fn a_full_disk_costs_the_report_and_not_the_numbers() {
        for (exit, ends) in [(Exit::Passed, Exit::Unavailable), (Exit::Failed, Exit::Failed)] {
            let parent = tempfile::tempdir().unwrap();
            let dir = ReportDir::make(Some(parent.path()), &Zoned::default()).unwrap();
            let sheet = super::super::sheet::sample();
            assert_eq!(dir.tell("sample", &"told", "text", &sheet, exit), exit);
            std::os::unix::fs::symlink("/dev/full", parent.path().join("full.md")).unwrap();
            assert_eq!(dir.tell("full", &"told", "text", &sheet, exit), ends);
            fs::remove_dir_all(parent.path()).unwrap();
            assert_eq!(dir.tell("gone", &"told", "text", &sheet, exit), ends);
        }
    }

    #[test]
    fn a_pass_without_a_report_is_none_and_a_failure_stays_one() {
        let kept = [Exit::Passed, Exit::Failed, Exit::Interrupted].map(unkept);
        assert_eq!(kept, [Exit::Unavailable, Exit::Failed, Exit::Interrupted]);
    }

    #[test]
    fn two_runs_of_one_second_have_a_folder_each() {
        let parent = tempfile::tempdir().unwrap();
        let make = || ReportDir::by_time(&parent.path().join("new"), &Zoned::default()).unwrap();
        let names = [make(), make(), make()].map(|dir| dir.0.file_name().unwrap().to_owned());
        let first = names[0].to_str().unwrap();
        assert_eq!(first.len(), "1970-01-01T00-00-00".len());
        assert_eq!(names[1..], [format!("{first}-2").as_str(), &format!("{first}-3")]);
    }

    #[test]
    fn a_place_that_is_a_file_is_one_clear_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = ReportDir::make(Some(file.path()), &Zoned::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("--report-dir") && !text.contains('\n'), "{text}");
    }
}
