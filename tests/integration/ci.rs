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

/// Puts a program into such a directory that runs these lines. Written by another process: where
/// this one writes it, a test beside may fork meanwhile, and it can't be run while that is open.
fn fake(folder: &TempDir, program: &str, lines: &str) {
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$0" && chmod 755 "$0""#;
    let mut sh = Command::new("sh");
    let wrote = sh.args(["-c", write]).arg(folder.path().join(program)).arg(lines).status();
    assert!(wrote.unwrap().success(), "{program}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
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
        let said = stderr(&told);
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

/// One name that a distribution hasn't would else make apt-get refuse all of them.
#[test]
fn packages_that_the_system_does_not_have_keep_no_others_away() {
    let programs = only(&["sed", "grep", "head", "mkdir", "chmod", "rm", "rmdir"]);
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("usr/sbin")).unwrap();
    let asked = root.path().join("asked");
    fake(&programs, "apt-get", &format!(r#"echo "$*" >>'{}'"#, asked.display()));
    // As Ubuntu answers: one name of which there is only a snap, one that it doesn't know.
    let policy = r#"case "$*" in
        'depends postgresql') echo '  Depends: postgresql-16' ;;
        'policy gcc' | 'policy postgresql-16') printf '%s:\n  Candidate: 1.0\n' "$2" ;;
        'policy chromium') printf 'chromium:\n  Candidate: (none)\n' ;;
        esac"#;
    fake(&programs, "apt-cache", policy);
    let install = |packages: &[&str]| {
        let mut setup = script("setup");
        setup.arg("packages").args(packages).env("PATH", programs.path());
        setup.env("PUNCTUAL_SETUP_ROOT", root.path()).output().unwrap()
    };
    let told = install(&["gcc", "chromium", "chromium-driver", "postgresql"]);
    assert!(told.status.success(), "{told:?}");
    let calls = std::fs::read_to_string(&asked).unwrap();
    let [update, installs] = calls.lines().collect::<Vec<_>>()[..] else { panic!("{calls}") };
    assert!(update.ends_with(" update"), "{update}");
    let all = " install --yes --no-install-recommends gcc postgresql-16";
    assert!(installs.ends_with(all), "{installs}");
    let said = stderr(&told);
    for missing in ["chromium", "chromium-driver"] {
        assert!(said.contains(&format!("has no package {missing}\n")), "{said}");
    }
    // Nothing at all is nothing that was done.
    assert_eq!(install(&["chromium"]).status.code(), Some(1));
    let left = root.path().join("usr/sbin").read_dir().unwrap().count();
    assert_eq!(left, 0, "what keeps services from starting");
}

/// Tests that need a browser are left out where there is none, and never without a word.
#[test]
fn without_a_browser_its_tests_are_named_as_skipped() {
    let programs = only(&[]);
    let told = || script("setup").arg("browser").env("PATH", programs.path()).output().unwrap();
    for there in ["", "chromium"] {
        if !there.is_empty() {
            fake(&programs, there, "");
        }
        let told = told();
        assert_eq!(told.status.code(), Some(77), "{told:?}");
        let said = stderr(&told);
        for piece in ["SKIPPED", "Debian:  apt-get install chromium ", "Ubuntu:  there", "others:"]
        {
            assert!(said.contains(piece), "{said}");
        }
    }
    fake(&programs, "chromedriver", "");
    let there = told();
    assert!(there.status.success() && there.stderr.is_empty(), "{there:?}");
    let run = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(run.contains("\nstep browser .ci/setup browser\n"), "{run}");
}

/// Where everything but a browser is there, and nobody may install one, the tests can be run.
#[test]
fn the_tests_can_be_set_up_without_a_browser() {
    let programs = only(&["dirname", "sed", "sort"]);
    fake(&programs, "cargo", "");
    fake(&programs, "rustc", "echo 'rustc 1.999.0 (a test)'");
    for program in ["cc", "promtool", "prometheus", "amtool", "alertmanager"] {
        fake(&programs, program, "");
    }
    fake(&programs, "postgres", "echo 'postgres (PostgreSQL) 17.1'");
    for program in ["initdb", "pg_basebackup"] {
        fake(&programs, program, "");
    }
    fake(&programs, "apt-get", "exit 1");
    fake(&programs, "id", "echo 1000");
    let set_up = || {
        let mut setup = script("setup");
        setup.arg("tests").env("PATH", programs.path()).env("HOME", programs.path());
        setup.env("PUNCTUAL_PG_BIN", programs.path()).output().unwrap()
    };
    let told = set_up();
    assert!(told.status.success() && stderr(&told).contains("SKIPPED"), "{told:?}");
    // What the tests can't do without is another matter.
    std::fs::remove_file(programs.path().join("amtool")).unwrap();
    let told = set_up();
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    let said = stderr(&told);
    assert!(said.contains(".ci/setup packages prometheus-alertmanager"), "{said}");
}
