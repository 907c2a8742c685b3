//! Answers as values: what is said, how late, and whether it arrives at all.
//!
//! Here belongs the form in which the APIs hand their answer to `server`, which carries it out.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What is done about a request, and when.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) latency: Duration,
    /// Whether the answer is dropped and its connection closed.
    pub(crate) lost: bool,
    pub(crate) reaction: Reaction,
}

/// What is done about a request.
#[derive(Debug)]
pub(crate) enum Reaction {
    Answer(Answer),
    Reset,
    Hang,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { latency: Duration::ZERO, lost: false, reaction: Reaction::Answer(answer) }
    }
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Answer {
    let mut body = Vec::with_capacity(1024);
    serde_json::to_writer(&mut body, document).expect("our own documents have plain keys");
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

/// The same answer with one more header.
pub(crate) fn with(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    let value = HeaderValue::from_str(value).expect("our own values are plain text");
    answer.headers_mut().insert(name, value);
    answer
}
