//! Bodies at the border: reading a request's within its limits, and writing an answer's in pieces
//! so that its last byte can be told from its first.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use contract::Limit;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::exchange::Exchange;
use super::problem::{Code, Problem};
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

/// Where an exchange waits for its last byte to leave. One a connection: HTTP/1.1 answers one
/// request at a time.
pub(super) type Leaving = Arc<Mutex<Option<Exchange>>>;

/// An answer's body. When hyper has taken all of it, its exchange waits in [`Leaving`] for the
/// socket; dropped before that, the exchange ends as aborted.
pub(super) struct Outgoing {
    data: Bytes,
    exchange: Option<Exchange>,
    leaving: Leaving,
}

impl Outgoing {
    pub(super) const fn new(data: Bytes, exchange: Exchange, leaving: Leaving) -> Self {
        Self { data, exchange: Some(exchange), leaving }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.data.is_empty() {
            return Poll::Ready(None);
        }
        let len = self.data.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.data.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if self.data.is_empty() {
            let exchange = self.exchange.take();
            *self.leaving.lock().expect("nothing panics under this lock") = exchange;
        }
    }
}
