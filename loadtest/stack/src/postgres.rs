//! A private PostgreSQL: a primary and a replica that streams from it.
//!
//! What belongs here: making the pair and taking it down. What never does: the service's schema
//! (callers fill a template) and any server that this crate didn't start: everything lies in the
//! run directory, listens on loopback alone and has a password of its own.
//!
//! Choose by need: `shared()` for tests that only want a database; a pair of one's own for tests
//! that crash or pause servers, and for the demo.

pub mod address;
mod binaries;
mod catch_up;
mod identity;
mod server;
mod settings;
mod shared;
mod template;
mod trouble;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;
use std::time::Duration;

use crate::ports::free_port;
use crate::process::Identity;
use crate::{ProcessSpec, RunDir, StackError};
use address::Address;
pub use binaries::{BIN_VARIABLE, Binaries};
pub use server::{Paused, Server};
pub use settings::{Options, Profile};
pub use shared::shared;
pub use template::{Database, Template};
pub use trouble::Locked;

/// initdb and pg_basebackup take a second; a machine under load may take many.
const TOOL_WITHIN: Duration = Duration::from_secs(120);
/// From a base backup just taken.
const FIRST_CATCH_UP_WITHIN: Duration = Duration::from_secs(30);
/// Another process may take a port between our look and the server's.
const PORT_TRIES: usize = 5;
/// For the tools, whatever the profile: a machine that crashes before the first checkpoint costs an
/// empty cluster, while a thousand files synced one by one take ten seconds. The servers' own
/// fsync is a setting of the profile.
const NO_SYNC: &str = "--no-sync";

/// A primary and its replica, both running. Ends both and removes their data on drop; `stop`
/// does the same without blocking the thread.
#[derive(Debug)]
pub struct PostgresPair {
    // In this order: the replica would log complaints about a primary that went first.
    replica: Server,
    primary: Server,
    templates: template::Templates,
    maker: Maker,
}

impl PostgresPair {
    /// Makes both servers in a new run directory and waits until the replica streams. The
    /// extension `pg_stat_statements` is in every database.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        // Looks at directories, runs `postgres --version`, may remove a dead run's gigabytes.
        let base = options.base.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            let binaries = Binaries::find()?;
            let identity = identity::choose()?;
            let run = RunDir::create(base.as_deref())?;
            Ok::<_, StackError>((binaries, identity, run))
        });
        let (binaries, identity, run) =
            prepared.await.expect("nothing in it panics, and it isn't cancelled")?;
        if let Some(identity) = identity {
            identity::check_reachable(run.path(), identity)?;
        }
        let maker = Maker { options, binaries, identity, run };
        let primary = maker.primary().await?;
        let replica = maker.replica("replica", &primary).await?;
        let templates = template::Templates::default();
        let pair = Self { replica, primary, templates, maker };
        pair.wait_until_caught_up(FIRST_CATCH_UP_WITHIN).await?;
        Ok(pair)
    }

    /// The server that takes writes.
    pub fn primary(&self) -> &Server {
        &self.primary
    }

    /// The server that follows.
    pub fn replica(&self) -> &Server {
        &self.replica
    }

    /// One more replica of the primary, in the same directory. It must be dropped before the pair
    /// is.
    pub async fn another_replica(&self, name: &'static str) -> Result<Server, StackError> {
        self.maker.replica(name, &self.primary).await
    }

    /// The programs that the servers run.
    pub fn binaries(&self) -> &Binaries {
        &self.maker.binaries
    }

    /// The directory that goes when the pair does; logs of other processes may lie there too.
    pub fn run_dir(&self) -> &RunDir {
        &self.maker.run
    }

    /// Ends both servers and removes everything that they made.
    pub async fn stop(self) {
        self.replica.stop_immediately().await;
        self.primary.stop_immediately().await;
        // Removing gigabytes blocks; the runtime may have other things to do meanwhile.
        let removed = tokio::task::spawn_blocking(move || drop(self)).await;
        removed.expect("nothing in it panics, and it isn't cancelled");
    }
}

/// What the servers are made with.
#[derive(Debug)]
struct Maker {
    options: Options,
    binaries: Binaries,
    identity: Option<Identity>,
    run: RunDir,
}

