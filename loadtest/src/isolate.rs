//! `loadtest isolate`: one stage of the work at a time. A private stack holds every stage, a
//! backlog of the asked depth is built before each, and then that stage alone is let run. What a
//! text costs in it (statements, buffers, log, processor) must not depend on how much stands behind
//! it: the stage whose cost grows with the depth is named, with its statement.
//!
//! Belongs here: the flags, and which depth comes next. Never here: what is done at a depth
//! (`depth`), how it is measured (`rig`), what it means (`facts`), how it is told (`sheet`).

mod depth;
mod facts;
mod rig;
mod sheet;

use std::path::PathBuf;

use clap::Args;
use jiff::Zoned;

use crate::demo::{OneProcessArgs, program};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::open_files;
use crate::report::files::ReportDir;
use crate::report::plain;
use facts::{Ended, Facts};

/// What a text may cost more at the largest depth than at the smallest: law 8.
const GROWTH_MAX: f64 = 1.5;
/// More lanes than that nobody's telephone numbers are made up for.
const DEPTH_MAX: u64 = 20_000_000;

/// The flags of `loadtest isolate`.
#[derive(Debug, Args)]
pub struct IsolateArgs {
    /// How many texts there are, one after the other; two depths at least. All of them stand before
    /// release and claim; what the stages behind see of them is in the report.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', value_parser = depth_of,
        default_values_t = [10_000, 100_000, 1_000_000])]
    pub(crate) depth: Vec<u64>,
    /// Texts that each stage works on at each depth while all of it stands there; the smallest
    /// depth if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sample: Option<u64>,
    /// A stage is guilty when a text costs this many times as many buffers at the largest depth as
    /// at the smallest.
    #[arg(long, value_name = "X", default_value_t = GROWTH_MAX, value_parser = factor)]
    pub(crate) growth_max: f64,
    /// Where the report is written; a folder named by the time in reports/ if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) report_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: OneProcessArgs,
}

/// The text for `--help`.
pub const EXIT_HELP: &str = "\
Exit status:
  0    passed: what a text costs in each stage doesn't depend on how much waits
  1    failed: a stage is guilty (it is named, with its statement), or a law was broken
  2    usage: a wrong flag, or something must be installed first (the message says what)
  3    invalid: a stage did not do what it was given; also when a part of the stack is away, or the
       report of a run that passed could not be written
  130  interrupted: Ctrl-C; the report covers what was done so far";

/// Measures each stage at each depth and tells which is guilty.
///
/// # Errors
/// When something is missing, or doesn't start, or fails.
pub async fn run(args: IsolateArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    open_files::raise();
    let (depths, sample) = depths(&args.depth, args.sample)?;
    let program = program(args.stack.punctual.as_deref())?;
    let reports = ReportDir::make(args.report_dir.as_deref(), &Zoned::now())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let logs = reports.path().join("logs");
    let stack_args = args.stack.stack();
    let mut facts = Facts::new(depths.clone(), sample, args.growth_max);
    for depth in depths {
        let stack = (&stack_args, program.as_path(), logs.as_path());
        match depth::measure(stack, depth, &mut facts, interrupt).await {
            Ok(()) => {}
            Err(Failure::Interrupted) => {
                facts.interrupted = true;
                break;
            }
            // What was measured before took an hour, maybe.
            Err(Failure::Unavailable(why)) if !facts.costs.is_empty() => {
                facts.broken = Some(why);
                break;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(tell(&facts, &reports))
}

/// The depths in order, and on how many texts each stage is measured.
fn depths(asked: &[u64], sample: Option<u64>) -> Result<(Vec<u64>, u64), Failure> {
    let mut depths = asked.to_vec();
    depths.sort_unstable();
    depths.dedup();
    let [smallest, _, ..] = depths[..] else {
        let one = depths.first().copied().unwrap_or_default();
        return Err(Failure::Usage(format!(
            "--depth {one}: one depth compares nothing; give two, such as {one},{}",
            one.saturating_mul(10)
        )));
    };
    let sample = sample.unwrap_or(smallest);
    if sample > smallest {
        return Err(Failure::Usage(format!(
            "--sample {sample}: no more than the smallest depth, which is {smallest}"
        )));
    }
    Ok((depths, sample))
}

/// Prints and writes what was found; the exit status follows from it.
fn tell(facts: &Facts, reports: &ReportDir) -> Exit {
    let exit = match facts.verdict().ended {
        Ended::Passed => Exit::Passed,
        Ended::Failed => Exit::Failed,
        Ended::Invalid => Exit::Invalid,
        Ended::Interrupted => Exit::Interrupted,
    };
    let sheet = sheet::of(facts);
    reports.tell("isolate", &facts.document(), &plain::render(&sheet), &sheet, exit)
}

fn depth_of(text: &str) -> Result<u64, String> {
    match text.trim().replace('_', "").parse() {
        Ok(depth) if (1..=DEPTH_MAX).contains(&depth) => Ok(depth),
        Ok(_) | Err(_) => Err(format!("write whole numbers from 1 to {DEPTH_MAX}")),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (1.0..=1_000.0).contains(&factor) => Ok(factor),
        Ok(_) | Err(_) => Err("write a number from 1 to 1000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::demo::StackArgs;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: IsolateArgs,
    }

    /// A second process would not be held, faults have no place here, and nobody watches.
    #[test]
    fn a_flag_that_would_do_nothing_is_refused() {
        let parsed = |flags: &[&str]| Line::try_parse_from(["isolate"].iter().chain(flags));
        for flags in [
            &["--processes", "2"][..],
            &["--no-faults"],
            &["--no-prometheus"],
            &["--prometheus", "prometheus"],
        ] {
            let error = parsed(flags).expect_err("it does nothing").to_string();
            assert!(error.contains("unexpected argument"), "{flags:?}: {error}");
        }
        let line = parsed(&["--shards", "4", "--keep", "--punctual", "a"]).expect("these do");
        let StackArgs { processes, shards, keep, no_prometheus, .. } = line.args.stack.stack();
        assert_eq!((processes, shards, keep, no_prometheus), (1, 4, true, true));
    }

    #[test]
    fn one_depth_compares_nothing() {
        for asked in [&[100][..], &[100, 100]] {
            let error = depths(asked, None).expect_err("it would pass, whatever it costs");
            assert_eq!(error.exit(), Exit::Usage);
            let text = error.to_string();
            assert_eq!(text, "--depth 100: one depth compares nothing; give two, such as 100,1000");
        }
        let two = depths(&[8_000, 500, 500], None).expect("two are compared");
        assert_eq!(two, (vec![500, 8_000], 500));
        assert_eq!(depths(&[500, 8_000], Some(9)).expect("it is less").1, 9);
        assert!(depths(&[500, 8_000], Some(501)).is_err());
    }

    #[test]
    fn depths_are_written_as_people_do() {
        assert_eq!(depth_of("1_000_000"), Ok(1_000_000));
        assert_eq!(depth_of(" 500"), Ok(500));
        assert!(depth_of("0").is_err() && depth_of("many").is_err() && depth_of("-1").is_err());
        assert!(factor("0.5").is_err() && factor("NaN").is_err() && factor("1.5").is_ok());
    }
}
