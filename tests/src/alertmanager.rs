//! A real Alertmanager for a test, and somebody who is notified by it.
//!
//! Belongs here: starting it, and taking down what it sends. Never here: which notifications there
//! must be (the tests).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use stack::{Process, ProcessSpec, RunDir, ports};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Client;
use crate::wait::SOON;

/// As Debian calls it, and as everybody else does.
const PROGRAMS: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

/// What it logs once it answers.
const READY_LINE: &str = "Listening on";

/// A running Alertmanager; it ends with this, whatever happens.
#[derive(Debug)]
pub struct Alertmanager {
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
    client: Client,
}

impl Alertmanager {
    /// Starts one with this configuration, and waits until it answers.
    ///
    /// # Panics
    /// When it isn't installed or doesn't get ready; with its log.
    pub async fn start(config: &str) -> Self {
        let run = RunDir::create(None).unwrap_or_else(|error| panic!("{error}"));
        let file = run.path().join("alertmanager.yaml");
        std::fs::write(&file, config).expect("a run directory takes files");
        let started = ports::on_a_free_port(async |address| {
            let spec = ProcessSpec::new("alertmanager", program())
                .argument(format!("--config.file={}", file.display()))
                .argument(format!("--storage.path={}", run.path().join("data").display()))
                .argument(format!("--web.listen-address={address}"))
                // Alone: it would listen for others on another port.
                .argument("--cluster.listen-address=");
            let process = Process::start(spec, &run)?;
            process.ready_line(READY_LINE, SOON).await?;
            Ok(process)
        });
        let (address, process) = started
            .await
            .unwrap_or_else(|error| panic!("{error} (`.ci/setup tests` installs it on Debian)"));
        Self { address, process, client: Client::new(address, address) }
    }

    /// The alerts that it has, each with its labels and its state.
    pub async fn alerts(&self) -> Vec<Value> {
        let answer = self.client.get("/api/v2/alerts").anonymous().send().await;
        answer.json(200).as_array().cloned().unwrap_or_default()
    }

    /// Tells it of alerts, as Prometheus does.
    ///
    /// # Panics
    /// When it doesn't take them.
    pub async fn tell(&self, alerts: &Value) {
        self.client.post("/api/v2/alerts", alerts).anonymous().send().await.expect(200);
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.output()
    }
}

fn program() -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    PROGRAMS.into_iter().find(is_there).unwrap_or(PROGRAMS[0])
}

/// What was sent to a receiver.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The path that it came to.
    pub path: String,
    /// What it says.
    pub body: Value,
}

/// A webhook that takes everything down.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Notification>>>,
}

impl Receiver {
    /// Listens from here on, as long as the test runs.
    ///
    /// # Panics
    /// When it can't.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let taken = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, taken }
    }

    /// Alertmanager's configuration as it is, but that this is told, which asks for no token.
    pub fn in_place(&self, config: &str) -> String {
        const SECRET: [&str; 3] = ["http_config:", "authorization:", "credentials_file:"];
        let is_open = |line: &&str| !SECRET.iter().any(|name| line.trim_start().starts_with(name));
        let lines: Vec<&str> = config.lines().filter(is_open).collect();
        lines.join("\n").replace("alert-receiver:8080", &self.address.to_string())
    }

    /// What came to a path so far.
    pub fn at(&self, path: &str) -> Vec<Notification> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// What came to several paths so far, in the order in which it came.
    pub fn at_any(&self, paths: &[&str]) -> Vec<Notification> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().filter(|one| paths.contains(&&*one.path)).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, taken: Arc<Mutex<Vec<Notification>>>) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {
        while let Some((notification, length)) = whole(&bytes) {
            bytes.drain(..length);
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(notification);
            let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            if stream.write_all(ok).await.is_err() {
                return;
            }
        }
    }
}

/// The request at the front and its length, once it is whole.
fn whole(bytes: &[u8]) -> Option<(Notification, usize)> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let end = head_end + length.unwrap_or(0);
    let body = bytes.get(head_end..end)?;
    let body = serde_json::from_slice(body).unwrap_or_default();
    Some((Notification { path, body }, end))
}
