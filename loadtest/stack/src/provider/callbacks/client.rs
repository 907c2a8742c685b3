//! The client: posts callbacks over connections that are kept and used again.
//!
//! Here belongs the transport alone. A connection of its own is less work for both ends than a
//! general client: there are few targets, and their number of connections is bounded by the
//! callbacks in flight.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::outgoing::Outgoing;

/// An idle connection is left alone after this; servers commonly close theirs after 5 s or more.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// An answer longer than this costs its connection. It is not used for anything.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why a callback has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("no answer: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("no request: {0}")]
    Request(#[from] http::Error),
}

#[derive(Debug)]
pub(crate) struct Client {
    idle: Mutex<Vec<Idle>>,
    idle_max: usize,
}

#[derive(Debug)]
struct Idle {
    authority: String,
    since: Instant,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) fn new(idle_max: usize) -> Self {
        Self { idle: Mutex::default(), idle_max }
    }

    /// Posts and returns the status of the answer.
    pub(crate) async fn post(&self, outgoing: &Outgoing) -> Result<u16, ClientError> {
        let authority = outgoing.uri.authority().map(|it| it.as_str()).unwrap_or_default();
        if let Some(sender) = self.take(authority).await
            && let Ok(status) = self.exchange(sender, authority, outgoing).await
        {
            return Ok(status);
        }
        // A kept connection may have been closed meanwhile. That costs no try: a callback that
        // arrives twice is what every receiver has to expect anyway.
        self.exchange(connect(&outgoing.uri).await?, authority, outgoing).await
    }

    async fn exchange(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        authority: &str,
        outgoing: &Outgoing,
    ) -> Result<u16, ClientError> {
        let (name, signature) = &outgoing.signature;
        let path = outgoing.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(HOST, authority)
            .header(USER_AGENT, "TwilioProxy/1.1")
            .header(CONTENT_TYPE, outgoing.content_type)
            .header(HeaderName::from_static(name), signature)
            .body(Full::new(outgoing.body.clone()))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        if Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.is_ok() {
            self.keep(authority, sender);
        }
        Ok(status)
    }

    /// The connection that was used last, if it still stands: so that few are kept busy.
    async fn take(&self, authority: &str) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let mut found = {
                let mut idle = self.idle.lock().expect("no holder panics");
                idle.retain(|it| it.since.elapsed() < IDLE_MAX && !it.sender.is_closed());
                let last = idle.iter().rposition(|it| it.authority == authority)?;
                idle.remove(last).sender
            };
            if found.ready().await.is_ok() {
                return Some(found);
            }
        }
    }

    fn keep(&self, authority: &str, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().expect("no holder panics");
        if idle.len() < self.idle_max {
            idle.push(Idle { authority: authority.to_owned(), since: Instant::now(), sender });
        }
    }
}

async fn connect(uri: &Uri) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    // By address and not by name, so that no resolver can send "localhost" elsewhere.
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a callback connection broke");
        }
    });
    Ok(sender)
}
