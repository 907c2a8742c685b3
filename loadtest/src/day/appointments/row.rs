//! One row: its fields found by the header's names, and each of them checked.
//!
//! Never here: what a row means beside others (repeated ones, `appointments.rs`).

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use crate::day::calendar;

/// Longest lead that is taken for real. The data set's longest is 176 days.
const LEAD_DAYS_MAX: i32 = 730;
/// More fields than this in a row are not looked at.
const FIELDS_MAX: usize = 64;

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Fewer fields than the header.
    ColumnsMissing,
    /// A quote without its end, or text after it.
    Quotes,
    /// Not a positive number.
    PatientId,
    /// Not a whole number.
    AppointmentId,
    /// Not a date and time.
    ScheduledDay,
    /// Not a date.
    AppointmentDay,
    /// Empty, or not UTF-8.
    Neighbourhood,
    /// Booked after the day of the appointment.
    BookedAfterDay,
    /// Booked too long ahead to be true.
    LeadTooLong,
    /// An appointment that was there before.
    Repeated,
    /// A line too long to be a row.
    LineTooLong,
}

impl Reason {
    /// All, in the order of the checks.
    pub const ALL: [Self; 11] = [
        Self::ColumnsMissing,
        Self::Quotes,
        Self::PatientId,
        Self::AppointmentId,
        Self::ScheduledDay,
        Self::AppointmentDay,
        Self::Neighbourhood,
        Self::BookedAfterDay,
        Self::LeadTooLong,
        Self::Repeated,
        Self::LineTooLong,
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ColumnsMissing => "columns are missing",
            Self::Quotes => "a quote has no end",
            Self::PatientId => "PatientId is not a positive number",
            Self::AppointmentId => "AppointmentID is not a whole number",
            Self::ScheduledDay => "ScheduledDay is not a date and time",
            Self::AppointmentDay => "AppointmentDay is not a date",
            Self::Neighbourhood => "Neighbourhood is empty or not UTF-8",
            Self::BookedAfterDay => "booked after its own appointment day",
            Self::LeadTooLong => "booked more than two years ahead",
            Self::Repeated => "an AppointmentID that was there before",
            Self::LineTooLong => "the line is too long",
        })
    }
}

/// A row that stands on its own.
#[derive(Debug, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) patient: f64,
    pub(super) appointment: u64,
    pub(super) clinic: &'a [u8],
    pub(super) booked_day: i32,
    pub(super) booked_second: u32,
    pub(super) day: i32,
}

/// Where the header says that the fields are.
#[derive(Debug)]
pub(super) struct Columns {
    count: usize,
    patient: usize,
    appointment: usize,
    scheduled: usize,
    day: usize,
    clinic: usize,
}

impl Columns {
    /// Finds the columns by name, in any order; others may stand between them.
    pub(super) fn find(header: &[u8]) -> Result<Self, String> {
        let mut fields = [b"".as_slice(); FIELDS_MAX];
        let count = split(header, &mut fields).map_err(|reason| reason.to_string())?;
        let mut missing = Vec::new();
        let mut find = |name: &'static str| {
            let at = fields[..count].iter().position(|field| *field == name.as_bytes());
            at.unwrap_or_else(|| {
                missing.push(name);
                0
            })
        };
        let columns = Self {
            count,
            patient: find("PatientId"),
            appointment: find("AppointmentID"),
            scheduled: find("ScheduledDay"),
            day: find("AppointmentDay"),
            clinic: find("Neighbourhood"),
        };
        if missing.is_empty() {
            Ok(columns)
        } else {
            Err(format!("its first line has no {}", missing.join(", ")))
        }
    }

    /// Checks a row field by field.
    pub(super) fn parse<'a>(&self, line: &'a [u8]) -> Result<Row<'a>, Reason> {
        let mut fields = [b"".as_slice(); FIELDS_MAX];
        if split(line, &mut fields)? < self.count {
            return Err(Reason::ColumnsMissing);
        }
        let text = |at: usize| std::str::from_utf8(fields[at]).ok().map(str::trim);
        let patient = text(self.patient)
            .and_then(|t| t.parse::<f64>().ok())
            .filter(|id| id.is_finite() && *id > 0.0)
            .ok_or(Reason::PatientId)?;
        let appointment = text(self.appointment)
            .and_then(|t| t.parse::<u64>().ok())
            .ok_or(Reason::AppointmentId)?;
        let (booked, booked_second) =
            text(self.scheduled).and_then(date_and_second).ok_or(Reason::ScheduledDay)?;
        let booked_second = booked_second.ok_or(Reason::ScheduledDay)?;
        let (day, _) = text(self.day).and_then(date_and_second).ok_or(Reason::AppointmentDay)?;
        let clinic = text(self.clinic).filter(|t| !t.is_empty()).ok_or(Reason::Neighbourhood)?;
        if day < booked {
            return Err(Reason::BookedAfterDay);
        }
        if day - booked > LEAD_DAYS_MAX {
            return Err(Reason::LeadTooLong);
        }
        let clinic = clinic.as_bytes();
        Ok(Row { patient, appointment, clinic, booked_day: booked, booked_second, day })
    }
}

