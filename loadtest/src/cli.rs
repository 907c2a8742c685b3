//! The command line: what a person may ask for, and how the answer ends the process.
//!
//! Never here: doing it. Each command has its module.

mod mistake;
pub(crate) mod plan_args;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use contract::Limit;
use jiff::Zoned;
use tracing_subscriber::EnvFilter;

use crate::capacity::{self, args::CapacityArgs};
use crate::counts::{self, COUNTS_EXIT_HELP, CountsArgs};
use crate::day::{appointments, fit};
use crate::exit::{
    ALL_EXIT_HELP, CAPACITY_EXIT_HELP, EXIT_HELP, Exit, Failure, RUN_EXIT_HELP, SHOWN_EXIT_HELP,
};
use crate::freeze::{self, FreezeArgs, ServerArgs};
use crate::gate::args::GateArgs;
use crate::gate::{self, GATE_EXIT_HELP};
use crate::hlog::compare::{self, CompareArgs};
use crate::hlog::merge::{self, MergeArgs};
use crate::incidents::{self, IncidentsArgs};
use crate::interrupt::Interrupt;
use crate::isolate::{self, IsolateArgs};
use crate::plan::args::WorkArgs;
use crate::provider_command::{self, ProviderArgs};
use crate::replay::{self, Settings, Target};
use crate::report::files::{ReportDir, kept, say, unkept};
use crate::report::{Ended, Report, terminal};
use crate::run::args::{RunArgs, target};
use crate::{demo, dev, open_files, run as any_run, stdout};
pub use plan_args::{PlanArgs, Planned, ReplayArgs};

/// Replays a real day of appointment reminders and checks that what the service promised was kept.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, after_help = ALL_EXIT_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts a private stack (PostgreSQL with a replica, provider simulator, service), replays a
    /// day on it, checks the laws, reports, and stops everything.
    #[command(after_help = EXIT_HELP)]
    Demo(demo::DemoArgs),
    /// Starts the same stack and keeps it up, with a gentle replay of day after day, until Ctrl-C:
    /// for whoever wants to look around.
    #[command(after_help = dev::EXIT_HELP)]
    Dev(dev::DevArgs),
    /// Replays a day against a service and a provider simulator that already run.
    #[command(after_help = EXIT_HELP)]
    Day(DayArgs),
    /// Simulates the SMS provider: Twilio's Messages API, callbacks and faults.
    Provider(Box<ProviderArgs>),
    /// Sends requests to any service at their intended instants, whatever it does, measures each
    /// from its instant, and judges: PASS, FAIL or INVALID.
    #[command(after_help = RUN_EXIT_HELP)]
    Run(Box<RunArgs>),
    /// Compares two builds of a service at the same time, the same requests to both: is the newer
    /// one slower? PASS, FAIL or INVALID.
    #[command(after_help = GATE_EXIT_HELP)]
    Gate(Box<GateArgs>),
    /// Counts what the reminder service does for a plan (statements, rows, bytes, buffers, log,
    /// memory) and compares it with a baseline.
    #[command(after_help = COUNTS_EXIT_HELP)]
    Counts(CountsArgs),
    /// Finds the highest rate at which a service still meets its objectives, and what gives out
    /// first.
    #[command(after_help = CAPACITY_EXIT_HELP)]
    Capacity(Box<CapacityArgs>),
    /// Prints what a run would send: its hash, its counts, its rate over time.
    #[command(after_help = SHOWN_EXIT_HELP)]
    Plan(Box<WorkArgs>),
    /// Joins the interval logs of several generators.
    #[command(after_help = merge::EXIT_HELP)]
    Merge(MergeArgs),
    /// Shows two runs side by side.
    #[command(after_help = SHOWN_EXIT_HELP)]
    Compare(CompareArgs),
    /// Lets one stage of the service's work run at a time over a backlog, and names the one whose
    /// cost grows with it.
    #[command(after_help = isolate::EXIT_HELP)]
    Isolate(IsolateArgs),
    /// Makes what went wrong elsewhere happen on purpose: each incident must end well, and be seen.
    #[command(after_help = incidents::EXIT_HELP)]
    Incidents(IncidentsArgs),
    /// Proves what is measured: freezes a server for a second under this harness and under what
    /// other load generators are installed, and prints a table.
    #[command(after_help = freeze::EXIT_HELP)]
    Freeze(FreezeArgs),
    /// The server that is frozen.
    #[command(hide = true)]
    FreezeServer(ServerArgs),
    /// Prints the profile fitted from an appointments file, as JSON.
    #[command(after_help = SHOWN_EXIT_HELP)]
    Profile(ProfileArgs),
}

