//! Nothing outlives its owner, in whatever way the owner ends.
//!
//! The owner is this test program started again with one test to run (`owner`), which starts a
//! pair and a child and then waits to be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::postgres::{Options, PostgresPair, Profile};
use stack::{Process, ProcessSpec, RunDir};

use crate::support::{SOON, base, eventually, processes_of, runs};

const BASE: &str = "STACK_TEST_BASE";
const MODE: &str = "STACK_TEST_MODE";

/// The other process's part; does nothing when it runs as one of the tests.
#[tokio::test]
async fn owner() {
    let Some(base) = std::env::var_os(BASE) else {
        return;
    };
    let mode = std::env::var(MODE).unwrap();
    let pair = PostgresPair::start(Options::new(Profile::Test).base(base)).await.unwrap();
    let marked = pair.run_dir().path().join("child");
    let spec = ProcessSpec::new("child", "sh")
        .arguments(["-c", "trap '' TERM; echo up; while sleep 1; do :; done"])
        .argument(marked);
    let child = Process::start(spec, pair.run_dir()).unwrap();
    child.ready_line("up", SOON).await.unwrap();
    let standing_still = (mode == "paused").then(|| pair.primary().pause());
    println!("\nup");
    if mode == "panic" {
        panic!("an owner that panics");
    }
    tokio::time::sleep(SOON).await;
    drop(standing_still);
}

fn start_owner(base: &Path, mode: &str) -> Child {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifetime::owner", "--nocapture", "--test-threads=1"])
        .env(BASE, base)
        .env(MODE, mode)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "up"), "the owner didn't come up");
    assert!(processes_of(base).len() > 5);
    owner
}

fn expect_nothing_left(base: &Path) {
    eventually("processes are left", || processes_of(base).is_empty());
    eventually("files are left", || runs(base).is_empty());
}

fn signal(owner: &Child, signal: Signal) {
    let pid = i32::try_from(owner.id()).unwrap();
    kill(Pid::from_raw(pid), signal).unwrap();
}

#[test]
fn nothing_outlives_an_owner_that_is_killed() {
    let base = base();
    let mut owner = start_owner(base.path(), "wait");
    signal(&owner, Signal::SIGKILL);
    owner.wait().unwrap();
    expect_nothing_left(base.path());
}

#[test]
fn nothing_outlives_an_owner_that_is_interrupted() {
    let base = base();
    let mut owner = start_owner(base.path(), "wait");
    signal(&owner, Signal::SIGINT);
    owner.wait().unwrap();
    expect_nothing_left(base.path());
}

#[test]
fn nothing_outlives_an_owner_that_panics() {
    let base = base();
    let mut owner = start_owner(base.path(), "panic");
    assert!(!owner.wait().unwrap().success());
    expect_nothing_left(base.path());
}

#[test]
fn servers_that_stand_still_do_not_outlive_their_owner_either() {
    let base = base();
    let mut owner = start_owner(base.path(), "paused");
    signal(&owner, Signal::SIGKILL);
    owner.wait().unwrap();
    expect_nothing_left(base.path());
}

/// Without the watchdog the kernel's tie alone must do, and the next run removes the files.
#[test]
fn the_watchdog_may_die_with_the_owner() {
    let base = base();
    let mut owner = start_owner(base.path(), "wait");
    let watchdog = processes_of(base.path()).into_iter().find(|pid| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        String::from_utf8_lossy(&command).contains("punctual-watchdog")
    });
    let watchdog = i32::try_from(watchdog.unwrap()).unwrap();
    kill(Pid::from_raw(watchdog), Signal::SIGKILL).unwrap();
    signal(&owner, Signal::SIGKILL);
    owner.wait().unwrap();

    eventually("processes are left", || processes_of(base.path()).is_empty());
    assert_eq!(runs(base.path()).len(), 1);
    let next = RunDir::create(Some(base.path())).unwrap();
    assert_eq!(runs(base.path()), [next.path()]);
}

/// A dead run's children that still live are ended by the next, but no other process that has
/// got one of their numbers.
#[test]
fn the_next_run_ends_what_a_dead_one_left_running_and_nothing_else() {
    let base = base();
    let mut left = sleeper();
    let mut stranger = sleeper();
    let run = base.path().join("run-1-dead");
    std::fs::create_dir_all(run.join("children")).unwrap();
    std::fs::write(run.join("owner"), "").unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", left.id())).unwrap();
    let ticks = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().to_owned();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let list = |pid: u32, mark: &str| {
        let line = format!("KILL {mark}\n");
        std::fs::write(run.join("children").join(pid.to_string()), line).unwrap();
    };
    list(left.id(), &format!("{ticks}@{}", boot.trim()));
    list(stranger.id(), "12345@another-boot");

    let _next = RunDir::create(Some(base.path())).unwrap();

    assert!(!run.exists());
    eventually("the one that was left runs on", || left.try_wait().unwrap().is_some());
    std::thread::sleep(Duration::from_millis(50));
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

fn sleeper() -> Child {
    use std::os::unix::process::CommandExt;
    Command::new("sleep").arg("60").process_group(0).spawn().unwrap()
}
