//! Law 11: everything is bounded, and a full thing says so at once. After a day the service's
//! bounds are reached on purpose, one after the other, and what it answers is looked at.
//!
//! A case is a bound that was reached, as the service itself counts it, with its answer. Never
//! here: load; a probe reaches its bound with as little as it can.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::Limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::{Check, EXAMPLES_MAX};
use crate::scrape::Metrics;

/// "At once", on a machine whose cores are taken from it for tens of milliseconds.
const AT_ONCE: Duration = Duration::from_secs(2);
/// A connection that is to be closed at its deadline is closed this much later at the latest.
const CLOSING_MARGIN: Duration = Duration::from_secs(5);
/// Connections opened at a time: the kernel's queue holds a few hundred.
const OPENED_AT_A_TIME: usize = 64;
/// Opened beyond a bound at a time, and how often.
const BEYOND: usize = 8;
const ROUNDS: usize = 20;
/// Slow connections that are opened.
const SLOW: usize = 3;

/// Where to probe, with what, and where the bounds lie.
#[derive(Debug, Clone)]
pub struct Probes {
    /// `host:port` of the public listener.
    pub public: String,
    /// `host:port` of the admin listener.
    pub admin: String,
    /// A practice's path for appointments.
    pub appointments_path: String,
    /// A key for it.
    pub key: String,
    /// Bounds that differ from the contract's defaults.
    pub configured: BTreeMap<&'static str, u64>,
}

/// What a raw connection was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Raw {
    status: Option<u16>,
    retry_after: bool,
}

/// What was tried, and what came of it.
#[derive(Debug, Clone)]
struct Probe {
    what: &'static str,
    /// The row, for a bound of which something is in use at a time. Against the others single
    /// things are held, which the service does not count.
    limit: Option<Limit>,
    /// The status that it is to be answered with.
    status: u16,
    got: Raw,
}

impl Probe {
    const fn full(what: &'static str, limit: Limit, got: Raw) -> Self {
        Self { what, limit: Some(limit), status: 503, got }
    }

    const fn single(what: &'static str, status: u16, got: Raw) -> Self {
        Self { what, limit: None, status, got }
    }

    fn is_kept(&self) -> bool {
        self.got.status == Some(self.status) && (self.status != 503 || self.got.retry_after)
    }
}

/// Nine bounds: eight that answer, and the time for a head, at which nobody is left to answer.
const PROBES: u64 = 9;

/// Holds the answers against what was to come, each where the service says that the bound was
/// reached: `reached` is by how much its own count of that rose.
fn judge(probes: &[Probe], reached: impl Fn(Limit) -> f64) -> Check {
    let mut check = Check::new(11, "bounds reached on purpose are answered as promised", PROBES);
    for probe in probes {
        let Probe { what, limit, status, got } = probe;
        if limit.is_none_or(|limit| reached(limit) >= 1.0) {
            check.case(probe.is_kept(), || format!("{what}: expected {status}, got {got:?}"));
        } else if check.examples.len() < EXAMPLES_MAX {
            // No case, and so one too few: the reason stands beside the count.
            check.examples.push(format!("{what}: the service counts none as reached, got {got:?}"));
        }
    }
    check
}

/// The day's own refusals: each is a case, and says when to come back.
#[must_use]
pub fn refusals_say_when_to_come_back(refusals: Refusals) -> Check {
    let mut check = Check::new(11, "the day's own refusals say when to come back", 0);
    let Refusals { said, unsaid } = refusals;
    check.cases = said + unsaid;
    check.violations = unsaid;
    if unsaid > 0 {
        check.examples.push(format!("{unsaid} answers were 503 without Retry-After, or 429"));
    }
    check
}

/// Requests of a day that were answered that there is no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// By 503 with `Retry-After`.
    pub said: u64,
    /// Otherwise.
    pub unsaid: u64,
}

