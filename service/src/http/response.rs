//! What a handler answers.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;

use super::problem::Problem;

/// An answer whose body is complete.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// HTTP status.
    pub(crate) status: u16,
    /// Media type of the body; empty for no body.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) body: Bytes,
    /// What else is to be said in the head.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Response {
    /// A JSON document.
    pub(crate) fn json<T: Serialize>(status: u16, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::of(status, "application/json", body),
            // Our own types serialise: maps have string keys and no serialiser of ours fails.
            Err(error) => {
                let cause = format!("an answer could not be written as JSON: {error}");
                tracing::error!(cause, "answer not written");
                Self::empty(Problem::internal(cause).status())
            }
        }
    }

    /// A body of any kind.
    pub(crate) fn of(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, body: body.into(), headers: Vec::new() }
    }

    /// No body.
    pub(crate) fn empty(status: u16) -> Self {
        Self::of(status, "", Bytes::new())
    }

    /// The same with a header more. A value that can't stand in a header is left out.
    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// The first value of a header, for tests.
    #[cfg(test)]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found.as_str() == name)?;
        value.to_str().ok()
    }
}