#[derive(Debug, Args)]
struct DayArgs {
    /// Public listener of the service; once for each of its processes.
    #[arg(long, value_name = "HOST:PORT", required = true, value_parser = target)]
    service: Vec<String>,
    /// Admin listener of the service; once for each of its processes, in the same order.
    #[arg(long, value_name = "HOST:PORT", required = true, value_parser = target)]
    admin: Vec<String>,
    /// The service's admin key.
    #[arg(long, value_name = "KEY", env = "PUNCTUAL_ADMIN_KEY", hide_env_values = true)]
    admin_key: String,
    /// The provider simulator.
    #[arg(long, value_name = "HOST:PORT")]
    provider: SocketAddr,
    /// The simulator's log of accepted texts, as given to `loadtest provider --log`.
    #[arg(long, value_name = "FILE")]
    provider_log: PathBuf,
    /// A bound that the service has other than by default, such as request_head_ms=30000.
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = limit)]
    limits: Vec<(&'static str, u64)>,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    replay: ReplayArgs,
}

#[derive(Debug, Args)]
struct ProfileArgs {
    /// Appointments in the format of the "Medical Appointment No Shows" data set, CSV or gzip.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, &arguments).into(),
    };
    if let Err(failure) = log_to_stderr() {
        return fail(&failure).into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::Unavailable(format!("threads: {error}"))).into(),
    };
    runtime.block_on(run(cli.command)).unwrap_or_else(|failure| fail(&failure)).into()
}

fn fail(failure: &Failure) -> Exit {
    match failure {
        Failure::Usage(_) | Failure::Unavailable(_) | Failure::Interrupted => {
            complain!("loadtest: {failure}");
        }
        // As other programs do whose reader has seen enough.
        Failure::Unread => {}
    }
    failure.exit()
}

/// Help and versions go to standard output and end well; so does help for who asks for nothing,
/// but for where it goes. All else is a mistake.
fn refused(error: &clap::Error, arguments: &[OsString]) -> Exit {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr() && !is_help {
        complain!("{}", mistake::one_line(error, arguments));
    } else {
        let _nobody_reads = error.print();
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Passed }
}

/// Warnings, unless `RUST_LOG` says otherwise: progress and results are not log lines.
fn log_to_stderr() -> Result<(), Failure> {
    let asked = std::env::var("RUST_LOG").ok().filter(|text| !text.trim().is_empty());
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or("warn")).map_err(|error| {
        Failure::Usage(format!("RUST_LOG: {error}; write for instance warn,loadtest=debug"))
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Where nobody reads standard error any more, nobody reads that either: by default it is said
    // there, by a way that panics.
    let lines = lines.log_internal_errors(false);
    // Fails only where a test has installed its own.
    let _installed = lines.try_init();
    Ok(())
}

/// Said at the first Ctrl-C of a run that ends with a report.
const REPORTS: &str = "stopping: the report covers what was done so far (Ctrl-C again: no report)";

/// Said at the first Ctrl-C of what has nothing to tell before its end.
const AT_ONCE: &str = "stopping (Ctrl-C again: at once)";

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => {
            let run = async |i: &Interrupt| attended(Box::pin(demo::run(args, i))).await;
            interruptible(REPORTS, run).await
        }
        Command::Day(args) => {
            interruptible(REPORTS, async |i: &Interrupt| day(args, i).await).await
        }
        Command::Dev(args) => {
            let run = async |i: &Interrupt| attended(Box::pin(dev::run(args, i))).await;
            interruptible(AT_ONCE, run).await
        }
        Command::Provider(args) => provider_command::run(*args).await,
        Command::Run(args) => {
            interruptible(REPORTS, async |i: &Interrupt| any_run::run(*args, i).await).await
        }
        Command::Gate(args) => {
            interruptible(REPORTS, async |i: &Interrupt| gate::run(*args, i).await).await
        }
        Command::Counts(args) => {
            interruptible(AT_ONCE, async |i: &Interrupt| counts::run(args, i).await).await
        }
        Command::Capacity(args) => {
            interruptible(REPORTS, async |i: &Interrupt| capacity::run(*args, i).await).await
        }
        Command::Plan(args) => any_run::plan(&args),
        Command::Isolate(args) => {
            interruptible(REPORTS, async |i: &Interrupt| isolate::run(args, i).await).await
        }
        Command::Incidents(args) => {
            interruptible(REPORTS, async |i: &Interrupt| incidents::run(args, i).await).await
        }
        Command::Freeze(args) => {
            interruptible(AT_ONCE, async |i: &Interrupt| freeze::run(args, i).await).await
        }
        // It has a runtime of its own, with one thread.
        Command::FreezeServer(args) => {
            let served = tokio::task::spawn_blocking(move || freeze::serve(&args)).await;
            served.unwrap_or_else(|error| Err(Failure::Unavailable(error.to_string())))
        }
        Command::Merge(args) => merge::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Profile(args) => profile(&args),
    }
}

