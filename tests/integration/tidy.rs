//! The house's style, as far as a machine can see it: a report of everything that is over.
//!
//! What belongs here: rules about files and their text. What never does: rules that rustfmt,
//! clippy or the compiler keep. What is over for a good reason is on the list below with that
//! reason; an entry that no longer applies fails as well, so the list can't grow stale.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Place of a finding, as the report prints it ("a/b.rs", "a/b.rs columns", "a/b.rs fn name"), and
/// why it stays.
const ALLOWED: &[(&str, &str)] = &[
    ("loadtest/src/day/appointments/tests.rs columns", "rows of the data's own format"),
    ("loadtest/src/day/plan/practice.rs columns", "templates of texts, whole"),
    ("loadtest/src/day/plan/tests.rs columns", "a document as it is expected"),
    ("loadtest/src/day/request.rs columns", "documents as they are expected"),
    ("loadtest/src/report_sample.rs fn report", "a sample of a whole report, field by field"),
    (
        "loadtest/stack/src/provider/tests/sent.rs fn the_answer_to_a_client_library",
        "a whole answer, field by field",
    ),
    ("service/contract/src/outcome.rs columns", "a macro's pattern, and a row's help"),
    ("service/contract/src/pool.rs columns", "a row's help is one line: it is one text"),
    ("service/src/db/statement.rs columns", "a macro's pattern that mirrors the table's"),
    ("service/contract/src/endpoint.rs columns", "a row's help is one line: it is one text"),
    ("service/contract/src/query.rs columns", "a table: one row a line"),
    ("service/contract/src/stage.rs columns", "a row's help is one line: it is one text"),
];

/// Put together here, so that this file doesn't find itself.
const UNFINISHED: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Text that others wrote, and lists that machines write.
const NOT_OURS: [&str; 3] = ["Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT"];

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut findings = Vec::new();
    for path in tracked_files(&root) {
        // A file may be binary, or deleted and not committed yet.
        if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
            findings.extend(check(&path, &text));
        }
    }
    let allowed: BTreeSet<&str> = ALLOWED.iter().map(|(place, _)| *place).collect();
    let found: BTreeSet<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
    let report: Vec<String> = findings
        .iter()
        .filter(|finding| !allowed.contains(finding.place.as_str()))
        .map(|finding| format!("{}: {}", finding.place, finding.what))
        .chain(allowed.difference(&found).map(|place| {
            format!("{place}: on the list of exceptions, but there is nothing to except any more")
        }))
        .collect();
    assert!(
        report.is_empty(),
        "\n{}\n\nMend it, or give it a reason in ALLOWED of tests/integration/tidy.rs.",
        report.join("\n")
    );
}

/// Files that git knows or would take, relative to the root.
fn tracked_files(root: &Path) -> Vec<PathBuf> {
    let output = Command::new("git")
        // In a container the clone may belong to another user; it is only read.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git is there: the clone was made with it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).expect("our file names are ASCII");
    listing.split_terminator('\0').map(PathBuf::from).collect()
}

struct Finding {
    place: String,
    what: String,
}

fn check(path: &Path, text: &str) -> Vec<Finding> {
    let shown = path.display().to_string();
    if NOT_OURS.contains(&shown.as_str()) {
        return Vec::new();
    }
    let mut findings = check_words(&shown, text);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => findings.extend(check_rust(path, &shown, text)),
        Some("sql") => findings.extend(check_sql(path, &shown, text)),
        Some(_) | None => {}
    }
    findings
}

fn check_words(shown: &str, text: &str) -> Vec<Finding> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let unfinished = |line: &str| line.split(|c| !is_word(c)).any(|w| UNFINISHED.contains(&w));
    numbered(text)
        .filter(|(_, line)| unfinished(line))
        .map(|(number, _)| Finding {
            place: format!("{shown}:{number}"),
            what: "an unfinished mark: do it, or open an issue".to_owned(),
        })
        .collect()
}

