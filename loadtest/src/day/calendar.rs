//! Days as numbers since 1970-01-01 and wall times as minutes: what a million appointments can
//! carry in four bytes, and the way back to dates where a text needs one.
//!
//! Never here: the current time, or a time zone's rules (`plan/zones.rs`).

use jiff::civil::Date;
use jiff::{Span, Timestamp, tz::Offset};

/// Seconds of a day without a change of clocks.
pub(crate) const DAY_SECONDS: i32 = 86_400;
/// Minutes of such a day.
pub(crate) const DAY_MINUTES: i32 = 1_440;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// The number of this date.
pub(crate) fn day_number(date: Date) -> i32 {
    // Dates span ±9999 years: under four million days.
    (date.duration_since(EPOCH).as_hours() / 24) as i32
}

/// The date of this number.
pub(crate) fn date_of(day_number: i32) -> Date {
    EPOCH.saturating_add(Span::new().days(day_number))
}

/// 0 = Monday … 6 = Sunday. 1970-01-01 was a Thursday.
pub(crate) fn weekday(day_number: i32) -> i32 {
    (day_number + 3).rem_euclid(7)
}

/// Appends RFC 3339 with the offset, to the second: `2027-03-09T14:20:00-03:00`.
pub(crate) fn write_rfc3339(out: &mut Vec<u8>, epoch_minute: u32, offset_minutes: i16) {
    let offset = Offset::from_seconds(i32::from(offset_minutes) * 60).unwrap_or(Offset::UTC);
    let instant = Timestamp::from_second(i64::from(epoch_minute) * 60).unwrap_or(Timestamp::MAX);
    let wall = offset.to_datetime(instant);
    write_date(out, wall.date());
    out.push(b'T');
    two(out, wall.hour());
    out.push(b':');
    two(out, wall.minute());
    out.extend_from_slice(b":00");
    out.push(if offset_minutes < 0 { b'-' } else { b'+' });
    // An offset is below 26 hours.
    let magnitude = offset_minutes.unsigned_abs();
    two(out, (magnitude / 60) as i8);
    out.push(b':');
    two(out, (magnitude % 60) as i8);
}

/// Appends `2027-03-09`.
pub(crate) fn write_date(out: &mut Vec<u8>, date: Date) {
    let year = date.year().max(0);
    two(out, (year / 100) as i8);
    two(out, (year % 100) as i8);
    out.push(b'-');
    two(out, date.month());
    out.push(b'-');
    two(out, date.day());
}

fn two(out: &mut Vec<u8>, n: i8) {
    let n = n.unsigned_abs();
    out.extend_from_slice(&[b'0' + n / 10, b'0' + n % 10]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_and_dates_are_inverse() {
        for (date, number) in [
            (Date::constant(1970, 1, 1), 0),
            (Date::constant(1969, 12, 31), -1),
            (Date::constant(2016, 4, 29), 16_920),
            (Date::constant(2027, 3, 9), 20_886),
        ] {
            assert_eq!(day_number(date), number);
            assert_eq!(date_of(number), date);
            let monday_first = i32::from(date.weekday().to_monday_zero_offset());
            assert_eq!(weekday(number), monday_first);
        }
    }

    #[test]
    fn instants_are_written_with_their_offset() {
        let write = |minute, offset| {
            let mut out = Vec::new();
            write_rfc3339(&mut out, minute, offset);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(write(0, 0), "1970-01-01T00:00:00+00:00");
        assert_eq!(write(20_886 * 1440 + 17 * 60, -180), "2027-03-09T14:00:00-03:00");
        assert_eq!(write(20_886 * 1440, 345), "2027-03-09T05:45:00+05:45");
    }
}
