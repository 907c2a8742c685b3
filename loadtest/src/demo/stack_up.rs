//! The stack of a demo: what runs, where, and how each is started and stopped.

mod servers;
mod shape;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use contract::Limit;
use serde::Deserialize;
use stack::ports::free_port;
use stack::postgres::{Database, PostgresPair};
use stack::provider::Options as ProviderOptions;
use stack::{Process, ProcessSpec, RunDir};
use tokio::time::{Instant, sleep};

use super::watcher::Watcher;
use super::{StackArgs, copy_logs};
use crate::engine::connection::{Connection, Transport};
use crate::engine::source::Outgoing;
use crate::exit::Failure;
use crate::progress::Step;
use crate::replay::{Target, Watched};
pub(crate) use shape::Shape;

/// From its start to its address file, and from there to ready; migrations take a second.
const READY_WITHIN: Duration = Duration::from_secs(60);
const MIGRATED_WITHIN: Duration = Duration::from_secs(120);
/// After SIGTERM; the service lets what is under way finish.
const STOP_GRACE: Duration = Duration::from_secs(20);
/// Slow clients are cut after this long in a demo, so that the check of it need not wait longer
/// than the shortest day.
const REQUEST_HEAD_MS: u64 = 30_000;

/// A running stack. Its parts end as they are dropped, in this order.
#[derive(Debug)]
pub(crate) struct StackUp {
    watcher: Watcher,
    services: Vec<Service>,
    provider: Arc<Process>,
    provider_address: String,
    provider_log: PathBuf,
    admin_key: String,
    database: Database,
    pair: Arc<PostgresPair>,
}

#[derive(Debug)]
pub(super) struct Service {
    process: Arc<Process>,
    public: String,
    pub(super) admin: String,
}

/// What the service writes to its address file.
#[derive(Deserialize)]
struct ServiceAddresses {
    public: String,
    admin: String,
}

/// What the simulator writes to its address file.
#[derive(Deserialize)]
struct ProviderAddress {
    address: String,
    base_url: String,
}

impl StackUp {
    /// Starts everything and waits until the service is ready.
    pub(crate) async fn start(
        args: &StackArgs,
        program: &Path,
        seed: u64,
    ) -> Result<Self, Failure> {
        Self::start_as(&Shape::demo(args), args, program, seed).await
    }

    /// The same with another shape.
    pub(crate) async fn start_as(
        shape: &Shape,
        args: &StackArgs,
        program: &Path,
        seed: u64,
    ) -> Result<Self, Failure> {
        let step = Step::begin("stack", "parts", 1);
        let began = Instant::now();
        let pair = PostgresPair::start(shape.postgres.clone()).await?;
        let run = pair.run_dir().clone();
        let database = migrated(&pair, program, &run).await?;
        if !shape.replica {
            pair.replica().stop_immediately().await;
        }
        // Known before the service starts, as the simulator must know where replies go.
        let ports: Vec<u16> = (0..args.processes).map(|_| free_port()).collect::<Result<_, _>>()?;
        let provider_log = run.log("messages").with_extension("jsonl");
        let reply_port = ports.first().copied().unwrap_or_default();
        let provider = provider(shape, &run, &provider_log, reply_port, seed)?;
        let address: ProviderAddress =
            provider.ready_file(&run.path().join("provider.json"), READY_WITHIN).await?;
        let keys = Keys { admin: random_key(), signing: random_key() };
        let mut services = Vec::new();
        for (number, port) in ports.into_iter().enumerate() {
            let settings = ServiceSettings {
                database: database.url(),
                replica: shape.replica.then(|| database.replica_url()),
                provider: &address.base_url,
                keys: &keys,
                shards: args.shards,
                others: &shape.service,
            };
            services.push(settings.start(program, &run, number, port).await?);
        }
        for service in &services {
            service.ready().await?;
        }
        // From here on every statement of the service's database is the service's own.
        pair.primary().forget_statements().await?;
        let watcher = Watcher::start(args, &services, &run).await;
        step.end(&format!(
            "PostgreSQL{}, provider and {} started in {:.1} s",
            if shape.replica { " with a replica" } else { "" },
            if services.len() == 1 {
                "service".into()
            } else {
                format!("{} services", services.len())
            },
            began.elapsed().as_secs_f64()
        ));
        Ok(Self {
            watcher,
            services,
            provider: Arc::new(provider),
            provider_address: address.address,
            provider_log,
            admin_key: keys.admin,
            database,
            pair: Arc::new(pair),
        })
    }

