//! A headless Chromium with a profile of its own, driven through chromedriver.
//!
//! Belongs here: starting it, looking into it, pressing keys, ending it for certain. Never here:
//! what a page should look like.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, Value, json};
use stack::{Process, ProcessSpec, RunDir, ports};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::{ParseError, Url};

use crate::wait::{SOON, soon, until};

/// One at a time: it has ten processes.
static BROWSERS: Semaphore = Semaphore::const_new(1);
static NAMES: AtomicU32 = AtomicU32::new(1);

/// What the driver prints once it listens. Left to choose a port itself it ends now and then: what
/// was free on one address is taken on the other.
const LISTENS: &str = "started successfully";
/// The driver ends its browser before itself.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// No window, nothing asked of the network but what the test asks for.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    // Tests may run as root, where the sandbox refuses to.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page open.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    /// Until it is ended.
    driver: Option<Process>,
    profile: PathBuf,
    _turn: SemaphorePermit<'static>,
}

impl Browser {
    /// Starts one, with files in this directory.
    ///
    /// # Panics
    /// When it doesn't start; with what to install.
    pub async fn start(run: &RunDir) -> Self {
        let turn = BROWSERS.acquire().await.expect("it is never closed");
        let name = format!("chromedriver-{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let profile = run.path().join(format!("{name}-profile"));
        let home = run.path().to_owned();
        let started = ports::on_a_free_port(async |address| {
            let spec = ProcessSpec::new(&name, "chromedriver")
                .argument(format!("--port={}", address.port()))
                .env("HOME", &home)
                .env("TMPDIR", &home)
                .ending(Signal::SIGTERM);
            let driver = Process::start(spec, run)?;
            driver.ready_line(LISTENS, SOON).await?;
            Ok(driver)
        });
        let (address, driver) = started
            .await
            .unwrap_or_else(|error| panic!("{error} (`.ci/setup tests` installs it on Debian)"));
        let connecting = connect(address, &profile);
        let client = soon("a browser", connecting).await;
        Self { client, driver: Some(driver), profile, _turn: turn }
    }

    /// Goes to a page and waits until it is loaded.
    ///
    /// # Panics
    /// When it doesn't load.
    pub async fn open(&self, address: &str) {
        soon(address, self.client.goto(address)).await.unwrap();
    }

    /// What a script's body returns.
    ///
    /// # Panics
    /// When it throws.
    pub async fn run(&self, script: &str) -> Value {
        soon(script, self.client.execute(script, Vec::new())).await.unwrap()
    }

    /// Looks until a script's body returns something that is true.
    ///
    /// # Panics
    /// When it doesn't soon.
    pub async fn until(&self, what: &str, script: &str) -> Value {
        let is_true = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Bool(true) | Value::Number(_) | Value::String(_) => true,
            Value::Array(_) | Value::Object(_) => true,
        };
        until(what, async || Some(self.run(script).await).filter(is_true)).await
    }

    /// Has the browser's own tools do something.
    ///
    /// # Panics
    /// When they refuse.
    pub async fn tool(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.command("goog/cdp/execute", body).await
    }

    /// Makes the page this wide.
    pub async fn is_wide(&self, pixels: u32) {
        self.is_sized(pixels, 800).await;
    }

    async fn is_sized(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tool("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// A picture of the page at this size, as PNG.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn picture(&self, width: u32, height: u32) -> Vec<u8> {
        self.is_sized(width, height).await;
        soon("a picture", self.client.screenshot()).await.unwrap()
    }

    /// Lets the page be asked for in this colour scheme.
    pub async fn prefers(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.tool("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
    }

    /// What was written to the console since it was last read: mistakes of scripts, what a policy
    /// refused, what could not be loaded.
    ///
    /// # Panics
    /// When it can't be read.
    pub async fn console(&self) -> Vec<String> {
        let lines = self.command("se/log", json!({ "type": "browser" })).await;
        let lines = lines.as_array().expect("a list of lines");
        lines.iter().map(|line| line["message"].to_string()).collect()
    }

    /// Presses a key where the focus is.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn press(&self, key: Key) {
        let value = key.chars().next().expect("a key is one character");
        let keys = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        soon("a key", self.client.perform_actions(keys)).await.unwrap();
    }

    async fn command(&self, path: &'static str, body: Value) -> Value {
        let command = Command { path, body: body.to_string() };
        soon(path, self.client.issue_cmd(command)).await.unwrap()
    }

    /// Ends it, and sees that nothing of it is left.
    ///
    /// # Panics
    /// When something is.
    pub async fn finish(mut self) -> ExitStatus {
        soon("the end of the page", self.client.clone().close()).await.unwrap();
        let driver = self.driver.take().expect("it ends once");
        let status = driver.stop(STOP_WITHIN).await;
        until("nothing of it is left", async || left(&self.profile).is_empty().then_some(())).await;
        status
    }
}

impl Drop for Browser {
    /// A test that fails leaves nothing either: the driver ends its browser, and what outlives
    /// them both is known by its profile.
    fn drop(&mut self) {
        drop(self.driver.take());
        for process in left(&self.profile) {
            // It may be gone by now.
            _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
}

async fn connect(driver: SocketAddr, profile: &Path) -> Client {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
    let mut capabilities = Map::new();
    capabilities.insert("goog:chromeOptions".into(), json!({ "args": arguments }));
    capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    builder.connect(&format!("http://{driver}")).await.unwrap()
}

/// Processes that were started with this profile. None where there is no `/proc`.
fn left(profile: &Path) -> Vec<i32> {
    let marked = format!("--user-data-dir={}", profile.display());
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number: &i32| {
            let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&marked)
        })
        .collect()
}

/// A command that only this driver knows.
#[derive(Debug)]
struct Command {
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}
