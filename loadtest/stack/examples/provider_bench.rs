//! Measures the simulator: how many messages a second one core of it takes.
//!
//! `provider_bench [SECONDS [CONNECTIONS [callbacks]]]`. With the last word every message asks for
//! its two status callbacks, which the client's core answers, and the run ends with the last of
//! them. The simulator's thread is bound to one core and the client to another (on Linux), the
//! client keeps every connection busy, and each message is logged before it is answered, as
//! always. The processor time of the simulator's thread is printed beside the rate: on a machine
//! that is shared, and where the client is the slower of the two, it tells more than the clock.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stack::provider::{Options, Simulator, State};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

type Failure = Box<dyn Error>;

/// What all connections have in common.
struct Load {
    path: String,
    authorization: String,
    /// Encoded; empty where no callbacks are wanted.
    callback: String,
    end: Instant,
}

/// What came of it.
struct Outcome {
    elapsed: Duration,
    simulator_cpu: Duration,
    latencies: Vec<Duration>,
    state: State,
    log_bytes: u64,
    memory_kb: u64,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let connections = arguments.next().map_or(Ok(32), |text| text.parse())?;
    let callbacks = arguments.next().is_some_and(|word| word == "callbacks");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = LocalSet::new().block_on(&runtime, bench(seconds, connections, callbacks))?;
    outcome.print();
    Ok(())
}

async fn bench(seconds: u64, connections: u64, callbacks: bool) -> Result<Outcome, Failure> {
    let folder = std::env::temp_dir().join(format!("provider-bench-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let memory_before_kb = memory_kb()?;
    // A thread inherits its maker's core.
    bind(1)?;
    let simulator = Simulator::start(Options::new(folder.join("messages.jsonl"))).await?;
    bind(0)?;

    let (start, cpu_before) = (Instant::now(), simulator_cpu()?);
    let callback = if callbacks { receiver().await? } else { String::new() };
    let end = start + Duration::from_secs(seconds);
    let latencies = load(&simulator, connections, callback, end).await?;
    let state = simulator.wait_for(|state| state.callbacks.pending == 0).await;
    let outcome = Outcome {
        elapsed: start.elapsed(),
        simulator_cpu: simulator_cpu()? - cpu_before,
        latencies,
        state,
        log_bytes: fs::metadata(simulator.log_path())?.len(),
        memory_kb: memory_kb()?.saturating_sub(memory_before_kb),
    };
    simulator.stop().await;
    fs::remove_dir_all(&folder)?;
    Ok(outcome)
}

impl Outcome {
    fn print(mut self) {
        self.latencies.sort_unstable();
        let last = self.latencies.len() - 1;
        let at = |share: f64| self.latencies[(share * last as f64) as usize];
        let (elapsed, cpu) = (self.elapsed.as_secs_f64(), self.simulator_cpu.as_secs_f64());
        let count = self.state.accepted as f64;
        println!("messages   {count} in {elapsed:.1} s, {:.0} a second", count / elapsed);
        println!("callbacks  {} acknowledged", self.state.callbacks.acknowledged);
        println!(
            "simulator  {:.0} % of its core, so {:.0} messages for each second of it",
            100.0 * cpu / elapsed,
            count / cpu
        );
        println!("latency    p50 {:?}, p99 {:?}, most {:?}", at(0.5), at(0.99), at(1.0));
        println!("log        {:.0} bytes a message", self.log_bytes as f64 / count);
        println!(
            "memory     {} kB more, of which 16 bytes a message are this program's latencies",
            self.memory_kb
        );
    }
}

/// Keeps all connections busy until the end; returns how long each message took.
async fn load(
    simulator: &Simulator,
    connections: u64,
    callback: String,
    end: Instant,
) -> Result<Vec<Duration>, Failure> {
    let credentials = format!("{}:{}", Options::ACCOUNT_SID, Options::AUTH_TOKEN);
    let load = Rc::new(Load {
        path: format!("/2010-04-01/Accounts/{}/Messages.json", Options::ACCOUNT_SID),
        authorization: format!("Basic {}", STANDARD.encode(credentials)),
        callback,
        end,
    });
    let mut tasks = Vec::new();
    for number in 0..connections {
        let stream = TcpStream::connect(simulator.address()).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        tasks.push(spawn_local(keep_busy(Rc::clone(&load), sender, number)));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(latencies)
}

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
             +to+confirm+or+NO+to+cancel.&StatusCallback={}",
            load.callback
        );
        let request = Request::post(load.path.as_str())
            .header("host", "127.0.0.1")
            .header("authorization", load.authorization.as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(body))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::CREATED {
            return Err(format!("answered {}", response.status()).into());
        }
        response.into_body().collect().await?;
        let done = Instant::now();
        latencies.push(done - now);
        now = done;
    }
    Ok(latencies)
}

/// Answers callbacks 204; returns its URL, encoded.
async fn receiver() -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async {
                // A body that breaks off fails on the simulator's side as well.
                let _whole = request.into_body().collect().await;
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok::<_, Infallible>(response)
            });
            spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(format!("http%3A%2F%2F127.0.0.1%3A{port}%2Fv1%2Fcallbacks%2Ftwilio%2Fstatus%2F1%2F2%2F3"))
}

/// Binds the calling thread to one core, where there are several.
#[cfg(target_os = "linux")]
fn bind(core: usize) -> Result<(), Failure> {
    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::unistd::Pid;
    let mut set = CpuSet::new();
    set.set(core)?;
    if let Err(error) = sched_setaffinity(Pid::from_raw(0), &set) {
        println!("not bound to core {core}: {error}");
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn bind(_core: usize) -> Result<(), Failure> {
    Ok(())
}

/// The processor time of the simulator's thread, in steps of 10 ms; nothing without /proc.
fn simulator_cpu() -> Result<Duration, Failure> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Ok(Duration::ZERO);
    };
    for thread in threads {
        let path = thread?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == "provider" {
            let stat = fs::read_to_string(path.join("stat"))?;
            // Behind the name in brackets: utime and stime are the 12th and 13th field.
            let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            let ticks: u64 = fields.skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
            return Ok(Duration::from_millis(ticks * 10));
        }
    }
    Ok(Duration::ZERO)
}

fn memory_kb() -> Result<u64, Failure> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return Ok(0);
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse().unwrap_or_default())
}
