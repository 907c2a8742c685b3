//! Children: readiness, ending, usage.

use std::time::Duration;

use nix::sys::signal::Signal;
use stack::{Process, ProcessSpec, RunDir};

use crate::support::SOON;

fn sh(name: &str, script: &str) -> ProcessSpec {
    ProcessSpec::new(name, "sh").arguments(["-c", script])
}

fn run_dir() -> (tempfile::TempDir, RunDir) {
    let base = tempfile::tempdir().unwrap();
    let run = RunDir::create(Some(base.path())).unwrap();
    (base, run)
}

#[tokio::test]
async fn output_goes_to_the_log_and_a_line_tells_readiness() {
    let (_base, run) = run_dir();
    let spec = sh("talks", "echo one; echo two >&2; echo ready on 7; exec sleep 60");
    let process = Process::start(spec, &run).unwrap();
    assert_eq!(process.ready_line("ready", SOON).await.unwrap(), "ready on 7");
    assert_eq!(process.output(), "one\ntwo\nready on 7\n");
    assert!(process.ended().is_none());
    let status = process.stop(SOON).await;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
}

#[tokio::test]
async fn a_json_file_tells_readiness_once_it_is_whole() {
    let (_base, run) = run_dir();
    let file = run.path().join("address");
    let script = format!(
        "printf '{{\"public\":' >{0}; sleep 0.1; echo '\"127.0.0.1:1\"}}' >>{0}; exec sleep 60",
        file.display()
    );
    let process = Process::start(sh("writes", &script), &run).unwrap();
    let address: serde_json::Value = process.ready_file(&file, SOON).await.unwrap();
    assert_eq!(address["public"], "127.0.0.1:1");
}

#[tokio::test]
async fn a_program_that_ends_instead_of_being_ready_is_an_error_with_its_last_words() {
    let (_base, run) = run_dir();
    let process = Process::start(sh("dies", "echo cannot bind; exit 3"), &run).unwrap();
    let error = process.ready_line("ready", SOON).await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("cannot bind"), "{error}");
}

#[tokio::test]
async fn a_bound_ends_the_wait() {
    let (_base, run) = run_dir();
    let process = Process::start(sh("silent", "exec sleep 60"), &run).unwrap();
    let error = process.ready_line("ready", Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("longer than 50ms"), "{error}");
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_killed_with_its_children() {
    let (_base, run) = run_dir();
    let spec = sh("deaf", "trap '' TERM; sleep 61 & echo ready $!; wait; sleep 60");
    let process = Process::start(spec, &run).unwrap();
    let line = process.ready_line("ready", SOON).await.unwrap();
    let grandchild = line.rsplit(' ').next().unwrap().to_owned();
    let status = process.stop(Duration::from_millis(100)).await;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    crate::support::eventually("the grandchild is still there", || {
        // Gone, or waiting to be reaped by whoever inherited it.
        std::fs::read_to_string(format!("/proc/{grandchild}/stat"))
            .map_or(true, |stat| stat.contains(") Z "))
    });
}

#[tokio::test]
async fn a_stopped_one_ends_all_the_same() {
    let (_base, run) = run_dir();
    let process = Process::start(sh("stopped", "exec sleep 60"), &run).unwrap();
    process.signal(Signal::SIGSTOP);
    let status = process.stop(SOON).await;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
}

#[tokio::test]
async fn the_callers_settings_do_not_leak_in_and_its_own_do_arrive() {
    let (_base, run) = run_dir();
    let spec = sh("env", "env").env("PUNCTUAL_ENV", "development");
    Process::run(spec, &run, SOON).await.unwrap();
    let seen = std::fs::read_to_string(run.log("env")).unwrap();
    let ours: Vec<&str> = seen
        .lines()
        .filter(|line| line.starts_with("PUNCTUAL_") || line.starts_with("PG"))
        .collect();
    assert_eq!(ours, ["PUNCTUAL_ENV=development"]);
    assert!(seen.contains("PATH="));
}

#[tokio::test]
async fn use_of_processor_and_memory_is_read() {
    let (_base, run) = run_dir();
    // It stays what it is: one that becomes another program has next to no memory for an instant.
    let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo ready; kill -STOP $$";
    let process = Process::start(sh("busy", script), &run).unwrap();
    process.ready_line("ready", SOON).await.unwrap();
    let usage = process.usage().unwrap();
    assert!(usage.cpu_user + usage.cpu_system >= Duration::from_millis(10), "{usage:?}");
    assert!(usage.resident_bytes > 100_000, "{usage:?}");
    assert!(usage.resident_peak_bytes >= usage.resident_bytes, "{usage:?}");
    process.kill().await;
    assert!(process.usage().is_none());
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let (_base, run) = run_dir();
    let error = Process::start(ProcessSpec::new("x", "/no/such/program"), &run).unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");
    let error = Process::start(ProcessSpec::new("x", "no-such-program"), &run).unwrap_err();
    assert!(error.to_string().contains("no-such-program"), "{error}");
}