    /// Where a person can look while it runs, the page for people first.
    pub(crate) fn first_lines(&self) -> String {
        let all = |place: fn(&Service) -> String| {
            self.services.iter().map(place).collect::<Vec<_>>().join(", ")
        };
        format!(
            "live page {}\nservice {}, metrics {}, provider http://{}, database {}\n{}",
            all(|service| format!("http://{}/", service.admin)),
            all(|service| format!("http://{}", service.public)),
            all(|service| format!("http://{}/metrics", service.admin)),
            self.provider_address,
            self.database.name(),
            self.watcher
        )
    }

    /// Where files go that end with the stack.
    pub(crate) fn directory(&self) -> &Path {
        self.pair.run_dir().path()
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            public: self.services.iter().map(|service| service.public.clone()).collect(),
            admin: self.services.iter().map(|service| service.admin.clone()).collect(),
            admin_key: self.admin_key.clone(),
            provider: self.provider_address.clone(),
            provider_log: self.provider_log.clone(),
            limits: BTreeMap::from([(Limit::RequestHeadMs.name(), REQUEST_HEAD_MS)]),
        }
    }

    /// All processes, for the report.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let process = |name: String, process: &Arc<Process>| {
            let process = process.clone();
            Watched { name, usage: Box::new(move || process.usage()) }
        };
        let mut watched: Vec<_> = self
            .services
            .iter()
            .enumerate()
            .map(|(number, service)| process(service_name(number), &service.process))
            .collect();
        watched.push(process("provider".to_owned(), &self.provider));
        watched.extend(self.watcher.process().map(|it| process("prometheus".to_owned(), it)));
        watched.push(Watched {
            name: "harness".to_owned(),
            usage: Box::new(stack::process::own_usage),
        });
        let (primary, replica) = (self.pair.clone(), self.pair.clone());
        watched.push(Watched {
            name: "postgres primary".to_owned(),
            usage: Box::new(move || primary.primary().usage()),
        });
        watched.push(Watched {
            name: "postgres replica".to_owned(),
            usage: Box::new(move || replica.replica().usage()),
        });
        watched
    }

    /// Copies all logs to a directory.
    pub(crate) fn keep_logs(&self, to: &Path) {
        let mut logs: Vec<PathBuf> =
            self.services.iter().map(|service| service.process.log().to_owned()).collect();
        logs.push(self.provider.log().to_owned());
        logs.push(self.provider_log.clone());
        logs.extend(self.watcher.process().map(|process| process.log().to_owned()));
        logs.push(self.pair.primary().log());
        logs.push(self.pair.replica().log());
        copy_logs(&logs, to);
    }

    /// Stops everything, in order.
    pub(crate) async fn stop(self) {
        let Self { watcher, services, provider, pair, database, .. } = self;
        if let Some(process) = watcher.process() {
            process.stop(STOP_GRACE).await;
        }
        for service in &services {
            service.process.stop(STOP_GRACE).await;
        }
        provider.stop(STOP_GRACE).await;
        drop((services, provider));
        // Dropping it connects once more, which blocks.
        let _ended = tokio::task::spawn_blocking(move || drop(database)).await;
        match Arc::try_unwrap(pair) {
            Ok(pair) => pair.stop().await,
            // Somebody still watches it; it ends when the last one lets go.
            Err(shared) => drop(shared),
        }
    }
}

/// A database with the service's schema.
async fn migrated(pair: &PostgresPair, program: &Path, run: &RunDir) -> Result<Database, Failure> {
    let migrate = |url: String| async move {
        let spec = ProcessSpec::new("migrate", program)
            .argument("migrate")
            .env("PUNCTUAL_DATABASE_URL", url);
        Process::run(spec, run, MIGRATED_WITHIN).await
    };
    let template = pair.template("punctual", migrate).await?;
    template.database().await.map_err(Failure::from)
}

fn provider(
    shape: &Shape,
    run: &RunDir,
    log: &Path,
    reply_port: u16,
    seed: u64,
) -> Result<Process, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::Unavailable(format!("this program's own path: {error}")))?;
    let inbound = format!("http://127.0.0.1:{reply_port}/v1/callbacks/twilio/reply");
    let spec = ProcessSpec::new("provider", own)
        .argument("provider")
        .argument("--address-file")
        .argument(run.path().join("provider.json"))
        .argument("--log")
        .argument(log)
        .arguments(["--inbound-url", inbound.as_str()])
        .arguments(["--seed", seed.to_string().as_str()])
        .arguments(&shape.provider);
    Process::start(spec, run).map_err(Failure::from)
}

