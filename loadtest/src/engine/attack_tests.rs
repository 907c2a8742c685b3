//! The engine inside the real goose against a small server: what goose reports is what was sent.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;
use crate::engine::connection::Broken;
use crate::engine::source::{Answer, Outgoing, Verdict};

const COUNT: usize = 300;

struct Reads {
    labels: Vec<Label>,
}

impl Source for Reads {
    fn labels(&self) -> &[Label] {
        &self.labels
    }
    fn len(&self) -> usize {
        COUNT
    }
    fn intended(&self, index: usize) -> Duration {
        Duration::from_millis(2) * u32::try_from(index).unwrap()
    }
    fn label(&self, _: usize) -> usize {
        0
    }
    fn request(&self, index: usize) -> Outgoing {
        Outgoing {
            label: 0,
            method: Method::GET,
            uri: format!("/{index}").parse().unwrap(),
            authorization: None,
            read_after: None,
            content_type: None,
            traceparent: None,
            headers: None,
            body: Bytes::new(),
        }
    }
    fn answered(&self, index: usize, answer: &Answer) -> Verdict {
        if answer.status == 200 && answer.body == format!("/{index}") {
            Verdict::Good
        } else {
            Verdict::Bad("another answer")
        }
    }
    fn broken(&self, _: usize, broken: Broken, sending: u64) -> Verdict {
        if sending < 3 { Verdict::Again(Duration::ZERO) } else { Verdict::Bad(broken.name()) }
    }
}

fn reads() -> Arc<Reads> {
    let label = Label {
        name: "read_appointment",
        method: "GET",
        objective: Duration::from_secs(5),
        share: 0.99,
        critical: false,
    };
    Arc::new(Reads { labels: vec![label] })
}

/// Answers each request with its path, and ends every connection after 50 of them.
async fn server(served: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (served, on_this) = (served.clone(), AtomicUsize::new(0));
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    served.fetch_add(1, Ordering::Relaxed);
                    let last = on_this.fetch_add(1, Ordering::Relaxed) == 49;
                    let mut response =
                        Response::new(Full::new(Bytes::from(request.uri().path().to_owned())));
                    if last {
                        let close = http::HeaderValue::from_static("close");
                        response.headers_mut().insert(http::header::CONNECTION, close);
                    }
                    async move { Ok::<_, std::convert::Infallible>(response) }
                });
                let builder = hyper::server::conn::http1::Builder::new();
                let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn goose_reports_what_was_sent() {
    let served = Arc::new(AtomicUsize::new(0));
    let dir = tempfile::tempdir().unwrap();
    // As an earlier run into the same directory leaves it.
    std::fs::create_dir(dir.path().join("goose")).unwrap();
    for name in ["report.html", "report.json"] {
        std::fs::write(dir.path().join("goose").join(name), "old").unwrap();
    }
    let targets = vec![server(served.clone()).await];
    let attack = Attack::new(4, targets, dir.path().join("goose"));
    let lined = attack.line_up(reads(), CancellationToken::new()).await.unwrap();
    assert_eq!(served.load(Ordering::Relaxed), 0, "nothing is sent before the start");
    let start = Instant::now() + Duration::from_millis(100);
    let outcome = lined.go(start).await;
    assert!(outcome.failed.is_none(), "{:?}", outcome.failed);

    assert_eq!(served.load(Ordering::Relaxed), COUNT);
    let row = outcome.ledger.rows().remove(0);
    assert_eq!((row.counts.good, row.counts.failed), (COUNT as u64, 0), "{row:?}");
    assert_eq!(outcome.windows.iter().map(|w| w.rows[0].count).sum::<u64>(), COUNT as u64);
    let json = std::fs::read_to_string(dir.path().join("goose/report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let of_goose = json.to_string();
    assert!(of_goose.contains("read_appointment"), "{of_goose}");
    let page = std::fs::read_to_string(dir.path().join("goose/report.html")).unwrap();
    assert_ne!(page, "old");
    assert!(!dir.path().join("goose-2").exists(), "the page names the other");
}

/// A service that takes no connection any more: its queue has room for one, which nobody accepts.
async fn full() -> (TcpListener, TcpStream) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let first = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener, first)
}

/// Far beyond what the test may take.
const FOR_EVER: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_connection() {
    let (listener, _first) = full().await;
    let address = listener.local_addr().unwrap().to_string();
    let (mut connection, stop) = (Connection::new(address, FOR_EVER), CancellationToken::new());
    let mut opening = std::pin::pin!(opened(&mut connection, &stop));
    tokio::select! {
        biased;
        _ = &mut opening => panic!("nobody takes it"),
        () = std::future::ready(()) => {}
    }
    stop.cancel();
    assert!(!opening.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_while_it_lines_up_says_so() {
    let (listener, _first) = full().await;
    let targets = vec![listener.local_addr().unwrap().to_string()];
    let dir = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let attack = Attack::new(4, targets, dir.path().join("goose"));
    let attack = Attack { answer_wait: FOR_EVER, ..attack };
    let lining = attack.line_up(reads(), stop.clone());
    let (lined, ()) = tokio::join!(lining, async { stop.cancel() });
    let error = lined.err().expect("not all stand ready");
    assert!(matches!(error, EngineError::Stopped), "{error}");
}
