//! The report as text: what a person reads at the end of a run.
//!
//! Never here: a number that isn't in the report.

use super::lines::{put, quantiles};
use super::units::{count, latency, megabytes, rate, share};
use super::{Ended, EndpointRow, Report};
use crate::laws::{Check, Verdict};

/// The whole report.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for (name, value) in facts(report) {
        put(&mut out, &format!("{name:<12} {value}"));
    }
    endpoints(&mut out, &report.endpoints);
    journeys(&mut out, report);
    stages(&mut out, report);
    processes(&mut out, report);
    faults(&mut out, report);
    laws(&mut out, &report.laws);
    out.push('\n');
    put(&mut out, &format!("{}: {}", word(report.ended), why(report)));
    out
}

/// What was run, a name and a value each; a value that goes on has no name.
pub(super) fn facts(report: &Report) -> Vec<(String, String)> {
    let (run, import, day) = (&report.run, &report.import, &report.day);
    let plan = format!("{} (seed {}, {})", run.plan_hash, run.seed, run.source);
    let left_out = run.left_out.iter().map(|left_out| ("", left_out.clone()));
    let of_day = format!(
        "{}: {} texts and {} requests of {} practices over {} connections",
        run.day,
        count(run.messages_planned),
        count(run.arrivals_planned),
        count(run.practices),
        run.users
    );
    let machine =
        format!("{} processors, processes of the service: {}", run.processors, run.processes);
    let imported = format!(
        "{} appointments in {} ({}), {} refused, {} requests sent again",
        count(import.appointments),
        latency(import.seconds),
        rate(per_second(import.appointments, import.seconds)),
        count(import.rejected),
        count(import.again)
    );
    let texts = format!(
        "{} accepted in {} ({}), the last {} of it draining{}",
        count(day.accepted),
        latency(day.seconds),
        rate(report.rate()),
        latency(day.drain_seconds),
        if day.undrained { "; NOT DRAINED at the deadline" } else { "" }
    );
    let mut lines = vec![("plan", plan)];
    lines.extend(left_out);
    lines.extend([
        ("day", of_day),
        ("machine", machine),
        ("speed", format!("{:.1} ({})", run.speed, run.speed_reason)),
        ("import", imported),
        ("texts", texts),
    ]);
    lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn endpoints(out: &mut String, rows: &[EndpointRow]) {
    heading(
        out,
        "Endpoints, seen from outside: response from the intended start, service from the send, \
         lag between",
    );
    put(
        out,
        &format!(
            "{:<22} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9}",
            "", "requests", "p50", "p90", "p99", "p99.9", "max", "objective", "good"
        ),
    );
    for row in rows.iter().filter(|row| row.counts.total > 0) {
        let tail = format!(
            "{:>10} {:>9}{}",
            latency(row.objective_seconds),
            share(row.good_share),
            if row.met { "" } else { "  MISSED" }
        );
        put(
            out,
            &format!(
                "{:<22} {:>9} {} {tail}",
                row.name,
                count(row.counts.total),
                quantiles(&row.response)
            ),
        );
        put(out, &format!("{:<22} {:>9} {}", "  service", "", quantiles(&row.service)));
        put(out, &format!("{:<22} {:>9} {}", "  lag", "", quantiles(&row.lag)));
        if let Some(trouble) = trouble(row) {
            put(out, &format!("  {trouble}"));
        }
    }
}

/// What went wrong at an endpoint, if anything did.
pub(super) fn trouble(row: &EndpointRow) -> Option<String> {
    let counts = &row.counts;
    let mut parts: Vec<String> =
        row.reasons.iter().map(|(reason, n)| format!("{} {reason}", count(*n))).collect();
    for (n, what) in [
        (counts.unanswered, "unanswered at the end"),
        (counts.unsent, "unsent at the end"),
        (counts.again, "sent again"),
    ] {
        if n > 0 {
            parts.push(format!("{} {what}", count(n)));
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn journeys(out: &mut String, report: &Report) {
    heading(out, "Critical paths, as the service measured them");
    put(
        out,
        &format!(
            "{:<22} {:>9} {:>9} {:>9} {:>10} {:>9}",
            "", "count", "p50", "p99", "objective", "good"
        ),
    );
    for row in &report.journeys {
        let good = row.good_share.map_or("-".to_owned(), share);
        let missed = row.good_share.is_some_and(|good| good < row.objective_share);
        put(
            out,
            &format!(
                "{:<22} {:>9} {:>9} {:>9} {:>10} {good:>9}{}",
                row.name,
                count(row.count),
                optional(row.p50_seconds),
                optional(row.p99_seconds),
                latency(row.objective_seconds),
                if missed { "  MISSED" } else { "" }
            ),
        );
    }
}

fn stages(out: &mut String, report: &Report) {
    heading(out, "Stages, as the service measured them");
    put(
        out,
        &format!(
            "{:<22} {:>9} {:>11} {:>9} {:>12} {:>12} {:>10}",
            "", "batches", "items", "failures", "batch p99", "late p99", "objective"
        ),
    );
    for row in report.stages.iter().filter(|row| row.batches > 0 || row.failures > 0) {
        put(
            out,
            &format!(
                "{:<22} {:>9} {:>11} {:>9} {:>12} {:>12} {:>10}",
                row.name,
                count(row.batches),
                count(row.items),
                count(row.failures),
                optional(row.duration_p99_seconds),
                optional(row.lateness_p99_seconds),
                latency(row.lateness_objective_seconds)
            ),
        );
    }
}

fn processes(out: &mut String, report: &Report) {
    heading(out, "Processes");
    put(
        out,
        &format!(
            "{:<22} {:>9} {:>12} {:>34}",
            "", "CPU", "memory max", "mean by quarter (last ÷ second)"
        ),
    );
    for row in &report.processes {
        let quarters = row.memory_quarters_bytes.map(|bytes| format!("{:.0}", bytes as f64 / 1e6));
        let growth = row.growth().map_or("-".to_owned(), |growth| format!("{growth:.2}"));
        put(
            out,
            &format!(
                "{:<22} {:>9} {:>12} {:>34}",
                row.name,
                format!("{:.1} s", row.cpu_seconds),
                megabytes(row.memory_max_bytes),
                format!("{} MB ({growth})", quarters.join(" ")),
            ),
        );
    }
}

fn faults(out: &mut String, report: &Report) {
    if report.faults.is_empty() {
        return;
    }
    heading(out, "Faults on purpose");
    let parts: Vec<_> =
        report.faults.iter().map(|(name, n)| format!("{name} {}", count(*n))).collect();
    put(out, &parts.join(", "));
}

fn laws(out: &mut String, verdicts: &[Verdict]) {
    if verdicts.is_empty() {
        return;
    }
    heading(out, "Laws");
    for verdict in verdicts {
        let word = if verdict.passed { "held" } else { "BROKEN" };
        put(out, &format!("{:>2} {:<24} {word}", verdict.law, verdict.name));
        if verdict.checks.is_empty() {
            put(out, "     nothing was checked");
        }
        for check in &verdict.checks {
            law_check(out, check);
        }
    }
}

fn law_check(out: &mut String, check: &Check) {
    let few = if check.cases < check.promised { "  TOO FEW" } else { "" };
    let broken = if check.violations > 0 {
        format!("  {} VIOLATIONS", count(check.violations))
    } else {
        String::new()
    };
    put(
        out,
        &format!(
            "     {:<46} {:>11} cases of at least {}{few}{broken}",
            check.name,
            count(check.cases),
            count(check.promised)
        ),
    );
    for example in &check.examples {
        put(out, &format!("       {example}"));
    }
}

/// How it ended, as a word.
pub(super) const fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::Passed => "PASSED",
        Ended::Failed => "FAILED",
        Ended::Interrupted => "INTERRUPTED",
    }
}

/// Why it ended so.
pub(super) fn why(report: &Report) -> String {
    let broken: Vec<String> =
        report.laws.iter().filter(|v| !v.passed).map(|v| v.law.to_string()).collect();
    match report.ended {
        Ended::Passed => "every law held".to_owned(),
        Ended::Failed if report.day.undrained => "the day was not done at the deadline".to_owned(),
        Ended::Failed => format!("law {}", broken.join(", ")),
        Ended::Interrupted => "what was done so far, not judged".to_owned(),
    }
}

fn per_second(n: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { n as f64 / seconds } else { 0.0 }
}

fn optional(seconds: Option<f64>) -> String {
    seconds.map_or("-".to_owned(), latency)
}

fn heading(out: &mut String, text: &str) {
    out.push('\n');
    put(out, text);
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::sample;
    use super::*;

    #[test]
    fn a_report_reads_like_this() {
        expect_file!["../../testdata/report.txt"].assert_eq(&render(&sample::report()));
    }

    #[test]
    fn an_interrupted_run_is_not_judged() {
        let report = Report { ended: Ended::Interrupted, ..sample::report() };
        assert!(render(&report).contains("not judged"));
    }
}
