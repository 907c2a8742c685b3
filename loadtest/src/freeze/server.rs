//! The server that is frozen: it answers every request at once, in a process of its own, on one
//! thread. Hidden from the help, as nothing but `loadtest freeze` and a benchmark of the harness
//! needs it.
//!
//! Never here: freezing it; that is done to the whole process from outside.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use clap::Args;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::exit::{Exit, Failure};
use crate::open_files;

/// Stands before its address on the line that says that it listens.
pub(super) const LISTENING: &str = "listening on";

/// The flags of the server.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Serves until it is killed.
///
/// # Errors
/// When it can't listen.
pub fn run(args: &ServerArgs) -> Result<Exit, Failure> {
    open_files::raise();
    let failed = |error: std::io::Error| Failure::Unavailable(error.to_string());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(LocalSet::new().run_until(serve(args.listen))).map_err(failed)?;
    Ok(Exit::Passed)
}

async fn serve(at: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(at).await?;
    announce!("{LISTENING} {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(|_: Request<Incoming>| async {
                let body = Full::new(Bytes::from_static(b"ok"));
                Ok::<_, Infallible>(Response::new(body))
            }),
        );
        // A client that breaks off is none of its business.
        tokio::task::spawn_local(connection);
    }
}
