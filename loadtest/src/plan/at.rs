//! Times as traces and logs write them, and the timeline made of them: in order, cut to a window,
//! compressed.
//!
//! Never here: what is asked for at those times.

use std::path::Path;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::fmt::strtime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};

use super::{Arrival, PlanError};

const SECOND_NS: i128 = 1_000_000_000;
const DAY_NS: i128 = 86_400 * SECOND_NS;

/// When a row says that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// Nanoseconds since the row's own zero.
    pub(super) ns: i128,
    /// Nanoseconds since that day's midnight, by the row's own clock.
    of_day_ns: i128,
}

impl At {
    /// Seconds since any zero, or RFC 3339. Numbers count from a midnight.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(ns) = decimal_ns(text) {
            return Some(Self { ns, of_day_ns: ns.rem_euclid(DAY_NS) });
        }
        let pieces = Pieces::parse(text).ok()?;
        let local = pieces.date().to_datetime(pieces.time()?);
        Self::local(local, pieces.to_numeric_offset().unwrap_or(Offset::UTC))
    }

    /// Milliseconds, microseconds or nanoseconds since 1970, as logs of machines have them: the
    /// seconds of today have ten digits.
    pub(super) fn parse_epoch(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if !matches!(whole.len(), 13 | 16 | 19) || !whole.is_ascii() {
            return None;
        }
        let (seconds, rest) = whole.split_at(10);
        Self::parse(&format!("{seconds}.{rest}{fraction}"))
    }

    /// `10/Oct/2000:13:55:36 -0700`, as web servers write it.
    pub(super) fn parse_log(text: &str) -> Option<Self> {
        let parsed = strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?;
        Self::local(parsed.to_datetime().ok()?, parsed.offset()?)
    }

    fn local(local: DateTime, offset: Offset) -> Option<Self> {
        let instant = TimeZone::fixed(offset).to_timestamp(local).ok()?;
        Some(Self { ns: instant.as_nanosecond(), of_day_ns: since_midnight(local.time()) })
    }

    fn whole_second(self) -> bool {
        self.ns.rem_euclid(SECOND_NS) == 0
    }
}

fn since_midnight(time: Time) -> i128 {
    let seconds = i128::from(time.hour()) * 3_600
        + i128::from(time.minute()) * 60
        + i128::from(time.second());
    seconds * SECOND_NS + i128::from(time.subsec_nanosecond())
}

/// A decimal number of seconds, exactly: an epoch's seconds with nanoseconds don't fit a float.
fn decimal_ns(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(9)];
    let scale = 10_i128.pow(9 - fraction.len() as u32);
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? * scale };
    Some(sign * (whole.parse::<i128>().ok()? * SECOND_NS + fraction))
}

/// Which hours of a day are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    until: Time,
}

impl std::str::FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || format!("{text:?}: write a window of a day such as 09:00-10:00");
        let (from, until) = text.split_once('-').ok_or_else(usage)?;
        let time = |text: &str| text.trim().parse::<Time>().map_err(|_| usage());
        let (from, until) = (time(from)?, time(until)?);
        if from >= until {
            return Err(format!("{text:?}: the window is empty; its end comes after its start"));
        }
        Ok(Self { from, until })
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hm = |t: Time| format!("{:02}:{:02}", t.hour(), t.minute());
        write!(f, "{}-{}", hm(self.from), hm(self.until))
    }
}

impl Hours {
    fn bounds(self) -> (i128, i128) {
        (since_midnight(self.from), since_midnight(self.until))
    }

    /// From its start to its end.
    pub(super) fn length(self) -> Duration {
        let (from, until) = self.bounds();
        Duration::from_nanos((until - from) as u64)
    }

    /// Nanoseconds from the window's start, if a time of day is in it.
    pub(super) fn offset(self, of_day_ns: i128) -> Option<u64> {
        let (from, until) = self.bounds();
        (from..until).contains(&of_day_ns).then(|| (of_day_ns - from) as u64)
    }

