//! Child processes that end for certain: when told to, when dropped, and when we are killed.
//!
//! What belongs here: starting a program in its own process group with its output in a log,
//! waiting until it is ready or has ended, ending it, and what it used. What never does: what
//! any program means by its arguments; PostgreSQL's are in `postgres/`.
//!
//! Three things tie a child to us. Its `Process` ends it on drop. The kernel signals it when
//! the thread that started it dies (Linux, through `setpriv --pdeathsig`), which is why each
//! child has a thread of its own that starts it and then waits for it: a thread of tokio or of
//! the test harness may well end before the process does. And the run directory's watchdog has
//! it on its list.

pub(crate) mod ending;
mod leash;
mod spec;
pub(crate) mod table;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::error::LogTail;
use crate::{RunDir, StackError};
pub use spec::{Identity, ProcessSpec};
pub use table::Usage;

/// After a polite signal on drop; a program that takes longer is killed.
const DROP_GRACE: Duration = Duration::from_secs(5);
/// Between two looks at a file or log that another process writes.
const LOOK: Duration = Duration::from_millis(10);

/// A running child, or one that has ended by itself.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    ending: Signal,
    log: PathBuf,
    /// Length of the log when it started: an earlier process of that name wrote the part before.
    log_from: u64,
    status: watch::Receiver<Option<ExitStatus>>,
    /// Keeps the directory until the child has ended.
    _run: RunDir,
}

impl Process {
    /// Starts a program whose output goes to `log/<name>.log` of the run directory.
    pub fn start(spec: ProcessSpec, run: &RunDir) -> Result<Self, StackError> {
        let program = locate(&spec.program)?;
        let log = run.log(&spec.name);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(StackError::file("open", &log))?;
        let log_from = file.metadata().map_err(StackError::file("look at", &log))?.len();
        let command = spec.command(&program, file).map_err(StackError::file("open", &log))?;
        let (pid, status) = start_and_wait_in_thread(command, &spec, run)?;
        Ok(Self {
            name: spec.name,
            pid,
            ending: spec.ending,
            log,
            log_from,
            status,
            _run: run.clone(),
        })
    }

    /// Runs a program to its end and requires that it succeeds.
    pub async fn run(spec: ProcessSpec, run: &RunDir, within: Duration) -> Result<(), StackError> {
        let process = Self::start(spec, run)?;
        let status = match tokio::time::timeout(within, process.wait()).await {
            Ok(status) => status,
            Err(_elapsed) => return Err(process.timed_out("to finish", within)),
        };
        if status.success() { Ok(()) } else { Err(process.failed(status)) }
    }

