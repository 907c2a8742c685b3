//! The accounting in virtual time: the numbers are arithmetic, so they can be exact.

use std::sync::Mutex;

use bytes::Bytes;
use http::Method;

use super::*;
use crate::engine::connection::Broken;
use crate::engine::source::{Answer, Label};

/// `count` requests, evenly spread, one label.
struct Even {
    labels: Vec<Label>,
    count: usize,
    gap: Duration,
    asked: Mutex<Vec<usize>>,
}

impl Even {
    fn new(count: usize, gap: Duration) -> Arc<Self> {
        let label = Label {
            name: "x",
            method: "GET",
            objective: Duration::from_millis(500),
            share: 0.99,
            critical: true,
        };
        Arc::new(Self { labels: vec![label], count, gap, asked: Mutex::default() })
    }
}

impl Source for Even {
    fn labels(&self) -> &[Label] {
        &self.labels
    }
    fn len(&self) -> usize {
        self.count
    }
    fn intended(&self, index: usize) -> Duration {
        self.gap * u32::try_from(index).expect("few")
    }
    fn label(&self, _: usize) -> usize {
        0
    }
    fn request(&self, index: usize) -> Outgoing {
        self.asked.lock().expect("no panic").push(index);
        Outgoing {
            label: 0,
            method: Method::GET,
            uri: http::Uri::from_static("/"),
            authorization: None,
            read_after: None,
            content_type: None,
            traceparent: None,
            headers: None,
            body: Bytes::new(),
        }
    }
    fn answered(&self, _: usize, answer: &Answer) -> Verdict {
        match answer.status {
            200 => Verdict::Good,
            503 => Verdict::Again(Duration::from_secs(1)),
            _ => Verdict::Bad("status"),
        }
    }
    fn broken(&self, _: usize, broken: Broken, _: u64) -> Verdict {
        Verdict::Bad(broken.name())
    }
}

/// A service that answers in a millisecond, except that it stands still for a while.
#[derive(Clone)]
struct Service {
    frozen_from: Instant,
    frozen_until: Instant,
    status_while_young: u16,
}

impl Transport for Service {
    async fn exchange(&mut self, _: &Outgoing) -> Result<Answer, Broken> {
        let now = Instant::now();
        let status = if now < self.frozen_from { self.status_while_young } else { 200 };
        if (self.frozen_from..self.frozen_until).contains(&now) {
            tokio::time::sleep_until(self.frozen_until).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(Answer {
            status,
            retry_after_seconds: None,
            read_after: None,
            server_timing: None,
            content_type: None,
            body: Bytes::new(),
            ended: Instant::now(),
        })
    }
}

struct Nobody;

impl Witness for Nobody {
    async fn booked(&mut self, _: Booked) {}
}

async fn run(shared: Arc<Shared<Even>>, start: Instant, users: usize, service: Service) {
    let users: Vec<_> = (0..users)
        .map(|_| {
            let (shared, mut service) = (shared.clone(), service.clone());
            tokio::spawn(async move { shared.work(start, &mut service, &mut Nobody).await })
        })
        .collect();
    for user in users {
        user.await.expect("a user does not panic");
    }
    shared.close(start);
}

fn healthy(start: Instant) -> Service {
    Service { frozen_from: start, frozen_until: start, status_while_young: 200 }
}

/// A second of standstill in ten at 1,000 a second: a tenth of the arrivals meet it, the waits are
/// spread evenly from 1 s to 0, so the p99 of all is 0.9 s. A tool that starts its clock at the
/// send, or that stops sending meanwhile, says a few milliseconds.
#[tokio::test(start_paused = true)]
async fn a_freeze_is_charged_from_the_intended_start() {
    let start = Instant::now();
    let source = Even::new(10_000, Duration::from_millis(1));
    let shared = Arc::new(Shared::new(source, Pacer::Runtime, false, CancellationToken::new()));
    let second = Duration::from_secs(1);
    let service = Service {
        frozen_from: start + 4 * second,
        frozen_until: start + 5 * second,
        ..healthy(start)
    };
    run(shared.clone(), start, 64, service).await;
    let row = shared.ledger.rows().remove(0);
    assert_eq!(row.counts.total, 10_000);
    assert!((row.response.p99 - 0.9).abs() < 0.045, "{:?}", row.response);
    assert!(row.service.p99 < 0.1, "the service time hides it: {:?}", row.service);
    assert!(row.lag.p99 > 0.8, "{:?}", row.lag);
}

#[tokio::test(start_paused = true)]
async fn every_request_leaves_once_and_on_time() {
    let start = Instant::now() + Duration::from_secs(1);
    let source = Even::new(500, Duration::from_millis(10));
    let shared =
        Arc::new(Shared::new(source.clone(), Pacer::Runtime, false, CancellationToken::new()));
    run(shared.clone(), start, 8, healthy(start)).await;
    let mut asked = source.asked.lock().expect("no panic").clone();
    asked.sort_unstable();
    assert_eq!(asked, (0..500).collect::<Vec<_>>());
    let row = shared.ledger.rows().remove(0);
    assert_eq!(row.counts.good, 500);
    assert!(row.lag.max < 0.002, "{:?}", row.lag);
}

/// Stopped in the middle: what was due counts, at its age and as a miss; what was not due, not.
#[tokio::test(start_paused = true)]
async fn what_is_due_at_the_end_counts_at_its_age() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let source = Even::new(100, Duration::from_millis(100));
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared::new(source, Pacer::Runtime, false, stop.clone()));
    let service = Service {
        frozen_from: start + second,
        frozen_until: start + 60 * second,
        ..healthy(start)
    };
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(3_050)).await;
        stop.cancel();
    });
    run(shared.clone(), start, 4, service).await;
    let counts = shared.ledger.rows()[0].counts;
    // Due from 0.0 to 3.0 s: 31. Ten were answered before the freeze, four hang in it.
    assert_eq!((counts.total, counts.good), (31, 10));
    assert_eq!((counts.unanswered, counts.unsent), (4, 17));
    let oldest = shared.ledger.rows()[0].response.max;
    assert!((oldest - 2.05).abs() < 0.01, "{oldest}");
}

#[tokio::test(start_paused = true)]
async fn a_shed_request_is_sent_again_and_keeps_its_intended_start() {
    let start = Instant::now();
    let source = Even::new(1, Duration::ZERO);
    let shared = Arc::new(Shared::new(source, Pacer::Runtime, false, CancellationToken::new()));
    let until = start + Duration::from_millis(500);
    let service = Service { frozen_from: until, frozen_until: until, status_while_young: 503 };
    run(shared.clone(), start, 1, service).await;
    let row = shared.ledger.rows().remove(0);
    assert_eq!((row.counts.total, row.counts.again, row.counts.failed), (1, 1, 0));
    assert_eq!(row.counts.good, 0, "a second late is a miss");
    assert!(row.response.max > 1.0);
}

/// Nobody listens, ever.
struct Gone;

impl Transport for Gone {
    async fn exchange(&mut self, _: &Outgoing) -> Result<Answer, Broken> {
        Err(Broken::Connect)
    }
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_connection_is_not_sent() {
    let start = Instant::now();
    let source = Even::new(3, Duration::from_millis(10));
    let shared = Arc::new(Shared::new(source, Pacer::Runtime, false, CancellationToken::new()));
    shared.work(start, &mut Gone, &mut Nobody).await;
    assert_eq!(shared.ledger.progress(), (3, 0));
    let row = shared.ledger.rows().remove(0);
    assert_eq!((row.counts.failed, row.counts.refused, row.service.max), (3, 3, 0.0));
}
