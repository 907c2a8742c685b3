//! One server of a pair: starting, ending, crashing, pausing, connecting.
//!
//! What belongs here: what holds for a primary and a replica alike. What never does: how either
//! gets its data, which is `postgres.rs`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio_postgres::NoTls;

use super::address::Address;
use super::binaries::Binaries;
use crate::process::{Identity, ending, table};
use crate::{Process, ProcessSpec, RunDir, StackError, Usage};

/// Recovery after a crash reads at most what was written since the last checkpoint.
const START_WITHIN: Duration = Duration::from_secs(120);
/// A shutdown that writes nothing; the servers' own limit before they kill their children is 5 s.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// For a fast shutdown, whose checkpoint may have gigabytes to write.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(120);

/// A PostgreSQL server that this crate started.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    data: PathBuf,
    address: Address,
    program: PathBuf,
    identity: Option<Identity>,
    run: RunDir,
    /// `None` while it is stopped. Shared with whoever waits for it at that moment.
    process: Mutex<Option<Arc<Process>>>,
}

impl Server {
    pub(super) fn new(
        name: &'static str,
        address: Address,
        binaries: &Binaries,
        identity: Option<Identity>,
        run: &RunDir,
    ) -> Self {
        Self {
            name,
            data: run.path().join(name),
            address,
            program: binaries.program("postgres"),
            identity,
            run: run.clone(),
            process: Mutex::new(None),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// `postgres://…` for one of its databases, with user and password.
    pub fn url(&self, database: &str) -> String {
        self.address.url(database)
    }

    /// The directory of its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its log.
    pub fn log(&self) -> PathBuf {
        self.run.log(self.name)
    }

    /// Process id of the postmaster; `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.current().map(|process| process.pid())
    }

    /// What all processes of the server have used; `None` while it is stopped and where there
    /// is no `/proc`.
    pub fn usage(&self) -> Option<Usage> {
        table::usage_with_children(self.pid()?)
    }

    /// Connects as the superuser. The connection's other half runs as a task of its own and
    /// ends with the client.
    pub async fn connect(&self, database: &str) -> Result<tokio_postgres::Client, StackError> {
        connect(&self.url(database)).await
    }

    /// Forgets what `pg_stat_statements` has counted so far, in all databases. Asked from the
    /// database `postgres`, as the call itself is counted where it is made.
    pub async fn forget_statements(&self) -> Result<(), StackError> {
        let client = self.connect("postgres").await?;
        client
            .batch_execute("SELECT pg_stat_statements_reset()")
            .await
            .map_err(StackError::postgres("resetting pg_stat_statements"))
    }

    /// Writes all changes to the data's files at once: no page that changes next has been written
    /// to the log since, whatever happened before.
    pub async fn checkpoint(&self) -> Result<(), StackError> {
        let client = self.connect("postgres").await?;
        client.batch_execute("CHECKPOINT").await.map_err(StackError::postgres("a checkpoint"))
    }

    /// Starts it and waits until it takes connections. Does nothing if it runs.
    pub async fn start(&self) -> Result<(), StackError> {
        if self.current().is_some() {
            return Ok(());
        }
        let spec = ProcessSpec::new(self.name, &self.program)
            .argument("-D")
            .argument(&self.data)
            .env("LC_ALL", "C")
            .identity(self.identity)
            // The immediate shutdown ends all its processes and frees its shared memory.
            .ending(Signal::SIGQUIT);
        let process = Arc::new(Process::start(spec, &self.run)?);
        *self.held() = Some(Arc::clone(&process));
        let status_file = self.data.join("postmaster.pid");
        let look = || is_ready(&status_file, process.pid()).then_some(());
        let ready = process.ready_when("to take connections", START_WITHIN, look).await;
        if ready.is_err() {
            self.stop_immediately().await;
        }
        ready
    }

    /// Ends it in order, with a checkpoint; sessions are cut.
    pub async fn stop(&self) {
        self.end(Signal::SIGINT, CHECKPOINT_WITHIN).await;
    }

    /// Ends it at once, without a checkpoint: the next start recovers. Right when the data is
    /// removed next, as a checkpoint would write it all out for nothing.
    pub async fn stop_immediately(&self) {
        self.end(Signal::SIGQUIT, STOP_WITHIN).await;
    }

    async fn end(&self, signal: Signal, grace: Duration) {
        let taken = self.held().take();
        if let Some(process) = taken {
            process.stop_with(signal, grace).await;
        }
    }

    /// kill -9 of every process of the server, as if the machine had lost power (but for what
    /// the system's page cache still writes). `start` brings it back on the same port.
    pub async fn kill(&self) -> Result<(), StackError> {
        let taken = self.held().take();
        let Some(process) = taken else {
            return Ok(());
        };
        // Stopped, it can't start another child between the listing and its end.
        process.signal(Signal::SIGSTOP);
        let children = table::children(process.pid());
        process.kill().await;
        for child in &children {
            ending::signal_one(*child, Signal::SIGKILL);
        }
        // While one lives, a new postmaster refuses the data directory.
        let all_gone = tokio::task::spawn_blocking(move || {
            children.into_iter().all(|child| ending::gone_within(child, STOP_WITHIN))
        });
        if all_gone.await.is_ok_and(|gone| gone) {
            return Ok(());
        }
        Err(StackError::TimedOut {
            what: format!("killing the processes of {}", self.name),
            within: STOP_WITHIN,
            log: crate::LogTail::default(),
        })
    }

    /// Stops every process of the server in its tracks until the guard is dropped: connections
    /// stay open and nothing answers, as with a hanging disk or a network that swallows all.
    pub fn pause(&self) -> Paused {
        let mut stopped = Vec::new();
        if let Some(pid) = self.pid() {
            ending::signal_one(pid, Signal::SIGSTOP);
            stopped = table::children(pid);
            stopped.iter().for_each(|child| ending::signal_one(*child, Signal::SIGSTOP));
            stopped.push(pid);
        }
        Paused { stopped }
    }

    fn current(&self) -> Option<Arc<Process>> {
        self.held().as_ref().filter(|process| process.ended().is_none()).cloned()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Arc<Process>>> {
        self.process.lock().expect("no panic happens under this lock")
    }
}

/// A server that stands still; it goes on when this is dropped.
#[derive(Debug)]
#[must_use = "the server goes on as soon as this is dropped"]
pub struct Paused {
    stopped: Vec<u32>,
}

impl Drop for Paused {
    fn drop(&mut self) {
        for pid in &self.stopped {
            ending::signal_one(*pid, Signal::SIGCONT);
        }
    }
}

pub(super) async fn connect(url: &str) -> Result<tokio_postgres::Client, StackError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .map_err(StackError::postgres("connecting to the private PostgreSQL"))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection of the stack's own ended");
        }
    });
    Ok(client)
}

/// The postmaster writes its state into the eighth line of `postmaster.pid` ("ready" also on a
/// replica that takes connections). A file that a killed server left has another pid.
fn is_ready(status_file: &Path, pid: u32) -> bool {
    std::fs::read_to_string(status_file).is_ok_and(|text| {
        let mut lines = text.lines();
        lines.next() == Some(&pid.to_string()) && lines.nth(6).is_some_and(|l| l.trim() == "ready")
    })
}