fn check_rust(path: &Path, shown: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |place: String, what: String| findings.push(Finding { place, what });
    if path.file_name().is_some_and(|name| name == "mod.rs") {
        find(shown.to_owned(), "put it beside its folder, under the folder's name".to_owned());
    }
    if !text.starts_with("//!") {
        find(format!("{shown}:1"), "begins without a paragraph (`//!`) on what belongs".to_owned());
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        find(shown.to_owned(), format!("{lines} lines, {FILE_LINES_MAX} at most"));
    }
    let wide: Vec<String> = numbered(text)
        .filter(|(_, line)| line.chars().count() > LINE_COLUMNS_MAX)
        .map(|(number, _)| number.to_string())
        .collect();
    if !wide.is_empty() {
        let what = format!("over {LINE_COLUMNS_MAX} columns in line {}", wide.join(", "));
        find(format!("{shown} columns"), what);
    }
    for (name, lines) in functions(text) {
        if lines > FUNCTION_LINES_MAX {
            find(
                format!("{shown} fn {name}"),
                format!("{lines} lines, {FUNCTION_LINES_MAX} at most"),
            );
        }
    }
    findings
}

/// Statements by name: the name of the file is the name everywhere. Migrations have versions.
fn check_sql(path: &Path, shown: &str, text: &str) -> Option<Finding> {
    let stem = path.file_stem()?.to_str()?;
    let in_sql_folder = path.starts_with("service/sql");
    let named = text.lines().next() == Some(&format!("-- name: {stem}"));
    (in_sql_folder && !named).then(|| Finding {
        place: format!("{shown}:1"),
        what: format!("must begin with `-- name: {stem}`"),
    })
}

/// Names and lengths of functions. As rustfmt writes them: a function ends with the first line
/// that is its indentation and a brace.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (from, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &&str| line.strip_prefix(indent) == Some("}");
        if line.ends_with('}') || line.ends_with(';') {
            continue;
        }
        // A declaration over several lines ends with a semicolon and has no brace of its own.
        let to = lines[from + 1..]
            .iter()
            .position(|line| ends(line) || line.strip_prefix(indent).is_some_and(is_declared_only));
        found.extend(to.map(|to| (name, to + 2)));
    }
    found
}

/// `) -> T;` at the function's own indentation: a trait's method without a body.
fn is_declared_only(rest: &str) -> bool {
    rest.starts_with(')') && rest.ends_with(';')
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub") {
        rest = match after.strip_prefix('(') {
            Some(scope) => scope.split_once(") ")?.1,
            None => after.strip_prefix(' ')?,
        };
    }
    for word in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn places(path: &str, text: &str) -> Vec<String> {
    check(Path::new(path), text).into_iter().map(|finding| finding.place).collect()
}

#[test]
fn what_is_over_is_found_where_it_is() {
    let long = format!("//! x\n{}\n", "x".repeat(101));
    assert_eq!(places("a/b.rs", &long), ["a/b.rs columns"]);
    assert_eq!(places("a/b.rs", "use x;\n"), ["a/b.rs:1"]);
    assert_eq!(places("a/mod.rs", "//! x\n"), ["a/mod.rs"]);
    assert_eq!(places("a/b.rs", &"//! x\n".repeat(401)), ["a/b.rs"]);
    let body = "        let x = 1;\n".repeat(69);
    let function = format!("//! x\nimpl X {{\n    pub(crate) async fn go() {{\n{body}    }}\n}}\n");
    assert_eq!(places("a/b.rs", &function), ["a/b.rs fn go"]);
    let marked = format!("# {}: later\n", UNFINISHED[0]);
    assert_eq!(places("Makefile", &marked), ["Makefile:1"]);
    assert_eq!(places("service/sql/queries/x.sql", "SELECT 1;\n"), ["service/sql/queries/x.sql:1"]);
}

#[test]
fn what_is_within_is_left_alone() {
    let body = "    let x = 1;\n".repeat(68);
    assert!(places("a.rs", &format!("//! x\nfn go() {{\n{body}}}\n")).is_empty());
    let two =
        "//! x\ntrait T {\n    fn declared(\n        x: u8,\n    ) -> u8;\n    fn short() {}\n}\n";
    assert!(places("a.rs", two).is_empty());
    assert!(places("service/sql/queries/x.sql", "-- name: x\nSELECT 1;\n").is_empty());
    assert!(places("service/migrations/V1__x.sql", "-- Tables.\n").is_empty());
    assert!(places("a.md", "A method is not a mark.\n").is_empty());
    assert!(places("Cargo.lock", UNFINISHED[1]).is_empty());
}
