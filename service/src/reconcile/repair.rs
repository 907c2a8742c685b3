//! `punctual reconcile`: a look at all promises, and mending on demand: the appointments of those
//! that are missing or surplus are planned again by the way that every change goes, if it still
//! makes sense, and who is late by how much is noted; counts that don't balance are put right.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use contract::{Pool, ResidualKind};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::accepted::Comparison;
use super::visit::{self, Refused, Seen, Turn};
use super::{Residual, balance, ledger};
use crate::clock::Clock;
use crate::db::router::After;
use crate::db::router::carried::{self, Carried};
use crate::db::{Db, DbError};
use crate::ingest::Ingest;
use crate::practice::Practices;
use crate::stages::replan;

/// Rounds of looking and mending: each mends what it names, and few rounds name all.
const ROUNDS_MAX: usize = 100;
/// For how long it is told who was planned late: whoever asks once a week hears of all.
const LATE_TOLD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a look at everything found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Report {
    /// When it ended.
    #[schemars(with = "String")]
    pub(crate) as_of: Timestamp,
    /// True when nothing is out of order, or nothing is left so after mending, nothing was too
    /// late, and every practice could be compared.
    pub(crate) holds: bool,
    /// Practices looked at.
    pub(crate) practices: u64,
    /// Practices that couldn't be compared, each with the server's words for why.
    pub(crate) not_compared: Vec<NotCompared>,
    /// Promises compared.
    pub(crate) promises: u64,
    /// Promises that are out of order now.
    pub(crate) residual: u64,
    /// Those by name, at most a thousand of each few practices, the most urgent
    /// first.
    pub(crate) residuals: Vec<Residual>,
    /// What was mended.
    pub(crate) repaired: Vec<Repaired>,
    /// What earlier repairs planned late and was seen in order in the last seven days, the latest
    /// first, at most a thousand a shard.
    pub(crate) late: Vec<Late>,
    /// What it was too late to mend. It is told of once, here, and out of order no more.
    pub(crate) too_late: Vec<Residual>,
    /// What the provider lists against what is known here as sent, where that was asked for.
    pub(crate) provider: Option<Comparison>,
}

/// A practice that couldn't be compared.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct NotCompared {
    pub(crate) practice_id: i64,
    pub(crate) why: String,
}

/// A promise that was mended.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Repaired {
    #[serde(flatten)]
    pub(crate) promise: Residual,
    /// How late it was planned, in seconds of domain time from when it was to leave; 0 if in time,
    /// and of what was taken back and of counts.
    pub(crate) late_seconds: i64,
}

/// A promise that an earlier repair planned late.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Late {
    #[serde(flatten)]
    pub(crate) repaired: Repaired,
    /// When it was seen in order, in real time.
    #[schemars(with = "String")]
    pub(crate) mended_at: Timestamp,
}

/// What looking takes.
pub(crate) struct Bench {
    pub(crate) db: Db,
    pub(crate) clock: Arc<Clock>,
    pub(crate) shard_count: i16,
}

/// Looks at all promises and notes what is out of order. What was found before and nothing mends
/// any more is among it.
pub(crate) async fn look(bench: &Bench) -> Result<Report, DbError> {
    let late = late(bench).await?;
    let found = find(bench, None).await?;
    Ok(Report { late, ..found.report })
}

/// What earlier repairs planned late.
async fn late(bench: &Bench) -> Result<Vec<Late>, DbError> {
    let since = bench.clock.real_now() - LATE_TOLD;
    let mut late = Vec::new();
    for shard in 0..bench.shard_count {
        let conn = bench.db.get(Pool::Upkeep).await?;
        late.extend(ledger::were_late(&conn, shard, since).await?);
    }
    late.sort_by_key(|late| std::cmp::Reverse(late.repaired.late_seconds));
    Ok(late)
}

/// What a look found.
struct Found {
    report: Report,
    /// Of these nobody has been told, and nothing mends them any more.
    passed: Vec<Residual>,
}