    fn of(self, at: At) -> Option<u64> {
        self.offset(at.of_day_ns)
    }
}

/// What is done to a source's times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timing {
    pub(super) window: Option<Hours>,
    pub(super) warp: f64,
    /// Puts rows in order that aren't, rather than refusing them.
    pub(super) sort: bool,
    /// Spreads the rows of one whole second over it, as its log can't tell them apart.
    pub(super) spread: bool,
}

/// A request with its time and the line that says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    pub(super) at: At,
    pub(super) line: u64,
    pub(super) request: u32,
}

/// A schedule, its length, and what was done to get it.
pub(super) type Timeline = (Vec<Arrival>, Duration, Vec<String>);

/// Makes the schedule.
pub(super) fn timeline(
    file: &Path,
    mut rows: Vec<Timed>,
    timing: Timing,
) -> Result<Timeline, PlanError> {
    let mut notes = Vec::new();
    in_order(file, &mut rows, timing.sort, &mut notes)?;
    let all = rows.len();
    let origin = match timing.window {
        None => rows.first().map(|row| row.at.ns),
        Some(hours) => {
            let first = rows.iter().find_map(|row| Some((row.at.ns, hours.of(row.at)?)));
            let origin = first.map(|(ns, offset)| ns - i128::from(offset));
            let end = |origin: i128| origin + hours.length().as_nanos() as i128;
            // A later day's window is not this one.
            rows.retain(|row| {
                hours.of(row.at).is_some() && origin.is_some_and(|o| row.at.ns < end(o))
            });
            if rows.len() < all {
                notes.push(format!("{} of {all} rows are in {hours}", rows.len()));
            }
            origin
        }
    };
    let Some(origin) = origin else {
        let of = timing.window.map_or(String::new(), |hours| format!(" in {hours}"));
        let file = file.display();
        return Err(PlanError::Wrong(format!("{file}: has no requests{of}; nothing to send")));
    };
    let mut offsets: Vec<u64> = rows.iter().map(|row| (row.at.ns - origin) as u64).collect();
    if timing.spread && rows.iter().all(|row| row.at.whole_second()) {
        spread(&mut offsets);
        notes.push("its times are whole seconds; requests are spread evenly within each".into());
    }
    let warped = |ns: u64| (ns as f64 / timing.warp).round() as u64;
    let arrivals: Vec<Arrival> = offsets
        .iter()
        .zip(&rows)
        .map(|(offset, row)| Arrival { intended_ns: warped(*offset), request: row.request })
        .collect();
    let last = arrivals.last().map_or(0, |arrival| arrival.intended_ns);
    let window = timing.window.map_or(0, |hours| warped(hours.length().as_nanos() as u64));
    Ok((arrivals, Duration::from_nanos(last.max(window)), notes))
}

fn in_order(
    file: &Path,
    rows: &mut [Timed],
    sort: bool,
    notes: &mut Vec<String>,
) -> Result<(), PlanError> {
    let back = |pair: &[Timed]| pair[1].at.ns < pair[0].at.ns;
    let Some(pair) = rows.windows(2).find(|pair| back(pair)) else { return Ok(()) };
    if !sort {
        return Err(PlanError::Line {
            file: file.to_owned(),
            line: pair[1].line,
            what: format!(
                "its time is {:.3} s before that of line {}; sort the file by time, or give --sort",
                (pair[0].at.ns - pair[1].at.ns) as f64 / 1e9,
                pair[0].line
            ),
        });
    }
    let out = rows.windows(2).filter(|pair| back(pair)).count();
    let first = pair[1].line;
    rows.sort_by_key(|row| row.at.ns);
    notes.push(format!("{out} rows came before the row above them and were sorted (line {first})"));
    Ok(())
}

