//! `loadtest compare`: two runs side by side, kind by kind.
//!
//! It shows and does not judge: two runs one after the other differ by what the machine did
//! meanwhile, at p99 often by a factor of two. Never here: a gate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use hdrhistogram::Histogram;
use serde_json::Value;

use super::{Log, empty};
use crate::engine::distribution::{MEASURES, Quantiles};
use crate::engine::intervals::PLAN;
use crate::exit::{Exit, Failure, unreadable};
use crate::report::lines::put;
use crate::report::units::{count, latency};
use crate::stdout;

/// The flags of `loadtest compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The run that is compared with: the directory of its logs, or one of them.
    #[arg(value_name = "BASE")]
    base: PathBuf,
    /// The other run: the directory of its logs, or one of them.
    #[arg(value_name = "HEAD")]
    head: PathBuf,
}

/// Compares.
///
/// # Errors
/// When a log can't be read.
pub fn run(args: &CompareArgs) -> Result<Exit, Failure> {
    let CompareArgs { base, head } = args;
    let mut out = String::new();
    if base.is_dir() != head.is_dir() {
        return Err(Failure::Usage("give two directories of runs, or two logs".to_owned()));
    }
    if base.is_dir() {
        put(&mut out, &plans(base, head)?);
        for measure in MEASURES {
            let file = |dir: &Path| dir.join(format!("{measure}.hlog"));
            table(&mut out, measure, &file(base), &file(head))?;
        }
    } else {
        table(&mut out, "", base, head)?;
    }
    stdout::result(&out)
}

/// Whether both had the same work, and what each was worth.
fn plans(base: &Path, head: &Path) -> Result<String, Failure> {
    let ((one, base), (other, head)) = (worth(base)?, worth(head)?);
    let verdicts = format!("base {base}, head {head}");
    Ok(if one == other {
        format!("plan {one} of both; {verdicts}")
    } else {
        format!("DIFFERENT PLANS, {one} and {other}: they did not do the same work; {verdicts}")
    })
}

/// A run's plan and verdict. A step of a search has logs alone, which name the plan.
fn worth(dir: &Path) -> Result<(String, String), Failure> {
    let file = dir.join("run.json");
    if !file.exists() {
        let log = Log::read(&dir.join(format!("{}.hlog", MEASURES[0])))?;
        let plan = log.head(PLAN).next().unwrap_or("?").to_owned();
        return Ok((plan, "not judged".to_owned()));
    }
    let wrong = |e: &dyn std::fmt::Display| Failure::Usage(unreadable(&file, e));
    let text = std::fs::read_to_string(&file).map_err(|e| wrong(&e))?;
    let run: Value = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
    let text = |path: &str| run.pointer(path).and_then(Value::as_str).unwrap_or("?");
    Ok((text("/run/plan_hash").to_owned(), text("/verdict/value").to_uppercase()))
}

fn table(out: &mut String, measure: &str, base: &Path, head: &Path) -> Result<(), Failure> {
    let (base, head) = (Log::read(base)?.totals()?, Log::read(head)?.totals()?);
    put(out, "");
    put(
        out,
        &format!(
            "{measure:<28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "requests", "p50", "p90", "p99", "p99.9", "max"
        ),
    );
    let nothing = empty();
    let tags: BTreeSet<&String> = base.keys().chain(head.keys()).collect();
    for tag in tags {
        let one = base.get(tag).unwrap_or(&nothing);
        let other = head.get(tag).unwrap_or(&nothing);
        put(out, if tag.is_empty() { "(no tag)" } else { tag });
        put(out, &points("  base", one));
        put(out, &points("  head", other));
        put(out, &ratios(one, other));
    }
    Ok(())
}

fn points(name: &str, histogram: &Histogram<u64>) -> String {
    let Quantiles { p50, p90, p99, p999, max } = Quantiles::of(histogram);
    let cells = [p50, p90, p99, p999, max].map(|seconds| format!("{:>9}", latency(seconds)));
    format!("{name:<28} {:>9} {}", count(histogram.len()), cells.join(" "))
}

fn ratios(base: &Histogram<u64>, head: &Histogram<u64>) -> String {
    let (one, other) = (Quantiles::of(base), Quantiles::of(head));
    let ratio = |base: f64, head: f64| {
        let text = if base > 0.0 { format!("× {:.2}", head / base) } else { "-".to_owned() };
        format!("{text:>9}")
    };
    let cells = [
        ratio(one.p50, other.p50),
        ratio(one.p90, other.p90),
        ratio(one.p99, other.p99),
        ratio(one.p999, other.p999),
        ratio(one.max, other.max),
    ];
    format!("{:<28} {:>9} {}", "  head ÷ base", "", cells.join(" "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(micros: &[u64]) -> Histogram<u64> {
        let mut histogram = empty();
        micros.iter().for_each(|micros| histogram.record(*micros).unwrap());
        histogram
    }

    #[test]
    fn a_run_is_shown_as_a_multiple_of_the_other() {
        let line = ratios(&of(&[1_000, 1_000, 1_000, 4_000]), &of(&[2_000, 2_000, 2_000, 4_000]));
        let words: Vec<&str> = line.split_whitespace().skip(3).collect();
        assert_eq!(words.join(" "), "× 2.00 × 1.00 × 1.00 × 1.00 × 1.00");
        assert!(ratios(&of(&[]), &of(&[1])).contains('-'));
    }

    #[test]
    fn other_work_is_said_loudly() {
        let dirs = ["5f0c", "aaaa"].map(|hash| {
            let dir = tempfile::tempdir().unwrap();
            let json =
                format!(r#"{{"run":{{"plan_hash":"{hash}"}},"verdict":{{"value":"pass"}}}}"#);
            std::fs::write(dir.path().join("run.json"), json).unwrap();
            dir
        });
        let [one, other] = dirs.each_ref().map(|dir| dir.path());
        assert!(plans(one, other).unwrap().starts_with("DIFFERENT PLANS, 5f0c and aaaa"));
        assert_eq!(plans(one, one).unwrap(), "plan 5f0c of both; base PASS, head PASS");
        assert!(plans(Path::new("/nonexistent"), one).is_err());
        let logs = tempfile::tempdir().unwrap();
        std::fs::write(logs.path().join("response.hlog"), "#[head]\n#plan: 5f0c\n").unwrap();
        let said = plans(logs.path(), one).unwrap();
        assert_eq!(said, "plan 5f0c of both; base not judged, head PASS");
    }
}
