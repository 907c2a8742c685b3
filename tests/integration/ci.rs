//! The scripts of CI, where they could leave something out and nobody would hear of it.
//!
//! Never here: what their steps prove.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Those that need npm.
const SCHEMAS: [&str; 2] = ["compose-schema", "dashboards-schema"];

fn script(name: &str) -> Command {
    Command::new(root().join(".ci").join(name))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A directory with nothing but these programs.
fn only(programs: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for program in programs {
        let mut found = std::env::split_paths(&path).map(|path| path.join(program));
        let found = found.find(|file| file.exists()).unwrap_or_else(|| panic!("no {program}"));
        symlink(found, folder.path().join(program)).unwrap();
    }
    folder
}

/// Types of another version say nothing about the Grafana that reads the dashboards.
#[test]
fn dashboards_are_held_against_the_grafana_that_is_deployed() {
    let compose = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let compose: Value = yaml_serde::from_str(&compose).unwrap();
    let image = compose["services"]["grafana"]["image"].as_str().unwrap();
    let version = image.strip_prefix("grafana/grafana:").unwrap();
    assert_eq!(version.split('.').count(), 3, "{version}");
    let told = script("dashboards-schema").arg("--version").output().unwrap();
    assert_eq!(stdout(&told), format!("@grafana/schema {version}\n"), "{told:?}");
}

#[test]
fn without_npm_it_is_said_that_nothing_is_proved() {
    let programs = only(&["bash", "dirname", "sed"]);
    for name in SCHEMAS {
        let told = script(name).env("PATH", programs.path()).output().unwrap();
        assert_eq!(told.status.code(), Some(77), "{told:?}");
        let said = String::from_utf8(told.stderr).unwrap();
        assert!(said.contains("SKIPPED") && said.contains("install nodejs and npm"), "{said}");
    }
}

#[test]
fn what_was_skipped_is_named_beside_what_failed() {
    let ci = |steps: &str| {
        let script = format!("set -uo pipefail; . .ci/steps; {steps}; summary");
        Command::new("bash").args(["-c", &script]).current_dir(root()).output().unwrap()
    };
    let skips = "step first true; step second sh -c 'exit 77'";
    let told = ci(skips);
    let said = stdout(&told);
    assert!(told.status.success(), "{told:?}");
    assert!(said.contains("=== second: SKIPPED after "), "{said}");
    assert!(said.contains("\nCI SKIPPED, so not proved here: second\nCI passed in "), "{said}");
    let told = ci(&format!("{skips}; step third false; step fourth true"));
    let said = stdout(&told);
    assert_eq!(told.status.code(), Some(1), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let [.., skipped, failed] = lines[..] else { panic!("{said}") };
    assert_eq!(skipped, "CI SKIPPED, so not proved here: second");
    assert!(failed.starts_with("CI failed in ") && failed.ends_with(": third"), "{failed}");
    let told = ci("step first true");
    assert!(!stdout(&told).contains("SKIPPED"), "{told:?}");
    let run = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(run.contains("\n. .ci/steps\n") && run.ends_with("\nsummary\n"), "{run}");
    for name in SCHEMAS {
        assert!(run.contains(&format!(" .ci/{name}\n")), "{name} is no step");
    }
}
