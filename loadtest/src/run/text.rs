//! A run as text: what a person reads at its end.
//!
//! Never here: a number that isn't in the facts.

use std::time::Duration;

use super::facts::{Facts, KindRow};
use super::verdict::{Thresholds, Verdict};
use crate::engine::machine::{Second, Spoilt};
use crate::inside::Told;
use crate::report::lines::{put, quantiles};
use crate::report::units::{clock, count, latency, rate, share};

/// The whole report.
#[must_use]
pub fn render(facts: &Facts, verdict: &Verdict, thresholds: &Thresholds) -> String {
    let mut out = String::new();
    head(&mut out, facts);
    kinds(&mut out, &facts.kinds);
    machine(&mut out, facts, thresholds);
    out.push('\n');
    for (i, reason) in verdict.reasons.iter().enumerate() {
        let word = if i == 0 { verdict.value.name() } else { "" };
        put(&mut out, &format!("{word:<11} {reason}"));
    }
    out
}

fn head(out: &mut String, facts: &Facts) {
    for (name, value) in self::facts(facts) {
        put(out, &format!("{name:<11} {value}"));
    }
}

/// What was run, a name and a value each; a value that goes on has no name.
pub(super) fn facts(facts: &Facts) -> Vec<(String, String)> {
    let seed = facts.seed.map_or(String::new(), |seed| format!(" (seed {seed})"));
    let connections = count(facts.connections);
    let offered = facts.planned as f64 / facts.span_seconds.max(1e-9);
    let rate = format!(
        "{} requests over {}: {} offered, {} of it achieved; {} sent{}",
        count(facts.planned),
        latency(facts.span_seconds),
        rate(offered),
        share(facts.achieved_ratio),
        count(facts.sent),
        refused(facts).map_or_else(String::new, |refused| format!(", {refused}"))
    );
    let target = format!("{} over {connections} connections", facts.targets.join(", "));
    let notes = facts.notes.iter().map(|note| ("", note.clone()));
    let mut lines = vec![("plan", facts.plan_hash.clone())];
    lines.push(("source", format!("{}{seed}", facts.source)));
    lines.extend(notes);
    lines.extend([("target", target), ("pacer", facts.pacer.to_owned()), ("rate", rate)]);
    lines.extend(inside(facts).map(|text| ("inside", text)));
    lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Those that could not be sent, as the service took no connection.
pub(super) fn refused(facts: &Facts) -> Option<String> {
    let refused = facts.refused();
    (refused > 0).then(|| format!("{} that found no connection", count(refused)))
}

/// How the service was asked, where it was.
fn inside(facts: &Facts) -> Option<String> {
    let Told { places, looks, failed, first_failure, panels, missing } = &facts.inside;
    if places.is_empty() {
        return None;
    }
    let failed = match first_failure {
        Some(first) => format!(", {} times in vain (first {first})", count(*failed)),
        None => String::new(),
    };
    Some(format!(
        "{} asked {} times{failed}: {} of {} things that are looked for",
        places.join(", "),
        count(*looks),
        panels.len(),
        panels.len() + missing.len()
    ))
}

fn kinds(out: &mut String, rows: &[KindRow]) {
    out.push('\n');
    put(out, "Response from the intended start, service from the send, lag between");
    put(
        out,
        &format!(
            "{:<24} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "", "requests", "p50", "p90", "p99", "p99.9", "max"
        ),
    );
    for row in rows.iter().filter(|row| row.counts.total > 0) {
        let all = count(row.counts.total);
        put(out, &format!("{:<24} {all:>9} {}", row.name, quantiles(&row.response)));
        put(out, &format!("{:<24} {:>9} {}", "  service", "", quantiles(&row.service)));
        put(out, &format!("{:<24} {:>9} {}", "  lag", "", quantiles(&row.lag)));
        let own = quantiles(&row.clean.own_lag);
        put(out, &format!("{:<24} {:>9} {own}", "  of it the harness's", ""));
        let missed = if row.met() { "" } else { "  MISSED" };
        put(out, &format!("  objective {}{missed}", objective(row)));
        if let Some(trouble) = trouble(row) {
            put(out, &format!("  {trouble}"));
        }
    }
}

/// What a kind was to keep, and what it kept.
pub(super) fn objective(row: &KindRow) -> String {
    format!(
        "{} for {}: {} of {} in clean seconds",
        latency(row.objective_seconds),
        share(row.objective_share),
        share(row.good_share()),
        count(row.clean.total)
    )
}

/// What went wrong with a kind, if anything did.
pub(super) fn trouble(row: &KindRow) -> Option<String> {
    let counts = &row.counts;
    let failed = |(reason, failures): (&&str, &super::facts::Failures)| {
        let first = clock(Duration::from_secs_f64(failures.first_seconds));
        format!("{} {reason} (from {first} on)", count(failures.count))
    };
    let mut parts: Vec<String> = row.reasons.iter().map(failed).collect();
    for (n, what) in [
        (counts.unanswered, "unanswered at the end"),
        (counts.unsent, "unsent at the end"),
        (counts.again, "sent again"),
    ] {
        if n > 0 {
            parts.push(format!("{} {what}", count(n)));
        }
    }
    let bad = counts.failed + counts.unanswered + counts.unsent;
    let of = match bad {
        0 => String::new(),
        _ => format!("{} of the {} above failed: ", count(bad), count(counts.total)),
    };
    (!parts.is_empty()).then(|| format!("{of}{}", parts.join(", ")))
}

fn machine(out: &mut String, facts: &Facts, thresholds: &Thresholds) {
    if facts.seconds.is_empty() {
        return;
    }
    out.push('\n');
    put(out, &format!("machine     {}", machine_line(facts)));
    put(out, &format!("seconds     {}", seconds_line(facts, thresholds)));
}

/// What the machine did.
pub(super) fn machine_line(facts: &Facts) -> String {
    let seconds = &facts.seconds;
    let mean =
        |of: fn(&Second) -> f64| seconds.iter().map(of).sum::<f64>() / seconds.len().max(1) as f64;
    let most = seconds.iter().map(|s| s.steal_ratio).fold(0.0, f64::max);
    format!(
        "steal {} in the mean, {} at the most; the harness used {:.2} processors and waited for \
         one {} a second",
        share(mean(|s| s.steal_ratio)),
        share(most),
        mean(|s| s.used_seconds),
        latency(mean(|s| s.waited_seconds))
    )
}

/// How many of the seconds it spoilt.
pub(super) fn seconds_line(facts: &Facts, thresholds: &Thresholds) -> String {
    let seconds = &facts.seconds;
    let of = |why| seconds.iter().filter(|second| second.spoilt == Some(why)).count() as u64;
    format!(
        "{}, of which {} spoilt by steal (over {}) and {} by a harness out of processor time; they \
         are left out of what is judged",
        count(seconds.len() as u64),
        count(of(Spoilt::Steal)),
        share(thresholds.tolerance.steal_max),
        count(of(Spoilt::Starved))
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::{sample, verdict};
    use super::*;

    #[test]
    fn a_run_reads_like_this() {
        let facts = sample::facts();
        let verdict = verdict::judge(&facts, &sample::THRESHOLDS);
        let text = render(&facts, &verdict, &sample::THRESHOLDS);
        expect_file!["../../testdata/run.txt"].assert_eq(&text);
    }
}
