//! One HTTP/1.1 connection to the service, opened when needed and opened again after it broke.
//!
//! Belongs here: bytes out, bytes in, and when each happened. Never here: trying again (`worker`,
//! `replay::import`), meaning.

use std::time::Duration;

use bytes::Bytes;
use contract::READ_AFTER;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::source::{Answer, Outgoing};
use super::trace::TRACEPARENT;

/// Largest answer: a page of 500 messages is about 300 kB, and one that never ends is a fault.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where a service says what its time went on (W3C Server Timing).
const SERVER_TIMING: &str = "server-timing";

/// Why there is no answer. Each names a row of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Broken {
    /// No connection was made, so nothing was sent.
    #[error("no connection")]
    Connect,
    /// The connection broke before the whole answer had come.
    #[error("connection broke")]
    Exchange,
    /// What came back is not HTTP/1.1.
    #[error("answer is not HTTP")]
    NotHttp,
    /// The answer did not come in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer went on beyond what any should have.
    #[error("answer too large")]
    TooLarge,
}

impl Broken {
    /// The row of the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Exchange => "connection broke",
            Self::NotHttp => "answer is not HTTP",
            Self::Timeout => "no answer in time",
            Self::TooLarge => "answer too large",
        }
    }
}

/// Something that carries one request at a time.
pub trait Transport: Send {
    /// Sends a request and waits for the last byte of its answer.
    fn exchange(
        &mut self,
        request: &Outgoing,
    ) -> impl Future<Output = Result<Answer, Broken>> + Send;
}

/// A connection to one address.
#[derive(Debug)]
pub struct Connection {
    address: String,
    /// The address as a header, made once.
    host: Option<HeaderValue>,
    deadline: Duration,
    /// Whether answers have their bodies.
    keeps: bool,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// A connection to `host:port` that is opened with its first request. Each exchange, with
    /// connecting, ends within `deadline`.
    #[must_use]
    pub fn new(address: String, deadline: Duration) -> Self {
        let host = HeaderValue::from_str(&address).ok();
        Self { address, host, deadline, keeps: true, sender: None }
    }

    /// Whether bodies are kept, or dropped as they come where nobody reads them.
    #[must_use]
    pub fn keeping(self, keeps: bool) -> Self {
        Self { keeps, ..self }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Opens the connection unless it is open.
    ///
    /// # Errors
    /// When nothing listens there, or does not answer in time.
    pub async fn open(&mut self) -> Result<(), Broken> {
        let deadline = self.deadline;
        match timeout(deadline, self.sender()).await {
            Ok(Ok(sender)) => {
                self.sender = Some(sender);
                Ok(())
            }
            Ok(Err(broken)) => Err(broken),
            Err(_) => Err(Broken::Connect),
        }
    }

    /// The open connection, or a new one.
    async fn sender(&mut self) -> Result<SendRequest<Full<Bytes>>, Broken> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = TcpStream::connect(&self.address).await.map_err(|_| Broken::Connect)?;
        stream.set_nodelay(true).map_err(|_| Broken::Connect)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| Broken::Connect)?;
        // Ends by itself when the sender is dropped or the other side closes.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn send(
        &mut self,
        mut sender: SendRequest<Full<Bytes>>,
        request: &Outgoing,
    ) -> Result<Answer, Broken> {
        let request = assemble(request, self.host.clone());
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let answer = read(response, self.keeps).await?;
        self.sender = Some(sender);
        Ok(answer)
    }
}

impl Transport for Connection {
    async fn exchange(&mut self, request: &Outgoing) -> Result<Answer, Broken> {
        let until = Instant::now() + self.deadline;
        let sender = timeout_at(until, self.sender()).await.unwrap_or(Err(Broken::Connect))?;
        // A connection is put back only after a whole answer: what was given up is never reused.
        match timeout_at(until, self.send(sender, request)).await {
            Ok(result) => result,
            Err(_) => Err(Broken::Timeout),
        }
    }
}

fn broken(error: &hyper::Error) -> Broken {
    if error.is_parse() { Broken::NotHttp } else { Broken::Exchange }
}

/// Why a body did not come to its end.
fn cut(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Broken {
    if error.is::<LengthLimitError>() { Broken::TooLarge } else { Broken::Exchange }
}

fn assemble(outgoing: &Outgoing, host: Option<HeaderValue>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(outgoing.body.clone()));
    *request.method_mut() = outgoing.method.clone();
    *request.uri_mut() = outgoing.uri.clone();
    let headers = request.headers_mut();
    if let Some(others) = &outgoing.headers {
        headers.clone_from(others);
    }
    if let (Some(host), false) = (host, headers.contains_key(HOST)) {
        headers.insert(HOST, host);
    }
    let content_type = outgoing.content_type.map(HeaderValue::from_static);
    for (name, value) in [
        (AUTHORIZATION, outgoing.authorization.clone()),
        (HeaderName::from_static(READ_AFTER), outgoing.read_after.clone()),
        (CONTENT_TYPE, content_type),
        (HeaderName::from_static(TRACEPARENT), outgoing.traceparent.clone()),
    ] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    request
}

async fn read(response: Response<Incoming>, keeps: bool) -> Result<Answer, Broken> {
    let (head, body) = response.into_parts();
    let mut body = Limited::new(body, ANSWER_BYTES_MAX);
    let body = if keeps {
        body.collect().await.map_err(|e| cut(&*e))?.to_bytes()
    } else {
        while let Some(frame) = body.frame().await {
            frame.map_err(|e| cut(&*e))?;
        }
        Bytes::new()
    };
    let text = |name| head.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    Ok(Answer {
        status: head.status.as_u16(),
        retry_after_seconds: text(RETRY_AFTER).and_then(|v| v.parse().ok()),
        read_after: head.headers.get(READ_AFTER).cloned(),
        server_timing: head.headers.get(SERVER_TIMING).cloned(),
        content_type: text(CONTENT_TYPE).map(str::to_owned),
        body,
        ended: Instant::now(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// Answers one request with its head and so many chunks of a MiB, until nobody takes them.
    async fn answered(chunks: usize, keeps: bool) -> Result<Answer, Broken> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut head).await.unwrap();
            }
            let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
            stream.write_all(HEAD.as_bytes()).await.unwrap();
            for _ in 0..chunks {
                if stream.write_all(chunk.as_bytes()).await.is_err() {
                    return;
                }
            }
            let _gone = stream.write_all(b"0\r\n\r\n").await;
        });
        let mut connection = Connection::new(address, Duration::from_secs(60)).keeping(keeps);
        let answer = connection.exchange(&Outgoing::default()).await;
        drop(connection);
        serving.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_answer_is_kept_only_where_somebody_reads_it() {
        assert_eq!(answered(2, true).await.unwrap().body.len(), 2 << 20);
        assert!(answered(2, false).await.unwrap().body.is_empty());
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_named() {
        for keeps in [true, false] {
            assert_eq!(answered(usize::MAX, keeps).await.unwrap_err(), Broken::TooLarge);
        }
    }
}
