//! What a scrape costs a service at work. A gentle day is replayed to its end, so that what a day
//! makes is there, examples too; in the day after it there are stretches in which somebody scrapes
//! as Prometheus does (OpenMetrics, packed) and stretches in which nobody does, in turns. The
//! service's own processor time, with the kernel's, is more in the first ones: that is the cost.
//!
//! `scrape_cost`, beside the programs that `cargo build --bins` makes. It takes about nine minutes,
//! and wants a machine on which nothing else runs.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use flate2::read::GzDecoder;
use nix::sys::signal::Signal;
use stack::{Process, ProcessSpec, RunDir};
use tests::binary;
use tests::client::{Call, Client};
use tests::wait::until_within;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// The day that `make dev` replays: some six minutes.
const DAY: [&str; 2] = ["dev", "--no-prometheus"];
const DAY_WITHIN: Duration = Duration::from_secs(1_200);
/// Pairs of stretches, one that warms up before them.
const PAIRS: usize = 12;
const STRETCH: Duration = Duration::from_secs(6);
/// Scrapes in one of them.
const SCRAPES: u32 = 60;
const STOP_WITHIN: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let run = RunDir::create(None).expect("a directory for the run");
    let spec = ProcessSpec::new("dev", binary::loadtest()).arguments(DAY).ending(Signal::SIGINT);
    let dev = Process::start(spec, &run).expect("the stack starts");
    let line = dev.ready_line("live page http://", DAY_WITHIN).await.expect("its address");
    let address = line.trim_start_matches("live page http://").trim_end_matches('/');
    let address: SocketAddr = address.parse().expect("an address");
    let client = Client::new(address, address);
    dev.ready_line("the laws hold in", DAY_WITHIN).await.expect("a day that holds");
    // What the next day imports at its begin is no gentle work.
    until_within(DAY_WITHIN, "the next day", async || {
        assert!(dev.ended().is_none(), "{}", dev.output());
        let output = dev.output();
        let (_, next) = output.split_once("the laws hold in")?;
        next.lines().any(|line| line.starts_with("replay ")).then_some(())
    })
    .await;
    describe(&client).await;
    let mut each = Vec::new();
    for pair in 0..=PAIRS {
        let scrapes_first = pair % 2 == 0;
        let first = spent(&client, scrapes_first).await;
        let second = spent(&client, !scrapes_first).await;
        let more = if scrapes_first { first - second } else { second - first };
        if pair > 0 {
            each.push(more * 1e3 / f64::from(SCRAPES));
        }
    }
    each.sort_by(f64::total_cmp);
    println!(
        "a scrape: {:.2} ms of a processor (median of {PAIRS}; {:.2} to {:.2})",
        each[PAIRS / 2],
        each[0],
        each[PAIRS - 1]
    );
    dev.stop(STOP_WITHIN).await;
    ExitCode::SUCCESS
}

/// As Prometheus asks.
fn scrape(client: &Client) -> Call {
    let call = client.get("/metrics").anonymous().header("accept-encoding", "gzip");
    call.header("accept", "application/openmetrics-text; version=1.0.0")
}

/// What there is to be scraped.
async fn describe(client: &Client) {
    let packed = scrape(client).send().await.expect(200);
    let mut text = String::new();
    GzDecoder::new(&packed.body[..]).read_to_string(&mut text).expect("it is packed text");
    println!(
        "{} lines, {} bytes, {} packed, {} examples",
        text.lines().count(),
        text.len(),
        packed.body.len(),
        text.matches(" # {trace_id=").count()
    );
}

/// Processor time that the service uses in a stretch, in seconds. It says so itself in a scrape; of
/// the two that ask, one is in it, with or without others.
async fn spent(client: &Client, is_scraped: bool) -> f64 {
    let before = used(client).await;
    let begin = Instant::now();
    if is_scraped {
        let mut ticks = interval_at(begin, STRETCH / SCRAPES);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..SCRAPES {
            ticks.tick().await;
            scrape(client).send().await.expect(200);
        }
    }
    sleep_until(begin + STRETCH).await;
    used(client).await - before
}

async fn used(client: &Client) -> f64 {
    let answer = client.get("/metrics").anonymous().send().await.expect(200);
    tests::Scrape::parse(&answer.text()).sum("process_cpu_seconds_total", &[])
}
