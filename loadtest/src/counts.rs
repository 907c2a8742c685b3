//! `loadtest counts`: what the reminder service does for a plan, counted and not timed: statements
//! and rows by endpoint and stage, bytes sent, buffers and log by statement, memory asked for. The
//! same plan gives the same counts on any machine, however busy, so they are compared with a file
//! that is reviewed like code, most of them exactly.
//!
//! Belongs here: the order of it. Never here: times (`gate`), SQL: the service counts, and says so
//! over HTTP.

mod asked;
mod callbacks;
mod compare;
mod document;
mod lockstep;
mod sheet;
mod told;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::{Timestamp, Zoned};
use stack::postgres::{self, Options as Servers};

use crate::day::{Options, Plan, Profile, Source};
use crate::demo::program;
use crate::demo::stack_up::{Shape, StackUp};
use crate::exit::{Exit, Failure};
use crate::gate::{git, stack_args, variable};
use crate::history;
use crate::interrupt::Interrupt;
use crate::open_files;
use crate::report::files::{ReportDir, say};
use document::Document;
use lockstep::{Lockstep, PUBLIC_URL};
use told::{Comparison, Repeats};

/// The text for `--help`.
pub const COUNTS_EXIT_HELP: &str = "\
Exit status:
  0    the same as in the baseline, or the baseline was rewritten
  1    not the same: review the difference, and rewrite the baseline with --update if it is meant
  2    usage: a wrong flag or file, or a baseline of another plan
  3    unavailable: the service or a part of the stack is away or failed, or the report of counts
       that are the same could not be written
  130  interrupted: Ctrl-C; with --repeat the report has the counts until then";

/// The flags of `loadtest counts`.
#[derive(Debug, Args)]
pub struct CountsArgs {
    /// The service's binary; the one beside this program if not given.
    #[arg(long, value_name = "PATH")]
    punctual: Option<PathBuf>,
    /// What is compared with.
    #[arg(long, value_name = "FILE", default_value = "loadtest/baselines/counts.json")]
    baseline: PathBuf,
    /// Rewrites the baseline instead of comparing with it; to be reviewed like code.
    #[arg(long)]
    update: bool,
    /// Instead of comparing: counts so many times, and prints how far apart the counts are.
    #[arg(long, value_name = "N", conflicts_with_all = ["update", "history", "baseline"],
        value_parser = clap::value_parser!(u32).range(2..=1_000))]
    repeat: Option<u32>,
    /// Texts of the day that is counted.
    #[arg(long, value_name = "N", default_value_t = 150,
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    messages: u64,
    /// Decides all that is left to chance in the day.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// In the service's environment.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    environment: Vec<(String, String)>,
    /// Appends the counts to this file, for change-point detection.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Where the report is written; a folder named by the time in reports/ if not given.
    #[arg(long, value_name = "DIR", conflicts_with = "update")]
    report_dir: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// When a flag or a file can't be used, or a part of the stack fails.
pub async fn run(args: CountsArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let program = program(args.punctual.as_deref())?;
    let (messages, seed) = (args.messages, args.seed);
    let plan = tokio::task::spawn_blocking(move || plan(messages, seed)).await;
    let plan = Arc::new(plan.map_err(|e| Failure::Unavailable(e.to_string()))??);
    if args.update {
        let counted = count(&args, &program, &plan, interrupt).await?;
        // First of all: a disk that is full must not cost the numbers.
        say(&format!("{}: {}\n", args.baseline.display(), counted.summary()));
        remember(&args, &counted);
        counted.write(&args.baseline)?;
        return Ok(Exit::Passed);
    }
    if let Some(times) = args.repeat {
        return repeat(&args, &program, &plan, times, interrupt).await;
    }
    // Read first: one that can't be used is said before anything is counted.
    let baseline = Document::read(&args.baseline)?;
    baseline.check_plan(plan.hash(), &args.baseline)?;
    let reports = reports(&args)?;
    let counted = count(&args, &program, &plan, interrupt).await?;
    remember(&args, &counted);
    Ok(Comparison::of(&baseline, &counted, &args.baseline).tell(&reports))
}

fn reports(args: &CountsArgs) -> Result<ReportDir, Failure> {
    ReportDir::make(args.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))
}

