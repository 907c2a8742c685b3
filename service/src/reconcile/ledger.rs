//! What is remembered of promises out of order: one row each, by name, open from when it was found
//! until it was in order again, so that every process, the live page and the reports say the same.

use contract::{Query, ResidualKind};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;

use super::repair::{Late, Repaired};
use super::visit::Seen;
use super::{NAMED_MAX, Residual, code_of};
use crate::db::{Conn, DbError, Params, Tx};

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

/// What tells one row from another.
pub(crate) type Name = (i64, String, i16, Date, i64, String);

fn name(row: &Row) -> Name {
    (
        row.get("practice_id"),
        row.get("appointment_id"),
        row.get("rule_id"),
        row.get("due_day"),
        row.get("plan_version"),
        row.get("kind"),
    )
}

/// The columns of promises, for statements over arrays.
struct Columns<'a> {
    practices: Vec<i64>,
    appointments: Vec<&'a str>,
    rules: Vec<i16>,
    days: Vec<Date>,
    versions: Vec<i64>,
    kinds: Vec<&'static str>,
    refs: Vec<&'a str>,
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
            refs: residuals.iter().map(|r| r.provider_ref.as_deref().unwrap_or_default()).collect(),
        }
    }
}

/// Notes what a look found, and what is in order again. What somebody was told of already as too
/// late to mend is no longer among what was seen.
pub(crate) async fn record(
    conn: &mut Conn,
    shard: i16,
    seen: &mut Seen,
    real_now: Timestamp,
) -> Result<(), DbError> {
    let columns = Columns::of(&seen.named);
    let Columns { practices, appointments, rules, days, versions, kinds, refs: _ } = &columns;
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
            &seen.since,
            &seen.as_of,
        ];
        tx.execute(Query::ResidualMend, params).await?;
    }
    let told = insert(&tx, shard, &seen.named, (real_now, seen.as_of)).await?;
    tx.commit().await?;
    seen.forget(&told.iter().map(name).collect());
    Ok(())
}

/// Notes of which texts of a shard the provider's list says otherwise than we do, and of which it
/// says the same again, by its names for them.
pub(crate) async fn differ(
    conn: &mut Conn,
    shard: i16,
    (differing, agreed): (&[Residual], &[&str]),
    real_now: Timestamp,
) -> Result<(), DbError> {
    let tx = conn.begin();
    tx.execute(Query::ResidualAgreed, &[&shard, &real_now, &agreed]).await?;
    insert(&tx, shard, differing, (real_now, real_now)).await?;
    tx.commit().await
}

/// Notes that nobody can look at a practice, which was found at an instant of domain time. It is in
/// order again once somebody could.
pub(crate) async fn uncompared(
    conn: &mut Conn,
    shard: i16,
    (practice_id, domain_now): (i64, Timestamp),
    times: (Timestamp, Timestamp),
) -> Result<(), DbError> {
    let of_practice = Residual::uncompared(practice_id, domain_now);
    let tx = conn.begin();
    insert(&tx, shard, &[of_practice], times).await?;
    tx.commit().await
}

/// Notes what was found, as it was at an instant. Returns what somebody was told of already.
async fn insert(
    tx: &Tx<'_>,
    shard: i16,
    found: &[Residual],
    (real_now, as_of): (Timestamp, Timestamp),
) -> Result<Vec<Row>, DbError> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(found);
    let Columns { practices, appointments, rules, days, versions, kinds, refs } = &columns;
    let reasons: Vec<&str> = found.iter().map(|r| r.reason_code.as_str()).collect();
    let starts: Vec<Timestamp> = found.iter().map(|r| r.starts_at).collect();
    let dues: Vec<Timestamp> = found.iter().map(|r| r.due_at).collect();
    let closes: Vec<Timestamp> = found.iter().map(|r| r.closes_at).collect();
    let params: Params<'_> = &[
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
        &as_of,
        refs,
    ];
    tx.rows(Query::ResidualInsert, params).await
}

/// What is open of a shard and nothing mends any more: how many, and by name, at most
/// [`NAMED_MAX`].
pub(crate) async fn passed(
    conn: &Conn,
    shard: i16,
    since: Date,
) -> Result<(u64, Vec<Residual>), DbError> {
    let rows = conn.rows(Query::ResidualPassed, &[&shard, &since, &NAMED_MAX]).await?;
    let count = rows.first().map_or(0, |row| row.get::<_, i64>("violations"));
    Ok((u64::try_from(count).unwrap_or(0), rows.iter().filter_map(Residual::of_row).collect()))
}

/// Notes that somebody was told of these as too late to mend.
pub(crate) async fn tell(
    conn: &Conn,
    shard: i16,
    late: &[Residual],
    real_now: Timestamp,
) -> Result<(), DbError> {
    let columns = Columns::of(late);
    let Columns { practices, appointments, rules, days, versions, kinds, refs } = &columns;
    let params: Params<'_> =
        &[&shard, &real_now, practices, appointments, rules, days, versions, kinds, refs];
    conn.execute(Query::ResidualTell, params).await?;
    Ok(())
}

/// Removes what was closed before an instant, at most so many rows; answers how many those were.
pub(crate) async fn prune(
    conn: &Conn,
    shard: i16,
    closed_before: Timestamp,
    batch_max: i64,
) -> Result<usize, DbError> {
    let params: Params<'_> = &[&shard, &closed_before, &batch_max];
    let removed = conn.execute(Query::ResidualPrune, params).await?;
    Ok(usize::try_from(removed).unwrap_or(usize::MAX))
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

/// Promises that repairs planned late, of those that are in order since an instant or later, the
/// latest first, at most [`NAMED_MAX`].
pub(crate) async fn were_late(
    conn: &Conn,
    shard: i16,
    since: Timestamp,
) -> Result<Vec<Late>, DbError> {
    let rows = conn.rows(Query::ResidualWereLate, &[&shard, &since, &NAMED_MAX]).await?;
    let late = |row: &Row| {
        let late_seconds = i64::from(row.get::<_, i32>("late_seconds"));
        let repaired = Repaired { promise: Residual::of_row(row)?, late_seconds };
        Some(Late { repaired, mended_at: row.get("mended_at") })
    };
    Ok(rows.iter().filter_map(late).collect())
}
