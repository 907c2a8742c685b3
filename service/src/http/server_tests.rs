//! A real listener, spoken to byte by byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;
use crate::http::Code;

/// Answers by the number in the path.
#[derive(Default)]
struct Site {
    entered: Notify,
    gate: Notify,
    left_early: AtomicU32,
}

/// Counts a handler that was dropped before its end.
struct LeftEarly<'a>(&'a AtomicU32, bool);

impl Drop for LeftEarly<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Dispatch for Site {
    async fn authenticate(
        &self,
        _: Endpoint,
        path: &PathParams,
        _: &HeaderMap,
    ) -> Result<Principal, Problem> {
        match path.str("practice_id") {
            "403" => Err(Problem::new(Code::NotYourPractice, "It is not.")),
            _ => Ok(Principal::Admin),
        }
    }

    async fn dispatch(&self, request: Request) -> Result<Response, Problem> {
        let read = request.body.len();
        match request.path.str("practice_id") {
            "500" => panic!("a handler's bug"),
            "13" => {
                let mut left = LeftEarly(&self.left_early, false);
                self.entered.notify_one();
                self.gate.notified().await;
                left.1 = true;
                Ok(Response::json(200, &"waited"))
            }
            "14" => std::future::pending().await,
            "15" => Ok(Response::of(200, "text/plain", vec![b'x'; LARGE])),
            _ => Ok(Response::json(200, &serde_json::json!({ "read": read }))),
        }
    }
}

/// More than the kernel keeps for a peer that doesn't read, on both sides of a connection together:
/// 4 MB of sent and 32 MB of received bytes where it tunes its buffers itself.
const LARGE: usize = 48_000_000;

fn bounds() -> Bounds {
    Bounds {
        connections_limit: Limit::PublicConnections,
        connections: 100,
        requests: 100,
        streams: 10,
        body_bytes: 10_000_000,
        head_bytes: 16_384,
        head_time: LONG,
        stall_time: LONG,
        deadline_max: Duration::MAX,
    }
}

async fn begin(bounds: Bounds) -> (Arc<Site>, Running<Site>, SocketAddr) {
    let site = Arc::new(Site::default());
    let socket = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let running = start(Arc::clone(&site), Listener::Public, socket, bounds);
    (site, running, address)
}

const LONG: Duration = Duration::from_secs(10);

/// Sends bytes and returns all that comes back until the peer closes.
async fn exchange(address: SocketAddr, input: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(input.as_bytes()).await.unwrap();
    read_all(&mut stream).await
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut output = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut output)).await;
    read.expect("the peer closes").unwrap();
    String::from_utf8_lossy(&output).into_owned()
}

/// Reads one answer with a stated length off a connection that stays open.
async fn read_one(stream: &mut TcpStream) -> String {
    let mut output = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&output).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let read = tokio::time::timeout(LONG, stream.read_buf(&mut output)).await;
        assert_ne!(read.expect("an answer").unwrap(), 0, "closed after {text:?}");
    }
}

fn get(practice_id: &str, more: &str) -> String {
    format!("GET /v1/practices/{practice_id} HTTP/1.1\r\nHost: x\r\n{more}\r\n")
}

fn post(more: &str, body: &str) -> String {
    format!("POST /v1/practices/1/appointments HTTP/1.1\r\nHost: x\r\n{more}\r\n{body}")
}

const CLOSE: &str = "Connection: close\r\n";

#[track_caller]
fn is(answer: &str, status: u16, contains: &[&str]) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    for piece in contains {
        assert!(answer.contains(piece), "no {piece:?} in {answer}");
    }
}

