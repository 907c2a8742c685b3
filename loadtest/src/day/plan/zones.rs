//! The practices' time zones over the days of a plan, as offsets from the replay's origin.
//!
//! A day's offset is taken at its noon: clocks change in the small hours, and clinics and sending
//! hours are well past them. Never here: the rules of planning (`model.rs`).

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::{Options, PlanError};
use crate::day::calendar::{DAY_SECONDS, date_of, day_number};

/// Days after the replayed one that a plan can speak of: two years of lead and a family's visits.
pub(crate) const LAST_DAY: i16 = 800;

/// A zone's days.
#[derive(Debug)]
pub(crate) struct Zone {
    /// From the day before the replayed one on.
    days: Vec<ZoneDay>,
}

#[derive(Debug, Clone, Copy)]
struct ZoneDay {
    /// Seconds from the origin to the wall's 00:00 by the noon's offset.
    midnight: i32,
    offset_minutes: i16,
}

/// All zones with what ties them to real dates.
#[derive(Debug)]
pub(crate) struct Zones {
    /// As in the options.
    pub(crate) zones: Vec<Zone>,
    /// The instant at which the replay's domain clock begins.
    pub(crate) origin: Timestamp,
    /// The replayed day, in days since 1970-01-01.
    pub(crate) first_day: i32,
    /// Seconds from the origin to the end of the window.
    pub(crate) window_seconds: i32,
}

impl Zones {
    pub(crate) fn new(options: &Options) -> Result<Self, PlanError> {
        let first_day = day_number(options.day);
        let home = options.zones.first().ok_or(PlanError::NoZone)?;
        let origin_midnight = midnight(&time_zone(&home.name)?, options.day)?.0;
        let origin = origin_midnight + i64::from(seconds(options.window_from));
        let window_seconds = seconds(options.window_until) - seconds(options.window_from);
        let zones = options
            .zones
            .iter()
            .map(|zone| {
                let time_zone = time_zone(&zone.name)?;
                let days = (-1..=i32::from(LAST_DAY)).map(|day| {
                    let (instant, offset_minutes) = midnight(&time_zone, date_of(first_day + day))?;
                    // Within 801 days of the origin: under 70 million seconds.
                    Ok(ZoneDay { midnight: (instant - origin) as i32, offset_minutes })
                });
                Ok(Zone { days: days.collect::<Result<_, PlanError>>()? })
            })
            .collect::<Result<_, PlanError>>()?;
        let origin = Timestamp::from_second(origin).map_err(|_| PlanError::Day(options.day))?;
        Ok(Self { zones, origin, first_day, window_seconds })
    }

    /// An appointment's start in minutes since 1970-01-01T00:00Z.
    pub(crate) fn epoch_minute(&self, zone: &Zone, day: i16, minute: u16) -> u32 {
        let seconds = self.origin.as_second() + i64::from(zone.midnight(day));
        // A date after 1970 by `PlanError::Day`'s check.
        (seconds / 60) as u32 + u32::from(minute)
    }
}

impl Zone {
    fn day(&self, day: i16) -> ZoneDay {
        self.days[usize::from(day.clamp(-1, LAST_DAY).wrapping_add(1).unsigned_abs())]
    }

    /// Seconds from the origin to the local midnight of this day; 0 is the replayed one.
    pub(crate) fn midnight(&self, day: i16) -> i32 {
        self.day(day).midnight
    }

    /// East of Greenwich.
    pub(crate) fn offset_minutes(&self, day: i16) -> i16 {
        self.day(day).offset_minutes
    }
}

/// Seconds since midnight.
pub(crate) fn seconds(time: Time) -> i32 {
    (i32::from(time.hour()) * 60 + i32::from(time.minute())) * 60 + i32::from(time.second())
}

fn time_zone(name: &str) -> Result<TimeZone, PlanError> {
    TimeZone::get(name).map_err(|_| PlanError::Zone(name.to_owned()))
}

fn midnight(zone: &TimeZone, date: Date) -> Result<(i64, i16), PlanError> {
    let noon = date.at(12, 0, 0, 0).to_zoned(zone.clone()).map_err(|_| PlanError::Day(date))?;
    let instant = noon.timestamp().as_second() - i64::from(DAY_SECONDS / 2);
    if !(1970..=9000).contains(&date.year()) {
        return Err(PlanError::Day(date));
    }
    // An offset is below 26 hours.
    Ok((instant, (noon.offset().seconds() / 60) as i16))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::options::ZoneShare;
    use super::*;

    #[test]
    fn midnights_follow_the_clocks() {
        let options = Options {
            day: Date::constant(2027, 3, 26),
            zones: vec![
                ZoneShare { name: "Europe/Berlin".to_owned(), share: 1.0 },
                ZoneShare { name: "Europe/Lisbon".to_owned(), share: 1.0 },
            ],
            ..Options::default()
        };
        let zones = Zones::new(&options).unwrap();
        assert_eq!(zones.origin.to_string(), "2027-03-26T05:00:00Z");
        assert_eq!(zones.window_seconds, 48_600);
        let [berlin, lisbon] = &zones.zones[..] else { panic!("two zones") };
        assert_eq!(berlin.midnight(0), -6 * 3600);
        assert_eq!(lisbon.midnight(0), -5 * 3600);
        assert_eq!(berlin.midnight(-1), -30 * 3600);
        // Summer time begins on the 28th: by noon the clocks are an hour ahead.
        assert_eq!(berlin.midnight(2) - berlin.midnight(1), 23 * 3600);
        assert_eq!((berlin.offset_minutes(1), berlin.offset_minutes(2)), (60, 120));
        let starts = zones.epoch_minute(berlin, 2, 9 * 60);
        assert_eq!(
            i64::from(starts) * 60,
            "2027-03-28T07:00:00Z".parse::<Timestamp>().unwrap().as_second()
        );
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let zones = vec![ZoneShare { name: "Mars/Olympus".to_owned(), share: 1.0 }];
        let error = Zones::new(&Options { zones, ..Options::default() }).unwrap_err();
        assert!(error.to_string().contains("Mars/Olympus"), "{error}");
    }
}
