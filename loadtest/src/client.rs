//! Requests one after the other, for what is not load: settings, clocks, audits, the import, and
//! the reads after a day. Sent again while the service is full or its connection breaks.
//!
//! Never here: requests whose latency is judged (`engine`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::engine::connection::{Broken, Connection, Transport};
use crate::engine::source::{Answer, Outgoing};
use crate::exit::Failure;

/// Full or broken for this long is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries when the service names no time.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// What is shown of an answer that is none of ours.
const SHOWN_BYTES_MAX: usize = 300;

/// JSON.
pub const JSON: &str = "application/json";
/// One JSON value a line.
pub const NDJSON: &str = "application/x-ndjson";

/// Speaks to one address with one key.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    authorization: Option<HeaderValue>,
    read_after: Option<HeaderValue>,
    headers: Option<Arc<HeaderMap>>,
    patience: Duration,
    /// Requests that were sent again.
    pub again: u64,
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers there.
    #[error("{method} http://{address}{path}: {broken}; is the service up?")]
    Broken {
        /// Method.
        method: Method,
        /// `host:port`.
        address: String,
        /// Path.
        path: String,
        /// What broke.
        broken: Broken,
    },
    /// It answered something else.
    #[error("{method} http://{address}{path}: answered {status}: {text}")]
    Refused {
        /// Method.
        method: Method,
        /// `host:port`.
        address: String,
        /// Path.
        path: String,
        /// Status.
        status: u16,
        /// What it said, cut.
        text: String,
    },
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Client {
    /// A client of `host:port` that presents a key, where there is one.
    ///
    /// # Errors
    /// When the key has characters that no header takes.
    pub fn new(address: &str, key: Option<&str>) -> Result<Self, Failure> {
        Ok(Self {
            connection: Connection::new(address.to_owned(), PATIENCE),
            authorization: key.map(bearer).transpose()?,
            read_after: None,
            headers: None,
            patience: PATIENCE,
            again: 0,
        })
    }

    /// Answers within `deadline` or not at all; nothing is sent again after it.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.connection = Connection::new(self.connection.address().to_owned(), deadline);
        self.patience = deadline;
        self
    }

    /// Sends these headers with every request.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = Some(Arc::new(headers));
        self
    }

    /// GETs JSON.
    ///
    /// # Errors
    /// When there is no answer, or none of 2xx, or not the JSON that is expected.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ClientError> {
        let answer = self.ask(Method::GET, path, None, Bytes::new()).await?;
        self.read(&Method::GET, path, &answer)
    }

    /// GETs text.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn text(&mut self, path: &str) -> Result<String, ClientError> {
        let answer = self.ask(Method::GET, path, None, Bytes::new()).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Presents another key from here on.
    pub fn present(&mut self, authorization: Option<HeaderValue>) {
        self.authorization = authorization;
    }

    /// Shows another token from here on: what is read has seen that write.
    pub fn present_token(&mut self, read_after: Option<HeaderValue>) {
        self.read_after = read_after;
    }

    /// Sends a JSON body for a JSON answer of a known shape.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn send_for<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let answer = self.ask(method.clone(), path, Some(JSON), body.into()).await?;
        self.read(&method, path, &answer)
    }

    /// Sends a JSON body.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Value, ClientError> {
        let answer = self.ask(method.clone(), path, Some(JSON), body.into()).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        self.read(&method, path, &answer)
    }

    /// Sends any body, and again while the service is full or the connection breaks.
    ///
    /// # Errors
    /// When there is no answer of 2xx in time.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let request = Outgoing {
            label: 0,
            method,
            uri: path.parse().expect("a path of identifiers is a URI"),
            authorization: self.authorization.clone(),
            read_after: self.read_after.clone(),
            content_type,
            traceparent: None,
            headers: self.headers.clone(),
            body,
        };
        let began = Instant::now();
        loop {
            let (wait, error) = match self.connection.exchange(&request).await {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) => {
                    let error = self.refused(request.method.clone(), path, &answer);
                    let wait = retry_after(&answer);
                    if !matches!(answer.status, 429 | 503) {
                        return Err(error);
                    }
                    (wait, error)
                }
                Err(broken) => (TRY_EVERY, self.broken(request.method.clone(), path, broken)),
            };
            if began.elapsed() + wait > self.patience {
                return Err(error);
            }
            self.again += 1;
            sleep(wait).await;
        }
    }

    /// Reads an answer's JSON.
    ///
    /// # Errors
    /// When it is of another shape.
    pub fn read<'a, T: Deserialize<'a>>(
        &self,
        method: &Method,
        path: &str,
        answer: &'a Answer,
    ) -> Result<T, ClientError> {
        serde_json::from_slice(&answer.body).map_err(|e| ClientError::Refused {
            method: method.clone(),
            address: self.connection.address().to_owned(),
            path: path.to_owned(),
            status: answer.status,
            text: format!("unexpected JSON ({e}): {}", shown(&answer.body)),
        })
    }

    /// An answer of 2xx that says something else than it should.
    pub(crate) fn wrong(&self, method: Method, path: &str, text: String) -> ClientError {
        let address = self.connection.address().to_owned();
        ClientError::Refused { method, address, path: path.to_owned(), status: 200, text }
    }

    fn refused(&self, method: Method, path: &str, answer: &Answer) -> ClientError {
        ClientError::Refused {
            method,
            address: self.connection.address().to_owned(),
            path: path.to_owned(),
            status: answer.status,
            text: shown(&answer.body),
        }
    }

    fn broken(&self, method: Method, path: &str, broken: Broken) -> ClientError {
        ClientError::Broken {
            method,
            address: self.connection.address().to_owned(),
            path: path.to_owned(),
            broken,
        }
    }
}

/// The `Authorization` header of a key, which is never printed.
///
/// # Errors
/// When the key has characters that no header takes.
pub fn bearer(key: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| {
        Failure::Usage("the API key has characters that no HTTP header takes".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long an answer asks to wait.
#[must_use]
pub fn retry_after(answer: &Answer) -> Duration {
    answer.retry_after_seconds.map_or(TRY_EVERY, |s| Duration::from_secs(u64::from(s)))
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES_MAX)]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "(no text)".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let key = bearer("pk_1_1_secret").expect("a good key");
        assert!(!format!("{key:?}").contains("secret"));
        assert!(bearer("bad\nkey").is_err());
    }

    #[test]
    fn an_answer_is_shown_on_one_line_and_cut() {
        assert_eq!(shown(b"{\n  \"a\": 1\n}"), "{ \"a\": 1 }");
        assert_eq!(shown(b""), "(no text)");
        assert!(shown(&[b'x'; 10_000]).len() <= SHOWN_BYTES_MAX);
    }
}
