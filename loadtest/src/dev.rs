//! `loadtest dev`: the demo's stack, kept up for whoever wants to look around. Days are replayed on
//! it one after the other, slowly, until Ctrl-C; after each of them the service's own audit is
//! asked whether the laws hold. Nothing is left running, however it ends.
//!
//! Belongs here: which day comes next. Never here: starting the stack (`demo`), a day's replay
//! (`replay`).

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::civil::{Date, Weekday};
use jiff::{ToSpan, Zoned};

use crate::cli::plan_args;
use crate::client::Client;
use crate::day::{Options, Plan, Profile, Source};
use crate::demo::stack_up::StackUp;
use crate::demo::{StackArgs, program};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::laws::audit::Audit;
use crate::open_files;
use crate::replay::{self, Settings};
use crate::report::files::ReportDir;
use crate::report::units::count;

/// The audit of a database in which days have piled up.
const AUDIT_WITHIN: Duration = Duration::from_secs(600);

/// The flags of `loadtest dev`.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// Texts of each day.
    #[arg(long, value_name = "N", default_value_t = 6_000)]
    pub messages: u64,
    /// Domain seconds a real second: at 150 a day takes about six minutes.
    #[arg(long, value_name = "X", default_value_t = 150.0, value_parser = plan_args::speed)]
    pub speed: f64,
    /// Decides all that is left to chance; each day has the next one.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Connections of the harness: the most requests that are under way at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = plan_args::users)]
    pub users: usize,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
}

/// The text for `--help`.
pub const EXIT_HELP: &str = "\
Exit status:
  2    usage: a wrong flag, or something must be installed first (the message says what)
  3    unavailable: the service or a part of the stack is away or failed
  130  interrupted: Ctrl-C, the way to end it, or nobody reads its standard output any more";

/// Keeps a stack up until Ctrl-C.
///
/// # Errors
/// When something is missing, or doesn't start, or fails.
pub async fn run(args: DevArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let program = program(args.stack.punctual.as_deref())?;
    let stack = tokio::select! {
        stack = StackUp::start(&args.stack, &program, args.seed) => stack?,
        () = interrupt.stop.cancelled() => return Ok(Exit::Interrupted),
    };
    announce!("{}", stack.first_lines());
    announce!("days are replayed at speed {} until Ctrl-C", args.speed);
    let Err(failure) = days(&args, &stack, interrupt).await;
    // What fails because it is being stopped is no failure of its own.
    let is_asked = interrupt.stopped();
    if args.stack.keep || !is_asked {
        keep_logs(&stack);
    }
    stack.stop().await;
    if is_asked { Ok(Exit::Interrupted) } else { Err(failure) }
}

/// Day after day.
async fn days(
    args: &DevArgs,
    stack: &StackUp,
    interrupt: &Interrupt,
) -> Result<Infallible, Failure> {
    let target = stack.target();
    let mut next = Options { messages: args.messages, seed: args.seed, ..Options::default() };
    loop {
        let options = next.clone();
        let plan = tokio::task::spawn_blocking(move || plan(&options)).await;
        let plan = Arc::new(plan.map_err(|error| Failure::Unavailable(error.to_string()))??);
        next = following(next, &plan);
        announce!("day {}: {} texts", plan.day(), count(plan.promise().messages_min));
        let settings = Settings {
            users: args.users,
            speed: Some(args.speed),
            goose_dir: stack.directory().join("goose"),
            logs_dir: None,
            dashboard_port: None,
            source: String::new(),
            left_out: Vec::new(),
        };
        let day = plan.day();
        replay::run_unjudged(plan, &target, &settings, Vec::new(), interrupt).await?;
        // goose's report of a day that nobody asked one of.
        _ = fs::remove_dir_all(&settings.goose_dir);
        let admin = target.admin.first().map_or("", String::as_str);
        let audit = tokio::select! {
            audit = audited(admin) => audit?,
            () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
        };
        announce!("day {day}: {audit}");
    }
}

/// The plan of a day by the built-in profile.
pub(crate) fn plan(options: &Options) -> Result<Plan, Failure> {
    let source = Source::from_profile(Profile::builtin(), options.seed);
    Plan::build(options, &source).map_err(|error| Failure::Usage(error.to_string()))
}

/// The next working day, of other practices: appointments of days gone by keep their numbers.
fn following(options: Options, plan: &Plan) -> Options {
    let last = plan.practices().iter().map(|practice| practice.practice_id).max();
    let last = last.and_then(|id| u32::try_from(id).ok()).unwrap_or(options.first_practice_id);
    Options {
        seed: options.seed.wrapping_add(1),
        day: working_day_after(options.day),
        first_practice_id: last + 1,
        ..options
    }
}

fn working_day_after(day: Date) -> Date {
    let days = match day.weekday() {
        Weekday::Friday => 3,
        Weekday::Saturday => 2,
        Weekday::Sunday
        | Weekday::Monday
        | Weekday::Tuesday
        | Weekday::Wednesday
        | Weekday::Thursday => 1,
    };
    day.saturating_add(days.days())
}

/// What the audit says of the database's side, in one line.
async fn audited(admin: &str) -> Result<String, Failure> {
    let audit: Audit = Client::new(admin, None)?.within(AUDIT_WITHIN).get("/admin/audit").await?;
    let broken: Vec<String> = audit
        .checks
        .iter()
        .filter(|check| check.violations > 0)
        .map(|check| format!("law {} ({}): {}", check.law, check.name, count(check.violations)))
        .collect();
    if broken.is_empty() {
        let cases: u64 = audit.checks.iter().map(|check| check.cases).sum();
        return Ok(format!("the laws hold in {} cases", count(cases)));
    }
    Ok(format!("LAWS ARE BROKEN: {}", broken.join(", ")))
}

fn keep_logs(stack: &StackUp) {
    match ReportDir::make(None, &Zoned::now()) {
        Ok(reports) => {
            let logs: PathBuf = reports.path().join("logs");
            stack.keep_logs(&logs);
            announce!("logs: {}", logs.display());
        }
        Err(error) => complain!("logs: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_day_follows_on_the_last_with_practices_of_its_own() {
        let first = Options { messages: 300, ..Options::default() };
        let plan = plan(&first).unwrap();
        let second = following(first.clone(), &plan);
        assert!(second.day > first.day && second.seed != first.seed);
        let next = super::plan(&second).unwrap();
        let ids = |plan: &Plan| plan.practices().iter().map(|p| p.practice_id).collect::<Vec<_>>();
        assert!(ids(&plan).iter().max() < ids(&next).iter().min());
        let senders = |plan: &Plan| plan.practices().iter().map(|p| p.sender).collect::<Vec<_>>();
        assert!(senders(&plan).iter().max() < senders(&next).iter().min());
        assert!(next.origin() > plan.origin(), "the domain clock is never put back");
    }

    #[test]
    fn weekends_are_left_out() {
        let mut day = Options::default().day;
        for _ in 0..20 {
            day = working_day_after(day);
            assert!(!matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday), "{day}");
        }
    }
}
