//! Any other service: reset and started by commands, ready when its health URL says so, sent a plan
//! of one's own.
//!
//! Never here: anything that the service isn't told by a command or a request.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use stack::ports::free_port;
use stack::{Process, ProcessSpec, RunDir};
use tokio::time::{Instant, sleep};

use super::Round;
use crate::engine::connection::{Connection, Transport};
use crate::engine::source::Outgoing;
use crate::exit::Failure;
use crate::gate::args::SidesArgs;
use crate::gate::pairs::SIDES;
use crate::gate::play::{How, Played, play};
use crate::interrupt::Interrupt;
use crate::plan::Plan;
use crate::plan::args::WorkArgs;
use crate::progress::Step;
use crate::run::args::Traceparent;
use crate::run::measure::HEAD_START;
use crate::run::objective::Objectives;
use crate::run::work::Work;

/// Compilers and loaders of data take their time.
const RESET_WITHIN: Duration = Duration::from_secs(600);
const READY_WITHIN: Duration = Duration::from_secs(60);
/// After SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// A service by its commands, with the work for it.
pub(in crate::gate) struct Other {
    pub(super) commands: Commands,
    /// What the plan is made of.
    pub(super) work: WorkArgs,
    pub(super) plan: Arc<Plan>,
    pub(super) objectives: Objectives,
    pub(super) headers: HeaderMap,
    pub(super) ok: RangeInclusive<u16>,
}

/// What to run for either side.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    start: [String; 2],
    reset: [Option<String>; 2],
    health: http::Uri,
    pub(super) environment: [Vec<(String, String)>; 2],
}

/// A side that runs.
#[derive(Debug)]
struct Running {
    process: Process,
    address: String,
}

impl Commands {
    pub(super) fn of(args: &SidesArgs) -> Option<Self> {
        let start = [args.base_start.clone()?, args.head_start.clone()?];
        Some(Self {
            start,
            reset: [args.base_reset.clone(), args.head_reset.clone()],
            health: args.health.clone(),
            environment: [args.base_env.clone(), args.head_env.clone()],
        })
    }

    /// The commands, as they may stand in a report that everybody reads.
    pub(super) fn names(&self) -> [String; 2] {
        self.start.each_ref().map(|start| without_passwords(start))
    }

    pub(super) fn is_same(&self) -> bool {
        let Self { start, reset, health: _, environment } = self;
        start[0] == start[1] && reset[0] == reset[1] && environment[0] == environment[1]
    }

    async fn start(&self, side: usize, build: usize, run: &RunDir) -> Result<Running, Failure> {
        let port = free_port()?;
        let name = SIDES[side];
        let shell = |name: String, command: &str| {
            let spec = ProcessSpec::new(name, "sh")
                .arguments(["-c", &command.replace("{port}", &port.to_string())])
                .env("PORT", port.to_string());
            let environment = self.environment[build].iter();
            environment.fold(spec, |spec, (name, value)| spec.env(name, value))
        };
        if let Some(reset) = &self.reset[build] {
            let spec = shell(format!("{name}-reset"), reset);
            Process::run(spec, run, RESET_WITHIN).await?;
        }
        let spec = shell(name.to_owned(), &self.start[build]);
        let process = Process::start(spec, run)?;
        let running = Running { process, address: format!("127.0.0.1:{port}") };
        self.ready(name, &running).await?;
        Ok(running)
    }

    async fn ready(&self, name: &str, running: &Running) -> Result<(), Failure> {
        let Running { process, address } = running;
        let request = Outgoing { uri: self.health.clone(), ..Outgoing::default() };
        let mut connection = Connection::new(address.clone(), Duration::from_secs(5));
        let (began, mut last) = (Instant::now(), "no answer".to_owned());
        while began.elapsed() < READY_WITHIN {
            if let Some(status) = process.ended() {
                return Err(Failure::Unavailable(format!(
                    "{name} ended with {status} before it was ready:\n{}",
                    process.output().trim_end()
                )));
            }
            match connection.exchange(&request).await {
                Ok(answer) if (200..400).contains(&answer.status) => return Ok(()),
                Ok(answer) => last = format!("status {}", answer.status),
                Err(broken) => last = broken.to_string(),
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::Unavailable(format!(
            "{name} at http://{address}{} was not ready within {READY_WITHIN:?}: {last}",
            self.health
        )))
    }
}

impl Other {
    pub(super) async fn play(
        &self,
        round: Round,
        how: How,
        interrupt: &Interrupt,
    ) -> Result<(Played, String), Failure> {
        let plan = self.plan_of(round.seed).await?;
        let step = Step::begin("sides", "sides", 2);
        let run = RunDir::create(None)?;
        let mut running: [Option<Running>; 2] = [None, None];
        for side in round.order() {
            let starting = self.commands.start(side, round.build(side), &run);
            running[side] = Some(tokio::select! {
                started = starting => started?,
                () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
            });
        }
        let [Some(base), Some(head)] = &running else { return Err(Failure::Interrupted) };
        step.end(&format!("base at {}, head at {}", base.address, head.address));
        let work = || {
            let Self { objectives, headers, ok, .. } = self;
            let off = Traceparent::Off;
            Arc::new(Work::new(plan.clone(), objectives, headers, ok.clone(), off))
        };
        let parts = [(work(), base.address.clone()), (work(), head.address.clone())];
        let start = async { Ok(Instant::now() + HEAD_START) };
        let played = play(parts, how, start, interrupt).await;
        for side in running.into_iter().flatten() {
            side.process.stop(STOP_GRACE).await;
        }
        Ok((played?, plan.hash().to_owned()))
    }

    /// The plan, drawn anew by this seed where chance decides any of it.
    async fn plan_of(&self, seed: u64) -> Result<Arc<Plan>, Failure> {
        if self.plan.about().seed.is_none_or(|drawn| drawn == seed) {
            return Ok(self.plan.clone());
        }
        let work = WorkArgs { seed, ..self.work.clone() };
        Ok(Arc::new(work.plan_apart().await?))
    }
}

/// A command without the passwords of the URLs in it.
fn without_passwords(command: &str) -> String {
    let mut parts = command.split("://");
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends = |c: char| c.is_whitespace() || ['/', '\'', '"'].contains(&c);
        let authority = part.find(ends).unwrap_or(part.len());
        let at = part[..authority].rfind('@');
        let hidden = at.and_then(|at| Some((part[..at].find(':')?, at)));
        said.push_str("://");
        match hidden {
            Some((colon, at)) => said.extend([&part[..=colon], "…", &part[at..]]),
            None => said.push_str(part),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_no_passwords() {
        for (command, said) in [
            ("serve --port {port}", "serve --port {port}"),
            ("DB=postgres://app:s3:cr@t@h:1/d serve", "DB=postgres://app:…@h:1/d serve"),
            ("serve 'amqp://u:p@h' http://h:80/a:b@c", "serve 'amqp://u:…@h' http://h:80/a:b@c"),
            ("postgres://app@h/d", "postgres://app@h/d"),
        ] {
            assert_eq!(without_passwords(command), said);
        }
    }
}