/// A look that has seen what was noted before an instant.
async fn find(bench: &Bench, has_seen: Option<Timestamp>) -> Result<Found, DbError> {
    let mut passed = Vec::new();
    let mut report = Report {
        as_of: bench.clock.real_now(),
        holds: false,
        practices: 0,
        not_compared: Vec::new(),
        promises: 0,
        residual: 0,
        residuals: Vec::new(),
        repaired: Vec::new(),
        late: Vec::new(),
        too_late: Vec::new(),
        provider: None,
    };
    for shard in 0..bench.shard_count {
        let each = |looked: Result<Seen, Refused>| match looked {
            Ok(seen) => {
                report.practices += seen.practices.len() as u64;
                report.promises += seen.promises;
                report.residual += seen.violations;
                report.residuals.extend(seen.named);
            }
            Err(Refused { practice_id, why, as_of: _ }) => {
                report.not_compared.push(NotCompared { practice_id, why: why.to_string() });
            }
        };
        let turn = (shard, Turn::ALL);
        visit::look(&bench.db, &bench.clock, turn, has_seen, each).await?;
        let conn = bench.db.get(Pool::Upkeep).await?;
        let since = visit::first_day(bench.clock.domain_now());
        let (count, named) = ledger::passed(&conn, shard, since).await?;
        // What became a text for nothing has passed, and is named as long as its day is looked at.
        let seen = report.residuals.len();
        for residual in named {
            if report.residuals[..seen].iter().any(|known| known.is_same(&residual)) {
                report.residual -= 1;
            } else {
                report.residuals.push(residual.clone());
            }
            passed.push(residual);
        }
        report.residual += count;
    }
    report.residuals.sort_by_key(|residual| residual.closes_at);
    report.holds = report.residual == 0 && report.not_compared.is_empty();
    report.as_of = bench.clock.real_now();
    Ok(Found { report, passed })
}

/// Looks, mends what can be mended, and looks again: what the report names then is left.
pub(crate) async fn repair(bench: &Bench, ways: (&Practices, &Ingest)) -> Result<Report, DbError> {
    // Later looks see what was mended, whichever server answers.
    let carried = Carried::new(After::Nothing);
    let work = async {
        let late = late(bench).await?;
        let mut found = find(bench, None).await?;
        let mut repaired = Vec::new();
        for _round in 0..ROUNDS_MAX {
            let domain_now = bench.clock.domain_now();
            // What became a text for nothing may still wait in its lane.
            let is_over = |r: &Residual| {
                r.kind != ResidualKind::Surplus
                    && found.passed.iter().any(|passed| passed.is_same(r))
            };
            let residuals = found.report.residuals.iter();
            let mendable: Vec<Residual> =
                residuals.filter(|r| r.is_mendable(domain_now) && !is_over(r)).cloned().collect();
            if mendable.is_empty() {
                break;
            }
            let noted = bench.clock.real_now();
            mend(bench, ways, &mendable, domain_now).await?;
            found = find(bench, Some(noted)).await?;
            let left = &found.report.residuals;
            let mended: Vec<Residual> =
                mendable.into_iter().filter(|was| !left.iter().any(|is| is.is_same(was))).collect();
            if mended.is_empty() {
                break;
            }
            repaired.extend(
                mended.into_iter().map(|promise| Repaired {
                    late_seconds: late_by(&promise, domain_now),
                    promise,
                }),
            );
        }
        let report = tell(bench, ways.0, found).await?;
        Ok(Report { repaired, late, ..report })
    };
    carried::within(carried, work).await
}

/// By how many seconds of domain time a promise was planned late.
fn late_by(promise: &Residual, domain_now: Timestamp) -> i64 {
    match promise.kind {
        ResidualKind::Missing => domain_now.duration_since(promise.due_at).as_secs().max(0),
        ResidualKind::Surplus
        | ResidualKind::Unfinished
        | ResidualKind::Unbalanced
        | ResidualKind::Uncompared => 0,
    }
}

/// Takes what is too late out of what is out of order: whoever reads the report is told.
async fn tell(bench: &Bench, practices: &Practices, found: Found) -> Result<Report, DbError> {
    let Found { mut report, passed } = found;
    let domain_now = bench.clock.domain_now();
    let is_over = |r: &Residual| passed.iter().any(|passed| passed.is_same(r));
    let (too_late, left): (Vec<Residual>, Vec<Residual>) =
        report.residuals.into_iter().partition(|r| r.is_too_late(domain_now) || is_over(r));
    let mut of_shard: BTreeMap<i16, Vec<Residual>> = BTreeMap::new();
    for residual in &too_late {
        let shard = practices.shard(residual.practice_id);
        of_shard.entry(shard).or_default().push(residual.clone());
    }
    for (shard, late) in of_shard {
        let conn = bench.db.get(Pool::Upkeep).await?;
        ledger::tell(&conn, shard, &late, bench.clock.real_now()).await?;
    }
    report.residual -= too_late.len() as u64;
    report.holds = report.residual == 0 && too_late.is_empty() && report.not_compared.is_empty();
    Ok(Report { residuals: left, too_late, ..report })
}

