//! A listener at work: accepts connections while there is room, and ends in order: first it says
//! that it is leaving, then it accepts no more, then it lets what is under way finish.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use contract::endpoint::Listener;
use contract::{Endpoint, Limit};
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::path::PathParams;
use super::problem::Problem;
use super::request::{Principal, Request};
use super::response::Response;
use super::{connection, listen};
use crate::config::Config;
use crate::obs;

/// Whom the listeners ask: who calls, and what to answer.
pub(crate) trait Dispatch: Send + Sync + 'static {
    /// Finds out who calls. Runs before the body is read.
    fn authenticate(
        &self,
        endpoint: Endpoint,
        path: &PathParams,
        headers: &HeaderMap,
    ) -> impl Future<Output = Result<Principal, Problem>> + Send;

    /// Answers a request.
    fn dispatch(&self, request: Request) -> impl Future<Output = Result<Response, Problem>> + Send;
}

/// The bounds of a listener.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Which row of the limit table counts its connections.
    pub(super) connections_limit: Limit,
    pub(super) connections: usize,
    pub(super) requests: usize,
    pub(super) streams: usize,
    pub(super) body_bytes: usize,
    pub(super) head_bytes: usize,
    pub(super) head_time: Duration,
    /// A peer that takes nothing of its answer for this long is gone.
    pub(super) stall_time: Duration,
    /// No request may take longer, whatever its row says.
    pub(super) deadline_max: Duration,
}

impl Bounds {
    /// The bounds of one of the listeners as configured.
    pub(crate) fn of(config: &Config, listener: Listener) -> Self {
        let connections_limit = match listener {
            Listener::Public => Limit::PublicConnections,
            Listener::Admin => Limit::AdminConnections,
        };
        Self {
            connections_limit,
            connections: config.limit_usize(connections_limit),
            requests: config.limit_usize(Limit::RequestsInFlight),
            streams: config.limit_usize(streams_of(listener)),
            body_bytes: config.limit_usize(Limit::BodyBytes),
            head_bytes: config.limit_usize(Limit::RequestHeadBytes),
            head_time: Duration::from_millis(config.limit(Limit::RequestHeadMs)),
            stall_time: STALL_TIME,
            deadline_max: Duration::MAX,
        }
    }
}

/// Which row of the limit table counts the answers that a listener streams.
pub(super) const fn streams_of(listener: Listener) -> Limit {
    match listener {
        Listener::Public => Limit::Reports,
        Listener::Admin => Limit::Streams,
    }
}

/// What all connections of a listener share.
pub(super) struct Shared<D> {
    pub(super) dispatch: Arc<D>,
    pub(super) listener: Listener,
    pub(super) bounds: Bounds,
    pub(super) requests: Arc<Semaphore>,
    pub(super) streams: Arc<Semaphore>,
    pub(super) body_bytes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    /// Answers say `Connection: close` from here on.
    pub(super) leaving: CancellationToken,
    /// Nothing is accepted any more; idle connections close.
    pub(super) stopping: CancellationToken,
    /// What is still open is closed.
    pub(super) cut: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// Connections that are told at a time that there is no room; more are closed without a word.
const TURNED_AWAY_MAX: usize = 64;

/// A phone's network comes back within seconds or not at all.
const STALL_TIME: Duration = Duration::from_secs(30);

/// How long accepting rests after an error that repeating at once would only repeat (no file
/// descriptors, no memory).
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// How often the gauges of the bounds are set.
const OBSERVE_PERIOD: Duration = Duration::from_secs(1);

/// A listener at work.
pub(crate) struct Running<D>(Arc<Shared<D>>);

/// Begins to accept connections.
pub(crate) fn start<D: Dispatch>(
    dispatch: Arc<D>,
    listener: Listener,
    socket: TcpListener,
    bounds: Bounds,
) -> Running<D> {
    let shared = Arc::new(Shared {
        dispatch,
        listener,
        requests: semaphore(bounds.requests),
        streams: semaphore(bounds.streams),
        body_bytes: semaphore(bounds.body_bytes),
        connections: semaphore(bounds.connections),
        turned_away: semaphore(TURNED_AWAY_MAX),
        leaving: CancellationToken::new(),
        stopping: CancellationToken::new(),
        cut: CancellationToken::new(),
        tasks: TaskTracker::new(),
        bounds,
    });
    shared.tasks.spawn(accept(Arc::clone(&shared), socket));
    Running(shared)
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

impl<D: Dispatch> Running<D> {
    /// Tells clients by every answer from here on to come back on another connection.
    pub(crate) fn leave(&self) {
        self.0.leaving.cancel();
    }

    /// Accepts nothing more, lets what is under way finish until the deadline and closes the
    /// rest. Returns how many connections were closed so.
    pub(crate) async fn stop(&self, deadline: Duration) -> usize {
        let shared = &self.0;
        shared.leaving.cancel();
        shared.stopping.cancel();
        shared.tasks.close();
        if tokio::time::timeout(deadline, shared.tasks.wait()).await.is_ok() {
            return 0;
        }
        let open = shared.bounds.connections - shared.connections.available_permits();
        shared.cut.cancel();
        shared.tasks.wait().await;
        open
    }
}

async fn accept<D: Dispatch>(shared: Arc<Shared<D>>, socket: TcpListener) {
    let mut ticks = tokio::time::interval(OBSERVE_PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = ticks.tick() => {
                shared.observe();
                continue;
            }
            () = shared.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => admit(&shared, stream),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "connections can't be accepted; trying again");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Serves a connection if there is room, else tells it so.
fn admit<D: Dispatch>(shared: &Arc<Shared<D>>, stream: tokio::net::TcpStream) {
    if let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() {
        // Answers are written whole; waiting to fill packets would only delay them.
        let _slower_without = stream.set_nodelay(true);
        let connection = connection::serve(Arc::clone(shared), stream);
        shared.tasks.spawn(async move {
            connection.await;
            drop(permit);
        });
        return;
    }
    obs::limit::reached(shared.bounds.connections_limit);
    if let Ok(permit) = Arc::clone(&shared.turned_away).try_acquire_owned() {
        shared.tasks.spawn(async move {
            listen::turn_away(stream).await;
            drop(permit);
        });
    }
}

/// True for errors of a connection that ended before it was accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

impl<D> Shared<D> {
    fn observe(&self) {
        let used = |limit: Limit, max: usize, semaphore: &Semaphore| {
            let used = max.saturating_sub(semaphore.available_permits());
            obs::limit::used_of(limit, used as u64, max as u64);
        };
        let bounds = &self.bounds;
        used(bounds.connections_limit, bounds.connections, &self.connections);
        used(streams_of(self.listener), bounds.streams, &self.streams);
        match self.listener {
            Listener::Public => {
                used(Limit::RequestsInFlight, bounds.requests, &self.requests);
                used(Limit::BodyBytes, bounds.body_bytes, &self.body_bytes);
            }
            Listener::Admin => {}
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "stream_tests.rs"]
mod stream_tests;