    /// Its process id, which is its process group's as well.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        let mut bytes = Vec::new();
        // A log that can't be read is shown as an empty one: it only decorates errors.
        if let Ok(mut file) = File::open(&self.log)
            && file.seek(SeekFrom::Start(self.log_from)).is_ok()
        {
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Waits until it has ended.
    pub async fn wait(&self) -> ExitStatus {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await;
        ended
            .expect("its thread sends the status before it lets go of the sender")
            .expect("it was waited for")
    }

    /// Waits until the program has written this file whole, as JSON, and reads it: how the
    /// service and the simulator tell their addresses.
    pub async fn ready_file<T: DeserializeOwned>(
        &self,
        path: &Path,
        within: Duration,
    ) -> Result<T, StackError> {
        let read = || {
            let text = fs::read_to_string(path).ok()?;
            serde_json::from_str(&text).ok()
        };
        self.ready_when(&format!("to write {}", path.display()), within, read).await
    }

    /// Waits until the program has written a line that contains this text, and returns it.
    pub async fn ready_line(&self, text: &str, within: Duration) -> Result<String, StackError> {
        let find = || {
            let output = self.output();
            // The last line may be half written.
            let whole = output.get(..=output.rfind('\n')?)?;
            whole.lines().find(|line| line.contains(text)).map(str::to_owned)
        };
        self.ready_when(&format!("to print {text:?}"), within, find).await
    }

    /// Looks every few milliseconds until there is a result, the process ends (an error that
    /// carries its log) or the bound is over.
    pub(crate) async fn ready_when<T>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, StackError> {
        let looking = async {
            loop {
                // In this order: what was written just before the end still counts.
                let ended = self.ended();
                if let Some(found) = look() {
                    return Ok(found);
                }
                if let Some(status) = ended {
                    return Err(self.failed(status));
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(within, looking).await {
            Ok(result) => result,
            Err(_elapsed) => Err(self.timed_out(what, within)),
        }
    }

    /// Sends a signal to it and its process group.
    pub fn signal(&self, signal: Signal) {
        // Its number may be another's as soon as its thread has reaped it.
        if self.ended().is_none() {
            ending::signal_group(self.pid, signal);
        }
    }

    /// SIGTERM, and SIGKILL for what is left after the grace: it has ended on return.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        self.stop_with(Signal::SIGTERM, grace).await
    }

    /// As `stop`, with the signal that means an orderly end to this program.
    pub async fn stop_with(&self, signal: Signal, grace: Duration) -> ExitStatus {
        self.signal(signal);
        if let Ok(status) = tokio::time::timeout(grace, self.wait()).await {
            return status;
        }
        tracing::warn!(process = self.name, ?grace, "did not end in time, killing it");
        self.kill().await
    }

    /// SIGKILL, as a crash would: it has ended on return.
    pub async fn kill(&self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait().await
    }

    /// What it has used so far; `None` once it has ended, and where there is no `/proc`.
    pub fn usage(&self) -> Option<Usage> {
        self.ended().is_none().then(|| table::usage(self.pid))?
    }

    /// Blocks, unlike `wait`: for `Drop`, which can't do otherwise.
    fn has_ended_within(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    pub(crate) fn failed(&self, status: ExitStatus) -> StackError {
        StackError::Failed {
            what: format!("{} ended with {status}", self.name),
            log: LogTail::of(&self.output()),
        }
    }

    fn timed_out(&self, what: &str, within: Duration) -> StackError {
        StackError::TimedOut {
            what: format!("waiting for {} {what}", self.name),
            within,
            log: LogTail::of(&self.output()),
        }
    }
}

impl Drop for Process {
    /// Blocks, for as long as the program takes to end, at most a few seconds.
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.signal(self.ending);
        if self.ending == Signal::SIGKILL || !self.has_ended_within(DROP_GRACE) {
            self.signal(Signal::SIGKILL);
            self.has_ended_within(DROP_GRACE);
        }
    }
}

/// What this process itself has used so far; `None` where there is no `/proc`.
pub fn own_usage() -> Option<Usage> {
    table::usage(std::process::id())
}

/// The program's full path. Under `setpriv` a missing program would be a riddle in a log; here
/// it is an error.
fn locate(program: &Path) -> Result<PathBuf, StackError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = if program.components().count() > 1 {
        std::path::absolute(program).ok()
    } else {
        std::env::split_paths(&path).map(|folder| folder.join(program)).find(|it| it.is_file())
    };
    found.filter(|path| path.is_file()).ok_or_else(|| StackError::Missing {
        what: format!("the program {} is not there", program.display()),
        remedy: "build or install it first".to_owned(),
    })
}

type Started = (u32, watch::Receiver<Option<ExitStatus>>);

fn start_and_wait_in_thread(
    mut command: Command,
    spec: &ProcessSpec,
    run: &RunDir,
) -> Result<Started, StackError> {
    let (tell_start, start) = sync_channel(1);
    let (tell_end, end) = watch::channel(None);
    // Not the directory's handle: it must go with the `Process`, not with this thread.
    let (ending, children) = (spec.ending, run.children().clone());
    let body = move || {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return drop(tell_start.send(Err(error))),
        };
        // Its copies of the log's descriptor.
        drop(command);
        let pid = child.id();
        if let Err(error) = children.add(pid, ending) {
            tracing::warn!(%error, pid, "the watchdog does not know of a child");
        }
        // Whoever asked for the start waits for this.
        let _ = tell_start.send(Ok(pid));
        let status = child.wait().expect("it is our child and nobody else waits for it");
        children.remove(pid);
        tell_end.send_replace(Some(status));
    };
    std::thread::Builder::new()
        .name(format!("child {}", spec.name))
        .spawn(body)
        .map_err(StackError::file("start a thread for", &spec.program))?;
    let pid = start
        .recv()
        .expect("the thread sends before it ends")
        .map_err(StackError::file("start", &spec.program))?;
    Ok((pid, end))
}
