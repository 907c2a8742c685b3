//! The benchmarks' flags.

use clap::{Arg, ArgAction, ArgMatches, Command};
use contract::Stage;

use super::{commit, depth, sql};

/// Which benchmark, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bench {
    /// The statements of the five steps.
    Sql(sql::Options),
    /// Cost by the depth of the backlog.
    Depth(depth::Options),
    /// Group commit against one transaction a request.
    Commit(commit::Options),
}

/// Items in a batch where no flag says so: what a batch is worth its transaction at, and about
/// what a full day's batches come to.
const BATCH: usize = 100;

/// The steps of `bench sql` with the stage whose batch a flag sets, and that flag.
const BATCH_FLAGS: [(&str, Stage); 5] = [
    ("batch-ingest", Stage::Plan),
    ("batch-release", Stage::Release),
    ("batch-claim", Stage::Claim),
    ("batch-settle", Stage::Settle),
    ("batch-receipts", Stage::Receive),
];

/// The subcommand with its own subcommands.
pub(crate) fn command() -> Command {
    Command::new("bench")
        .about("Measures the statements alone, on an empty database that it fills")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(sql_command())
        .subcommand(depth_command())
        .subcommand(commit_command())
}

fn sql_command() -> Command {
    let batch = number("batch", "Items in a batch of every step [default: 100]");
    let mut command = Command::new("sql")
        .about("Runs the statements of ingest, release, claim, settle and receipts, step by step")
        .arg(number("messages", "Texts that are sent").default_value("100000"))
        .arg(number("runners", "Batches at a time, of different shards").default_value("2"))
        .arg(batch);
    for (flag, stage) in BATCH_FLAGS {
        let most = stage.spec().batch_max;
        let help = format!("Items in a batch of this step, {most} at most in the service");
        command = command.arg(number(flag, &help));
    }
    command.arg(json())
}

fn depth_command() -> Command {
    let depths = Arg::new("depths")
        .long("depths")
        .value_name("N,…")
        .value_delimiter(',')
        .value_parser(clap::value_parser!(u32).range(2_000..))
        .default_value("10000,100000,1000000")
        .help("How much is pending");
    let completions = Arg::new("completions")
        .long("completions")
        .value_name("N")
        .value_parser(clap::value_parser!(u32).range(1_000..))
        .default_value("200000")
        .help("How many are completed while an old snapshot is pinned");
    Command::new("depth")
        .about("Law 8: buffers for each released and each claimed message, by the backlog's depth")
        .arg(depths)
        .arg(completions)
        .arg(json())
}

fn commit_command() -> Command {
    Command::new("commit")
        .about("The group commit against one transaction a request")
        .arg(number("callers", "Callers at a time").default_value("64"))
        .arg(number("requests", "Requests in a round").default_value("5000"))
        .arg(number("rounds", "Rounds of each, in turns").default_value("5"))
        .arg(json())
}

fn number(name: &str, help: &str) -> Arg {
    Arg::new(name.to_owned())
        .long(name.to_owned())
        .value_name("N")
        .value_parser(clap::value_parser!(u32).range(1..=10_000_000))
        .help(help.to_owned())
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON")
}

/// Reads the flags of the subcommand; `None` where clap let nothing through.
pub(crate) fn read(matches: &ArgMatches) -> Option<Bench> {
    let (name, matches) = matches.subcommand()?;
    let given = |name: &str| {
        let number = matches.try_get_one::<u32>(name).ok().flatten();
        number.map(|n| usize::try_from(*n).expect("a machine of 32 bits and more"))
    };
    let is_json = matches.get_flag("json");
    match name {
        "sql" => {
            let all = given("batch").unwrap_or(BATCH);
            let [ingest, release, claim, settle, receipts] =
                BATCH_FLAGS.map(|(flag, _)| given(flag).unwrap_or(all));
            Some(Bench::Sql(sql::Options {
                messages: given("messages")?,
                runners: given("runners")?,
                batches: sql::Batches { ingest, release, claim, settle, receipts },
                is_json,
            }))
        }
        "depth" => Some(Bench::Depth(depth::Options {
            depths: matches.get_many::<u32>("depths")?.copied().collect(),
            completions: *matches.get_one::<u32>("completions")?,
            is_json,
        })),
        "commit" => Some(Bench::Commit(commit::Options {
            callers: given("callers")?,
            requests: given("requests")?,
            rounds: given("rounds")?,
            is_json,
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Bench {
        let matches = command().try_get_matches_from(line.split(' ')).unwrap();
        read(&matches).unwrap()
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn one_batch_for_all_and_one_for_a_step() {
        let Bench::Sql(options) = asked("bench sql --batch 50 --batch-claim 7") else { panic!() };
        let batches = sql::Batches { ingest: 50, release: 50, claim: 7, settle: 50, receipts: 50 };
        assert_eq!((options.batches, options.messages), (batches, 100_000));
    }

    #[test]
    fn depths_are_a_list() {
        let Bench::Depth(options) = asked("bench depth --depths 5000,10000") else { panic!() };
        assert_eq!(options.depths, [5_000, 10_000]);
        assert!(command().try_get_matches_from(["bench", "depth", "--depths", "10"]).is_err());
    }
}
