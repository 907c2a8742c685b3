//! Streamed answers on a real listener: how they begin, how they end, how many there may be.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;
use crate::http::{Pieces, Stream};
use crate::obs::exemplar::TraceId;
use crate::obs::http::{Begun, Finished, Reading};
use crate::obs::kept::{self, Why};
use crate::obs::request::Scope;

const LONG: Duration = Duration::from_secs(10);
/// For an answer to begin; a stream outlasts it.
const DEADLINE: Duration = Duration::from_millis(50);
const REQUEST: &str = "GET /live/events HTTP/1.1\r\nHost: x\r\n\r\n";

/// Gives the other end of every stream to the test.
struct Site<End> {
    ends: mpsc::UnboundedSender<End>,
    open: fn() -> (End, Stream),
    kind: &'static str,
}

impl<End: Send + 'static> Dispatch for Site<End> {
    async fn authenticate(
        &self,
        _: Endpoint,
        _: &PathParams,
        _: &HeaderMap,
    ) -> Result<Principal, Problem> {
        Ok(Principal::Anonymous)
    }

    async fn dispatch(&self, _: Request) -> Result<Response, Problem> {
        let (end, stream) = (self.open)();
        assert!(self.ends.send(end).is_ok(), "the test is there");
        Ok(Response::stream(self.kind, stream))
    }
}

struct Case {
    running: Running<Site<mpsc::Sender<Bytes>>>,
    address: SocketAddr,
    begun: mpsc::UnboundedReceiver<mpsc::Sender<Bytes>>,
}

const fn bounds(streams: usize, stall_time: Duration) -> Bounds {
    Bounds {
        connections_limit: Limit::AdminConnections,
        connections: 10,
        requests: 10,
        streams,
        body_bytes: 1_000,
        head_bytes: 16_384,
        head_time: LONG,
        stall_time,
        deadline_max: DEADLINE,
    }
}

impl Case {
    fn start(streams: usize, stall_time: Duration) -> Self {
        let bounds = bounds(streams, stall_time);
        let (ends, begun) = mpsc::unbounded_channel();
        let socket = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let site = Site { ends, open: Stream::channel, kind: "text/event-stream" };
        Self { running: start(Arc::new(site), Listener::Admin, socket, bounds), address, begun }
    }

