//! One process of the service.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use serde::Deserialize;
use stack::{Process, ProcessSpec, RunDir};

use crate::binary;
use crate::client::Client;
use crate::wait::{SOON, until};

/// Longer than the service's own deadline for leaving.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(25);

/// A process of the service that was started; ends with this, whatever happens.
#[derive(Debug)]
pub struct Service {
    /// The process.
    pub process: Process,
    /// A client of it.
    pub client: Client,
    /// Whether its end was looked at, or is not to be.
    pub(super) is_over: bool,
}

impl Deref for Service {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

#[derive(Deserialize)]
struct Addresses {
    public: SocketAddr,
    admin: SocketAddr,
}

impl Service {
    /// Starts a process and waits until it listens.
    pub(crate) async fn start(name: &str, run: &RunDir, environment: &[(String, String)]) -> Self {
        let named = |wanted: &str| environment.iter().rfind(|(name, _)| name == wanted);
        let (_, address_file) = named("PUNCTUAL_ADDRESS_FILE").expect("it is always set");
        let spec = ProcessSpec::new(name, binary::punctual()).argument("serve");
        let spec = environment.iter().fold(spec, |spec, (name, value)| spec.env(name, value));
        let process = Process::start(spec, run).unwrap_or_else(|error| panic!("{error}"));
        let addresses = process.ready_file(Path::new(address_file), SOON).await;
        let Addresses { public, admin } = addresses.unwrap_or_else(|error| panic!("{error}"));
        Self { process, client: Client::new(public, admin), is_over: false }
    }

    /// Waits until the process says that it is ready.
    ///
    /// # Panics
    /// When it doesn't soon; with its log.
    pub async fn ready(&self) {
        until("ready", async || {
            assert!(self.process.ended().is_none(), "it ended: {}", self.log());
            let answer = self.get("/readyz").anonymous().send().await;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        self.is_over = true;
        self.process.stop(STOP_WITHIN).await
    }

    /// kill -9, as a crash would.
    pub async fn kill(mut self) {
        self.is_over = true;
        self.process.kill().await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the process said is half of why a test failed.
            let log = self.log();
            // Requests that went well were most likely looks at what the test waits for.
            let told: Vec<&str> =
                log.lines().filter(|line| !line.contains("\"outcome\":\"ok\"")).collect();
            let tail = &told[told.len().saturating_sub(40)..];
            eprintln!("--- the end of its log ---\n{}\n---", tail.join("\n"));
        } else {
            assert!(self.is_over, "a test ended without finish()");
        }
    }
}
