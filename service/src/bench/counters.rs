//! What PostgreSQL has counted for our statements (`pg_stat_statements`): the figures that don't
//! depend on how busy the machine is. A difference of two readings is what lies between them.

use std::collections::BTreeMap;

use super::Failed;
use super::door::{Door, Statement};

/// Counts of one statement, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Count {
    /// Times it ran.
    pub(super) calls: i64,
    /// Milliseconds that it ran.
    pub(super) exec_ms: f64,
    /// Shared buffers that it touched, found in memory or read.
    pub(super) buffers: i64,
    /// Bytes that it wrote ahead.
    pub(super) wal_bytes: i64,
}

impl Count {
    fn plus(self, other: Self, sign: i64) -> Self {
        Self {
            calls: self.calls + sign * other.calls,
            exec_ms: self.exec_ms + sign as f64 * other.exec_ms,
            buffers: self.buffers + sign * other.buffers,
            wal_bytes: self.wal_bytes + sign * other.wal_bytes,
        }
    }
}

/// The counts of all statements of the service by their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counters(BTreeMap<String, Count>);

/// Statements that run beside every benchmark, a few times a second, and are none of its business.
const BESIDE: &[&str] = &["clock_read", "readiness_probe", "wake_listen", "wake_notify"];

impl Counters {
    /// Reads them. None at all where the server doesn't count.
    pub(super) async fn read(door: &Door) -> Result<Self, Failed> {
        if !door.is(Statement::HasCounters).await? {
            return Ok(Self::default());
        }
        let rows = door.rows(Statement::Counters, &[]).await?;
        let counts = rows.iter().map(|row| {
            let count = Count {
                calls: row.get("calls"),
                exec_ms: row.get("exec_ms"),
                buffers: row.get("buffers"),
                wal_bytes: row.get("wal_bytes"),
            };
            (row.get("name"), count)
        });
        Ok(Self(counts.collect()))
    }

    /// The same, for a benchmark that is nothing without them.
    pub(super) async fn need(door: &Door) -> Result<(), Failed> {
        if door.is(Statement::HasCounters).await? {
            return Ok(());
        }
        Err(Failed::Refused(
            "this benchmark counts buffers by pg_stat_statements, which this database doesn't \
             have: add it to shared_preload_libraries, restart PostgreSQL, and CREATE EXTENSION \
             pg_stat_statements"
                .into(),
        ))
    }

    /// What was counted since an earlier reading.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let difference = self.0.iter().map(|(name, count)| {
            let before = earlier.0.get(name).copied().unwrap_or_default();
            (name.clone(), count.plus(before, -1))
        });
        Self(difference.filter(|(_, count)| count.calls > 0).collect())
    }

    /// Adds what was counted at another time.
    pub(super) fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.plus(*count, 1);
        }
    }

    /// All of it together, but for what runs beside.
    pub(super) fn total(&self) -> Count {
        self.statements().fold(Count::default(), |sum, (_, count)| sum.plus(count, 1))
    }

    /// Each statement, but for what runs beside.
    pub(super) fn statements(&self) -> impl Iterator<Item = (&str, Count)> {
        let ours = self
            .0
            .iter()
            .filter(|(name, _)| !name.starts_with("bench_") && !BESIDE.contains(&name.as_str()));
        ours.map(|(name, count)| (name.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_without_what_runs_beside() {
        let count = |calls, buffers| Count { calls, buffers, ..Count::default() };
        let of = |counts: &[(&str, Count)]| {
            Counters(counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
        };
        let before = of(&[("claim_lanes", count(1, 10)), ("settle_lock", count(5, 50))]);
        let after = of(&[
            ("claim_lanes", count(3, 40)),
            ("settle_lock", count(5, 50)),
            ("clock_read", count(9, 9)),
            ("bench_counters", count(1, 1)),
            ("release_due", count(1, 7)),
        ]);
        let between = after.since(&before);
        assert_eq!(between.total(), count(3, 37));
        let names: Vec<&str> = between.statements().map(|(name, _)| name).collect();
        assert_eq!(names, ["claim_lanes", "release_due"]);
    }
}
