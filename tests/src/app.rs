//! The service at work for one test: a process of the real binary, a database, a simulated
//! provider.
//!
//! Belongs here: starting and ending. Never here: what must hold at the end (`ending`), requests
//! ([`crate::client`]).

mod ending;
mod service;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use contract::Endpoint;
use jiff::Timestamp;
use serde_json::{Value, json};
use stack::provider::{Options, Simulator};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::client::{ADMIN_KEY, Answer};
use crate::database::{TestDatabase, pair};
use crate::metrics::Scrape;
use crate::practice::{self, Practice};
use crate::provider;
use crate::wait::until;

pub use ending::Ending;
pub use service::Service;

/// Tests that have a process of the service at a time: each has about twenty connections and its
/// share of two cores.
const APPS_MAX: usize = 3;
static APPS: Semaphore = Semaphore::const_new(APPS_MAX);

/// Names of processes and files, unique in this process.
static NAMES: AtomicU32 = AtomicU32::new(1);

/// Signs callback addresses; the same in all processes of a test.
const SIGNING_KEY: &str = "the-signing-key-of-the-tests";

/// The secrets of every test, which no log may show.
pub(crate) const SECRETS: [&str; 4] =
    [ADMIN_KEY, SIGNING_KEY, Options::AUTH_TOKEN, Options::WEBHOOK_SECRET];

/// How far ahead intents are planned in tests: a partition a week, which every copy of the
/// template carries.
pub const HORIZON_DAYS: i64 = 12;

/// A test's database, provider and process. Requests go to the process (it derefs to its client).
#[derive(Debug)]
pub struct TestApp {
    /// The first process.
    pub service: Service,
    /// The provider.
    pub simulator: Simulator,
    /// The database.
    pub database: TestDatabase,
    environment: Vec<(String, String)>,
    _permit: SemaphorePermit<'static>,
}

impl Deref for TestApp {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

/// How a test's service is to be started.
#[derive(Debug, Default)]
pub struct Setup {
    environment: Vec<(String, String)>,
    database: Option<TestDatabase>,
    provider: Option<fn(Options) -> Options>,
    answers_replies: bool,
    reads_replica: bool,
    is_webhook: bool,
}

impl Setup {
    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// On this database.
    #[must_use]
    pub fn database(mut self, database: TestDatabase) -> Self {
        self.database = Some(database);
        self
    }

    /// With the database's replica, to be read.
    #[must_use]
    pub fn replica(mut self) -> Self {
        self.reads_replica = true;
        self
    }

    /// With a provider that behaves so.
    #[must_use]
    pub fn provider(mut self, change: fn(Options) -> Options) -> Self {
        self.provider = Some(change);
        self
    }

    /// With a provider that is a webhook of one's own instead of Twilio.
    #[must_use]
    pub fn webhook(mut self) -> Self {
        self.is_webhook = true;
        self
    }

    /// With recipients who reply: the provider has to know beforehand where the service listens.
    #[must_use]
    pub fn replies(mut self) -> Self {
        self.answers_replies = true;
        self
    }

    /// Starts, and waits until the process is ready.
    ///
    /// # Panics
    /// When it doesn't get ready.
    pub async fn start(self) -> TestApp {
        let app = self.start_unready().await;
        app.service.ready().await;
        app
    }

