//! `loadtest demo`: a whole stack for one day. Starts a private PostgreSQL pair, the provider
//! simulator and the service, replays a day against them, reports, and leaves nothing running,
//! however it ends.
//!
//! Belongs here: what is started, with which settings, and stopping it. Never here: the replay.

pub(crate) mod stack_up;
pub(crate) mod watcher;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::cli::{PlanArgs, ReplayArgs, report_dir, settings, tell};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::open_files;
use crate::replay;
use crate::report::Ended;
use stack_up::StackUp;

/// The flags of `loadtest demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    #[command(flatten)]
    pub(crate) replay: ReplayArgs,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
}

/// What the stack is made of.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The stack")]
pub struct StackArgs {
    /// The service's binary; the one beside this program if not given.
    #[arg(long, value_name = "PATH")]
    pub punctual: Option<PathBuf>,
    /// Processes of the service, side by side on one database.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=8))]
    pub processes: u16,
    /// Shards of the database. Fewer make fuller batches, which pays on a small machine.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: u16,
    /// The provider does everything right: no lost answers, no 429, no 5xx, callbacks in order.
    #[arg(long)]
    pub no_faults: bool,
    /// The Prometheus that watches it; where there is none, it does without.
    #[arg(long, value_name = "PROGRAM", default_value = "prometheus")]
    pub prometheus: PathBuf,
    /// No Prometheus, though there is one.
    #[arg(long, conflicts_with = "prometheus")]
    pub no_prometheus: bool,
    /// Keeps the logs of all processes, and the provider's, in logs/ of the report's directory.
    /// Without it they are kept only when something failed.
    #[arg(long)]
    pub keep: bool,
}

/// What the stack is made of where one process is looked at: the other flags of a demo's stack
/// would do nothing there, or leave a process that nobody holds.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The stack")]
pub struct OneProcessArgs {
    /// The service's binary; the one beside this program if not given.
    #[arg(long, value_name = "PATH")]
    pub punctual: Option<PathBuf>,
    /// Shards of the database. Fewer make fuller batches, which pays on a small machine.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: u16,
    /// Keeps the logs of all processes, and the provider's, in logs/ of the report's directory.
    /// Without it they are kept only when something failed.
    #[arg(long)]
    pub keep: bool,
}

impl OneProcessArgs {
    /// The stack, which no Prometheus of its own asks.
    pub(crate) fn stack(&self) -> StackArgs {
        let Self { punctual, shards, keep } = self.clone();
        StackArgs {
            punctual,
            processes: 1,
            shards,
            no_faults: false,
            prometheus: PathBuf::new(),
            no_prometheus: true,
            keep,
        }
    }
}

/// Runs the demo.
///
/// # Errors
/// When something is missing, or doesn't start, or fails.
pub async fn run(args: DemoArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let program = program(args.stack.punctual.as_deref())?;
    let reports = report_dir(&args.replay)?;
    let planned = tokio::select! {
        planned = args.plan.plan() => planned?,
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let settings = settings(&args.replay, &planned, &reports);
    let plan = Arc::new(planned.plan);
    let stack = tokio::select! {
        stack = StackUp::start(&args.stack, &program, plan.seed()) => stack?,
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    announce!("{}", stack.first_lines());
    let result = replay::run(plan, &stack.target(), &settings, stack.watched(), interrupt).await;
    let passed = matches!(&result, Ok(report) if report.ended != Ended::Failed);
    let kept = (args.stack.keep || !passed).then(|| reports.path().join("logs"));
    if let Some(kept) = &kept {
        stack.keep_logs(kept);
    }
    stack.stop().await;
    let exit = result.map(|report| tell(&report, &reports));
    if let Some(kept) = kept {
        announce!("logs: {}", kept.display());
    }
    exit
}

/// The service's binary.
pub(crate) fn program(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => {
            let beside = std::env::current_exe().ok();
            let beside = beside.as_deref().and_then(Path::parent).map(|dir| dir.join("punctual"));
            beside.unwrap_or_else(|| PathBuf::from("punctual"))
        }
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::Usage(format!(
        "{}: the service's binary is not there; build it (cargo build --workspace) or name it with \
         --punctual",
        path.display()
    )))
}

/// Copies the logs of a run; what can't be copied is said and left.
fn copy_logs(from: &[PathBuf], to: &Path) {
    let copied = fs::create_dir_all(to).and_then(|()| {
        for log in from.iter().filter(|log| log.is_file()) {
            let name = log.file_name().unwrap_or_default();
            fs::copy(log, to.join(name))?;
        }
        Ok(())
    });
    if let Err(error) = copied {
        complain!("logs {}: {error}", to.display());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_binary_is_one_clear_line() {
        let failure = program(Some(Path::new("/nonexistent/punctual"))).unwrap_err();
        let text = failure.to_string();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(text.contains("--punctual") && !text.contains('\n'), "{text}");
    }

    #[test]
    fn logs_are_copied_as_far_as_they_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("service.log");
        fs::write(&log, "line\n").unwrap();
        let to = dir.path().join("kept");
        copy_logs(&[log, dir.path().join("absent.log")], &to);
        assert_eq!(fs::read_to_string(to.join("service.log")).unwrap(), "line\n");
    }
}
