//! `loadtest merge`: the logs of several generators as one, second by second. Histograms add up
//! exactly; percentiles never do.
//!
//! Never here: two runs side by side (`compare`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use hdrhistogram::serialization::interval_log::Tag;
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use super::{Interval, Log, empty};
use crate::engine::intervals::{MEASURE, PLAN, begin, said};
use crate::exit::{Exit, Failure};
use crate::report::units::count;
use crate::whole::discard;

/// The text for `--help`.
pub const EXIT_HELP: &str = "\
Exit status:
  0    the log is written
  2    usage: a wrong flag, or a log that can't be read or is of another measure
  3    the log could not be written";

const SECOND: Duration = Duration::from_secs(1);

/// The flags of `loadtest merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Interval logs of one measure, such as the response.hlog of each generator.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The log that they become.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which log, and which of its intervals.
type Part<'a> = (&'a Log, Interval<'a>);

/// Merges.
///
/// # Errors
/// When a log can't be read or written.
pub fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    let logs = args.files.iter().map(|file| Log::read(file)).collect::<Result<Vec<_>, _>>()?;
    let comments = comments(&logs)?;
    let mut parts: Vec<Part<'_>> = Vec::new();
    for log in &logs {
        parts.extend(log.intervals()?.into_iter().map(|interval| (log, interval)));
    }
    let base = parts.iter().map(|(_, interval)| interval.at).min().unwrap_or_default();
    let mut seconds: BTreeMap<(u64, &str), Vec<Part<'_>>> = BTreeMap::new();
    for (log, interval) in parts {
        // Generators begin at different fractions of a second: an interval's middle decides.
        let middle = (interval.at - base + interval.length / 2).as_secs();
        seconds.entry((middle, interval.tag)).or_default().push((log, interval));
    }
    let unwritable = |e: io::Error| Failure::Unavailable(format!("{}: {e}", args.out.display()));
    // Nothing is touched before all of them are read.
    let mut merged = Vec::new();
    let requests = write(&mut merged, &comments, base, seconds)?.map_err(unwritable)?;
    if let Err(error) = std::fs::write(&args.out, merged) {
        discard(&args.out);
        return Err(unwritable(error));
    }
    announce!(
        "{}: {} requests of {} logs",
        args.out.display(),
        count(requests),
        count(logs.len() as u64)
    );
    Ok(Exit::Passed)
}

/// The head of the log that they become. Logs of two measures make no sense together; those of
/// several plans do, as each generator may have its part of the work.
fn comments(logs: &[Log]) -> Result<String, Failure> {
    let mut comments = vec!["merged by loadtest merge".to_owned()];
    let mut measures =
        logs.iter().flat_map(|log| log.head(MEASURE).map(move |measure| (&log.file, measure)));
    if let Some((first, measure)) = measures.next() {
        if let Some((other, another)) = measures.find(|(_, another)| *another != measure) {
            return Err(Failure::Usage(format!(
                "{} holds {another} and {} holds {measure}; give logs of one measure",
                other.display(),
                first.display()
            )));
        }
        comments.push(format!("{MEASURE}{measure}"));
    }
    let plans: BTreeSet<&str> = logs.iter().flat_map(|log| log.head(PLAN)).collect();
    comments.extend(plans.into_iter().map(|plan| format!("{PLAN}{plan}")));
    Ok(comments.join("\n"))
}