fn plan(messages: u64, seed: u64) -> Result<Plan, Failure> {
    let source = Source::from_profile(Profile::builtin(), seed);
    let options = Options { messages, seed, book: Some(messages / 2), ..Options::default() };
    Plan::build(&options, &source).map_err(|error| Failure::Usage(error.to_string()))
}

/// Counts once, on a stack of its own.
async fn count(
    args: &CountsArgs,
    program: &Path,
    plan: &Arc<Plan>,
    interrupt: &Interrupt,
) -> Result<Document, Failure> {
    let (shape, stack_args) = (shape(args), stack_args(program.to_owned()));
    let stack = tokio::select! {
        stack = StackUp::start_as(&shape, &stack_args, program, plan.seed()) => stack?,
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let counted = tokio::select! {
        counted = Lockstep::run(plan, &stack) => counted,
        () = interrupt.stop.cancelled() => Err(Failure::Interrupted),
    };
    stack.stop().await;
    counted
}

/// A stack in which nothing happens by itself.
fn shape(args: &CountsArgs) -> Shape {
    // Vacuum, checkpoints and the writer in the background would be among what is counted.
    let postgres = Servers::new(postgres::Profile::Test)
        .setting("autovacuum", "off")
        .setting("bgwriter_lru_maxpages", "0")
        .setting("full_page_writes", "off");
    let mut service: Vec<(String, String)> = [
        ("PUNCTUAL_STAGE_GATES", "held"),
        // One for each pool.
        ("PUNCTUAL_DATABASE_CONNECTIONS", "4"),
        ("PUNCTUAL_PUBLIC_URL", PUBLIC_URL),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    service.extend(args.environment.iter().cloned());
    // The harness calls back, so the simulator is not to: not before a minute is over, and then to
    // where nobody listens.
    let provider = ["--sent-delay", "constant:60000", "--callback-tries-max", "1"];
    let provider = provider.map(str::to_owned).to_vec();
    Shape { postgres, replica: false, service, provider }
}

/// Counts the same several times and prints how far apart the results are.
async fn repeat(
    args: &CountsArgs,
    program: &Path,
    plan: &Arc<Plan>,
    times: u32,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let reports = reports(args)?;
    let mut all = Vec::new();
    let mut ended = Ok(());
    for n in 1..=times {
        match count(args, program, plan, interrupt).await {
            Ok(counted) => all.push(counted),
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        }
        complain!("{:<8} {n} of {times}", "counts");
    }
    // Of a single one nothing can be apart.
    match (ended, Repeats::of(&all)) {
        (Ok(()), Some(repeats)) => Ok(repeats.tell(&reports)),
        (Err(why), Some(repeats)) if all.len() > 1 => {
            Ok(repeats.cut_short(times, &why, interrupt.stopped()).tell(&reports))
        }
        (Err(why), _) => Err(why),
        (Ok(()), None) => Err(Failure::Usage("--repeat is two at least".to_owned())),
    }
}

/// Appends the sums to the history. What is counted stands whatever becomes of that.
fn remember(args: &CountsArgs, counted: &Document) {
    let Some(file) = &args.history else { return };
    let commit = git(&["rev-parse", "HEAD"]).unwrap_or_else(|_| "unknown".to_owned());
    let figures: BTreeMap<String, f64> = counted.sums();
    match history::append(file, Timestamp::now(), &commit, &figures) {
        Ok(left_out) if left_out.is_empty() => {}
        Ok(left_out) => {
            complain!("history {}: no column for {}", file.display(), left_out.join(", "));
        }
        Err(error) => complain!("loadtest: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        _args: CountsArgs,
    }

    #[test]
    fn a_flag_that_would_do_nothing_is_refused() {
        let parsed = |flags: &[&str]| Line::try_parse_from(["counts"].iter().chain(flags));
        for flags in [
            &["--repeat", "2", "--baseline", "counts.json"][..],
            &["--repeat", "2", "--history", "counts.csv"],
            &["--repeat", "2", "--update"],
            &["--update", "--report-dir", "reports"],
        ] {
            let error = parsed(flags).expect_err("one does nothing").to_string();
            assert!(error.contains("cannot be used with"), "{flags:?}: {error}");
        }
        assert!(parsed(&["--repeat", "2", "--messages", "10"]).is_ok());
        assert!(parsed(&["--update", "--baseline", "counts.json"]).is_ok());
    }
}