/// `2016-04-29`, or with a time as `2016-04-29 18:38:08` or `2016-04-29T18:38:08Z`, the forms in
/// which the data set goes around. A `Z` there is not meant: the times are local.
fn date_and_second(text: &str) -> Option<(i32, Option<u32>)> {
    let (date, time) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-').map(|part| digits(part, 4));
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let date =
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
            .ok()?;
    let second = match time {
        None => None,
        Some(time) => {
            let time = time.strip_suffix('Z').unwrap_or(time);
            let mut parts = time.splitn(3, ':').map(|part| digits(part, 2));
            let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            Some(hour * 3600 + minute * 60 + second)
        }
    };
    Some((calendar::day_number(date), second))
}

/// One to `most` digits and nothing else.
fn digits(text: &str, most: usize) -> Option<u32> {
    let valid = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

/// Splits at commas; a field may stand in double quotes (a doubled quote inside is left doubled,
/// as no field that is read has one). Returns how many there are, or the room that there is.
fn split<'a>(line: &'a [u8], fields: &mut [&'a [u8]; FIELDS_MAX]) -> Result<usize, Reason> {
    let mut rest = Some(line);
    let mut count = 0;
    while let (Some(text), true) = (rest, count < FIELDS_MAX) {
        let (field, end) = match text.strip_prefix(b"\"") {
            None => {
                let end = text.iter().position(|b| *b == b',').unwrap_or(text.len());
                (&text[..end], end)
            }
            Some(quoted) => {
                let length = closing_quote(quoted).ok_or(Reason::Quotes)?;
                (&quoted[..length], length + 2)
            }
        };
        rest = match text.get(end) {
            None => None,
            Some(b',') => Some(&text[end + 1..]),
            Some(_) => return Err(Reason::Quotes),
        };
        fields[count] = field;
        count += 1;
    }
    Ok(count)
}

/// Where the quote is that ends the field.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return Some(at),
            (_, _) => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_split_at_commas_outside_quotes() {
        let fields_of = |line: &'static str| {
            let mut fields = [b"".as_slice(); FIELDS_MAX];
            split(line.as_bytes(), &mut fields).map(|count| {
                let text = |f: &&[u8]| String::from_utf8(f.to_vec()).unwrap();
                fields[..count].iter().map(text).collect::<Vec<_>>().join("|")
            })
        };
        for (line, expected) in [
            ("a,b,,c", Ok("a|b||c")),
            ("a,", Ok("a|")),
            ("", Ok("")),
            ("\"a,b\",c", Ok("a,b|c")),
            ("\"a\"\"b\",c", Ok("a\"\"b|c")),
            ("\"a", Err(Reason::Quotes)),
            ("\"a\"b,c", Err(Reason::Quotes)),
            ("a\"b,c", Ok("a\"b|c")),
        ] {
            assert_eq!(fields_of(line), expected.map(str::to_owned), "{line}");
        }
    }

    #[test]
    fn dates_and_times() {
        for (text, expected) in [
            ("2016-04-29 18:38:08", Some((16_920, Some(67_088)))),
            ("2016-04-29T18:38:08Z", Some((16_920, Some(67_088)))),
            ("2016-04-29", Some((16_920, None))),
            ("2016-02-30", None),
            ("2016-04-29 24:00:00", None),
            ("2016-04-29 10:00", None),
            ("+2016-04-29", None),
            ("99999-01-01", None),
            ("", None),
            ("NaN", None),
        ] {
            assert_eq!(date_and_second(text), expected, "{text}");
        }
    }
}
