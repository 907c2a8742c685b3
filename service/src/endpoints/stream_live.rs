//! `GET /live/events`: what the live page shows, once a second as server-sent events, until the
//! reader leaves or the process does.

use std::sync::Arc;

use crate::app::App;
use crate::http::{Problem, Request, Response, Stream};
use crate::live::Live;

/// Begins a stream.
pub(crate) async fn handle(app: &Arc<App>, _: Request) -> Result<Response, Problem> {
    Ok(answer(&app.live))
}

/// The same for a process that has not reached its database yet.
pub(crate) fn answer(live: &Arc<Live>) -> Response {
    let (pieces, stream) = Stream::channel();
    let live = Arc::clone(live);
    // It ends with the stream, whose length is the reader's and the listener's affair.
    tokio::spawn(async move { live.push(pieces).await });
    // Proxies would collect events until they are worth a packet.
    Response::stream("text/event-stream", stream).with_header("x-accel-buffering", "no")
}