    /// Starts, and waits until the process listens.
    ///
    /// # Panics
    /// When it doesn't.
    pub async fn start_unready(self) -> TestApp {
        let permit = APPS.acquire().await.expect("it is never closed");
        let database = match self.database {
            Some(database) => database,
            None => TestDatabase::new().await,
        };
        let run = pair().await.run_dir();
        let mut options = provider::options(&run.path().join(unique("provider")));
        let mut given = self.environment;
        if self.answers_replies {
            let port = stack::ports::free_port().unwrap();
            given.push(("PUNCTUAL_PUBLIC_ADDR".into(), format!("127.0.0.1:{port}")));
            let provider = if self.is_webhook { "webhook" } else { "twilio" };
            let inbound = format!("http://127.0.0.1:{port}/v1/callbacks/{provider}/reply");
            options.inbound_url = Some(inbound);
        }
        if let Some(change) = self.provider {
            options = change(options);
        }
        let simulator = Simulator::start(options).await.unwrap();
        let name = unique("punctual");
        let address_file = run.path().join(format!("{name}.json"));
        let mut environment = environment(&database.url(), &simulator.base_url(), address_file);
        if self.reads_replica {
            environment.push(("PUNCTUAL_DATABASE_REPLICA_URLS".into(), database.replica_url()));
        }
        if self.is_webhook {
            let url = format!("{}/webhook/messages", simulator.base_url());
            environment.push(("PUNCTUAL_PROVIDER".into(), "webhook".into()));
            environment.push(("PUNCTUAL_PROVIDER_URL".into(), url));
        }
        environment.extend(given);
        let service = Service::start(&name, run, &environment).await;
        TestApp { service, simulator, database, environment, _permit: permit }
    }
}

/// The settings of every process of the tests.
pub(crate) fn environment(
    database_url: &str,
    provider_url: &str,
    address_file: PathBuf,
) -> Vec<(String, String)> {
    let address_file = address_file.to_str().expect("run directories have plain names");
    let horizon = HORIZON_DAYS.to_string();
    [
        ("PUNCTUAL_DATABASE_URL", database_url),
        ("PUNCTUAL_ADMIN_KEY", ADMIN_KEY),
        ("PUNCTUAL_SIGNING_KEY", SIGNING_KEY),
        ("PUNCTUAL_PUBLIC_ADDR", "127.0.0.1:0"),
        ("PUNCTUAL_ADMIN_ADDR", "127.0.0.1:0"),
        ("PUNCTUAL_ADDRESS_FILE", address_file),
        ("PUNCTUAL_PROVIDER", "twilio"),
        ("PUNCTUAL_PROVIDER_URL", provider_url),
        ("PUNCTUAL_PROVIDER_SIMULATED", "true"),
        ("PUNCTUAL_TWILIO_ACCOUNT_SID", Options::ACCOUNT_SID),
        ("PUNCTUAL_TWILIO_AUTH_TOKEN", Options::AUTH_TOKEN),
        ("PUNCTUAL_WEBHOOK_SECRET", Options::WEBHOOK_SECRET),
        ("PUNCTUAL_LIMIT_PLAN_HORIZON_DAYS", &horizon),
        ("PUNCTUAL_DRAIN_GRACE_MS", "0"),
        ("PUNCTUAL_LOG_FORMAT", "json"),
        ("RUST_LOG", "info,punctual=debug"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn unique(what: &str) -> String {
    format!("{what}-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

impl TestApp {
    /// The service as most tests want it.
    pub async fn start() -> Self {
        Self::with().start().await
    }

    /// The service with something else than that.
    pub fn with() -> Setup {
        Setup::default()
    }

    /// Another process on the same database and provider.
    pub async fn another(&self, environment: &[(&str, &str)]) -> Service {
        let name = unique("punctual");
        let run = pair().await.run_dir();
        let address_file = run.path().join(format!("{name}.json"));
        let mut settings = self.environment.clone();
        // The last of equal names counts.
        settings.push(("PUNCTUAL_PUBLIC_ADDR".into(), "127.0.0.1:0".into()));
        settings.push(("PUNCTUAL_ADDRESS_FILE".into(), path_text(&address_file)));
        settings
            .extend(environment.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        let service = Service::start(&name, run, &settings).await;
        service.ready().await;
        service
    }

    /// Puts a practice as the tests have them, with a key of its own.
    pub async fn practice(&self, id: i64) -> Practice {
        self.practice_with(id, |_| {}).await
    }

    /// The same with something changed.
    pub async fn practice_with(&self, id: i64, change: impl FnOnce(&mut Value)) -> Practice {
        let mut settings = practice::settings(id);
        change(&mut settings);
        Practice::put(&self.client, id, &settings).await
    }

    /// Moves domain time to an instant and holds it there.
    pub async fn hold(&self, domain: Timestamp) {
        self.set_clock("2100-01-01T00:00:00Z".parse().unwrap(), domain, 1.0).await;
    }

    /// Lets domain time run from an instant on.
    pub async fn run(&self, domain: Timestamp, speed: f64) {
        self.set_clock(Timestamp::now(), domain, speed).await;
    }

    async fn set_clock(&self, real: Timestamp, domain: Timestamp, speed: f64) {
        let clock = json!({ "real_origin": real, "domain_origin": domain, "speed": speed });
        self.put("/admin/clock", &clock).send().await.expect(200);
    }

    /// Waits until nothing waits anywhere: nothing due, no lane, nothing called back.
    pub async fn idle(&self) {
        until("nothing waits", async || {
            let backlog = self.get("/admin/backlog").send().await.json(200);
            let waits = ["due", "ready", "leased", "unresolved", "items"];
            let is_idle = waits.iter().all(|what| backlog[what] == 0);
            (is_idle && self.simulator.state().callbacks.pending == 0).then_some(())
        })
        .await;
    }

    /// The report of the laws, which must hold.
    ///
    /// # Panics
    /// When they don't.
    pub async fn audit(&self) -> Value {
        let report = self.get("/admin/audit").send().await.json(200);
        assert_eq!(report["holds"], true, "{report:#}");
        report
    }
}

/// What requests to an endpoint did since a scrape before them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// Requests that ended.
    pub requests: f64,
    /// Named statements that they ran.
    pub queries: f64,
}

impl Service {
    /// Runs something and says what requests to an endpoint there were meanwhile.
    ///
    /// # Panics
    /// When the requests aren't counted soon.
    pub async fn spent<T>(
        &self,
        endpoint: Endpoint,
        requests: u32,
        work: impl Future<Output = T>,
    ) -> (T, Spent) {
        const FAMILY: &str = "endpoint_db_queries_per_request";
        let labels = [("http_route", endpoint.name())];
        let read = async || {
            let scrape = self.scrape().await;
            let sum = |part: &str| scrape.sum(&format!("{FAMILY}{part}"), &labels);
            Spent { requests: sum("_count"), queries: sum("_sum") }
        };
        let before = read().await;
        let done = work.await;
        // An answer is read before its request is counted.
        let spent = until("the requests are counted", async || {
            let now = read().await;
            let spent = Spent {
                requests: now.requests - before.requests,
                queries: now.queries - before.queries,
            };
            (spent.requests >= f64::from(requests)).then_some(spent)
        })
        .await;
        assert_eq!(spent.requests, f64::from(requests), "{}", endpoint.name());
        (done, spent)
    }

    /// Everything that the process measures.
    pub async fn scrape(&self) -> Scrape {
        let answer: Answer = self.get("/metrics").anonymous().send().await.expect(200);
        Scrape::parse(&answer.text())
    }
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("run directories have plain names").to_owned()
}
