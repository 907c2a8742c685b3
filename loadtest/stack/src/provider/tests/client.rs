//! A client for the tests: one connection a request, or one kept for several.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;
use crate::provider::{Options, Simulator, form, hex};

/// The sender of all texts here.
pub(super) const FROM: &str = "+99900000001";
/// Where texts are sent.
pub(super) const MESSAGES: &str =
    "/2010-04-01/Accounts/AC00000000000000000000000000000999/Messages.json";

/// A connection that is kept.
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

impl Client {
    pub(super) async fn connect(simulator: &Simulator) -> Self {
        let stream = TcpStream::connect(simulator.address()).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answered, hyper::Error> {
        let exchange = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
            Ok(Answered { status: head.status, headers: head.headers, json })
        };
        timeout(PATIENCE, exchange).await.expect("an answer or an end")
    }
}

/// A connection for one request.
pub(super) async fn send(
    simulator: &Simulator,
    request: Request<Full<Bytes>>,
) -> Result<Answered, hyper::Error> {
    Client::connect(simulator).await.send(request).await
}

/// Sends a text that is expected to be answered, with a callback to where one is given.
pub(super) async fn text(simulator: &Simulator, to: &str, body: &str, callback: &str) -> Answered {
    let mut fields = vec![("To", to), ("From", FROM), ("Body", body)];
    if !callback.is_empty() {
        fields.push(("StatusCallback", callback));
    }
    send(simulator, post(&fields)).await.unwrap()
}

/// A request to send with these fields, by the account's own credentials.
pub(super) fn post(fields: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut body = String::new();
    for (name, value) in fields {
        form::push(&mut body, name, value);
    }
    Request::post(MESSAGES)
        .header("host", "127.0.0.1")
        .header("authorization", authorization())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(body))
        .unwrap()
}

/// A look-up.
pub(super) fn get(path_and_query: &str) -> Request<Full<Bytes>> {
    Request::get(path_and_query)
        .header("host", "127.0.0.1")
        .header("authorization", authorization())
        .body(Full::default())
        .unwrap()
}

/// A webhook request with its signature.
pub(super) fn hook(body: &Value) -> Request<Full<Bytes>> {
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, Options::WEBHOOK_SECRET.as_bytes());
    let signature = hex::text(hmac::sign(&key, body.as_bytes()).as_ref());
    Request::post("/webhook/messages")
        .header("host", "127.0.0.1")
        .header("x-punctual-signature", format!("sha256={signature}"))
        .body(Full::from(body))
        .unwrap()
}

pub(super) fn authorization() -> String {
    let credentials = format!("{}:{}", Options::ACCOUNT_SID, Options::AUTH_TOKEN);
    format!("Basic {}", STANDARD.encode(credentials))
}
