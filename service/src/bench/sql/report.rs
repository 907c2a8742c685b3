//! The figures of `bench sql` for people and for programs.

use serde::Serialize;

use super::{Options, Step};
use crate::bench::table::{Table, grouped};

/// What a day is taken to be.
const DAY: f64 = 500_000.0;
/// The step that no message waits for.
const BESIDE: &str = "fold";
/// Statements named for each step, the longest first.
const NAMED: usize = 16;

/// All figures.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    messages: u64,
    runners: usize,
    steps: Vec<Row>,
    /// Of the five steps.
    seconds: f64,
    messages_per_second: f64,
    /// The five steps for half a million messages.
    seconds_of_500_000: f64,
}

/// A step.
#[derive(Debug, Serialize)]
struct Row {
    step: &'static str,
    rows: u64,
    batches: u64,
    batch_mean: f64,
    seconds: f64,
    messages_per_second: f64,
    /// Of the seconds of the five steps.
    share: f64,
    /// Zero where the server has no pg_stat_statements.
    statements_ms: f64,
    buffers_per_message: f64,
    wal_bytes_per_message: f64,
    statements: Vec<Statement>,
}

/// A statement of a step.
#[derive(Debug, Serialize)]
struct Statement {
    name: String,
    calls: i64,
    exec_ms: f64,
    buffers: i64,
    wal_bytes: i64,
}

impl Report {
    pub(super) fn of(options: &Options, messages: u64, steps: &[Step]) -> Self {
        let five = steps.iter().filter(|step| step.name != BESIDE);
        let seconds: f64 = five.map(|step| step.elapsed.as_secs_f64()).sum();
        let steps = steps.iter().map(|step| Row::of(step, messages, seconds)).collect();
        Self {
            messages,
            runners: options.runners,
            steps,
            seconds,
            messages_per_second: messages as f64 / seconds,
            seconds_of_500_000: seconds * DAY / messages as f64,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut table = Table::new(&[
            "step",
            "rows",
            "batches",
            "mean",
            "seconds",
            "messages/s",
            "share",
            "PostgreSQL s",
            "buffers/msg",
            "WAL B/msg",
        ]);
        for row in &self.steps {
            let is_beside = row.step == BESIDE;
            table.row(vec![
                row.step.to_owned(),
                grouped(row.rows),
                grouped(row.batches),
                format!("{:.0}", row.batch_mean),
                format!("{:.2}", row.seconds),
                grouped(row.messages_per_second as u64),
                if is_beside { "beside".into() } else { format!("{:.0} %", 100.0 * row.share) },
                format!("{:.2}", row.statements_ms / 1_000.0),
                format!("{:.1}", row.buffers_per_message),
                format!("{:.0}", row.wal_bytes_per_message),
            ]);
        }
        format!(
            "{}\nThe five steps, {} batches at a time: {:.2} s for {} messages, {} messages/s; \
             {:.1} s for half a million.\n",
            table.text(),
            self.runners,
            self.seconds,
            grouped(self.messages),
            grouped(self.messages_per_second as u64),
            self.seconds_of_500_000,
        )
    }
}

impl Row {
    fn of(step: &Step, messages: u64, five_seconds: f64) -> Self {
        let seconds = step.elapsed.as_secs_f64();
        let messages = messages as f64;
        let mut statements: Vec<Statement> = step
            .statements
            .statements()
            .map(|(name, count)| Statement {
                name: name.to_owned(),
                calls: count.calls,
                exec_ms: count.exec_ms,
                buffers: count.buffers,
                wal_bytes: count.wal_bytes,
            })
            .collect();
        statements.sort_by(|a, b| b.exec_ms.total_cmp(&a.exec_ms));
        statements.truncate(NAMED);
        Self {
            step: step.name,
            rows: step.rows,
            batches: step.batches,
            batch_mean: step.rows as f64 / step.batches.max(1) as f64,
            seconds,
            messages_per_second: messages / seconds,
            share: seconds / five_seconds,
            statements_ms: step.counted.exec_ms,
            buffers_per_message: step.counted.buffers as f64 / messages,
            wal_bytes_per_message: step.counted.wal_bytes as f64 / messages,
            statements,
        }
    }
}