impl Probes {
    /// The bound as configured.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> u64 {
        self.configured.get(limit.name()).copied().unwrap_or(limit.spec().default)
    }

    /// Reaches the bounds one after the other. `slow` was opened before the day. `metrics` reads
    /// what the service counts.
    pub async fn run(&self, slow: SlowHeads, metrics: impl AsyncFn() -> Metrics) -> Check {
        let before = metrics().await;
        let mut probes = self.singles().await;
        probes.extend(self.fulls().await);
        let after = metrics().await;
        let mut check = judge(&probes, |limit| {
            let count =
                |metrics: &Metrics| metrics.sum("limit_reached_total", &[("limit", limit.name())]);
            count(&after) - count(&before)
        });
        let head = Duration::from_millis(self.limit(Limit::RequestHeadMs));
        let closed = slow.closed_within(head + CLOSING_MARGIN).await;
        check.case(closed == SLOW, || {
            format!("of {SLOW} connections that never finish their head, {closed} were closed")
        });
        check
    }

    /// Single things that are larger than they may be.
    async fn singles(&self) -> Vec<Probe> {
        let body = contract::Endpoint::UpsertAppointments.spec().body_bytes_max;
        let large = self.ask(&self.post(u64::from(body) + 1, ""), b"").await;
        let items = "{}\n".repeat(usize::try_from(self.limit(Limit::BatchItems)).unwrap_or(0) + 1);
        let many = self.ask(&self.post(items.len() as u64, ""), items.as_bytes()).await;
        let long = "x".repeat(usize::try_from(self.limit(Limit::RequestHeadBytes)).unwrap_or(0));
        let head = self.ask(&self.post(2, &format!("X-Long: {long}\r\n")), b"{}").await;
        vec![
            Probe::single("a body larger than its endpoint reads", 413, large),
            Probe::single("more appointments than one request may have", 413, many),
            Probe::single("a head larger than is read", 431, head),
        ]
    }

    /// Things of which more are wanted at a time than there is room for.
    async fn fulls(&self) -> Vec<Probe> {
        let bodies = self.all_bodies().await;
        let requests = self.all_requests().await;
        let public = all_connections(&self.public, self.limit(Limit::PublicConnections)).await;
        let streams = self.all_streams().await;
        let admin = all_connections(&self.admin, self.limit(Limit::AdminConnections)).await;
        let full = Probe::full;
        vec![
            full("more bytes of bodies than are held", Limit::BodyBytes, bodies),
            full("more requests than are answered at a time", Limit::RequestsInFlight, requests),
            full(
                "more connections than the public listener keeps",
                Limit::PublicConnections,
                public,
            ),
            full("more answers than are streamed at a time", Limit::Streams, streams),
            full("more connections than the admin listener keeps", Limit::AdminConnections, admin),
        ]
    }

    /// The service is itself again as soon as the pressure is gone.
    pub async fn recovers(&self) -> Check {
        let mut check = Check::new(11, "after the bounds were reached the service answers", 1);
        let began = Instant::now();
        let mut got = Raw::default();
        while began.elapsed() < CLOSING_MARGIN * 2 {
            got = ask(&self.public, "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", b"").await;
            if got.status == Some(200) {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        check.case(got.status == Some(200), || format!("still {got:?} after a while"));
        check
    }

    fn post(&self, content_length: u64, more: &str) -> String {
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/x-ndjson\r\nContent-Length: {content_length}\r\n{more}\r\n",
            self.appointments_path, self.public, self.key
        )
    }

    async fn ask(&self, head: &str, body: &[u8]) -> Raw {
        ask(&self.public, head, body).await
    }

    /// Many bodies that stop one byte before their end, until one finds no room.
    async fn all_bodies(&self) -> Raw {
        let size = u64::from(contract::Endpoint::UpsertAppointments.spec().body_bytes_max);
        let head = self.post(size, "");
        let most = self.limit(Limit::BodyBytes).div_ceil(size - 1) + 2;
        let part = vec![b' '; usize::try_from(size - 1).unwrap_or(0)];
        let (mut held, mut refused) = (Vec::new(), Raw::default());
        for _ in 0..most {
            let Ok(mut stream) = TcpStream::connect(&self.public).await else { break };
            let sent = timeout(AT_ONCE, async {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&part).await
            });
            let _told_below = sent.await;
            // A refused one answers at once; one that is held says nothing.
            let got = read_head(&mut stream, Duration::from_millis(100)).await;
            if got.status.is_some() {
                refused = got;
                break;
            }
            held.push(stream);
        }
        refused
    }

    /// Many requests whose body never comes, until one finds no room.
    async fn all_requests(&self) -> Raw {
        let head = self.post(2, "");
        fill(&self.public, self.limit(Limit::RequestsInFlight), &head, || self.ask(&head, b"{}"))
            .await
    }

    /// Live pages that go on for as long as somebody reads, until one finds no room.
    async fn all_streams(&self) -> Raw {
        let path = contract::Endpoint::StreamLive.spec().path;
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin);
        fill(&self.admin, self.limit(Limit::Streams), &head, || ask(&self.admin, &head, b"")).await
    }
}