impl Maker {
    async fn primary(&self) -> Result<Server, StackError> {
        let password = Address::make_password();
        let data = self.run.path().join("primary");
        self.make_directory(&data)?;
        self.init(&data, &password).await?;
        write(&data.join("pg_hba.conf"), settings::PG_HBA_CONF)?;
        let server = self.launch("primary", &password).await?;
        // New databases are copies of template1.
        for database in ["template1", "postgres"] {
            let client = server.connect(database).await?;
            client
                .batch_execute("CREATE EXTENSION pg_stat_statements")
                .await
                .map_err(StackError::postgres("creating the extension pg_stat_statements"))?;
        }
        Ok(server)
    }

    async fn init(&self, data: &Path, password: &str) -> Result<(), StackError> {
        let password_file = self.run.path().join("password");
        self.make_secret(&password_file, password)?;
        let spec = self
            .tool("initdb")
            .arguments(["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"])
            .arguments(["--username", Address::USER, "--no-instructions", NO_SYNC])
            .argument("--pwfile")
            .argument(&password_file)
            .argument("--pgdata")
            .argument(data);
        crate::Process::run(spec, &self.run, TOOL_WITHIN).await?;
        fs::remove_file(&password_file).map_err(StackError::file("remove", &password_file))
    }

    /// Named so is also the slot that holds back the WAL that it hasn't received yet.
    async fn replica(&self, name: &'static str, primary: &Server) -> Result<Server, StackError> {
        let data = self.run.path().join(name);
        self.make_directory(&data)?;
        let spec = self
            .tool("pg_basebackup")
            .arguments(["--host=127.0.0.1", "--no-password", "--checkpoint=fast"])
            .arguments(["--wal-method=stream", "--write-recovery-conf", "--create-slot"])
            .arguments(["--slot", name, "--username", Address::USER, NO_SYNC])
            .argument(format!("--port={}", primary.address().port))
            .argument("--pgdata")
            .argument(&data)
            .env("PGPASSWORD", &primary.address().password);
        crate::Process::run(spec, &self.run, TOOL_WITHIN).await?;
        self.launch(name, &primary.address().password).await
    }

    /// Starts a server on whatever port is free.
    async fn launch(&self, name: &'static str, password: &str) -> Result<Server, StackError> {
        for _ in 1..PORT_TRIES {
            match self.launch_once(name, password).await {
                Err(StackError::Failed { log, .. }) if log.contains("could not bind") => {}
                Err(StackError::Failed { log, .. }) if log.contains("pg_stat_statements") => {
                    return Err(without_contrib(&self.binaries));
                }
                other => return other,
            }
        }
        self.launch_once(name, password).await
    }

    async fn launch_once(&self, name: &'static str, password: &str) -> Result<Server, StackError> {
        let address = Address { port: free_port()?, password: password.to_owned() };
        let conf =
            settings::postgresql_conf(&self.options, &format!("punctual {name}"), address.port);
        write(&self.run.path().join(name).join("postgresql.conf"), &conf)?;
        let server = Server::new(name, address, &self.binaries, self.identity, &self.run);
        server.start().await?;
        Ok(server)
    }

    fn tool(&self, name: &str) -> ProcessSpec {
        // English messages, and an end that lets it tidy up.
        ProcessSpec::new(name, self.binaries.program(name))
            .identity(self.identity)
            .env("LC_ALL", "C")
    }

    fn make_directory(&self, path: &Path) -> Result<(), StackError> {
        // PostgreSQL insists on a directory that is closed to others.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(StackError::file("create directory", path))?;
        self.give(path)
    }

    fn make_secret(&self, path: &Path, text: &str) -> Result<(), StackError> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(StackError::file("create", path))?;
        file.write_all(text.as_bytes()).map_err(StackError::file("write", path))?;
        self.give(path)
    }

    /// To the user that PostgreSQL runs as.
    fn give(&self, path: &Path) -> Result<(), StackError> {
        let Some(Identity { uid, gid }) = self.identity else {
            return Ok(());
        };
        chown(path, Some(uid), Some(gid)).map_err(StackError::file("change the owner of", path))
    }
}

/// Overwrites a file that initdb made, so that its owner and mode stay.
fn write(path: &Path, text: &str) -> Result<(), StackError> {
    fs::write(path, text).map_err(StackError::file("write", path))
}

fn without_contrib(binaries: &Binaries) -> StackError {
    StackError::Missing {
        what: format!("PostgreSQL in {} has no pg_stat_statements", binaries.program("").display()),
        remedy: "install its contrib modules (Fedora, RPMs: `postgresql-contrib`; Debian and \
                 Ubuntu have them in the server's package)"
            .to_owned(),
    }
}
