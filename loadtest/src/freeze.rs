//! `loadtest freeze`: a proof of what is measured. A server that answers at once is stopped for
//! one second of ten at 1,000 requests a second; by arithmetic a tenth of the arrivals meet that
//! second and wait evenly from all of it to nothing, so the p99 of all is nine tenths of it. The
//! same is done to whatever other load generators are installed.
//!
//! Belongs here: the experiment and its table. Never here: other tools' command lines (`tools`).

mod server;
mod tools;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use nix::sys::signal::Signal;
use stack::{Process, ProcessSpec, RunDir, StackError};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::exit::{Exit, Failure};
use crate::hlog::Log;
use crate::interrupt::Interrupt;
use crate::report::units::{count, latency, share};
use tools::{Seen, TOOLS, Tool};

pub use server::ServerArgs;
pub use server::run as serve;

/// Requests a second.
const RATE: u32 = 1_000;
/// How long each tool sends.
const SECONDS: u32 = 10;
/// From a tool's start to the freeze: well within what it sends, however slowly it starts.
const FREEZE_AFTER: Duration = Duration::from_secs(4);
/// How long the server stands still.
const FROZEN: Duration = Duration::from_secs(1);
/// Connections of each tool that takes a number.
const CONNECTIONS: usize = 64;
/// A tool that takes longer is given up.
const TOOL_WITHIN: Duration = Duration::from_secs(60);
/// The server listens within this time.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Between two tools, so that one's connections are gone before the next one's.
const REST: Duration = Duration::from_millis(500);
/// What our p99 may be off by, as a ratio.
const OFF_MAX: f64 = 0.05;

/// The text for `--help`.
pub const EXIT_HELP: &str = "\
Exit status:
  0    this harness's p99 is off by 5 % at most from what arithmetic says
  1    it is off by more
  2    usage: a wrong flag (the message says what to do)
  3    the server or this harness could not be run
  130  interrupted: Ctrl-C; nothing is told";

/// The flags of `loadtest freeze`.
#[derive(Debug, Args)]
pub struct FreezeArgs {
    /// Only this harness, no other tool.
    #[arg(long)]
    alone: bool,
}

/// A line of the table.
struct Line {
    tool: String,
    seen: Seen,
    /// The p99 that arithmetic gives for the freeze as it was.
    truth: f64,
}

/// Freezes the server under each tool and prints the table.
///
/// # Errors
/// When the server or this harness can't be run.
pub async fn run(args: FreezeArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let failed = |error: StackError| Failure::Unavailable(error.to_string());
    let dir = RunDir::create(None).map_err(failed)?;
    let own = std::env::current_exe()
        .map_err(|e| Failure::Unavailable(format!("this program's own path: {e}")))?;
    let server = ProcessSpec::new("server", &own).argument("freeze-server");
    let server = Process::start(server, &dir).map_err(failed)?;
    let listening = server.ready_line(server::LISTENING, READY_WITHIN).await.map_err(failed)?;
    let address = listening.rsplit(' ').next().unwrap_or_default().to_owned();
    let rig = Rig { server, address, dir, own };
    let mut lines = Vec::new();
    for tool in std::iter::once(None).chain(TOOLS.iter().filter(|_| !args.alone).map(Some)) {
        let measured = tokio::select! {
            measured = rig.measure(tool) => measured?,
            () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
        };
        lines.extend(measured);
        sleep(REST).await;
    }
    announce!("{}", table(&lines));
    let ours = lines.first().map_or(f64::INFINITY, Line::off);
    announce!("this harness is off by {}, {} at most", share(ours.abs()), share(OFF_MAX));
    Ok(if ours.abs() <= OFF_MAX { Exit::Passed } else { Exit::Failed })
}

struct Rig {
    server: Process,
    address: String,
    dir: RunDir,
    own: PathBuf,
}

impl Rig {
    /// A tool's lines; none of one that isn't installed or says nothing that can be read.
    async fn measure(&self, tool: Option<&Tool>) -> Result<Vec<Line>, Failure> {
        let failed = |error: StackError| Failure::Unavailable(error.to_string());
        let reports = self.dir.path().join("report");
        let spec = match tool {
            None => self.ours(&reports),
            Some(tool) => {
                let Some(program) = found(tool.program) else {
                    complain!("{:<8} {} is not installed", "freeze", tool.name);
                    return Ok(Vec::new());
                };
                let url = format!("http://{}/", self.address);
                let arguments = (tool.arguments)(&url);
                ProcessSpec::new(tool.program, program).arguments(arguments)
            }
        };
        let name = tool.map_or("loadtest run", |tool| tool.name);
        complain!("{:<8} {name}: {SECONDS} s at {RATE} a second", "freeze");
        let process = Process::start(spec, &self.dir).map_err(failed)?;
        let frozen = self.freeze_under(&process).await;
        let truth = truth(frozen);
        let output = process.output();
        match tool {
            None => ours(&reports, truth, &output),
            Some(tool) => match (tool.read)(&output) {
                Some(seen) => Ok(vec![Line { tool: tool.name.to_owned(), seen, truth }]),
                None => {
                    complain!("{:<8} {name} said nothing that can be read", "freeze");
                    Ok(Vec::new())
                }
            },
        }
    }

