//! The HTTP client for providers: keep-alive connections, a deadline for each part of an exchange,
//! a bound on what is read back, and an error that says what matters: whether anything can have
//! been written.
//!
//! hyper-util's client tries a request again by itself only when the connection that it took from
//! the pool was closed before the request was begun: hyper hands such a request back whole, and
//! keeps one whose first byte may have left.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::RootCertStore;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use crate::obs::exemplar::TraceId;

/// Servers commonly close idle connections after 15 s and more: ours are closed before.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Which trace a call belongs to.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The bounds of an exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Connecting, with TLS.
    pub(super) connect: Duration,
    /// From the start to the head of the answer.
    pub(super) first_byte: Duration,
    /// From the start to the end of the answer.
    pub(super) total: Duration,
    /// Bytes of an answer that are read; a longer one counts as lost.
    pub(super) response_bytes: usize,
    /// Connections that are kept while they have nothing to do.
    pub(super) idle_connections: usize,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exchange {
    /// A complete answer.
    Answered {
        /// Its status.
        status: u16,
        /// How long to wait, if it says.
        retry_after: Option<Duration>,
        /// Its body.
        body: Bytes,
    },
    /// No connection: nothing was written.
    NotConnected,
    /// Something may have been written, and there is no complete answer.
    Lost,
}

/// A client with its pool of connections.
#[derive(Clone)]
pub(super) struct Client {
    inner: legacy::Client<WithDeadline<HttpsConnector<Withdrawing>>, Full<Bytes>>,
    bounds: Bounds,
    /// The last try to connect came to nothing.
    is_away: Arc<AtomicBool>,
}

impl Client {
    /// A client that trusts these authorities. Connects to nothing yet.
    pub(super) fn new(bounds: &Bounds, roots: RootCertStore) -> Result<Self, String> {
        // The one crypto provider of this program, by name: with a second one in the build the
        // default would be a panic.
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(Duration::from_secs(30)));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Withdrawing(http));
        let connector = WithDeadline { inner: https, connect: bounds.connect };
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_MAX)
            // Without a timer idle connections are never closed.
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(bounds.idle_connections)
            .http1_max_headers(64)
            .build(connector);
        Ok(Self { inner, bounds: *bounds, is_away: Arc::default() })
    }

    /// Says once that nobody is there, and not for each text that waits for it.
    fn is_gone(&self, cause: &str) {
        if self.is_away.swap(true, Ordering::Relaxed) {
            tracing::debug!(cause, "the provider still can't be reached");
        } else {
            tracing::warn!(cause, "the provider can't be reached");
        }
    }

    fn is_here(&self) {
        if self.is_away.load(Ordering::Relaxed) && self.is_away.swap(false, Ordering::Relaxed) {
            tracing::info!("the provider is reached again");
        }
    }

    /// Sends a request and reads its whole answer, within the deadlines.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        trace: TraceId,
    ) -> Exchange {
        // W3C Trace Context: our trace, this call as its parent, sampled.
        let parent = rand::random::<u64>().max(1);
        if let Ok(value) = HeaderValue::from_str(&format!("00-{trace}-{parent:016x}-01")) {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        let start = Instant::now();
        let Bounds { first_byte, total, .. } = self.bounds;
        // A lease counts on `total`: nothing may outlast it, whatever else is set.
        let head_by = start + first_byte.min(total);
        let answer = timeout_at(head_by, self.inner.request(request)).await;
        let response = match answer {
            Ok(Ok(response)) => {
                self.is_here();
                response
            }
            Ok(Err(error)) if error.is_connect() => {
                self.is_gone(&cause(&error));
                return Exchange::NotConnected;
            }
            Ok(Err(error)) => {
                tracing::debug!(cause = cause(&error), "the provider's answer was lost");
                return Exchange::Lost;
            }
            Err(_elapsed) => return Exchange::Lost,
        };
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let body = Limited::new(response.into_body(), self.bounds.response_bytes).collect();
        match timeout_at(start + total, body).await {
            Ok(Ok(body)) => Exchange::Answered { status, retry_after, body: body.to_bytes() },
            Ok(Err(_)) | Err(_) => Exchange::Lost,
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is left to our own backoff.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost cause: the outer ones only say that the client had an error.
fn cause(error: &legacy::Error) -> String {
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// A connector whose connections end by a reset: what a provider was sent and has not received when
/// we give up is taken back by the kernel. A plain close would go on sending it for minutes, and a
/// provider that was only slow could accept a text long after it said that it doesn't know it.
#[derive(Clone)]
struct Withdrawing(HttpConnector);

impl Service<Uri> for Withdrawing {
    type Response = TokioIo<TcpStream>;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            let stream = connecting.await?;
            if let Err(error) = stream.inner().set_zero_linger() {
                tracing::warn!(%error, "a connection to the provider will close slowly");
            }
            Ok(stream)
        })
    }
}

/// A connector that gives up in time, TLS included (hyper's own deadline is for TCP alone).
#[derive(Clone)]
struct WithDeadline<C> {
    inner: C,
    connect: Duration,
}

type Failure = Box<dyn Error + Send + Sync>;

impl<C> Service<Uri> for WithDeadline<C>
where
    C: Service<Uri>,
    C::Error: Into<Failure>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = timeout(self.connect, self.inner.call(uri));
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_elapsed) => Err("connecting took too long".into()),
            }
        })
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
