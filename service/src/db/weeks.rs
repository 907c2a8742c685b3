//! The weekly partitions: which of them there must be, and which a statement opens.
//!
//! Belongs here: whatever follows from tables being cut into weeks. Never here: what is in them.

use contract::Query;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Conn, DbError, Tx};

/// Tables with a partition for every week up to the planning horizon.
const AHEAD: &[&str] = &["intent"];
/// Tables that only need the weeks around today, and older ones when something is tried that late.
const AROUND: &[&str] = &["attempt", "attempt_outcome"];

/// Attaches the missing weeks around a domain instant and up to the horizon; returns how many
/// those were. The past two days are there for time zones and for what was late.
pub(crate) async fn attach(
    conn: &Conn,
    domain_now: Timestamp,
    horizon_days: u64,
) -> Result<i32, DbError> {
    let today = domain_now.to_zoned(TimeZone::UTC).date();
    let first = first_around(today);
    let ahead = days_after(today, i64::try_from(horizon_days).unwrap_or(3_650) + 2);
    let around = days_after(today, 4);
    let mut attached = 0;
    for (tables, end) in [(AHEAD, ahead), (AROUND, around)] {
        for table in tables {
            let row = conn.row_opt(Query::WeeksAttach, &[table, &first, &end]).await?;
            attached += row.map_or(0, |row| row.get::<_, i32>(0));
        }
    }
    Ok(attached)
}

/// Attaches the weeks of tries that are about to be recorded, where their days lie before those
/// that [`attach`] sees to: a reminder can be due up to 61 days before its appointment, and leaves
/// at any time in between if nothing could leave for that long. Only what is needed: where tries
/// are kept for less, their weeks are dropped again once nothing stands in a lane.
pub(crate) async fn attach_tries(
    tx: &Tx<'_>,
    domain_now: Timestamp,
    days: &[Date],
) -> Result<(), DbError> {
    let around = first_around(domain_now.to_zoned(TimeZone::UTC).date());
    let Some((first, _)) = span(days).filter(|(first, _)| *first < around) else {
        return Ok(());
    };
    for table in AROUND {
        tx.row_opt(Query::WeeksAttach, &[table, &first, &around]).await?;
    }
    Ok(())
}

fn first_around(today: Date) -> Date {
    days_after(today, -2)
}

/// Drops the oldest week of a table that ends by a day, if nothing of it is needed any more. Says
/// whether it did, and by how many days the oldest one left is overdue.
pub(crate) async fn drop_old(
    conn: &Conn,
    table: &str,
    keep_from: Date,
) -> Result<(bool, i32), DbError> {
    let row = conn.row_opt(Query::WeeksDrop, &[&table, &keep_from]).await?;
    Ok(row.map_or((false, 0), |row| (row.get("dropped"), row.get("overdue_days"))))
}

/// The first and the last of some days: a statement that names both opens the weeks from the one
/// to the other alone, also by a kept plan.
pub(crate) fn span(days: &[Date]) -> Option<(Date, Date)> {
    Some((*days.iter().min()?, *days.iter().max()?))
}

/// A day some days later or earlier; stays at the calendar's ends.
pub(crate) fn days_after(day: Date, days: i64) -> Date {
    day.saturating_add(Span::new().days(days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_span_is_the_least_and_the_greatest_day() {
        assert_eq!(span(&[]), None);
        let (a, b, c) = (date(2026, 3, 1), date(2026, 3, 2), date(2026, 4, 7));
        assert_eq!(span(&[b, c, a, b]), Some((a, c)));
    }
}