struct Keys {
    admin: String,
    signing: String,
}

struct ServiceSettings<'a> {
    database: String,
    replica: Option<String>,
    provider: &'a str,
    keys: &'a Keys,
    shards: u16,
    /// Beyond those that every shape has; the later of two counts.
    others: &'a [(String, String)],
}

impl ServiceSettings<'_> {
    async fn start(
        &self,
        program: &Path,
        run: &RunDir,
        number: usize,
        port: u16,
    ) -> Result<Service, Failure> {
        let name = service_name(number);
        let addresses = run.path().join(format!("{name}.json"));
        let head_ms = Limit::RequestHeadMs.name().to_uppercase();
        // A line for each request would be a gigabyte; warnings are enough.
        let log = std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned());
        let spec = ProcessSpec::new(name, program)
            .argument("serve")
            .env("PUNCTUAL_ENV", "development")
            .env("PUNCTUAL_DATABASE_URL", &self.database)
            .env("PUNCTUAL_DATABASE_REPLICA_URLS", self.replica.as_deref().unwrap_or_default())
            .env("PUNCTUAL_ADMIN_KEY", &self.keys.admin)
            .env("PUNCTUAL_SIGNING_KEY", &self.keys.signing)
            .env("PUNCTUAL_PUBLIC_ADDR", format!("127.0.0.1:{port}"))
            .env("PUNCTUAL_ADMIN_ADDR", "127.0.0.1:0")
            .env("PUNCTUAL_ADDRESS_FILE", &addresses)
            .env("PUNCTUAL_SHARD_COUNT", self.shards.to_string())
            .env("PUNCTUAL_PROVIDER", "twilio")
            .env("PUNCTUAL_PROVIDER_URL", self.provider)
            .env("PUNCTUAL_PROVIDER_SIMULATED", "true")
            .env("PUNCTUAL_TWILIO_ACCOUNT_SID", ProviderOptions::ACCOUNT_SID)
            .env("PUNCTUAL_TWILIO_AUTH_TOKEN", ProviderOptions::AUTH_TOKEN)
            .env(format!("PUNCTUAL_LIMIT_{head_ms}"), REQUEST_HEAD_MS.to_string())
            .env("RUST_LOG", log);
        let others = self.others.iter();
        let spec = others.fold(spec, |spec, (name, value)| spec.env(name, value));
        let process = Process::start(spec, run)?;
        let told: ServiceAddresses = process.ready_file(&addresses, READY_WITHIN).await?;
        let ServiceAddresses { public, admin } = told;
        Ok(Service { process: Arc::new(process), public, admin })
    }
}

impl Service {
    /// Waits until it can do its work.
    async fn ready(&self) -> Result<(), Failure> {
        let began = Instant::now();
        let mut connection = Connection::new(self.admin.clone(), Duration::from_secs(5));
        let mut last = "no answer".to_owned();
        while began.elapsed() < READY_WITHIN {
            if let Some(status) = self.process.ended() {
                return Err(Failure::Unavailable(format!(
                    "the service ended with {status} before it was ready:\n{}",
                    self.process.output().trim_end()
                )));
            }
            match connection.exchange(&ask_readiness()).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => last = String::from_utf8_lossy(&answer.body).into_owned(),
                Err(broken) => last = broken.to_string(),
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::Unavailable(format!(
            "the service at {} was not ready within {READY_WITHIN:?}: {last}",
            self.admin
        )))
    }
}

fn ask_readiness() -> Outgoing {
    Outgoing {
        label: 0,
        method: http::Method::GET,
        uri: http::Uri::from_static("/readyz"),
        authorization: None,
        read_after: None,
        content_type: None,
        traceparent: None,
        headers: None,
        body: bytes::Bytes::new(),
    }
}

fn service_name(number: usize) -> String {
    if number == 0 { "service".to_owned() } else { format!("service-{}", number + 1) }
}

/// A key for this run alone.
fn random_key() -> String {
    (0..4).map(|_| format!("{:016x}", rand::random::<u64>())).collect()
}