#[tokio::test]
async fn one_connection_answers_many_requests() {
    let (_, running, address) = begin(bounds()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(get("1", "X-Request-Id: my-request\r\n").as_bytes()).await.unwrap();
        let answer = read_one(&mut stream).await;
        is(
            &answer,
            200,
            &["x-request-id: my-request", "{\"read\":0}", "content-type: application/json"],
        );
        assert!(!answer.contains("connection: close"));
    }
    let body = "Content-Length: 5\r\n";
    stream.write_all(post(body, "12345").as_bytes()).await.unwrap();
    is(&read_one(&mut stream).await, 200, &["{\"read\":5}"]);
    let chunked = post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    stream.write_all(chunked.as_bytes()).await.unwrap();
    is(&read_one(&mut stream).await, 200, &["{\"read\":7}"]);
    drop(stream);
    assert_eq!(running.stop(LONG).await, 0);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (_, _running, address) = begin(bounds()).await;
    let head = get("1", CLOSE).replacen("GET", "HEAD", 1);
    let answer = exchange(address, &head).await;
    is(&answer, 200, &["content-length: 10", "x-request-id: "]);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn what_is_no_request_for_us() {
    let (_, _running, address) = begin(bounds()).await;
    let cases: &[(String, u16, &[&str])] = &[
        (
            "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into(),
            404,
            &["unknown_path"],
        ),
        (get("1", CLOSE).replacen("GET", "PATCH", 1), 405, &["allow: PUT, GET, HEAD"]),
        (
            format!("GET /v1/practices/1 HTTP/1.1\r\n{CLOSE}\r\n"),
            400,
            &["one Host header; there are 0"],
        ),
        (get("1", "Host: y\r\nConnection: close\r\n"), 400, &["there are 2"]),
        (get("%zz", CLOSE), 400, &["bad_request", "percent"]),
        (get("403", CLOSE), 403, &["not_your_practice", "request_id"]),
        ("\u{16}\u{3}nonsense\r\n\r\n".into(), 400, &["content-length: 0"]),
        (get("1", &format!("X: {}\r\n", "y".repeat(20_000))), 431, &[]),
    ];
    for (input, status, contains) in cases {
        is(&exchange(address, input).await, *status, contains);
    }
    let old = exchange(address, "GET /v1/practices/1 HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200") || old.starts_with("HTTP/1.1 200"), "{old}");
}

