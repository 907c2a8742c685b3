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

    /// A body that is made while it is sent. Only an endpoint whose row says so may answer one: the
    /// others have no place for it.
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
    source: Source,
    /// Its place among the streams of the listener, for as long as it goes on.
    place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Source {
    /// Goes on until somebody leaves.
    Endless(mpsc::Receiver<Bytes>),
    /// Has an end of its own, without which it is no answer.
    Report(mpsc::Receiver<Piece>),
}

/// What comes next of a stream.
#[derive(Debug)]
pub(super) enum Piece {
    /// More of it.
    More(Bytes),
    /// It is over.
    End,
    /// It can't be made to its end.
    Broken(Problem),
}

/// Takes the pieces of a report. Dropped before [`Pieces::end`], the report is broken: its reader
/// sees the connection break, and no end that looks like one.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Sender<Piece>);

impl Pieces {
    /// Sends a piece; false once the reader has left.
    pub(crate) async fn send(&self, piece: Bytes) -> bool {
        self.0.send(Piece::More(piece)).await.is_ok()
    }

    /// That was all.
    pub(crate) async fn end(self) {
        let _reader_left = self.0.send(Piece::End).await;
    }

    /// There is more, and it can't be had.
    pub(crate) async fn fail(self, why: Problem) {
        let _reader_left = self.0.send(Piece::Broken(why)).await;
    }
}

impl Stream {
    /// A stream without an end of its own, and where its pieces are put. It ends when that is
    /// dropped.
    pub(crate) fn channel() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, pieces) = mpsc::channel(1);
        (sender, Self { source: Source::Endless(pieces), place: None })
    }

    /// A report, and where its pieces are put.
    pub(crate) fn report() -> (Pieces, Self) {
        let (sender, pieces) = mpsc::channel(1);
        (Pieces(sender), Self { source: Source::Report(pieces), place: None })
    }

    /// Whether it goes on until somebody leaves.
    pub(super) const fn is_endless(&self) -> bool {
        match self.source {
            Source::Endless(_) => true,
            Source::Report(_) => false,
        }
    }

    /// Keeps its place until it ends.
    pub(super) fn hold(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        match &mut self.source {
            Source::Endless(pieces) => {
                pieces.poll_recv(cx).map(|piece| piece.map_or(Piece::End, Piece::More))
            }
            Source::Report(pieces) => pieces.poll_recv(cx).map(|piece| {
                let given_up = || Problem::internal("whoever made the report gave it up");
                piece.unwrap_or_else(|| Piece::Broken(given_up()))
            }),
        }
    }
}