/// Idle connections until one finds no room.
async fn all_connections(address: &str, limit: u64) -> Raw {
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    fill(address, limit, "", || ask(address, &request, b"")).await
}

/// Opens as many connections as a bound allows and more until somebody is turned away. The service
/// may still be busy with the end of an earlier probe, whose places are free a moment later.
async fn fill<F: Future<Output = Raw>>(
    address: &str,
    limit: u64,
    bytes: &str,
    ask: impl Fn() -> F,
) -> Raw {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut held = open_many(address, most, bytes).await;
    let mut got = Raw::default();
    for _ in 0..ROUNDS {
        held.extend(open_many(address, BEYOND, bytes).await);
        got = ask().await;
        if got.status == Some(503) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    got
}

/// Opens connections and sends the same bytes on each.
async fn open_many(address: &str, count: usize, bytes: &str) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        let mut batch = JoinSet::new();
        for _ in 0..OPENED_AT_A_TIME.min(count - open.len()) {
            let (address, bytes) = (address.to_owned(), bytes.to_owned());
            batch.spawn(async move {
                let mut stream = TcpStream::connect(&address).await?;
                stream.write_all(bytes.as_bytes()).await?;
                Ok::<_, std::io::Error>(stream)
            });
        }
        let before = open.len();
        while let Some(result) = batch.join_next().await {
            if let Ok(Ok(stream)) = result {
                open.push(stream);
            }
        }
        if open.len() == before {
            break;
        }
    }
    open
}

async fn ask(address: &str, head: &str, body: &[u8]) -> Raw {
    let Ok(Ok(mut stream)) = timeout(AT_ONCE, TcpStream::connect(address)).await else {
        return Raw::default();
    };
    let sent = timeout(AT_ONCE, async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await
    });
    // A refusal may come before all is sent, and closes the connection: what counts is the answer.
    let _refused_early = sent.await;
    read_head(&mut stream, AT_ONCE).await
}

/// Reads an answer's head, as far as it comes within this time.
async fn read_head(stream: &mut TcpStream, within: Duration) -> Raw {
    let mut bytes = Vec::new();
    let reading = async {
        let mut part = [0; 4_096];
        while !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => return,
                Ok(n) => bytes.extend_from_slice(&part[..n]),
            }
        }
    };
    let _as_far_as_it_came = timeout(within, reading).await;
    parse_head(&String::from_utf8_lossy(&bytes))
}

fn parse_head(text: &str) -> Raw {
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
    let retry_after = lines
        .take_while(|line| !line.is_empty())
        .any(|line| line.to_ascii_lowercase().starts_with("retry-after:"));
    Raw { status, retry_after }
}

/// Connections that begin a request and never finish its head.
#[derive(Debug)]
pub struct SlowHeads {
    opened: Instant,
    streams: Vec<TcpStream>,
}

impl SlowHeads {
    /// Opens them.
    pub async fn open(address: &str) -> Self {
        let streams = open_many(address, SLOW, "GET /v1/openapi.json HTTP/1.1\r\nHost: x").await;
        Self { opened: Instant::now(), streams }
    }

    /// How many are closed this long after they were opened.
    async fn closed_within(self, within: Duration) -> usize {
        let deadline = self.opened + within;
        let mut closed = 0;
        for mut stream in self.streams {
            let until_closed = async {
                let mut part = [0; 1_024];
                while matches!(stream.read(&mut part).await, Ok(n) if n > 0) {}
            };
            closed += usize::from(tokio::time::timeout_at(deadline, until_closed).await.is_ok());
        }
        closed
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