/// The outer error is a log's that was read, the inner one that of the one written.
fn write(
    file: &mut Vec<u8>,
    comments: &str,
    base: Duration,
    seconds: BTreeMap<(u64, &str), Vec<Part<'_>>>,
) -> Result<io::Result<u64>, Failure> {
    let mut pack = V2DeflateSerializer::new();
    let mut log = match begin(file, &mut pack, comments, SystemTime::UNIX_EPOCH + base) {
        Ok(log) => log,
        Err(error) => return Ok(Err(error)),
    };
    let mut unpack = Deserializer::new();
    let mut requests = 0;
    for ((second, tag), parts) in seconds {
        let mut sum = empty();
        for (from, interval) in &parts {
            let histogram = from.unpack(interval, &mut unpack)?;
            sum.add(&histogram).map_err(|e| from.histogram(interval, &e))?;
        }
        requests += sum.len();
        let at = Duration::from_secs(second);
        if let Err(error) = log.write_histogram(&sum, at, SECOND, Tag::new(tag)) {
            return Ok(Err(said(error)));
        }
    }
    Ok(Ok(requests))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::engine::Intervals;
    use crate::engine::distribution::Triple;
    use crate::engine::source::Label;

    const LABEL: Label = Label {
        name: "GET:/a/{id}",
        method: "GET",
        objective: SECOND,
        share: 0.99,
        critical: true,
    };

    /// Two seconds with so many requests each, of so many microseconds.
    fn logged(dir: &Path, began: SystemTime, micros: u64, requests: u64) -> PathBuf {
        let mut log = Intervals::create(dir, "5f0c", &[LABEL], began).unwrap();
        for second in 0..2 {
            let mut triple = Triple::new();
            triple.response.record_n(micros, requests).unwrap();
            let spare = log.write(Duration::from_secs(second), SECOND, vec![triple]);
            assert_eq!(spare.len(), 1);
        }
        drop(log);
        dir.join("response.hlog")
    }

    #[test]
    fn logs_of_two_generators_add_up_second_by_second() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let files = vec![
            logged(one.path(), began, 1_000, 300),
            logged(other.path(), began + Duration::from_millis(300), 50_000, 100),
        ];
        let out = one.path().join("merged.hlog");
        let args = MergeArgs { files, out: out.clone() };
        assert_eq!(run(&args).unwrap(), Exit::Passed);
        let merged = Log::read(&out).unwrap();
        let intervals = merged.intervals().unwrap();
        let seconds: Vec<_> = intervals.iter().map(|i| (i.at.as_secs(), i.tag)).collect();
        let name = LABEL.name;
        assert_eq!(seconds, [(1_800_000_000, name), (1_800_000_001, name)]);
        let total = &merged.totals().unwrap()[name];
        assert_eq!((total.len(), total.value_at_quantile(0.75)), (800, 1_000));
        assert!(total.equivalent(total.value_at_quantile(0.76), 50_000));
        let head = std::fs::read_to_string(&out).unwrap();
        assert!(
            head.contains("[StartTime: 1800000000.000") && head.contains("[BaseTime:"),
            "{head}"
        );
        assert!(head.contains("\n#measure: response\n#plan: 5f0c\n"), "{head}");
    }

    #[test]
    fn logs_of_two_measures_are_refused_and_what_was_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let response = logged(dir.path(), SystemTime::UNIX_EPOCH, 1_000, 3);
        let lag = dir.path().join("lag.hlog");
        let out = dir.path().join("merged.hlog");
        std::fs::write(&out, "before").unwrap();
        let args = MergeArgs { files: vec![response, lag], out: out.clone() };
        let error = run(&args).unwrap_err().to_string();
        assert!(error.contains("holds lag and ") && error.ends_with("of one measure"), "{error}");
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "before");
    }

    #[test]
    fn a_log_that_is_cut_short_does_not_stay() {
        let dir = tempfile::tempdir().unwrap();
        let response = logged(dir.path(), SystemTime::UNIX_EPOCH, 1_000, 3);
        let out = dir.path().join("merged.hlog");
        std::os::unix::fs::symlink("/dev/full", &out).unwrap();
        let args = MergeArgs { files: vec![response.clone()], out: out.clone() };
        let error = run(&args).unwrap_err().to_string();
        assert!(error.contains("merged.hlog: No space left"), "{error}");
        assert!(std::fs::symlink_metadata(&out).is_err(), "not even an empty one");
        let device = MergeArgs { files: vec![response], out: "/dev/full".into() };
        assert!(run(&device).is_err() && Path::new("/dev/full").exists());
    }

    #[test]
    fn what_is_no_log_is_one_clear_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.hlog");
        for (text, says) in [
            ("#[StartTime: 1.0 (seconds since epoch)]\nhello\n", "x.hlog:2: is no line"),
            ("# nothing\n", "has no intervals"),
            ("Tag=a,0.1,1.0,2.0,AAAA\n", "the histogram \"a\" at 0.100"),
        ] {
            std::fs::write(&file, text).unwrap();
            let args = MergeArgs { files: vec![file.clone()], out: dir.path().join("out") };
            let error = run(&args).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains('\n'), "{error}");
        }
    }
}