    /// A reader and what it reads from.
    async fn open(&mut self) -> (TcpStream, mpsc::Sender<Bytes>) {
        let mut reader = TcpStream::connect(self.address).await.unwrap();
        reader.write_all(REQUEST.as_bytes()).await.unwrap();
        (reader, soon(self.begun.recv()).await.unwrap())
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it comes soon")
}

async fn put(pieces: &mpsc::Sender<Bytes>, piece: &'static str) {
    soon(pieces.send(Bytes::from_static(piece.as_bytes()))).await.unwrap();
}

/// Reads until this has come.
async fn read_until(reader: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    loop {
        let so_far = String::from_utf8_lossy(&read).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        assert_ne!(soon(reader.read_buf(&mut read)).await.unwrap(), 0, "closed after {so_far:?}");
    }
}

async fn read_to_end(reader: &mut TcpStream) -> String {
    let mut read = Vec::new();
    soon(reader.read_to_end(&mut read)).await.unwrap();
    String::from_utf8_lossy(&read).into_owned()
}

fn counted() -> Reading {
    obs::install().unwrap();
    obs::http::read(Endpoint::StreamLive)
}

/// The figures are the whole process's, so the tests that read them take turns.
static COUNTED: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn counted_until(is_right: impl Fn(&Reading) -> bool) -> Reading {
    let started = Instant::now();
    loop {
        let now = counted();
        if is_right(&now) {
            return now;
        }
        assert!(started.elapsed() < LONG, "{now:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pieces_come_as_they_are_made_and_stopping_ends_in_order() {
    let _turn = COUNTED.lock().await;
    let before = counted();
    let mut case = Case::start(2, LONG);
    let (mut reader, pieces) = case.open().await;
    put(&pieces, "data: one\n\n").await;
    let head = read_until(&mut reader, "data: one\n\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/event-stream") && head.contains("chunked"), "{head}");
    // Judged when its first byte is out, long before it ends.
    let begun = counted_until(|now| now.latency.all == before.latency.all + 1).await;
    assert_eq!(begun.latency.good, before.latency.good + 1);
    assert_eq!(begun.duration.count(), before.duration.count());
    let started = Instant::now();
    while started.elapsed() < DEADLINE * 2 {
        put(&pieces, "data: two\n\n").await;
        read_until(&mut reader, "data: two\n\n").await;
    }

    let stopping = tokio::spawn(async move { case.running.stop(LONG).await });
    assert!(read_to_end(&mut reader).await.ends_with("0\r\n\r\n"), "an end, not a break");
    assert_eq!(soon(stopping).await.unwrap(), 0, "nothing was cut");
    soon(pieces.closed()).await;
    let ended = counted_until(|now| now.duration.count() == before.duration.count() + 1).await;
    assert_eq!(ended.availability.good, before.availability.good + 1);
    assert_eq!(ended.latency.all, before.latency.all + 1, "judged once");
    assert_eq!(ended.aborted, before.aborted);
}

#[tokio::test]
async fn a_reader_that_leaves_ends_it_and_is_no_failure() {
    let _turn = COUNTED.lock().await;
    let before = counted();
    let broken = || {
        let text = obs::rendered(obs::Format::Text);
        let line = text.lines().find(|line| {
            line.starts_with("http_server_broken_connections_total{listener=\"admin\"")
                && line.contains("peer")
        });
        line.unwrap().to_owned()
    };
    let broken_before = broken();
    let mut case = Case::start(2, LONG);
    let (mut reader, pieces) = case.open().await;
    put(&pieces, "data: one\n\n").await;
    read_until(&mut reader, "data: one\n\n").await;
    counted_until(|now| now.latency.all == before.latency.all + 1).await;
    drop(reader);
    soon(pieces.closed()).await;
    let ended = counted_until(|now| now.duration.count() == before.duration.count() + 1).await;
    assert_eq!(ended.aborted, before.aborted);
    assert_eq!(case.running.stop(LONG).await, 0);
    assert_eq!(broken(), broken_before);

    // One that leaves before anything came has waited for nothing.
    let mut case = Case::start(2, LONG);
    let (reader, pieces) = case.open().await;
    drop(reader);
    soon(pieces.closed()).await;
    counted_until(|now| now.aborted == before.aborted + 1).await;
}

#[tokio::test]
async fn there_are_no_more_than_there_is_room_for() {
    let _turn = COUNTED.lock().await;
    let mut case = Case::start(1, LONG);
    let (reader, pieces) = case.open().await;
    let close = REQUEST.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    let again = async || {
        let mut other = TcpStream::connect(case.address).await.unwrap();
        other.write_all(close.as_bytes()).await.unwrap();
        other
    };
    let refused = read_to_end(&mut again().await).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("retry-after: 1") && refused.contains("overloaded"), "{refused}");
    drop(reader);
    soon(pieces.closed()).await;
    // Its place is given back with it.
    let mut other = again().await;
    let pieces = soon(case.begun.recv()).await.unwrap();
    put(&pieces, "data: one\n\n").await;
    drop(pieces);
    let whole = read_to_end(&mut other).await;
    assert!(whole.contains("data: one\n\n") && whole.ends_with("0\r\n\r\n"), "{whole}");
    assert_eq!(case.running.stop(LONG).await, 0);
}

#[tokio::test]
async fn head_begins_no_stream() {
    let _turn = COUNTED.lock().await;
    let mut case = Case::start(1, LONG);
    let before = counted();
    for _ in 0..3 {
        let mut reader = TcpStream::connect(case.address).await.unwrap();
        let head = REQUEST.replacen("GET", "HEAD", 1);
        let head = head.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        reader.write_all(head.as_bytes()).await.unwrap();
        let pieces = soon(case.begun.recv()).await.unwrap();
        let answer = read_to_end(&mut reader).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
        soon(pieces.closed()).await;
    }
    // It has no first byte to be judged by.
    counted_until(|now| now.latency.all == before.latency.all + 3).await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_fills_no_memory() {
    let _turn = COUNTED.lock().await;
    let mut case = Case::start(1, Duration::from_millis(100));
    let (reader, pieces) = case.open().await;
    let piece = Bytes::from(vec![b'x'; 1_000_000]);
    // The kernel keeps some for it; then one piece waits, and after the stall time it is gone.
    let mut taken = 0;
    while soon(pieces.send(piece.clone())).await.is_ok() {
        taken += 1;
        assert!(taken < 100, "somebody keeps what nobody reads");
    }
    drop(reader);
}

/// A report on its way: the listener, its reader, and what it is made with.
async fn report() -> (Running<Site<Pieces>>, TcpStream, Pieces) {
    let (ends, mut begun) = mpsc::unbounded_channel();
    let socket = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let site = Arc::new(Site { ends, open: Stream::report, kind: "text/csv" });
    let running = start(site, Listener::Public, socket, bounds(1, LONG));
    let mut reader = TcpStream::connect(address).await.unwrap();
    let path = "GET /v1/practices/1/days/2026-05-05/report HTTP/1.1\r\nHost: x\r\n\r\n";
    reader.write_all(path.as_bytes()).await.unwrap();
    let pieces = soon(begun.recv()).await.unwrap();
    assert!(soon(pieces.send(Bytes::from_static(b"one,two"))).await);
    read_until(&mut reader, "one,two").await;
    (running, reader, pieces)
}

fn reported() -> Reading {
    obs::install().unwrap();
    obs::http::read(Endpoint::ReadJobReport)
}

async fn reported_since(before: &Reading) -> Reading {
    let started = Instant::now();
    while reported().duration.count() == before.duration.count() {
        assert!(started.elapsed() < LONG, "not counted");
        tokio::task::yield_now().await;
    }
    reported()
}

/// Whoever reads to the end of it has all of it, also while the process leaves.
#[tokio::test]
async fn a_report_is_finished_before_the_listener_is() {
    let _turn = COUNTED.lock().await;
    let before = reported();
    let (running, mut reader, pieces) = report().await;
    let stopping = tokio::spawn(async move { running.stop(LONG).await });
    for _ in 0..10 {
        assert!(soon(pieces.send(Bytes::from_static(b"three,four"))).await);
        read_until(&mut reader, "three,four").await;
    }
    pieces.end().await;
    assert!(read_to_end(&mut reader).await.ends_with("0\r\n\r\n"));
    assert_eq!(soon(stopping).await.unwrap(), 0, "nothing was cut");
    let after = reported_since(&before).await;
    assert_eq!(after.availability.good, before.availability.good + 1);
    assert_eq!(after.latency.good, before.latency.good + 1, "by its first byte");
}

/// A part of a report is none: who leaves before its end hasn't got it. Whether it came in time was
/// judged when it began.
#[tokio::test]
async fn a_report_whose_reader_leaves_is_aborted() {
    let _turn = COUNTED.lock().await;
    let before = reported();
    let (running, reader, pieces) = report().await;
    drop(reader);
    while soon(pieces.send(Bytes::from_static(b"three,four"))).await {}
    let after = reported_since(&before).await;
    assert_eq!(after.aborted, before.aborted + 1);
    assert_eq!(after.latency.all, before.latency.all + 1);
    assert_eq!(after.availability, before.availability);
    assert_eq!(running.stop(LONG).await, 0);
}

/// What a stream is judged, kept and shown by.
#[tokio::test]
async fn its_first_byte_is_what_counts() {
    let _turn = COUNTED.lock().await;
    let (endpoint, hour) = (Endpoint::StreamLive, Duration::from_secs(3_600));
    let in_time = Duration::from_millis(u64::from(endpoint.spec().latency_ms));
    for (n, late) in [false, true].into_iter().enumerate() {
        let before = counted();
        let trace = TraceId::from_random(0x57_4ea3 << 64 | n as u128);
        let scope = Scope::new(trace, Instant::now());
        let took = if late { in_time + Duration::from_nanos(1) } else { in_time };
        obs::http::first_byte(&Begun { endpoint, status: 200, took, scope: &scope });
        let found = kept::of_trace(trace);
        assert!(found.iter().all(|kept| kept.took == took && (kept.why == Why::Slow) == late));
        if late {
            assert_eq!(found.len(), 1);
            let text = obs::rendered(obs::Format::OpenMetrics);
            let shows = |line: &str| line.contains(&trace.to_string());
            let shown: Vec<&str> = text.lines().filter(|line| shows(line)).collect();
            assert!(shown.iter().all(|line| line.starts_with("http_server_time_to_first_byte")));
            assert_eq!(shown.len(), 1, "{shown:?}");
        }
        obs::http::finished(&Finished {
            endpoint: Some(endpoint),
            id: "id",
            caller: &"nobody",
            status: 200,
            outcome: contract::RequestOutcome::Ok,
            code: "",
            cause: "",
            took: hour,
            first_byte: Some(took),
            bytes_in: 0,
            bytes_out: 0,
            scope: &scope,
        });
        assert_eq!(kept::of_trace(trace).len(), found.len(), "how long it went on keeps nothing");
        let after = counted();
        assert_eq!(after.latency.all, before.latency.all + 1, "judged once");
        assert_eq!(after.latency.good, before.latency.good + u64::from(!late));
        assert_eq!(after.judged.count(), before.judged.count() + 1);
        assert!(after.judged.sum < before.judged.sum + 1.0, "not by its length");
        // Sums of fractions are rounded.
        assert!(after.duration.sum - before.duration.sum > 3_600.0 - 1e-6);
    }
}

/// What can't be made to its end must not look as if it were: the connection breaks.
#[tokio::test]
async fn a_report_that_fails_has_no_end() {
    let _turn = COUNTED.lock().await;
    let failed = || Some(Problem::internal("the replica is gone"));
    for why in [failed(), None] {
        let before = reported();
        let (running, mut reader, pieces) = report().await;
        match why {
            Some(why) => pieces.fail(why).await,
            None => drop(pieces),
        }
        assert!(!read_to_end(&mut reader).await.contains("0\r\n\r\n"), "no end");
        let after = reported_since(&before).await;
        assert_eq!(after.availability.all, before.availability.all + 1);
        assert_eq!(after.availability.good, before.availability.good);
        assert_eq!(running.stop(LONG).await, 0);
    }
}