/// Runs what ends in order at the first Ctrl-C, with something said, and at once at the second.
async fn interruptible(
    said: &'static str,
    run: impl AsyncFnOnce(&Interrupt) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let interrupt = Interrupt::install(said);
    let abandoned = interrupt.abandon.clone();
    tokio::select! {
        result = run(&interrupt) => result,
        // What was started is stopped as it is dropped.
        () = abandoned.cancelled() => Err(Failure::Interrupted),
    }
}

/// Runs what is there to be looked at: it ends when whoever reads its standard output has left.
async fn attended(run: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::select! {
        biased;
        result = run => result,
        // What was started is stopped as it is dropped.
        () = stdout::unread() => Err(Failure::Unread),
    }
}

async fn day(args: DayArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    if args.admin.len() != args.service.len() {
        return Err(Failure::Usage(format!(
            "--service is given {} times and --admin {} times; give both once for each process",
            args.service.len(),
            args.admin.len()
        )));
    }
    open_files::raise();
    let reports = report_dir(&args.replay)?;
    let planned = args.plan.plan().await?;
    let target = Target {
        public: args.service,
        admin: args.admin,
        admin_key: args.admin_key,
        provider: args.provider.to_string(),
        provider_log: args.provider_log,
        limits: BTreeMap::from_iter(args.limits),
    };
    let settings = settings(&args.replay, &planned, &reports);
    let plan = Arc::new(planned.plan);
    let report = replay::run(plan, &target, &settings, Vec::new(), interrupt).await?;
    Ok(tell(&report, &reports))
}

/// The directory of a run's report, made before the run.
pub(crate) fn report_dir(args: &ReplayArgs) -> Result<ReportDir, Failure> {
    ReportDir::make(args.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// How to replay, from the flags.
pub(crate) fn settings(args: &ReplayArgs, planned: &Planned, reports: &ReportDir) -> Settings {
    Settings {
        users: args.users,
        speed: args.speed,
        goose_dir: reports.path().join("goose"),
        logs_dir: Some(reports.path().to_owned()),
        dashboard_port: args.dashboard,
        source: planned.source.clone(),
        left_out: planned.left_out.clone(),
    }
}

/// Writes and prints a report; the exit status follows from it.
pub(crate) fn tell(report: &Report, reports: &ReportDir) -> Exit {
    // First of all: a disk that is full must not cost the numbers.
    let said = say(&format!("\n{}\n", terminal::render(report).trim_end()));
    let exit = match report.ended {
        Ended::Passed => Exit::Passed,
        Ended::Failed => Exit::Failed,
        Ended::Interrupted => Exit::Interrupted,
    };
    let exit = kept(reports.write(report), said, exit);
    if report.is_whole { exit } else { unkept(exit) }
}

fn profile(args: &ProfileArgs) -> Result<Exit, Failure> {
    let read = appointments::read(&args.file).map_err(|e| Failure::Usage(e.to_string()))?;
    if read.rejected.total() > 0 {
        complain!("{}", read.rejected);
    }
    let json = serde_json::to_string_pretty(&fit(&read)).expect("a profile is JSON");
    stdout::result(&format!("{json}\n"))
}

fn limit(text: &str) -> Result<(&'static str, u64), String> {
    let names = || Limit::ALL.iter().map(|limit| limit.name()).collect::<Vec<_>>().join(", ");
    let (name, number) =
        text.split_once('=').ok_or("write NAME=NUMBER, such as request_head_ms=30000")?;
    let limit = Limit::from_name(name).ok_or_else(|| format!("the bounds are {}", names()))?;
    let contract::limit::Spec { least, most, .. } = limit.spec();
    match number.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok((limit.name(), number)),
        Ok(_) | Err(_) => Err(format!("{name} is a whole number from {least} to {most}")),
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
