//! An HTTP client with connections kept alive, and answers that say what they are when they are
//! not what was expected.
//!
//! Never here: requests that no sane client sends; they are written byte by byte ([`crate::wire`]).

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

use crate::wait::soon;

/// The key that may do everything.
pub const ADMIN_KEY: &str = "the-admin-key-of-the-tests";

/// Below the service's own, so that it isn't our side that finds a connection closed.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A client of one process. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    /// The public listener's address.
    pub public: SocketAddr,
    /// The admin listener's address.
    pub admin: SocketAddr,
}

impl Client {
    /// A client of the process that listens there.
    pub fn new(public: SocketAddr, admin: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        Self { http, public, admin }
    }

    /// A request by the admin key. Paths below `/v1` lead to the public listener, others to the
    /// admin one.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let address = if path.starts_with("/v1/") { self.public } else { self.admin };
        Call {
            client: self.clone(),
            method,
            url: format!("http://{address}{path}"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
        .key(ADMIN_KEY)
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// Puts JSON.
    pub fn put(&self, path: &str, body: &Value) -> Call {
        self.call(Method::PUT, path).json(body)
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Call {
        self.call(Method::POST, path).json(body)
    }

    /// Deletes.
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }
}

/// A request to be sent.
#[derive(Debug, Clone)]
#[must_use = "it is sent by `send`"]
pub struct Call {
    client: Client,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A request that was not answered.
pub type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

impl Call {
    /// With this key instead of the admin's.
    pub fn key(self, key: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {key}"))
    }

    /// Without any key.
    pub fn anonymous(mut self) -> Self {
        self.headers.remove(AUTHORIZATION);
        self
    }

    /// With this header in place of one of the same name.
    ///
    /// # Panics
    /// When it isn't a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    /// With a body of JSON.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// With a body.
    pub fn body(mut self, kind: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE.as_str(), kind)
    }

    /// With a form as browsers and Twilio send it.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.url);
        match self.try_send().await {
            Ok(answer) => answer,
            Err(error) => panic!("{what} was not answered: {error:?}"),
        }
    }

    /// Sends it and reads the whole answer; for when the other side may go away.
    ///
    /// # Errors
    /// The connection broke or there was none.
    pub async fn try_send(self) -> Result<Answer, NoAnswer> {
        let Self { client, method, url, headers, body } = self;
        let what = format!("{method} {url}");
        let mut request = Request::builder().method(method).uri(&url).body(Full::new(body))?;
        *request.headers_mut() = headers;
        let exchange = async {
            let response = client.http.request(request).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer {
                what: what.clone(),
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            })
        };
        soon(&format!("an answer to {what}"), exchange).await
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    what: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON, of an answer with this status.
    ///
    /// # Panics
    /// When the status is another or the body isn't JSON.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text()))
    }

    /// The problem details, of an answer with this status and code. Checks the form that every
    /// problem must have.
    ///
    /// # Panics
    /// When it isn't that.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json(status);
        let what = format!("{}: {problem}", self.what);
        assert_eq!(self.header("content-type"), "application/problem+json", "{what}");
        assert_eq!(problem["code"], code, "{what}");
        assert_eq!(problem["status"], status, "{what}");
        assert_eq!(problem["type"], format!("urn:punctual:problem:{code}"), "{what}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{what}");
        for field in ["title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{what}");
        }
        let seconds: Option<u32> = self.header("retry-after").parse().ok();
        assert_eq!(seconds.is_some(), [429, 503].contains(&status), "Retry-After: {what}");
        problem
    }

    /// Checks the status of an answer whose body doesn't matter.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }
}
