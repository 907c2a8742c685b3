//! One connection: hyper's HTTP/1.1 over a socket that knows when an answer's last byte left.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::answer::answer;
use super::body::Leaving;
use super::server::{Dispatch, Shared};
use crate::obs;
use crate::obs::http::Broken;

/// What hyper may hold of a connection's input and output.
const BUFFER_BYTES: usize = 65_536;

/// Answers the requests of a connection until it ends.
pub(super) async fn serve<D: Dispatch>(shared: Arc<Shared<D>>, stream: TcpStream) {
    let _connected = obs::http::connected(shared.listener);
    let leaving = Leaving::default();
    let io = TokioIo::new(Watched {
        stream,
        leaving: Arc::clone(&leaving),
        stall_time: shared.bounds.stall_time,
        stalled: None,
    });
    let service = service_fn(|request| {
        let answer = answer(Arc::clone(&shared), Arc::clone(&leaving), request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Silent, slow and idle connections: one timer for all three.
        .header_read_timeout(shared.bounds.head_time)
        .max_header_size(shared.bounds.head_bytes)
        .max_buf_size(BUFFER_BYTES.max(shared.bounds.head_bytes));
    let mut connection = pin!(builder.serve_connection(io, service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shared.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = shared.cut.cancelled() => {
                    obs::http::broken(shared.listener, Broken::Cut);
                    return;
                }
            }
        }
    };
    if let Err(error) = result {
        let why = why(&error);
        // A stream ends when its reader leaves, which is no break.
        let is_streaming = leaving.lock().expect("nothing panics under this lock").is_streaming;
        if !(why == Broken::Peer && is_streaming) {
            obs::http::broken(shared.listener, why);
        }
        tracing::debug!(reason = ?why, %error, "connection ended badly");
    }
}

fn why(error: &hyper::Error) -> Broken {
    if error.is_parse() {
        Broken::BadHead
    } else if error.is_timeout() {
        Broken::Timeout
    } else if error.is_user() {
        Broken::Cut
    } else {
        Broken::Peer
    }
}

/// A socket that ends the exchange whose answer it has passed on in full, that says when the first
/// byte of a stream is out, and that fails when its
/// peer takes nothing for too long: hyper has a timer for reading only.
struct Watched {
    stream: TcpStream,
    leaving: Leaving,
    stall_time: Duration,
    /// Runs while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    /// Passes the outcome of a write on, unless the peer has stalled for too long.
    fn unless_stalled(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall_time = self.stall_time;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall_time)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when its buffer is empty: what was taken from a body is with the kernel.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        let (begun, ended) = {
            let mut left = self.leaving.lock().expect("nothing panics under this lock");
            (left.begun.take(), left.ended.take())
        };
        if let Some(first) = begun {
            first.left();
        }
        if let Some(exchange) = ended {
            exchange.finish();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
