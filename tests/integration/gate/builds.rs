//! Revisions that are built: each once, from a work tree of its own that is gone afterwards, and
//! given up at Ctrl-C. A script stands in for cargo; a real build takes minutes (`docs/gate.md`).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::binary::{loadtest, punctual};
use tests::until;
use tests::wait::soon;

/// A repository with two commits, and what is called instead of cargo there.
struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new(cargo: &str) -> Self {
        let repository = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(repository.path("cargo"), format!("#!/bin/sh\n{cargo}\n")).unwrap();
        fs::set_permissions(repository.path("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        repository.git(&["init", "--quiet", "source"]);
        for text in ["old", "new"] {
            fs::write(repository.path("source/text"), text).unwrap();
            repository.git(&["-C", "source", "add", "text"]);
            let who = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
            let commit = ["-C", "source", "commit", "--quiet", "-m", text];
            repository.git(&[&who[..], &commit].concat());
        }
        repository
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(self.dir.path()).output();
        let output = output.expect("git is there: the clone was made with it");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A gate of both commits. A report that has no place ends it before anything is started.
    fn gate(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(loadtest());
        command
            .args(["gate", "--base", "HEAD~1", "--head", "HEAD", "--report-dir", "text"])
            .arg("--build-dir")
            .arg(self.path("builds"))
            .current_dir(self.path("source"))
            .env("CARGO", self.path("cargo"))
            .env("SAID", self.path("said"))
            .env("BUILT", punctual())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("said")).unwrap_or_default()
    }

    /// The work trees of builds are gone.
    fn is_left_alone(&self) {
        assert_eq!(self.git(&["-C", "source", "worktree", "list"]).lines().count(), 1);
    }
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0)
}

/// It may wait for somebody to take note of its end, who isn't there in every container.
fn has_ended(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[tokio::test]
async fn each_revision_is_built_once_from_its_own_source() {
    let repository = Repository::new(
        "echo \"$(cat text): $*\" >> \"$SAID\"\n\
         mkdir -p \"$CARGO_TARGET_DIR/release\"\n\
         cp \"$BUILT\" \"$CARGO_TARGET_DIR/release/punctual\"",
    );
    for time in ["first", "second"] {
        let output = soon("its end", repository.gate().output()).await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{time}: {stderr}");
        assert!(stderr.contains("give another place with --report-dir"), "all built: {stderr}");
        let said = repository.said();
        let said: Vec<&str> = said.lines().collect();
        let asked = "build --locked --profile bench -p punctual --bin punctual";
        assert_eq!(said, [format!("old: {asked}"), format!("new: {asked}")], "{time}");
        for revision in ["HEAD~1", "HEAD"] {
            let commit = repository.git(&["-C", "source", "rev-parse", revision]);
            assert!(is_file(&repository.path("builds/bin").join(format!("punctual-{commit}"))));
        }
        repository.is_left_alone();
    }
}

#[tokio::test]
async fn a_revision_that_does_not_build_is_said_and_not_kept() {
    let repository = Repository::new("echo 'error: no such thing' >&2; exit 101");
    let output = soon("its end", repository.gate().output()).await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for says in ["error: no such thing", "doesn't build: cargo ended with exit status: 101"] {
        assert!(stderr.contains(says), "{stderr}");
    }
    assert!(!repository.path("builds/bin").exists());
    repository.is_left_alone();
}

#[tokio::test]
async fn ctrl_c_gives_a_build_up() {
    // What cargo has started has to go with it.
    let repository = Repository::new("sleep 600 &\necho $! > \"$SAID\"; wait");
    let running = repository.gate().spawn().unwrap();
    let compiler = until("cargo compiles", async || repository.said().trim().parse().ok()).await;
    let compiler: u32 = compiler;
    let gate = i32::try_from(running.id().expect("it runs")).unwrap();
    kill(Pid::from_raw(gate), Signal::SIGINT).unwrap();
    let output = soon("its end", running.wait_with_output()).await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    until("the compiler has ended", async || has_ended(compiler).then_some(())).await;
    repository.is_left_alone();
}
