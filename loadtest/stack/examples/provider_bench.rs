//! Measures the simulator: how many messages a second one core of it takes, callbacks apart.
//!
//! `provider_bench [SECONDS [CONNECTIONS]]`. The simulator's thread is bound to one core and the
//! client to another (on Linux), the client keeps every connection busy, and each message is
//! logged before it is answered, as always. The processor time of the simulator's thread is
//! printed beside the rate: on a machine that is shared, it tells more than the clock does.

use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use stack::provider::{Options, Simulator};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

type Failure = Box<dyn Error>;

/// What all connections have in common.
struct Load {
    path: String,
    authorization: String,
    end: Instant,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let connections: u64 = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, bench(seconds, connections))
}

async fn bench(seconds: u64, connections: u64) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("provider-bench-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let memory_before = memory_kb()?;
    // A thread inherits its maker's core.
    bind(1)?;
    let simulator = Simulator::start(Options::new(folder.join("messages.jsonl"))).await?;
    bind(0)?;

    let start = Instant::now();
    let load = Rc::new(Load {
        path: format!(
            "/2010-04-01/Accounts/{}/Messages.json",
            Options::ACCOUNT_SID
        ),
        authorization: format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", Options::ACCOUNT_SID, Options::AUTH_TOKEN))
        ),
        end: start + Duration::from_secs(seconds),
    });
    let cpu_before = simulator_cpu()?;
    let mut tasks = Vec::new();
    for number in 0..connections {
        let stream = TcpStream::connect(simulator.address()).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        tasks.push(tokio::task::spawn_local(keep_busy(
            Rc::clone(&load),
            sender,
            number,
        )));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await?.map_err(|error| error.to_string())?);
    }
    let elapsed = start.elapsed().as_secs_f64();
    let cpu = (simulator_cpu()? - cpu_before).as_secs_f64();
    let messages = simulator.state().accepted;
    let memory = memory_kb()?.saturating_sub(memory_before);
    let logged = fs::metadata(simulator.log_path())?.len();
    simulator.stop().await;
    fs::remove_dir_all(&folder)?;

    latencies.sort_unstable();
    let at = |share: f64| latencies[(share * (latencies.len() - 1) as f64) as usize];
    let count = messages as f64;
    println!("messages         {messages} in {elapsed:.1} s over {connections} connections");
    println!("rate             {:.0} a second", count / elapsed);
    println!(
        "simulator's core {:.0} % busy, so {:.0} a second of it",
        100.0 * cpu / elapsed,
        count / cpu
    );
    println!(
        "latency          p50 {:?}, p99 {:?}, most {:?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!(
        "log              {:.0} bytes a message",
        logged as f64 / count
    );
    println!("memory           {memory} kB more, the client's own records included");
    Ok(())
}

/// Sends one message after the other and returns how long each took.
async fn keep_busy(
    load: Rc<Load>,
    mut sender: SendRequest<Full<Bytes>>,
    connection: u64,
) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::new();
    let mut now = Instant::now();
    while now < load.end {
        let number = latencies.len();
        let body = format!(
            "To=%2B9991{connection:03}{number:07}&From=%2B99900000001&Body=Dear+patient+{number}%2C\
             +your+appointment+is+tomorrow+at+10%3A30.+Please+bring+your+insurance+card.+Reply+YES\
             +to+confirm+or+NO+to+cancel.&StatusCallback="
        );
        let request = Request::post(load.path.as_str())
            .header("host", "127.0.0.1")
            .header("authorization", load.authorization.as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(body))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        if response.status() != 201 {
            return Err(format!("answered {}", response.status()).into());
        }
        response.into_body().collect().await?;
        let done = Instant::now();
        latencies.push(done - now);
        now = done;
    }
    Ok(latencies)
}

/// Binds the calling thread to one core, where there are several.
#[cfg(target_os = "linux")]
fn bind(core: usize) -> Result<(), Failure> {
    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::unistd::Pid;
    let cores = std::thread::available_parallelism()?.get().max(core + 1);
    let mut set = CpuSet::new();
    set.set(core % cores)?;
    if let Err(error) = sched_setaffinity(Pid::from_raw(0), &set) {
        println!("not bound to core {core}: {error}");
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn bind(_core: usize) -> Result<(), Failure> {
    Ok(())
}

/// The processor time of the simulator's thread, in steps of 10 ms; nothing where there is no
/// /proc.
fn simulator_cpu() -> Result<Duration, Failure> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Ok(Duration::ZERO);
    };
    for thread in threads {
        let path = thread?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == "provider" {
            let stat = fs::read_to_string(path.join("stat"))?;
            // Behind the name: state is the first field, utime and stime the 12th and 13th.
            let fields = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            let ticks: u64 = fields
                .skip(11)
                .take(2)
                .filter_map(|it| it.parse::<u64>().ok())
                .sum();
            return Ok(Duration::from_millis(ticks * 10));
        }
    }
    Ok(Duration::ZERO)
}

fn memory_kb() -> Result<u64, Failure> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return Ok(0);
    };
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    Ok(line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or_default())
}
