//! Law 11: everything is bounded, and a full thing says so at once. After a day the service's
//! bounds are reached on purpose, one after the other, and what it answers is looked at.
//!
//! Every probe is a case. Never here: load; a probe reaches its bound with as little as it can.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::Limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Check;

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

impl Probes {
    /// The bound as configured.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> u64 {
        self.configured.get(limit.name()).copied().unwrap_or(limit.spec().default)
    }

    /// Reaches the bounds one after the other. `slow` was opened before the day.
    pub async fn run(&self, slow: SlowHeads) -> Check {
        let mut check = Check::new(11, "bounds reached on purpose are answered as promised", 8);
        let expect = |check: &mut Check, what: &str, got: &Raw, status: u16| {
            let kept = got.status == Some(status) && (status != 503 || got.retry_after);
            check.case(kept, || format!("{what}: expected {status}, got {got:?}"));
        };
        let body = contract::Endpoint::UpsertAppointments.spec().body_bytes_max;
        let got = self.ask(&self.post(u64::from(body) + 1, ""), b"").await;
        expect(&mut check, "a body larger than its endpoint reads", &got, 413);
        let items = "{}\n".repeat(usize::try_from(self.limit(Limit::BatchItems)).unwrap_or(0) + 1);
        let got = self.ask(&self.post(items.len() as u64, ""), items.as_bytes()).await;
        expect(&mut check, "more appointments than one request may have", &got, 413);
        let long = "x".repeat(usize::try_from(self.limit(Limit::RequestHeadBytes)).unwrap_or(0));
        let got = self.ask(&self.post(2, &format!("X-Long: {long}\r\n")), b"{}").await;
        expect(&mut check, "a head larger than is read", &got, 431);
        let got = self.all_bodies().await;
        expect(&mut check, "more bytes of bodies than are held", &got, 503);
        let got = self.all_requests().await;
        expect(&mut check, "more requests than are answered at a time", &got, 503);
        let got = all_connections(&self.public, self.limit(Limit::PublicConnections)).await;
        expect(&mut check, "more connections than the public listener keeps", &got, 503);
        let got = all_connections(&self.admin, self.limit(Limit::AdminConnections)).await;
        expect(&mut check, "more connections than the admin listener keeps", &got, 503);
        let head = Duration::from_millis(self.limit(Limit::RequestHeadMs));
        let closed = slow.closed_within(head + CLOSING_MARGIN).await;
        check.case(closed == SLOW, || {
            format!("of {SLOW} connections that never finish their head, {closed} were closed")
        });
        check
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