async fn mend(
    bench: &Bench,
    ways: (&Practices, &Ingest),
    mendable: &[Residual],
    domain_now: Timestamp,
) -> Result<(), DbError> {
    let (practices, _) = ways;
    let (counts, promises): (Vec<&Residual>, Vec<&Residual>) =
        mendable.iter().partition(|r| r.kind == ResidualKind::Unbalanced);
    let mut of_practice: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for residual in &promises {
        let ids = of_practice.entry(residual.practice_id).or_default();
        if !ids.contains(&residual.appointment_id) {
            ids.push(residual.appointment_id.clone());
        }
    }
    for (practice_id, ids) in of_practice {
        let shard = practices.shard(practice_id);
        let refused = plan_again(ways, shard, practice_id, ids).await?;
        let is_planned =
            |r: &&&Residual| r.practice_id == practice_id && !refused.contains(&r.appointment_id);
        let planned: Vec<Residual> = promises.iter().filter(is_planned).copied().cloned().collect();
        let conn = bench.db.get(Pool::Upkeep).await?;
        ledger::late(&conn, shard, &planned, domain_now).await?;
    }
    let mut of_shard: BTreeMap<i16, Vec<&Residual>> = BTreeMap::new();
    for residual in counts {
        of_shard.entry(practices.shard(residual.practice_id)).or_default().push(residual);
    }
    for (shard, counts) in of_shard {
        balance::mend(&bench.db, shard, (&counts, visit::first_day(domain_now))).await?;
    }
    Ok(())
}

/// Plans appointments of a practice again, and returns those that the database refuses: what is
/// wrong with one of them keeps no other from being mended.
async fn plan_again(
    ways: (&Practices, &Ingest),
    shard: i16,
    practice_id: i64,
    ids: Vec<String>,
) -> Result<Vec<String>, DbError> {
    match replan::apply(ways, shard, practice_id, ids.clone(), Instant::now()).await {
        Err(error) if error.is_of_the_rows() => {}
        result => return result.map(|()| Vec::new()),
    }
    let mut refused = Vec::new();
    for id in ids {
        match replan::apply(ways, shard, practice_id, vec![id.clone()], Instant::now()).await {
            Err(error) if error.is_of_the_rows() => {
                tracing::error!(%error, practice_id, appointment_id = id, "it can't be repaired");
                refused.push(id);
            }
            result => result?,
        }
    }
    Ok(refused)
}

impl Report {
    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        let mut text: String =
            self.residuals.iter().map(|residual| format!("{residual}\n")).collect();
        for Repaired { promise, late_seconds } in &self.repaired {
            let late = match late_seconds {
                0 => "in time".to_owned(),
                late => format!("{late} s late"),
            };
            text += &format!("repaired, {late}: {promise}\n");
        }
        for Late { repaired: Repaired { promise, late_seconds }, mended_at } in &self.late {
            text += &format!("was {late_seconds} s late, in order at {mended_at}: {promise}\n");
        }
        for promise in &self.too_late {
            text += &format!("too late to repair: {promise}\n");
        }
        for NotCompared { practice_id, why } in &self.not_compared {
            text += &format!("not compared: practice {practice_id}: {why}\n");
        }
        let Self { promises, practices, residual, .. } = self;
        text += &format!("{promises} promises of {practices} practices looked at, ");
        if !self.repaired.is_empty() {
            text += &format!("{} repaired, ", self.repaired.len());
        }
        if !self.too_late.is_empty() {
            text += &format!("{} TOO LATE, told here for the last time, ", self.too_late.len());
        }
        if !self.not_compared.is_empty() {
            text += &format!("NOT COMPARED: {}, ", self.not_compared.len());
        }
        text += &match residual {
            0 if !self.not_compared.is_empty() => "nothing else out of order\n".to_owned(),
            0 if self.too_late.is_empty() => "all in order\n".to_owned(),
            0 => "nothing else out of order\n".to_owned(),
            left => format!("{left} OUT OF ORDER\n"),
        };
        if let Some(provider) = &self.provider {
            text += &provider.text();
        }
        text
    }
}
