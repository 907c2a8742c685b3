//! Finds PostgreSQL's programs on this machine.
//!
//! What belongs here: where systems put them and which of several wins. What never does:
//! installing anything (`.ci/setup` does) or running a server.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::StackError;

/// The environment variable that names the directory of PostgreSQL's programs.
pub const BIN_VARIABLE: &str = "PUNCTUAL_PG_BIN";

/// The oldest major version that the service's statements and the notes' figures hold for.
const MAJOR_MIN: u32 = 15;

/// What a directory must hold to be of use.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_basebackup"];

/// Where systems put the programs; a star stands for any text in one part of a path.
const USUAL_PLACES: [&str; 13] = [
    "/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                   // PostgreSQL's own RPMs
    "/usr/lib/postgresql*/bin",                           // SUSE
    "/usr/lib64/postgresql-*/bin",                        // Gentoo
    "/usr/libexec/postgresql*",                           // Alpine
    "/usr/bin",                                           // Fedora, Arch
    "/usr/local/bin",                                     // FreeBSD, Homebrew on Intel
    "/usr/local/pgsql/bin",                               // built from source
    "/opt/homebrew/opt/postgresql*/bin",                  // Homebrew on Apple silicon
    "/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
    "/opt/local/lib/postgresql*/bin",                     // MacPorts
    "/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
];

/// A directory with PostgreSQL's programs and their version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    /// Major and minor.
    version: (u32, u32),
}

impl Binaries {
    /// `PUNCTUAL_PG_BIN` if it is set; else the newest of PATH and the usual places.
    pub fn find() -> Result<Self, StackError> {
        let named = std::env::var_os(BIN_VARIABLE);
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::find_in(named.as_deref(), &path, &USUAL_PLACES)
    }

    fn find_in(named: Option<&OsStr>, path: &OsStr, usual: &[&str]) -> Result<Self, StackError> {
        if let Some(directory) = named {
            return Self::at(Path::new(directory)).ok_or_else(|| StackError::Missing {
                what: format!(
                    "{BIN_VARIABLE} is {}, where there are no programs of PostgreSQL {MAJOR_MIN} \
                     or newer",
                    directory.display()
                ),
                remedy: format!("it must be the directory that holds {}", PROGRAMS.join(", ")),
            });
        }
        std::env::split_paths(path)
            .chain(usual.iter().flat_map(|pattern| expand(pattern)))
            .filter_map(|directory| Self::at(&directory))
            // Of equals the first: PATH comes before the usual places.
            .reduce(|best, next| if next.version > best.version { next } else { best })
            .ok_or_else(|| StackError::Missing {
                what: format!("no PostgreSQL {MAJOR_MIN} or newer was found"),
                remedy: format!(
                    "install the server with its contrib modules (Debian and Ubuntu: \
                     `apt-get install postgresql`; macOS: `brew install postgresql@17`), or \
                     name the directory of its programs in {BIN_VARIABLE}"
                ),
            })
    }

    /// The directory's programs, if it has them all in a version that will do.
    fn at(directory: &Path) -> Option<Self> {
        // PATH may hold a link to one program alone, whose fellows lie where it points.
        let directory = directory.join(PROGRAMS[0]).canonicalize().ok()?.parent()?.to_owned();
        if !PROGRAMS.iter().all(|program| directory.join(program).is_file()) {
            return None;
        }
        let output = Command::new(directory.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
        (version.0 >= MAJOR_MIN).then_some(Self { directory, version })
    }

    /// The full path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Major and minor version.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }
}

/// "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)" → (15, 14); "18beta1" → (18, 0).
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    let minor = if number.contains('.') { parts.next()?.parse().ok()? } else { 0 };
    Some((major, minor))
}

/// The directories that a pattern with at most one star stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, stem) = before.rsplit_once('/').unwrap_or(("", before));
    let rest = after.trim_start_matches('/');
    let Ok(entries) = std::fs::read_dir(if parent.is_empty() { "/" } else { parent }) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(stem))
        .map(|entry| entry.path().join(rest))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        let cases = [
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n", Some((15, 14))),
            ("postgres (PostgreSQL) 17.0\n", Some((17, 0))),
            ("postgres (PostgreSQL) 18beta1\n", Some((18, 0))),
            ("postgres (PostgreSQL) 9.6.24\n", Some((9, 6))),
            ("something else 15.1", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_version(text), expected, "{text:?}");
        }
    }

    /// A directory with programs that do nothing but print this version.
    fn installation(root: &Path, name: &str, version: &str) -> PathBuf {
        let bin = root.join(name).join("bin");
        fs::create_dir_all(&bin).unwrap();
        for program in PROGRAMS {
            let path = bin.join(program);
            fs::write(&path, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n"))
                .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        bin.canonicalize().unwrap()
    }

    #[test]
    fn the_newest_that_is_new_enough_wins_and_a_named_one_before_all() {
        let root = tempfile::tempdir().unwrap();
        let old = installation(root.path(), "14", "14.9");
        let fifteen = installation(root.path(), "15", "15.3");
        let newest = installation(root.path(), "17", "17.1");
        let pattern = format!("{}/*/bin", root.path().display());
        let nowhere = OsStr::new("");
        let found = |named: Option<&Path>, path: &OsStr, usual: &[&str]| {
            Binaries::find_in(named.map(Path::as_os_str), path, usual)
        };

        assert_eq!(found(None, nowhere, &[&pattern]).unwrap().directory, newest);
        assert_eq!(found(Some(&fifteen), nowhere, &[&pattern]).unwrap().version(), (15, 3));
        assert_eq!(found(None, fifteen.as_os_str(), &[]).unwrap().directory, fifteen);
        let too_old = found(Some(&old), nowhere, &[&pattern]).unwrap_err().to_string();
        assert!(too_old.contains(BIN_VARIABLE), "{too_old}");
        let none = found(None, old.as_os_str(), &[]).unwrap_err().to_string();
        assert!(none.contains("apt-get install postgresql"), "{none}");
    }

    #[test]
    fn a_link_in_path_leads_to_where_the_other_programs_are() {
        let root = tempfile::tempdir().unwrap();
        let bin = installation(root.path(), "16", "16.2");
        let links = root.path().join("links");
        fs::create_dir(&links).unwrap();
        symlink(bin.join("postgres"), links.join("postgres")).unwrap();
        let found = Binaries::find_in(None, links.as_os_str(), &[]).unwrap();
        assert_eq!(found.program("initdb"), bin.join("initdb"));
    }
}