    fn ours(&self, reports: &Path) -> ProcessSpec {
        ProcessSpec::new("loadtest", &self.own)
            .argument("run")
            .arguments(["--target", &self.address])
            .arguments(["--rate", &RATE.to_string(), "--duration", &format!("{SECONDS}s")])
            .arguments(["--connections", &CONNECTIONS.to_string()])
            .argument("--report-dir")
            .argument(reports)
    }

    /// Stops the server for its second while a tool runs, and waits for the tool's end. Says how
    /// long it really stood still.
    async fn freeze_under(&self, process: &Process) -> Duration {
        let began = Instant::now();
        sleep_until(began + FREEZE_AFTER).await;
        let stopped = Instant::now();
        self.server.signal(Signal::SIGSTOP);
        sleep_until(stopped + FROZEN).await;
        self.server.signal(Signal::SIGCONT);
        let frozen = stopped.elapsed();
        if timeout(TOOL_WITHIN, process.wait()).await.is_err() {
            process.kill().await;
        }
        frozen
    }
}

/// The p99 of all arrivals when the server stands still for so long: arrivals that meet it are
/// frozen × rate, and their waits fall evenly from all of it to nothing, so the longest hundredth
/// of all arrivals waits for all but a hundredth of the run's length.
fn truth(frozen: Duration) -> f64 {
    frozen.as_secs_f64() - 0.01 * f64::from(SECONDS)
}

/// Our own lines: from the intended start, and, to show what that is worth, from the send.
fn ours(reports: &Path, truth: f64, output: &str) -> Result<Vec<Line>, Failure> {
    let line = |measure: &str, tool: &str| {
        let log = Log::read(&reports.join(format!("{measure}.hlog")));
        let log = log.map_err(|e| Failure::Unavailable(format!("{e}; it said: {output}")))?;
        let totals = log.totals()?;
        let total = totals.into_values().next();
        let seen = total.map(|total| seen(&total)).unwrap_or_default();
        Ok::<Line, Failure>(Line { tool: tool.to_owned(), seen, truth })
    };
    Ok(vec![
        line("response", "**loadtest run**")?,
        line("service", "the same run, counted from the send")?,
    ])
}

fn seen(total: &Histogram<u64>) -> Seen {
    let at = |quantile| Some(total.value_at_quantile(quantile) as f64 / 1e6);
    Seen { requests: Some(total.len()), p95: at(0.95), p99: at(0.99), p999: at(0.999) }
}

/// A program on the path.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

impl Line {
    /// How far its p99 is from the truth, as a ratio.
    fn off(&self) -> f64 {
        self.seen.p99.map_or(f64::INFINITY, |p99| p99 / self.truth - 1.0)
    }
}

/// The table as Markdown.
fn table(lines: &[Line]) -> String {
    let mut out = String::from(
        "| tool | requests | p95 | p99 | p99.9 | p99 by arithmetic | off |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let text = |seconds: Option<f64>| seconds.map_or("–".to_owned(), latency);
    for line in lines {
        let Line { tool, seen: Seen { requests, p95, p99, p999 }, truth } = line;
        let off =
            if p99.is_some() { format!("{:+.1} %", line.off() * 100.0) } else { "–".into() };
        let requests = requests.map_or("–".to_owned(), count);
        let (p95, p99, p999, truth) = (text(*p95), text(*p99), text(*p999), latency(*truth));
        writeln!(out, "| {tool} | {requests} | {p95} | {p99} | {p999} | {truth} | {off} |")
            .expect("a String takes all that is written");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_each_tool_against_arithmetic() {
        let truth = truth(Duration::from_millis(1_010));
        let full =
            Seen { requests: Some(10_000), p95: Some(0.51), p99: Some(0.9191), p999: Some(1.0) };
        let lines = [
            Line { tool: "a".into(), seen: full, truth },
            Line { tool: "b".into(), seen: Seen { p99: Some(0.0091), ..Seen::default() }, truth },
        ];
        assert_eq!(
            table(&lines).lines().skip(2).collect::<Vec<_>>(),
            [
                "| a | 10,000 | 510 ms | 919 ms | 1.00 s | 910 ms | +1.0 % |",
                "| b | – | – | 9.10 ms | – | 910 ms | -99.0 % |",
            ]
        );
    }
}
