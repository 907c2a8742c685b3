//! Bodies at the border: reading a request's within its limits, and writing an answer's in pieces
//! so that its last byte can be told from its first.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use contract::Limit;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::exchange::{Exchange, FirstByte};
use super::problem::{Code, Problem};
use super::response::{Piece, Stream};
use crate::obs;

/// Bytes of an answer handed to hyper at a time, and reserved for a request's body at first.
const PIECE_BYTES: usize = 16_384;

/// How much of a refused body is read and thrown away so that the caller reads the answer instead
/// of a reset connection, and for how long.
const DISCARD_BYTES_MAX: usize = 8_388_608;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// A request's body with its share of the memory for bodies.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) bytes: Bytes,
    /// Given back when the request has been answered.
    pub(super) _share: Option<OwnedSemaphorePermit>,
}

/// Reads a body, at most `bytes_max` of it. What was stated to be larger isn't read at all.
pub(super) async fn read(
    body: &mut Incoming,
    bytes_max: u32,
    memory: &Arc<Semaphore>,
) -> Result<Received, Problem> {
    let stated = body.size_hint().lower();
    if stated > u64::from(bytes_max) {
        return Err(too_large(bytes_max));
    }
    // A size that is only stated reserves little: memory is taken as bytes arrive.
    let mut bytes = BytesMut::with_capacity(stated.min(PIECE_BYTES as u64) as usize);
    let mut share: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let detail = "The body ended before its stated length.";
            Problem::new(Code::BadRequest, detail).because(error.to_string())
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        }; // trailers
        if bytes.len() + data.len() > bytes_max as usize {
            return Err(too_large(bytes_max));
        }
        let more = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(memory).try_acquire_many_owned(more) else {
            obs::limit::reached(Limit::BodyBytes);
            let detail = "Too many large bodies are being read: try again in a moment.";
            return Err(Problem::new(Code::Overloaded, detail));
        };
        match &mut share {
            Some(share) => share.merge(more),
            None => share = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received { bytes: bytes.freeze(), _share: share })
}

fn too_large(bytes_max: u32) -> Problem {
    let detail = match bytes_max {
        0 => "This endpoint reads no body: send none.".to_owned(),
        _ => format!("At most {bytes_max} bytes are read here: send less at a time."),
    };
    Problem::new(Code::BodyTooLarge, detail)
}

/// Reads what is left of a refused body for a moment, so that the answer arrives.
pub(super) async fn discard(mut body: Incoming) {
    let reading = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(len) else {
                return;
            };
            left = less;
        }
    };
    let _gave_up = tokio::time::timeout(DISCARD_TIME, reading).await;
}

/// What waits for the socket. One a connection: HTTP/1.1 answers one request at a time.
pub(super) type Leaving = Arc<Mutex<Left>>;

/// What hyper has taken and the socket has not passed on yet.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// A stream whose first piece is on its way.
    pub(super) begun: Option<Arc<FirstByte>>,
    /// An exchange whose last byte is on its way.
    pub(super) ended: Option<Exchange>,
    /// A stream has begun and not ended.
    pub(super) is_streaming: bool,
}

/// An answer's body. When hyper has taken all of it, its exchange waits in [`Leaving`] for the
/// socket; dropped before that, the exchange ends as aborted.
pub(super) struct Outgoing {
    source: Source,
    exchange: Option<Exchange>,
    leaving: Leaving,
}

/// Where the bytes come from.
pub(super) enum Source {
    /// All of them are here.
    Whole(Bytes),
    /// They are made as they go.
    Stream(Box<Flowing>),
}

/// A stream that is being sent.
pub(super) struct Flowing {
    stream: Stream,
    /// Ends it: the listener stops.
    until: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Until the first piece is taken.
    first: Option<Arc<FirstByte>>,
    is_over: bool,
}

impl Flowing {
    pub(super) fn new(
        stream: Stream,
        until: WaitForCancellationFutureOwned,
        first: Arc<FirstByte>,
    ) -> Self {
        Self { stream, until: Box::pin(until), first: Some(first), is_over: false }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Piece> {
        // A report has an end of its own, for which the listener waits as for any answer.
        let is_stopped = self.stream.is_endless() && self.until.as_mut().poll(cx).is_ready();
        let piece = if is_stopped { Poll::Ready(Piece::End) } else { self.stream.poll_piece(cx) };
        self.is_over |= matches!(piece, Poll::Ready(Piece::End));
        piece
    }
}

impl Outgoing {
    pub(super) const fn new(source: Source, exchange: Exchange, leaving: Leaving) -> Self {
        Self { source, exchange: Some(exchange), leaving }
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.leaving.lock().expect("nothing panics under this lock")
    }
}

/// An answer that can't be made to its end: its connection ends in the middle of it, so that nobody
/// takes what there is for all of it.
#[derive(Debug, thiserror::Error)]
#[error("the answer can't be made to its end")]
pub(super) struct Unfinished;

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        let (piece, first) = match &mut self.source {
            Source::Whole(data) if data.is_empty() => return Poll::Ready(None),
            Source::Whole(data) => {
                let len = data.len().min(PIECE_BYTES);
                return Poll::Ready(Some(Ok(Frame::data(data.split_to(len)))));
            }
            Source::Stream(flowing) => match ready!(flowing.poll_piece(cx)) {
                Piece::More(piece) => (piece, flowing.first.take()),
                Piece::End => return Poll::Ready(None),
                Piece::Broken(why) => {
                    if let Some(exchange) = &mut self.exchange {
                        exchange.broke(why);
                    }
                    return Poll::Ready(Some(Err(Unfinished)));
                }
            },
        };
        if let Some(exchange) = &mut self.exchange {
            exchange.sent(piece.len());
        }
        if first.is_some() {
            let mut left = self.left();
            left.begun = first;
            left.is_streaming = true;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(data) => data.is_empty(),
            Source::Stream(flowing) => flowing.is_over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(data) => SizeHint::with_exact(data.len() as u64),
            Source::Stream(_) => SizeHint::default(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if self.is_end_stream() {
            let exchange = self.exchange.take();
            let mut left = self.left();
            left.ended = exchange;
            left.is_streaming = false;
        }
    }
}
