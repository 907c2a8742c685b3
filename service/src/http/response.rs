//! What a handler answers.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::problem::Problem;

/// An answer: its head, and a body that is complete or a stream.
#[derive(Debug)]
pub(crate) struct Response {
    /// HTTP status.
    pub(crate) status: u16,
    /// Media type of the body; empty for no body.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) body: Body,
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
        Self { status, content_type, body: Body::Whole(body.into()), headers: Vec::new() }
    }

    /// A body that goes on for as long as there is somebody at both ends. Only an endpoint whose
    /// row says so may answer one: the others have no place for it.
    pub(crate) fn stream(content_type: &'static str, stream: Stream) -> Self {
        Self { body: Body::Stream(stream), ..Self::of(200, content_type, Bytes::new()) }
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

/// What follows a head.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Whole(Bytes),
    /// Pieces, as they are made.
    Stream(Stream),
}

impl Body {
    /// What is known of it now: nothing of a stream.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Stream(_) => &[],
        }
    }
}

/// Pieces of an answer that are made while it is sent. One piece waits at the most: whoever makes
/// them waits for a slow reader, and finds the channel closed when the answer has ended, because
/// the reader went away or the listener stops.
#[derive(Debug)]
pub(crate) struct Stream {
    pieces: mpsc::Receiver<Bytes>,
    /// Its place among the streams of the listener, for as long as it goes on.
    place: Option<OwnedSemaphorePermit>,
}

impl Stream {
    /// A stream and the end into which its pieces are put. It ends when that end is dropped.
    pub(crate) fn channel() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, pieces) = mpsc::channel(1);
        (sender, Self { pieces, place: None })
    }

    /// Keeps its place until it ends.
    pub(super) fn hold(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.pieces.poll_recv(cx)
    }
}
