//! What is remembered of promises out of order: one row each, by name, from when it was found until
//! it was in order again, so that every process, the live page and the reports say the same.

use contract::{Query, ResidualKind};
use jiff::Timestamp;
use jiff::civil::Date;

use super::visit::Seen;
use super::{Residual, code_of};
use crate::db::{Conn, DbError, Params};

/// How many promises are out of order, by kind.
pub(crate) type Counts = [u64; ResidualKind::COUNT];

/// How many promises of a shard are out of order.
pub(crate) async fn counts(conn: &Conn, shard: i16) -> Result<Counts, DbError> {
    let mut counts = Counts::default();
    for row in conn.rows(Query::ResidualCounts, &[&shard]).await? {
        let code: String = row.get("kind");
        if let Some(kind) = super::kind_of(&code) {
            counts[kind.index()] = u64::try_from(row.get::<_, i64>("n")).unwrap_or(0);
        }
    }
    Ok(counts)
}

/// The columns of promises, for statements over arrays.
struct Columns<'a> {
    practices: Vec<i64>,
    appointments: Vec<&'a str>,
    rules: Vec<i16>,
    days: Vec<Date>,
    versions: Vec<i64>,
    kinds: Vec<&'static str>,
}

impl<'a> Columns<'a> {
    fn of(residuals: &'a [Residual]) -> Self {
        Self {
            practices: residuals.iter().map(|r| r.practice_id).collect(),
            appointments: residuals.iter().map(|r| r.appointment_id.as_str()).collect(),
            rules: residuals.iter().map(|r| r.rule_id).collect(),
            days: residuals.iter().map(|r| r.day).collect(),
            versions: residuals.iter().map(|r| r.plan_version).collect(),
            kinds: residuals.iter().map(|r| code_of(r.kind)).collect(),
        }
    }
}

/// Notes what a look found, and what is in order again.
pub(crate) async fn record(
    conn: &mut Conn,
    shard: i16,
    seen: &Seen,
    real_now: Timestamp,
) -> Result<(), DbError> {
    let columns = Columns::of(&seen.named);
    let Columns { practices, appointments, rules, days, versions, kinds } = &columns;
    let tx = conn.begin();
    // What isn't named can't be told from what is in order again.
    if seen.violations == seen.named.len() as u64 {
        let params: Params<'_> = &[
            &shard,
            &real_now,
            &seen.practices,
            practices,
            appointments,
            rules,
            days,
            versions,
            kinds,
        ];
        tx.execute(Query::ResidualMend, params).await?;
    }
    if !seen.named.is_empty() {
        let reasons: Vec<&str> = seen.named.iter().map(|r| r.reason_code.as_str()).collect();
        let starts: Vec<Timestamp> = seen.named.iter().map(|r| r.starts_at).collect();
        let dues: Vec<Timestamp> = seen.named.iter().map(|r| r.due_at).collect();
        let closes: Vec<Timestamp> = seen.named.iter().map(|r| r.closes_at).collect();
        tx.execute(
            Query::ResidualInsert,
            &[
                &shard,
                &real_now,
                practices,
                appointments,
                rules,
                days,
                versions,
                kinds,
                &reasons,
                &starts,
                &dues,
                &closes,
            ],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Notes how late promises were planned that had been missing.
pub(crate) async fn late(
    conn: &Conn,
    shard: i16,
    planned: &[Residual],
    domain_now: Timestamp,
) -> Result<(), DbError> {
    let Columns { practices, appointments, rules, days, .. } = &Columns::of(planned);
    conn.execute(Query::ResidualLate, &[&shard, &domain_now, practices, appointments, rules, days])
        .await?;
    Ok(())
}
