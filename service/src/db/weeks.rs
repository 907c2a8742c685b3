//! The weekly partitions: which of them there must be, and which a statement opens.
//!
//! Belongs here: whatever follows from tables being cut into weeks. Never here: what is in them.

use contract::Query;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Conn, DbError};

/// Tables with a partition for every week up to the planning horizon.
const AHEAD: &[&str] = &["intent"];
/// Tables that only need the weeks around today.
const AROUND: &[&str] = &["attempt", "attempt_outcome"];

/// Attaches the missing weeks around a domain instant and up to the horizon; returns how many
/// those were. The past two days are there for time zones and for what was late.
pub(crate) async fn attach(
    conn: &Conn,
    domain_now: Timestamp,
    horizon_days: u64,
) -> Result<i32, DbError> {
    let today = domain_now.to_zoned(TimeZone::UTC).date();
    let first = days_after(today, -2);
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