/// The k rows of one second leave 1/k of a second apart.
fn spread(offsets: &mut [u64]) {
    for same in offsets.chunk_by_mut(|a, b| a == b) {
        let gap = 1_000_000_000 / same.len() as u64;
        for (i, offset) in same.iter_mut().enumerate() {
            *offset += gap * i as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PLAIN: Timing = Timing { window: None, warp: 1.0, sort: false, spread: false };

    fn rows(times: &[&str]) -> Vec<Timed> {
        let timed = |(i, text): (usize, &&str)| Timed {
            at: At::parse(text).unwrap(),
            line: i as u64 + 2,
            request: i as u32,
        };
        times.iter().enumerate().map(timed).collect()
    }

    fn starts(times: &[&str], timing: Timing) -> Vec<f64> {
        let (arrivals, ..) = timeline(Path::new("t.csv"), rows(times), timing).unwrap();
        arrivals.iter().map(|arrival| arrival.intended_ns as f64 / 1e9).collect()
    }

    #[test]
    fn times_are_read_exactly() {
        let ns = |text| At::parse(text).map(|at| at.ns);
        assert_eq!(ns("1.5"), Some(1_500_000_000));
        assert_eq!(ns("1700000000.123456789"), Some(1_700_000_000_123_456_789));
        assert_eq!(ns("2027-03-09T09:00:00.25Z"), ns("2027-03-09T10:00:00.25+01:00"));
        assert_eq!([ns(""), ns("soon"), ns("1e3"), ns("2027-03-09")], [None; 4]);
        let log = At::parse_log("09/Mar/2027:10:00:00 +0100").unwrap();
        assert_eq!(Some(log.ns), ns("2027-03-09T09:00:00Z"));
        assert_eq!(log.of_day_ns, 10 * 3_600 * SECOND_NS, "by its own clock");
        assert_eq!(At::parse_log("09/March/2027"), None);
    }

    #[test]
    fn a_trace_begins_at_its_first_row_and_may_be_compressed() {
        assert_eq!(starts(&["10", "11.5", "14"], PLAIN), [0.0, 1.5, 4.0]);
        assert_eq!(starts(&["10", "11.5", "14"], Timing { warp: 2.0, ..PLAIN }), [0.0, 0.75, 2.0]);
    }

    #[test]
    fn a_window_is_that_of_the_first_day_that_has_it() {
        let hours: Hours = "09:00-10:00".parse().unwrap();
        let timing = Timing { window: Some(hours), ..PLAIN };
        let times = [
            "2027-03-08T23:00:00-05:00",
            "2027-03-09T09:00:10-05:00",
            "2027-03-09T10:00:00-05:00",
            "2027-03-10T09:30:00-05:00",
        ];
        assert_eq!(starts(&times, timing), [10.0], "counted from the window's start");
        let (_, span, notes) = timeline(Path::new("t"), rows(&times), timing).unwrap();
        assert_eq!(span, Duration::from_secs(3_600));
        assert_eq!(notes, ["1 of 4 rows are in 09:00-10:00"]);
        let error = timeline(Path::new("t.csv"), rows(&["5"]), timing).unwrap_err().to_string();
        assert_eq!(error, "t.csv: has no requests in 09:00-10:00; nothing to send");
    }

    #[test]
    fn rows_out_of_order_are_refused_or_sorted() {
        let times = ["1", "3", "2.5", "4"];
        let error = timeline(Path::new("t.csv"), rows(&times), PLAIN).unwrap_err().to_string();
        assert_eq!(
            error,
            "t.csv:4: its time is 0.500 s before that of line 3; sort the file by time, or give \
             --sort"
        );
        assert_eq!(starts(&times, Timing { sort: true, ..PLAIN }), [0.0, 1.5, 2.0, 3.0]);
    }

    #[test]
    fn whole_seconds_are_spread() {
        let timing = Timing { spread: true, ..PLAIN };
        assert_eq!(starts(&["7", "7", "7", "7", "8"], timing), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(starts(&["7", "7", "7.5"], timing), [0.0, 0.0, 0.5], "its times are finer");
    }

    #[test]
    fn a_window_that_is_none_says_what_to_write() {
        for text in ["9", "09:00", "10:00-09:00", "09:00-25:00"] {
            assert!(text.parse::<Hours>().unwrap_err().contains("window"), "{text}");
        }
    }
}
