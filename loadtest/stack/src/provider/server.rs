//! The server: connections, requests and the faults that only a connection can have.
//!
//! Here belongs how requests come in and answers go out, or don't; what is answered is in
//! `twilio`, `webhook` and `control`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::draw::{Key, Purpose};
use super::engine::Engine;
use super::response::{Answer, Reaction, Reply};
use super::twilio::error::TwilioError;
use super::webhook::WebhookError;
use super::{control, twilio, webhook};

/// A request's body at the most. The largest text in its form is a tenth of that.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A request's head at the most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A body that takes longer is answered 408.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// A connection without a request is closed after this, as common servers do.
const IDLE_MAX: Duration = Duration::from_secs(75);
/// A request is left hanging no longer than this; every client has given up by then.
const HANG_MAX: Duration = Duration::from_secs(600);
/// How long answers may still take once the simulator is told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// The pause after a failed accept: out of file descriptors, as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Ends a connection without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer, on purpose")]
struct NoAnswer;

/// Why there is no body.
enum NoBody {
    TooLarge,
    TooSlow,
    /// The client is gone; nobody reads what is answered.
    Broken,
}

/// Serves until told to stop, then lets answers that are under way go out.
pub(crate) async fn run(engine: Arc<Engine>, listener: TcpListener, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(engine.options.limits.connections_max));
    let connections = TaskTracker::new();
    let accepting = async {
        for number in 0u64.. {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let (stream, peer) = accept(&listener).await;
            if meets_reset(&engine, number) {
                reset(stream);
                engine.count(|state| state.connections_reset += 1);
                continue;
            }
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            connections.spawn(async move {
                engine.count(|state| state.connections += 1);
                serve(&engine, stream, peer, stop).await;
                engine.count(|state| state.connections -= 1);
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop.cancelled() => {}
    }
    connections.close();
    // Whoever still waits then (a request left hanging) is cut off.
    let _ = timeout(DRAIN_MAX, connections.wait()).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn meets_reset(engine: &Engine, number: u64) -> bool {
    let unit = Key::of_number(engine.options.seed, number).unit(Purpose::Fault, 0);
    unit < engine.faults().reset_connection_share
}

/// Closes a connection with RST in place of FIN.
fn reset(stream: TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection could not be reset");
    }
}

async fn serve(engine: &Engine, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection broke at once");
        return;
    }
    let with_reset = AtomicBool::new(false);
    let service = service_fn(|request| handle(engine, request, peer, &with_reset));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let served = tokio::select! {
        served = &mut connection => served,
        () = stop.cancelled() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
    if with_reset.load(Ordering::Relaxed) {
        reset(connection.into_parts().io.into_inner());
    }
}

async fn handle(
    engine: &Engine,
    request: Request<Incoming>,
    peer: SocketAddr,
    with_reset: &AtomicBool,
) -> Result<Answer, NoAnswer> {
    let control = request.uri().path().starts_with("/control/");
    let Some(Reply { latency, lost, reaction }) = respond(engine, request, peer).await else {
        return Err(NoAnswer);
    };
    if !latency.is_zero() {
        sleep(latency).await;
    }
    match reaction {
        Reaction::Answer(_) if lost => {
            engine.count(|state| state.dropped += 1);
            Err(NoAnswer)
        }
        Reaction::Answer(answer) => {
            if !control {
                let status = answer.status().as_u16();
                engine.count(|state| *state.answered.entry(status).or_default() += 1);
            }
            Ok(answer)
        }
        Reaction::Reset => {
            engine.count(|state| state.reset += 1);
            with_reset.store(true, Ordering::Relaxed);
            Err(NoAnswer)
        }
        Reaction::Hang => {
            let _hanging = Hanging::new(engine);
            sleep(HANG_MAX).await;
            Err(NoAnswer)
        }
    }
}

/// What is done about a request; nothing where the client is gone.
async fn respond(engine: &Engine, request: Request<Incoming>, peer: SocketAddr) -> Option<Reply> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path.starts_with("/control/") {
        let body = read(body).await.unwrap_or_default();
        return Some(control::answer(engine, peer, &head.method, path, &body).into());
    }
    if path == "/webhook/messages" {
        let signature = head.headers.get("x-punctual-signature").and_then(|it| it.to_str().ok());
        return take_webhook(engine, &head.method, signature, body).await;
    }
    let authorization = head.headers.get(AUTHORIZATION).map(|it| it.as_bytes());
    let routed = authorize(engine, path, authorization);
    let resource = match routed {
        Ok(resource) => resource,
        Err(error) => return Some(error.answer().into()),
    };
    if head.method != Method::POST {
        let query = head.uri.query().unwrap_or_default();
        let answer = twilio::look_up(engine, &head.method, resource, path, query);
        return Some(answer.unwrap_or_else(|error| error.answer()).into());
    }
    let replied = match read(body).await {
        Ok(form) => twilio::post(engine, resource, path, &form),
        Err(NoBody::TooLarge) => Err(TwilioError::TooLarge),
        Err(NoBody::TooSlow) => Err(TwilioError::TooSlow),
        Err(NoBody::Broken) => return None,
    };
    Some(replied.unwrap_or_else(|error| error.answer().into()))
}

async fn take_webhook(
    engine: &Engine,
    method: &Method,
    signature: Option<&str>,
    body: Incoming,
) -> Option<Reply> {
    if method != Method::POST {
        return Some(WebhookError::MethodNotAllowed.answer().into());
    }
    let replied = match read(body).await {
        Ok(body) => webhook::create(engine, signature, &body),
        Err(NoBody::TooLarge) => Err(WebhookError::TooLarge),
        Err(NoBody::TooSlow) => Err(WebhookError::TooSlow),
        Err(NoBody::Broken) => return None,
    };
    Some(replied.unwrap_or_else(|error| error.answer().into()))
}

/// The resource of a path, for whoever presents the account and its token.
fn authorize<'a>(
    engine: &Engine,
    path: &'a str,
    authorization: Option<&[u8]>,
) -> Result<twilio::Resources<'a>, TwilioError> {
    let not_found = || TwilioError::NotFound(path.to_owned());
    let (account, resource) = twilio::route(path).ok_or_else(not_found)?;
    let presented = authorization.unwrap_or_default();
    aws_lc_rs::constant_time::verify_slices_are_equal(presented, &engine.authorization)
        .map_err(|_| TwilioError::Authenticate)?;
    if account == engine.options.account_sid { Ok(resource) } else { Err(not_found()) }
}

async fn read(body: Incoming) -> Result<Bytes, NoBody> {
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(NoBody::TooLarge);
    }
    match timeout(BODY_DEADLINE, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(NoBody::TooLarge),
        Ok(Err(_)) => Err(NoBody::Broken),
        Err(_) => Err(NoBody::TooSlow),
    }
}

/// Counts a request that is left hanging, until its client gives up.
struct Hanging<'a>(&'a Engine);

impl<'a> Hanging<'a> {
    fn new(engine: &'a Engine) -> Self {
        engine.count(|state| {
            state.hung += 1;
            state.hanging += 1;
        });
        Self(engine)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.count(|state| state.hanging -= 1);
    }
}
