//! Migrations that were released stay as they were: each has its line in
//! `service/migrations/checksums.txt`.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

const UNRELEASED: &str = "unreleased";

/// A file of the folder: its name, and its SHA-256 in hexadecimal digits.
type File = (String, String);

fn sum(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<File> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed"))
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "sql"))
        .map(|entry| {
            let content = std::fs::read(entry.path()).expect("it can be read");
            (entry.file_name().to_string_lossy().into_owned(), sum(&content))
        })
        .collect();
    files.sort_by_key(|(name, _)| version(name));
    files
}

/// `V12__more.sql` is 12.
fn version(name: &str) -> Option<u32> {
    name.strip_prefix('V')?.split_once("__")?.0.parse().ok()
}

/// What is wrong, each in a line that says what to do.
fn mistakes(list: &str, files: &[File], changelog: &str) -> Vec<String> {
    let rows: Vec<Vec<&str>> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let mut wrong = Vec::new();
    for row in &rows {
        match row[..] {
            [_, _, name] if files.iter().all(|(file, _)| file != name) => {
                wrong.push(format!("{name}: is listed and not there: bring it back"));
            }
            [_, _, _] => {}
            _ => wrong.push(format!("{row:?}: write RELEASE SHA-256 FILE")),
        }
    }
    let is_released = changelog.lines().any(|l| l.starts_with("## ") && l != "## Unreleased");
    let mut before = Some(0);
    for (name, sum) in files {
        let number = version(name);
        if number.is_none() || number != before.map(|before| before + 1) {
            wrong.push(format!("{name}: is not the next version after {before:?}"));
        }
        before = number;
        let mut told = rows.iter().filter(|row| row.get(2) == Some(&name.as_str()));
        match (told.next().map(Vec::as_slice), told.next()) {
            (Some([UNRELEASED, "-", _]), None) if is_released && number == Some(1) => wrong.push(
                format!("{name}: there is a release, so it was released: RELEASE  {sum}  {name}"),
            ),
            (Some([UNRELEASED, "-", _]), None) => {}
            (Some([release, listed, _]), None) if *release != UNRELEASED => {
                if listed != sum {
                    wrong.push(format!(
                        "{name}: was released in {release} and is not what it was then: undo the \
                         change, and write it as the next version"
                    ));
                }
            }
            (_, _) => wrong.push(format!(
                "{name}: has one line in migrations/checksums.txt: {UNRELEASED}  -  {name}, and \
                 once it is released RELEASE  {sum}  {name}"
            )),
        }
    }
    wrong
}

#[test]
fn what_was_released_is_what_it_was_then() {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(path).expect("it is there")
    };
    let wrong = mistakes(&read("migrations/checksums.txt"), &files(), &read("../CHANGELOG.md"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_edit_of_what_was_released_is_noticed_and_one_of_what_was_not_is_not() {
    let file = |name: &str, content: &str| (name.to_owned(), sum(content.as_bytes()));
    let (one, two) = (file("V1__a.sql", "CREATE"), file("V2__b.sql", "ALTER"));
    let list = format!("# words\n1.0.0  {}  V1__a.sql\nunreleased  -  V2__b.sql\n", one.1);
    let changelog = "# Changelog\n\n## Unreleased\n\n## 1.0.0\n";
    let of = |files: &[File]| mistakes(&list, files, changelog).join("\n");
    assert_eq!(of(&[one.clone(), two.clone()]), "");
    assert_eq!(of(&[one.clone(), file("V2__b.sql", "ALTER more")]), "", "not released yet");
    let edited = of(&[file("V1__a.sql", "CREATE more"), two.clone()]);
    assert!(edited.starts_with("V1__a.sql: was released in 1.0.0 and is not"), "{edited}");
    assert!(of(std::slice::from_ref(&two)).contains("V1__a.sql: is listed and not there"));
    let more = of(&[one.clone(), two.clone(), file("V3__c.sql", "x")]);
    assert!(more.starts_with("V3__c.sql: has one line"), "{more}");
    let gap = of(&[one.clone(), two.clone(), file("V4__c.sql", "x")]);
    assert!(gap.contains("V4__c.sql: is not the next version after Some(2)"), "{gap}");
    let forgotten = mistakes("unreleased  -  V1__a.sql", &[one], changelog).join("\n");
    assert!(forgotten.contains("there is a release"), "{forgotten}");
}
