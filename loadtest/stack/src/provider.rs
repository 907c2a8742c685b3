//! The provider simulator: Twilio's Messages API and a signed webhook over real HTTP, with a log
//! that outlives it and faults on request.
//!
//! It stands in for the provider in tests, demos and load runs: it accepts texts, tells later
//! what became of them, lets recipients reply, and misbehaves as often as it is told to. Its log
//! of accepted texts is the oracle that the laws are judged by, so a line is in the kernel's
//! hands before its answer leaves. Here belongs starting and stopping one; never anything that
//! knows the service: the service must not be able to tell the simulator from the provider.
//!
//! | To change … | look in |
//! |---|---|
//! | what goes wrong and how often | `faults` |
//! | what becomes of an accepted text | `fate`, sent by `callbacks` |
//! | what is decided and written about a request | `ledger`, `log`, `index` |
//! | what the APIs check and answer | `twilio`, `webhook`, `control` |
//! | connections | `server` |

mod draw;
mod fate;
mod faults;
mod form;
mod hex;
mod latency;
mod lines;
mod log;
mod options;
mod reference;
mod response;
mod segments;
mod state;

mod index;
mod ledger;

mod engine;

mod callbacks;
mod control;
mod server;
mod twilio;
mod webhook;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use self::callbacks::outgoing::twilio_signature;
pub use self::fate::{Fate, Fates, Plan, ReplyKind};
pub use self::faults::{Fault, Faults, FaultsError};
pub use self::latency::{Latency, LatencyError};
pub use self::lines::{LineReader, LogError};
pub use self::log::{
    CallbackEntry, CallbackOutcome, LogEntry, ProviderKind, monotonic_ns, read_callback_log,
    read_log,
};
pub use self::options::{Limits, Options, OptionsError, Secret, TargetError};
pub use self::state::{CallbackCounts, ReplyCounts, State};

use self::engine::Engine;

/// A simulator that runs, on a thread of its own. Dropping it ends it at once, callbacks and all;
/// [`Simulator::stop`] lets answers that are under way go out first.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    engine: Arc<Engine>,
    stop: CancellationToken,
    abort: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Why a simulator doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The options are wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A log can't be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It can't listen.
    #[error("listen {address}: {source}; give another address, or port 0 for a free one")]
    Listen {
        /// Where it was told to.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It has no thread or runtime.
    #[error("no thread of its own: {0}")]
    Thread(#[source] io::Error),
}

impl Simulator {
    /// Starts a simulator: reads its log if there is one, listens, and resumes callbacks that an
    /// earlier run still had to send.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        options.check()?;
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let (started, starting) = oneshot::channel();
        let tokens = (stop.clone(), abort.clone());
        let thread = std::thread::Builder::new()
            .name("provider".to_owned())
            .spawn(move || run_thread(options, started, tokens))
            .map_err(StartError::Thread)?;
        let (address, engine) =
            starting.await.expect("the thread says how it started, whatever happens")?;
        Ok(Self { address, engine, stop, abort, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients put before their paths: `http://127.0.0.1:1234`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The log of accepted texts.
    pub fn log_path(&self) -> &Path {
        &self.engine.options.log
    }

    /// The log of callbacks that are over.
    pub fn callback_log_path(&self) -> PathBuf {
        self.engine.options.callback_log()
    }

    /// The faults that it has now.
    pub fn faults(&self) -> Faults {
        Faults::clone(&self.engine.faults())
    }

    /// Changes its faults for what comes from now on.
    pub fn set_faults(&self, faults: Faults) -> Result<(), FaultsError> {
        self.engine.set_faults(faults)
    }

    /// What it has done so far.
    pub fn state(&self) -> State {
        self.engine.state().borrow().clone()
    }

    /// Waits until its state is as wanted, and returns it. The caller sets the deadline.
    pub async fn wait_for(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let mut changes = self.engine.state().subscribe();
        let state = changes.wait_for(wanted).await.expect("the engine holds the sender");
        state.clone()
    }

    /// Ends it: no new requests, a second for answers under way, no more callbacks. Both logs are
    /// complete and free for another simulator when this returns.
    pub async fn stop(mut self) -> State {
        self.stop.cancel();
        let thread = self.thread.take();
        let joined = tokio::task::spawn_blocking(move || thread.map(JoinHandle::join)).await;
        if !matches!(joined, Ok(Some(Ok(())))) {
            tracing::error!("the simulator's thread panicked");
        }
        self.state()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
        self.abort.cancel();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the simulator's thread panicked");
        }
    }
}

type Started = Result<(SocketAddr, Arc<Engine>), StartError>;

/// One thread for everything: a core's worth of simulator, and no locks that anyone waits for.
fn run_thread(
    options: Options,
    started: oneshot::Sender<Started>,
    (stop, abort): (CancellationToken, CancellationToken),
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(StartError::Thread(error)))),
    };
    runtime.block_on(async {
        let (engine, listener, address) = match open(options).await {
            Ok(opened) => opened,
            Err(error) => return drop(started.send(Err(error))),
        };
        let server = server::run(Arc::clone(&engine), listener, stop);
        let callbacks = callbacks::run(Arc::clone(&engine));
        if started.send(Ok((address, engine))).is_err() {
            return; // Whoever wanted it is gone.
        }
        tokio::select! {
            () = server => {}
            () = callbacks => {}
            () = abort.cancelled() => {}
        }
    });
}

async fn open(options: Options) -> Result<(Arc<Engine>, TcpListener, SocketAddr), StartError> {
    let wanted = options.listen;
    let listen_error = |source| StartError::Listen { address: wanted, source };
    let engine = Arc::new(Engine::open(options)?);
    let listener = TcpListener::bind(wanted).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    Ok((engine, listener, address))
}
