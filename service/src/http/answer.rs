//! From a request's head to its answer: the checks in their order, each before anything that costs
//! more. Host, route, room, caller, query, body, handler; every way out is an answer with a request
//! id.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use contract::Limit;
use contract::endpoint::{self, Listener};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use hyper::body::{Body as _, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::body::{self, Flowing, Leaving, Outgoing, Source};
use super::exchange::Exchange;
use super::problem::{Code, Problem};
use super::request::{Request, RequestId, query_params};
use super::response::{Body, Response};
use super::route;
use super::server::{Dispatch, Shared};
use super::{timing, trace};
use crate::obs;
use crate::obs::given_up::in_time;

/// Answers one request.
pub(super) async fn answer<D: Dispatch>(
    shared: Arc<Shared<D>>,
    leaving: Leaving,
    request: hyper::Request<Incoming>,
) -> http::Response<Outgoing> {
    let (head, mut incoming) = request.into_parts();
    let mut exchange =
        Exchange::begin(RequestId::of(&head.headers), trace::of(&head.headers), shared.listener);
    let is_head = head.method == http::Method::HEAD;
    let scope = Arc::clone(&exchange.scope);
    // Boxed: an idle connection keeps only the box' pointer, not the largest handler's state.
    let work = Box::pin(process(&shared, &mut exchange, head, &mut incoming));
    let result = match obs::request::within(scope, contained(work)).await {
        Ok(result) => result,
        Err(cause) => Err(Problem::internal(cause)),
    };
    let response = match result {
        Ok(response) => {
            exchange.answered(response.status, response.body.bytes().len());
            response
        }
        Err(problem) => {
            let response = problem.respond(&exchange.id);
            exchange.answered(response.status, response.body.bytes().len());
            exchange.refused(problem);
            response
        }
    };
    let is_unread = !incoming.is_end_stream();
    if is_unread {
        shared.tasks.spawn(body::discard(incoming));
    }
    let must_close = is_unread || shared.leaving.is_cancelled();
    let until = shared.stopping.clone();
    write(response, exchange, leaving, until, is_head, must_close)
}

/// The checks and the handler.
async fn process<D: Dispatch>(
    shared: &Shared<D>,
    exchange: &mut Exchange,
    head: Parts,
    incoming: &mut Incoming,
) -> Result<Response, Problem> {
    check_host(&head)?;
    let found = route::find(shared.listener, &head.method, head.uri.path())?;
    exchange.endpoint = Some(found.endpoint);
    exchange.scope.is_for(found.endpoint);
    let spec = found.endpoint.spec();
    let _room = room(shared)?;
    let place = place(shared, &spec)?;
    let deadline =
        Duration::from_millis(u64::from(spec.deadline_ms)).min(shared.bounds.deadline_max);

    exchange.caller = {
        let caller = shared.dispatch.authenticate(found.endpoint, &found.path, &head.headers);
        by_deadline(deadline, pin!(Some(caller))).await?
    };
    let query = query_params(&spec, head.uri.query())?;

    let reading = body::read(incoming, spec.body_bytes_max, &shared.body_bytes);
    let Ok(received) = tokio::time::timeout(deadline, reading).await else {
        let detail = format!("Send the whole body within {} ms.", deadline.as_millis());
        return Err(Problem::new(Code::SlowBody, detail));
    };
    let received = received?;
    exchange.bytes_in = received.bytes.len() as u64;

    let body = received.bytes.clone();
    let request = Request::new(found, query, head, body, exchange.received_at);
    let mut response = by_deadline(deadline, pin!(Some(shared.dispatch.dispatch(request)))).await?;
    if let (Body::Stream(stream), Some(place)) = (&mut response.body, place) {
        stream.hold(place);
    }
    Ok(response)
}

/// A Host header, exactly one: without it nobody knows what was asked, with two, two proxies can
/// disagree. HTTP/1.0 may leave it out.
fn check_host(head: &Parts) -> Result<(), Problem> {
    let hosts = head.headers.get_all(HOST).iter().count();
    let is_enough = hosts == 1 || (hosts == 0 && head.version == http::Version::HTTP_10);
    if is_enough {
        return Ok(());
    }
    let detail = format!("Send exactly one Host header; there are {hosts}.");
    Err(Problem::new(Code::BadRequest, detail))
}

/// A place among the requests that may be answered at a time. Operators' requests need none:
/// they must get through when all is full.
fn room<D>(shared: &Shared<D>) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    match shared.listener {
        Listener::Admin => Ok(None),
        Listener::Public => match Arc::clone(&shared.requests).try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(_) => {
                obs::limit::reached(Limit::RequestsInFlight);
                let detail = "Too many requests are being answered: try again in a moment.";
                Err(Problem::new(Code::Overloaded, detail))
            }
        },
    }
}

/// A place among the answers that may be streamed at a time, for endpoints that stream.
fn place<D>(
    shared: &Shared<D>,
    spec: &endpoint::Spec,
) -> Result<Option<OwnedSemaphorePermit>, Problem> {
    if !spec.streams {
        return Ok(None);
    }
    Arc::clone(&shared.streams).try_acquire_owned().map(Some).map_err(|_| {
        obs::limit::reached(super::server::streams_of(shared.listener));
        let detail = "Too many answers are being streamed: close one, or try again in a moment.";
        Problem::new(Code::Overloaded, detail)
    })
}

async fn by_deadline<T>(
    deadline: Duration,
    work: Pin<&mut Option<impl Future<Output = Result<T, Problem>>>>,
) -> Result<T, Problem> {
    in_time(deadline, work).await.unwrap_or_else(|_| {
        let detail = "It took too long: repeating the request is safe, try again in a moment.";
        Err(Problem::new(Code::DeadlineExceeded, detail))
    })
}

/// Runs a future such that its panic ends only it. What it shares with others is behind locks
/// that no panic holds, or is atomic.
async fn contained<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(obs::log::caught(&*payload))),
    })
    .await
}

fn write(
    response: Response,
    mut exchange: Exchange,
    leaving: Leaving,
    until: CancellationToken,
    is_head: bool,
    must_close: bool,
) -> http::Response<Outgoing> {
    let Response { status, content_type, body, headers } = response;
    let mut head = http::Response::new(());
    *head.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let map = head.headers_mut();
    if !content_type.is_empty() {
        map.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        map.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let (true, Body::Whole(body)) = (is_head, &body) {
        map.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if must_close {
        map.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(id) = HeaderValue::from_str(exchange.id.as_str()) {
        map.insert("x-request-id", id);
    }
    if let Some(value) = timing::header(&exchange) {
        map.insert("server-timing", value);
    }
    map.extend(headers);
    let source = match (body, exchange.endpoint) {
        (Body::Whole(body), _) if !is_head => Source::Whole(body),
        (Body::Stream(stream), Some(endpoint)) if !is_head => {
            let first = exchange.streams(endpoint, stream.is_endless());
            Source::Stream(Box::new(Flowing::new(stream, until.cancelled_owned(), first)))
        }
        (Body::Whole(_) | Body::Stream(_), _) => Source::Whole(bytes::Bytes::new()),
    };
    head.map(|()| Outgoing::new(source, exchange, leaving))
}
