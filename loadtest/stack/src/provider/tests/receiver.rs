//! A receiver of callbacks for the tests: remembers them in order and answers as it is told.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PATIENCE;
use crate::provider::form;

pub(super) struct Receiver {
    base: String,
    received: mpsc::UnboundedReceiver<Received>,
}

/// One callback as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

type Answer = Arc<dyn Fn(usize) -> u16 + Send + Sync>;

impl Receiver {
    /// Answers every callback 204.
    pub(super) async fn start() -> Self {
        Self::answering(|_| 204).await
    }

    /// Answers the n-th callback, from zero, with this status.
    pub(super) async fn answering(status: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (sender, received) = mpsc::unbounded_channel();
        tokio::spawn(listen(listener, base.clone(), sender, Arc::new(status)));
        Self { base, received }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(super) async fn next(&mut self) -> Received {
        let received = timeout(PATIENCE, self.received.recv()).await;
        received.expect("a callback within reason").expect("the receiver lives")
    }

    /// Nothing else has arrived.
    pub(super) fn is_empty(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

impl Received {
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        form::pairs(&self.body)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    }

    pub(super) fn field(&self, name: &str) -> Option<String> {
        self.fields().into_iter().find(|(it, _)| it == name).map(|(_, value)| value)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

async fn listen(
    listener: TcpListener,
    base: String,
    sender: mpsc::UnboundedSender<Received>,
    status: Answer,
) {
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (base, sender) = (base.clone(), sender.clone());
        let (status, count) = (Arc::clone(&status), Arc::clone(&count));
        let service = service_fn(move |request: Request<Incoming>| {
            let (sender, status) = (sender.clone(), Arc::clone(&status));
            let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let url = format!("{base}{}", request.uri());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let received = Received { url, headers: head.headers, body };
                let mut response = Response::new(Full::<Bytes>::default());
                *response.status_mut() = status(number).try_into().unwrap();
                let _gone = sender.send(received);
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
