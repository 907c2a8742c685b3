//! The HTTP client for providers: keep-alive connections, a deadline for each part of an exchange,
//! a bound on what is read back, and an error that says what matters: whether anything can have
//! been written.
//!
//! hyper-util's client tries a request again by itself only when the connection that it took from
//! the pool was closed before the request was begun: hyper hands such a request back whole, and
//! keeps one whose first byte may have left.

use std::error::Error;
use std::pin::Pin;
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
        Ok(Self { inner, bounds: *bounds })
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
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => {
                tracing::debug!(cause = cause(&error), "the provider can't be reached");
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
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};

    use super::*;

    fn bounds(within: Duration) -> Bounds {
        Bounds {
            connect: Duration::from_secs(5),
            first_byte: within,
            total: within,
            response_bytes: 1_000,
            idle_connections: 1,
        }
    }

    fn client(within: Duration) -> Client {
        Client::new(&bounds(within), RootCertStore::empty()).unwrap()
    }

    async fn exchange(client: &Client, address: SocketAddr, body: Vec<u8>) -> Exchange {
        let body = Full::new(Bytes::from(body));
        let request = Request::post(format!("http://{address}/")).body(body).unwrap();
        client.exchange(request, TraceId::from_random(1)).await
    }

    /// Longer than anything takes here.
    const LONG: Duration = Duration::from_secs(30);

    /// What a request of these tests ends with.
    const END: &[u8] = b"\r\n\r\nx";

    /// Reads a request to its end; false where the connection ends before.
    async fn read_request(stream: &mut TcpStream) -> bool {
        let mut read = Vec::new();
        while !read.ends_with(END) {
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
        }
        true
    }

    /// A provider that answers the first request of each connection, and ends the connection
    /// after it has read the second one and said this. Counts what it has read.
    async fn breaks_midway(listener: TcpListener, says: &'static [u8], read: Arc<AtomicUsize>) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let read = Arc::clone(&read);
            tokio::spawn(async move {
                for answer in [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".as_slice(), says] {
                    if !read_request(&mut stream).await {
                        return;
                    }
                    read.fetch_add(1, Ordering::SeqCst);
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    }

    /// However long it might take until its answer begins: its lease is over after `total`.
    #[tokio::test]
    async fn who_is_silent_for_longer_than_an_exchange_may_take_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let patient = Bounds { first_byte: 100 * LONG, ..bounds(Duration::from_millis(200)) };
        let client = Client::new(&patient, RootCertStore::empty()).unwrap();
        let exchange = timeout(LONG, exchange(&client, address, b"x".to_vec()));
        let (exchange, _silent) = tokio::join!(exchange, listener.accept());
        assert_eq!(exchange.expect("it is given up"), Exchange::Lost);
    }

    /// What is still on its way when it is given up never arrives, however long the provider waits.
    #[tokio::test]
    async fn a_request_that_was_given_up_is_withdrawn() {
        const BODY: usize = 200_000;
        let socket = TcpSocket::new_v4().unwrap();
        // Less than a request: the rest waits on our side until the provider reads.
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let client = client(Duration::from_millis(200));
        let exchange = exchange(&client, address, vec![b'x'; BODY]);
        let (exchange, accepted) = tokio::join!(exchange, listener.accept());
        assert_eq!(exchange, Exchange::Lost);
        let mut read = Vec::new();
        let end = accepted.unwrap().0.read_to_end(&mut read).await;
        assert!(end.is_err() && read.len() < BODY, "{end:?} after {} bytes", read.len());
    }

    /// On a connection that was used before, where some clients would begin again unasked.
    #[tokio::test]
    async fn a_request_whose_connection_breaks_midway_is_lost_and_not_begun_again() {
        for says in
            [b"".as_slice(), b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"]
        {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let read = Arc::new(AtomicUsize::new(0));
            let provider = tokio::spawn(breaks_midway(listener, says, Arc::clone(&read)));
            let client = client(LONG);
            let mut sent = 0;
            // Whether a connection is back in the pool yet is its own affair: soon one is.
            let end = loop {
                sent += 1;
                let end = exchange(&client, address, b"x".to_vec()).await;
                assert_eq!(read.load(Ordering::SeqCst), sent, "one was begun again");
                if !matches!(end, Exchange::Answered { .. }) {
                    break end;
                }
                assert!(sent < 1_000, "no connection was used twice");
            };
            assert_eq!(end, Exchange::Lost);
            provider.abort();
        }
    }

    /// Nothing of it was written, and the same client gets through as soon as somebody listens.
    #[tokio::test]
    async fn who_cannot_be_connected_to_was_sent_nothing_and_may_be_asked_again() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        // Bound and not listening: nobody else's, and refused.
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let client = client(LONG);
        let refused = exchange(&client, address, b"x".to_vec()).await;
        assert_eq!(refused, Exchange::NotConnected);
        let read = Arc::new(AtomicUsize::new(0));
        let listener = socket.listen(8).unwrap();
        let provider = tokio::spawn(breaks_midway(listener, b"", Arc::clone(&read)));
        let again = exchange(&client, address, b"x".to_vec()).await;
        assert!(matches!(again, Exchange::Answered { status: 200, .. }), "{again:?}");
        assert_eq!(read.load(Ordering::SeqCst), 1);
        provider.abort();
    }
    /// One that is as long as it may be is read to its end.
    #[tokio::test]
    async fn an_answer_that_is_too_long_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = tokio::spawn(async move {
            for length in [1_000, 1_001] {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(read_request(&mut stream).await);
                let body = "x".repeat(length);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}");
                let answer = format!("{head}\r\nconnection: close\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let client = client(LONG);
        let whole = exchange(&client, address, b"x".to_vec()).await;
        let is_whole = matches!(&whole, Exchange::Answered { body, .. } if body.len() == 1_000);
        assert!(is_whole, "{whole:?}");
        assert_eq!(exchange(&client, address, b"x".to_vec()).await, Exchange::Lost);
        provider.await.unwrap();
    }
}
