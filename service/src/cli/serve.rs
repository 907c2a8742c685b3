//! `punctual serve`: listens, puts the process together as soon as its database is there, works
//! until a signal, and leaves in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::Limit;
use contract::endpoint::Listener;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::signals::Signals;
use super::site::Site;
use crate::app::App;
use crate::config::{BaseUrl, Config, Loaded};
use crate::http::auth::Keys;
use crate::http::listen;
use crate::http::server::{self, Bounds, Running};
use crate::live::Live;
use crate::obs;
use crate::provider::Provider;
use crate::readiness::{Latch, Readiness};
use crate::stages::{self, Stages};

/// Waits between tries to reach the database: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// What is left of operators' requests at the very end may take this long.
const ADMIN_DEADLINE: Duration = Duration::from_secs(1);

/// Runs the service until a signal.
pub(super) async fn run(loaded: Loaded) -> Exit {
    let Loaded { mut config, notes, .. } = loaded;
    for note in notes {
        tracing::warn!("{note}");
    }
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return wrong(&format!("signals can't be listened to: {error}")),
    };
    let (public, admin) = match (
        bind("PUNCTUAL_PUBLIC_ADDR", config.public_addr),
        bind("PUNCTUAL_ADMIN_ADDR", config.admin_addr),
    ) {
        (Ok(public), Ok(admin)) => (public, admin),
        (public, admin) => {
            for mistake in [public.err(), admin.err()].into_iter().flatten() {
                complain!("punctual: {mistake}");
            }
            return Exit::Usage;
        }
    };
    config.public_url.get_or_insert_with(|| BaseUrl::of_address(public.address));
    let provider = match Provider::new(&config) {
        Ok(provider) => Arc::new(provider),
        Err(why) => return wrong(&why),
    };
    let config = Arc::new(config);
    if let Some(path) = &config.address_file
        && let Err(error) = write_addresses(path, public.address, admin.address)
    {
        return wrong(&format!("PUNCTUAL_ADDRESS_FILE: {}: {error}", path.display()));
    }
    tracing::info!(public = %public.address, admin = %admin.address, "listening");

    let upkeep = tokio::spawn(obs::upkeep());
    let readiness = Arc::new(Readiness::default());
    let live = Arc::new(Live::new(Arc::clone(&readiness)));
    let sampler = tokio::spawn({
        let live = Arc::clone(&live);
        async move { live.sample().await }
    });
    let site = Arc::new(Site::new(Arc::clone(&readiness), live));
    let mut service = Service {
        public: start(&site, Listener::Public, public, &config),
        admin: start(&site, Listener::Admin, admin, &config),
        drain: CancellationToken::new(),
        stages: None,
        config,
        site,
    };
    let signal = tokio::select! {
        signal = signals.next() => signal,
        () = service.work(provider) => unreachable!("work goes on until a signal"),
    };
    let exit = tokio::select! {
        () = service.leave(signal) => Exit::Done,
        signal = signals.next() => {
            tracing::warn!(signal, "told twice: stopping at once");
            Exit::Interrupted
        }
    };
    upkeep.abort();
    sampler.abort();
    exit
}

fn wrong(what: &str) -> Exit {
    complain!("punctual: {what}");
    Exit::Usage
}

/// A socket that listens, and where.
struct Bound {
    socket: TcpListener,
    address: SocketAddr,
}

fn bind(name: &str, address: SocketAddr) -> Result<Bound, String> {
    let bound = listen::bind(address).and_then(|socket| {
        let address = socket.local_addr()?;
        Ok(Bound { socket, address })
    });
    bound.map_err(|error| format!("{name}: {address} can't be listened at: {error}"))
}

fn start(site: &Arc<Site>, listener: Listener, bound: Bound, config: &Config) -> Running<Site> {
    server::start(Arc::clone(site), listener, bound.socket, Bounds::of(config, listener))
}

/// Writes where we listen, whole or not at all.
fn write_addresses(path: &Path, public: SocketAddr, admin: SocketAddr) -> std::io::Result<()> {
    let text = serde_json::json!({ "public": public, "admin": admin }).to_string();
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, text + "\n")?;
    std::fs::rename(&unfinished, path)
}

/// The process at work.
struct Service {
    config: Arc<Config>,
    site: Arc<Site>,
    public: Running<Site>,
    admin: Running<Site>,
    /// Tells the stages to end.
    drain: CancellationToken,
    stages: Option<Stages>,
}

impl Service {
    /// Puts the process together, trying until the database is there, and then waits for ever.
    async fn work(&mut self, provider: Arc<Provider>) {
        let app = self.assemble(provider).await;
        self.stages = Some(stages::start(Arc::clone(&app), self.drain.clone()));
        let _first = self.site.app.set(app);
        self.site.readiness.set(Latch::Serving, true);
        tracing::info!("ready");
        std::future::pending().await
    }

    async fn assemble(&self, provider: Arc<Provider>) -> Arc<App> {
        let keys = Arc::new(Keys::new(
            self.config.admin_key.expose(),
            self.config.limit_usize(Limit::ApiKeyCache),
            self.config.limit_usize(Limit::KeyLookups),
        ));
        let mut said = String::new();
        let mut rest = RETRY_FIRST;
        loop {
            let started = App::start(
                Arc::clone(&self.config),
                Arc::clone(&keys),
                Arc::clone(&self.site.readiness),
                Arc::clone(&provider),
                Arc::clone(&self.site.live),
            );
            let error = match Box::pin(started).await {
                Ok(app) => return app,
                Err(error) => error.to_string(),
            };
            // Once, and again only when it is something else.
            if error != said {
                tracing::error!(cause = error, "the database can't be used; trying on");
                said = error;
            }
            tokio::time::sleep(rest).await;
            rest = (rest * 2).min(RETRY_LAST);
        }
    }

    /// Leaves in order: says so, goes on for the grace, accepts no more, finishes what is under
    /// way, commits what was taken in, and goes.
    async fn leave(&mut self, signal: &'static str) {
        let (grace, deadline) = (self.config.drain_grace_ms, self.config.drain_deadline_ms);
        tracing::info!(
            signal,
            grace_ms = grace.as_millis() as u64,
            deadline_ms = deadline.as_millis() as u64,
            "stopping"
        );
        self.site.readiness.set(Latch::Serving, false);
        self.public.leave();
        tokio::time::sleep(grace).await;

        self.drain.cancel();
        let app = self.site.app.get();
        if let Some(app) = app {
            app.gates.leave();
        }
        let stages = self.stages.take();
        let finish_stages = async {
            match stages {
                Some(stages) => tokio::time::timeout(deadline, stages.finished()).await.is_ok(),
                None => true,
            }
        };
        let (cut, is_finished) = tokio::join!(self.public.stop(deadline), finish_stages);
        if let Some(app) = app {
            // Every request was answered or cut: what is left to commit is already on its way.
            let _late = tokio::time::timeout(ADMIN_DEADLINE, app.drained()).await;
        }
        if cut > 0 || !is_finished {
            tracing::warn!(
                connections_cut = cut,
                stages_finished = is_finished,
                "not all finished"
            );
        }
        self.admin.stop(ADMIN_DEADLINE).await;
        if let Some(app) = app {
            app.db.close();
        }
        tracing::info!("stopped");
    }
}
