//! The recipes of the documents for a CI system's shell: each is run as it stands there, with
//! stand-ins for what it calls, also in a shell that ends at the first failure.
//!
//! Never here: what the commands do; they have tests of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The documents with a recipe in them.
const DOCUMENTS: [&str; 2] = ["gate.md", "load-testing.md"];

/// Ends with the next of the statuses in its file, and leaves a line for each time.
const LOADTEST: &str = "#!/bin/sh
echo \"$@\" >> called
read -r status < statuses
sed -i 1d statuses
exit \"$status\"
";

/// The block of a document that ends with a status.
fn recipe(document: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(document);
    let text = fs::read_to_string(file).unwrap();
    let blocks = text.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let found: Vec<&str> = blocks.filter(|block| block.contains("\nexit $status")).collect();
    let [recipe] = found[..] else { panic!("{document} has one recipe: {found:?}") };
    recipe.to_owned()
}

fn program(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// How a recipe ends, and how often it asked, when the command ends with these statuses.
fn ended(recipe: &str, statuses: &[u8]) -> (Option<i32>, usize) {
    let dir = tempfile::tempdir().unwrap();
    program(&dir.path().join("target/debug/loadtest"), LOADTEST);
    for name in ["cargo", "git"] {
        program(&dir.path().join("bin").join(name), "#!/bin/sh\necho abc\n");
    }
    let lines: String = statuses.iter().map(|status| format!("{status}\n")).collect();
    fs::write(dir.path().join("statuses"), lines).unwrap();
    let path = format!("{}/bin:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-e", "-u", "-c", recipe])
        .env("PATH", path)
        .env("URL", "127.0.0.1:1")
        .current_dir(dir.path())
        .output()
        .unwrap();
    let called = fs::read_to_string(dir.path().join("called")).unwrap_or_default();
    (output.status.code(), called.lines().count())
}

#[test]
fn a_recipe_tries_what_is_invalid_once_more_and_ends_as_the_last_one_did() {
    for document in DOCUMENTS {
        let recipe = recipe(document);
        for (statuses, status, times) in [
            (&[0][..], 0, 1),
            (&[1], 1, 1),
            (&[2], 2, 1),
            (&[3, 0], 0, 2),
            (&[3, 1], 1, 2),
            (&[3, 3], 3, 2),
        ] {
            let seen = ended(&recipe, statuses);
            assert_eq!(seen, (Some(status), times), "{document}, {statuses:?}:\n{recipe}");
        }
    }
}
