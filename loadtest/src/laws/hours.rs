//! Law 6 on the wire: no text leaves outside its practice's hours.
//!
//! Hours are walls' and domain time's; the log has the machine's clock. The replay knows how the
//! one followed the other.
//!
//! Never here: when a text was due (`day::plan`), or consent.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Check;
use super::wire::{Accepted, Wire};

/// From the service's look at its clock to the provider's: what is on its way when the hours end is
/// taken a moment later, in real time.
const ON_ITS_WAY_NS: u64 = 1_000_000_000;

/// When a practice sends.
#[derive(Debug, Clone)]
pub struct Hours {
    /// Its time zone.
    pub zone: TimeZone,
    /// From this minute of the day on.
    pub from: u16,
    /// Until before this one.
    pub until: u16,
}

/// How domain time went by.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The replay's start on the clock of the log.
    pub start_ns: u64,
    /// Domain time then.
    pub origin: Timestamp,
    /// Domain seconds a real second.
    pub speed: f64,
    /// From then on it stood.
    pub stood_at: Timestamp,
}

impl Hours {
    fn minute(&self, at: Timestamp) -> u16 {
        let wall = at.to_zoned(self.zone.clone());
        u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs())
    }

    fn have(&self, at: Timestamp) -> bool {
        (self.from..self.until).contains(&self.minute(at))
    }
}

impl Pace {
    fn domain_at(&self, t_ns: u64) -> Timestamp {
        let real = t_ns.saturating_sub(self.start_ns) as f64 / 1e9;
        let passed = SignedDuration::from_secs_f64(real * self.speed);
        self.origin.saturating_add(passed).unwrap_or(Timestamp::MAX).min(self.stood_at)
    }
}

/// Every text of the replay is a case: it was accepted within the hours of its practice. What was
/// accepted before the start, or is no practice's of these, is none.
#[must_use]
pub fn within_hours(wire: &Wire, hours: &HashMap<i64, Hours>, pace: &Pace, promised: u64) -> Check {
    let mut check = Check::new(6, "wire: accepted within its practice's hours", promised);
    for text in wire.accepted.iter().filter(|text| text.t_ns >= pace.start_ns) {
        let Some(hours) = hours.get(&text.practice_id) else { continue };
        let at = pace.domain_at(text.t_ns);
        let left = || pace.domain_at(text.t_ns.saturating_sub(ON_ITS_WAY_NS));
        check.case(hours.have(at) || hours.have(left()), || outside(text, hours, at));
    }
    check
}

fn outside(text: &Accepted, hours: &Hours, at: Timestamp) -> String {
    let wall = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!(
        "practice {} message {} was accepted at {}, and it sends from {} to {}",
        text.practice_id,
        text.message_id,
        wall(hours.minute(at)),
        wall(hours.from),
        wall(hours.until)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::wire::tests::{accepted, wire};
    use super::*;

    const START_NS: u64 = 5_000_000_000;

    /// From 06:00 in New York on, an hour of domain time in ten real seconds; over at 21:00.
    fn pace() -> Pace {
        Pace {
            start_ns: START_NS,
            origin: "2027-03-09T06:00:00-05:00".parse().unwrap(),
            speed: 360.0,
            stood_at: "2027-03-09T21:00:00-05:00".parse().unwrap(),
        }
    }

    /// Practice 7's, whose texts `accepted` makes.
    fn hours(zone: &str) -> HashMap<i64, Hours> {
        let zone = TimeZone::get(zone).unwrap();
        HashMap::from([(7, Hours { zone, from: 8 * 60, until: 20 * 60 })])
    }

    /// A text that is accepted at this hour in New York.
    fn at(hour: f64) -> Accepted {
        accepted(START_NS + ((hour - 6.0) * 1e10).round() as u64, 1, 5)
    }

    fn judged(zone: &str, text: Accepted) -> Check {
        within_hours(&wire(vec![text]), &hours(zone), &pace(), 1)
    }

    #[test]
    fn a_text_before_or_after_the_hours_breaks_it() {
        for (hour, kept) in [
            (7.99, false),
            (8.01, true),
            (19.99, true),
            // On its way when they ended: 6 minutes of the day are a real second.
            (20.09, true),
            (20.11, false),
            // Midnight is never reached: the clock stood.
            (29.0, false),
        ] {
            let check = judged("America/New_York", at(hour));
            assert_eq!((check.cases, check.passed()), (1, kept), "{hour}: {check:?}");
        }
        let check = judged("America/New_York", at(22.5));
        let says = "practice 7 message 1 was accepted at 21:00, and it sends from 08:00 to 20:00";
        assert_eq!(check.examples, [says]);
    }

    #[test]
    fn the_hours_are_those_of_the_practices_own_zone() {
        assert!(!judged("America/Chicago", at(8.5)).passed(), "07:30 there");
        assert!(judged("America/Chicago", at(20.5)).passed(), "19:30 there");
    }

    #[test]
    fn only_texts_of_the_replay_are_cases() {
        let before = Accepted { t_ns: START_NS - 1, ..at(9.0) };
        let strange = Accepted { practice_id: 900, ..at(22.0) };
        for text in [before, strange] {
            let check = judged("America/New_York", text);
            assert_eq!((check.cases, check.violations), (0, 0), "{text:?}");
            assert!(!check.passed(), "fewer than promised");
        }
    }
}