#[tokio::test]
async fn bodies_are_bounded_before_they_are_read() {
    let (_, _running, address) = begin(bounds()).await;
    let stated = exchange(address, &post("Content-Length: 3000000\r\n", "")).await;
    is(&stated, 413, &["body_too_large", "connection: close", "2097152"]);
    let piece = format!("{:x}\r\n{}\r\n", 1_000_000, "x".repeat(1_000_000));
    let chunked = post("Transfer-Encoding: chunked\r\n", &piece.repeat(3));
    is(&exchange(address, &chunked).await, 413, &["body_too_large", "connection: close"]);
    let with_body = get("1", "Content-Length: 2\r\n") + "{}";
    is(&exchange(address, &with_body).await, 413, &["reads no body"]);
    // Both lengths stated: hyper believes the chunks and closes afterwards.
    let both = post(
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "3\r\nabc\r\n0\r\n\r\nGET /v1/practices/1 HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    let answer = exchange(address, &both).await;
    is(&answer, 200, &["{\"read\":3}"]);
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn memory_for_bodies_is_bounded() {
    let (_, _running, address) = begin(Bounds { body_bytes: 1_000, ..bounds() }).await;
    let input = post("Content-Length: 1001\r\nConnection: close\r\n", &"x".repeat(1_001));
    is(&exchange(address, &input).await, 503, &["overloaded", "retry-after: 1"]);
    for _ in 0..3 {
        let input = post("Content-Length: 900\r\nConnection: close\r\n", &"x".repeat(900));
        is(&exchange(address, &input).await, 200, &["{\"read\":900}"]);
    }
}

#[tokio::test]
async fn slow_heads_slow_bodies_and_idleness_end() {
    let short = Duration::from_millis(100);
    let (_, _running, address) =
        begin(Bounds { head_time: short, deadline_max: short, ..bounds() }).await;
    assert_eq!(exchange(address, "").await, "", "silent");
    assert_eq!(exchange(address, "GET /v1/pra").await, "", "stuck in its head");
    let idle = exchange(address, &get("1", "")).await;
    is(&idle, 200, &[]);
    let slow = exchange(address, &post("Content-Length: 10\r\n", "123")).await;
    is(&slow, 408, &["slow_body", "connection: close"]);
    is(&exchange(address, &get("14", CLOSE)).await, 503, &["deadline_exceeded", "retry-after: 1"]);
}

#[tokio::test]
async fn a_panic_ends_only_its_request() {
    let (_, _running, address) = begin(bounds()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(get("500", "X-Request-Id: the-broken-one\r\n").as_bytes()).await.unwrap();
    let answer = read_one(&mut stream).await;
    is(&answer, 500, &["\"code\":\"internal\"", "\"request_id\":\"the-broken-one\""]);
    assert!(!answer.contains("a handler's bug"), "{answer}");
    stream.write_all(get("1", "").as_bytes()).await.unwrap();
    is(&read_one(&mut stream).await, 200, &[]);
}

#[tokio::test]
async fn a_full_listener_says_so() {
    let (_, _running, address) = begin(Bounds { connections: 2, ..bounds() }).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    let second = TcpStream::connect(address).await.unwrap();
    first.write_all(get("1", "").as_bytes()).await.unwrap();
    read_one(&mut first).await;
    let answer = exchange(address, &get("1", "")).await;
    is(&answer, 503, &["overloaded", "retry-after: 1", "connection: close"]);
    drop((first, second));
    let started = Instant::now();
    while !exchange(address, &get("1", CLOSE)).await.starts_with("HTTP/1.1 200") {
        assert!(started.elapsed() < LONG, "room again once connections are gone");
    }
}

#[tokio::test]
async fn too_many_requests_are_shed_at_once() {
    let (site, _running, address) = begin(Bounds { requests: 1, ..bounds() }).await;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(get("13", "").as_bytes()).await.unwrap();
    site.entered.notified().await;
    is(&exchange(address, &get("1", CLOSE)).await, 503, &["overloaded", "retry-after: 1"]);
    site.gate.notify_one();
    is(&read_one(&mut waiting).await, 200, &["waited"]);
    is(&exchange(address, &get("1", CLOSE)).await, 200, &[]);
}

#[tokio::test]
async fn leaving_finishes_what_is_under_way() {
    let (site, running, address) = begin(bounds()).await;
    running.leave();
    is(&exchange(address, &get("1", "")).await, 200, &["connection: close"]);

    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(get("13", "").as_bytes()).await.unwrap();
    site.entered.notified().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let stopping = tokio::spawn(async move { running.stop(LONG).await });
    assert_eq!(read_all(&mut idle).await, "", "idle connections close");
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(LONG, refused).await.expect("nothing is accepted");
    assert!(!stopping.is_finished());
    site.gate.notify_one();
    is(&read_all(&mut waiting).await, 200, &["waited", "connection: close"]);
    assert_eq!(stopping.await.unwrap(), 0);
}

#[tokio::test]
async fn what_does_not_finish_is_cut() {
    let (site, running, address) = begin(bounds()).await;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(get("13", "").as_bytes()).await.unwrap();
    site.entered.notified().await;
    assert_eq!(running.stop(Duration::from_millis(50)).await, 1);
    assert_eq!(read_all(&mut waiting).await, "");
    assert_eq!(site.left_early.load(Ordering::SeqCst), 1);
}

/// The count of aborted requests of an endpoint, as scraped.
fn aborted(endpoint: Endpoint) -> u64 {
    let named = format!("http_route=\"{}\"", endpoint.name());
    let text = obs::rendered(obs::Format::Text);
    let line = text.lines().find(|line| {
        line.starts_with("http_server_request_duration_seconds_count")
            && line.contains(&named)
            && line.contains("outcome=\"aborted\"")
    });
    line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn a_request_that_the_caller_gave_up_on_is_counted() {
    obs::install().unwrap();
    let (site, running, address) = begin(bounds()).await;
    let path = "GET /v1/practices/13/days/2026-05-04/counts HTTP/1.1\r\nHost: x\r\n\r\n";
    let before = aborted(Endpoint::ReadDailyCounts);
    let mut gone = TcpStream::connect(address).await.unwrap();
    gone.write_all(path.as_bytes()).await.unwrap();
    site.entered.notified().await;
    drop(gone);
    assert_eq!(running.stop(LONG).await, 0);
    assert_eq!(site.left_early.load(Ordering::SeqCst), 1);
    assert_eq!(aborted(Endpoint::ReadDailyCounts), before + 1);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_gone() {
    let (_, running, address) =
        begin(Bounds { stall_time: Duration::from_millis(100), ..bounds() }).await;
    let mut stuck = TcpStream::connect(address).await.unwrap();
    stuck.write_all(get("15", "").as_bytes()).await.unwrap();
    let started = Instant::now();
    assert_eq!(running.stop(LONG).await, 0);
    assert!(started.elapsed() < LONG / 2);
    let mut rest = Vec::new();
    let _reset = stuck.read_to_end(&mut rest).await;
    assert!(rest.len() < LARGE);
}

#[tokio::test]
async fn an_answer_that_was_not_read_to_its_end_is_aborted() {
    obs::install().unwrap();
    let (_, running, address) = begin(bounds()).await;
    let path = "GET /v1/practices/15/messages HTTP/1.1\r\nHost: x\r\n\r\n";
    let before = aborted(Endpoint::ListMessages);
    let mut gone = TcpStream::connect(address).await.unwrap();
    gone.write_all(path.as_bytes()).await.unwrap();
    gone.read_exact(&mut [0; 100]).await.unwrap();
    drop(gone);
    assert_eq!(running.stop(LONG).await, 0);
    assert_eq!(aborted(Endpoint::ListMessages), before + 1);
    // Read to its end, it isn't.
    let (_, running, address) = begin(bounds()).await;
    let answer =
        exchange(address, &path.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)).await;
    assert!(answer.len() > LARGE);
    assert_eq!(running.stop(LONG).await, 0);
    assert_eq!(aborted(Endpoint::ListMessages), before + 1);
}
