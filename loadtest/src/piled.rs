//! Work that is piled up on purpose: practices with one rule each, and appointments whose reminders
//! fall due on one day, each for a recipient of its own, so that as many lanes stand ready as there
//! are texts.
//!
//! Belongs here: what is sent, and sending it in batches. Never here: a day as it is lived (`day`).

use bytes::Bytes;
use http::Method;
use jiff::civil::{Date, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::json;

use crate::client::{Client, ClientError, NDJSON};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::replay::jobs::{CONNECTIONS, Job, Worked, work_off};
use crate::replay::target::Target;
use crate::report::units::count;

/// Practices that share the work.
pub(crate) const PRACTICES: u64 = 20;
/// The most that the service takes in one request.
pub(crate) const BATCH: u64 = 1_000;
/// Starts are spread over so many minutes, from ten in the morning on.
const MINUTES: u64 = 400;
/// A zone without summer time, three hours behind.
const ZONE: &str = "America/Sao_Paulo";
const OFFSET: Offset = Offset::constant(-3);

/// A Wednesday like any other.
pub(crate) const DAY: Date = date(2026, 5, 6);

/// Appointments of a day, numbered; no number twice in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pile {
    /// When they take place.
    pub(crate) day: Date,
    /// The first one's number.
    pub(crate) from: u64,
    /// The one after the last.
    pub(crate) to: u64,
}

impl Pile {
    /// How many there are.
    pub(crate) const fn len(self) -> u64 {
        self.to - self.from
    }

    /// Two days before, in the morning: nothing of it is due.
    pub(crate) fn booked_at(self) -> Timestamp {
        at(self.day.saturating_sub(2.days()), 6, 0)
    }

    /// The day before, late in the afternoon: all of it is due, and nothing has begun.
    pub(crate) fn due_at(self) -> Timestamp {
        at(self.day.saturating_sub(1.day()), 17, 30)
    }

    /// In batches of one practice each.
    fn batches(self) -> Vec<Self> {
        let next = |at: u64| (at / BATCH + 1) * BATCH;
        let starts = std::iter::successors(Some(self.from), |at| Some(next(*at)));
        let starts = starts.take_while(|at| *at < self.to);
        starts.map(|from| Self { from, to: next(from).min(self.to), ..self }).collect()
    }

    /// Whose it is, where it is a batch.
    const fn practice_id(self) -> u64 {
        1 + self.from / BATCH % PRACTICES
    }

    /// One appointment a line.
    fn body(self) -> Bytes {
        let lines = (self.from..self.to).map(|number| self.line(number));
        lines.collect::<String>().into()
    }

    fn line(self, number: u64) -> String {
        let minute = i8::try_from(number % MINUTES % 60).unwrap_or(0);
        let hour = 10 + i8::try_from(number % MINUTES / 60).unwrap_or(0);
        let appointment = json!({
            "appointment_id": format!("a{number}"),
            "version": 1,
            "starts_at": at(self.day, hour, minute),
            "phone": format!("+999{number:08}"),
            "patient_name": "Somebody",
        });
        appointment.to_string() + "\n"
    }

    /// One appointment of it alone: path and body.
    pub(crate) fn single(self, number: u64) -> (String, Bytes) {
        let one = Self { from: number, to: number + 1, ..self };
        (path(one.practice_id()) + "/appointments", one.body())
    }

    /// Books it over one connection, one request after the other.
    pub(crate) async fn book(self, client: &mut Client) -> Result<(), ClientError> {
        for batch in self.batches() {
            batch.book_batch(client).await?;
        }
        Ok(())
    }

    /// Books it over several.
    pub(crate) async fn book_all(
        self,
        target: &Target,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let mut step = Step::begin("book", "appointments", self.len());
        let key = Some(target.admin_key.as_str());
        let worked = Worked { addresses: &target.public, connections: CONNECTIONS, key };
        work_off(std::sync::Arc::new(Bookings(self.batches())), worked, &mut step, interrupt)
            .await?;
        step.end(&format!("{} appointments, all due on one day", count(self.len())));
        Ok(())
    }

    async fn book_batch(self, client: &mut Client) -> Result<(), ClientError> {
        let path = path(self.practice_id()) + "/appointments";
        let answer = client.ask(Method::POST, &path, Some(NDJSON), self.body()).await?;
        let booked: Booked = client.read(&Method::POST, &path, &answer)?;
        let refused = booked.results.iter().filter(|item| item.outcome == "rejected").count();
        if refused > 0 {
            // The data are ours: the service does not take what it promises to take.
            return Err(client.wrong(Method::POST, &path, format!("{refused} were rejected")));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Booked {
    results: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    outcome: String,
}

/// Batches of appointments.
struct Bookings(Vec<Pile>);

impl Job for Bookings {
    fn count(&self) -> usize {
        self.0.len()
    }

    async fn run(&self, client: &mut Client, index: usize) -> Result<u64, ClientError> {
        self.0[index].book_batch(client).await?;
        Ok(self.0[index].len())
    }
}

/// Puts all practices.
pub(crate) async fn put_practices(client: &mut Client) -> Result<(), ClientError> {
    for practice_id in 1..=PRACTICES {
        client.send(Method::PUT, &path(practice_id), practice(practice_id)).await?;
    }
    Ok(())
}

/// A practice's path.
pub(crate) fn path(practice_id: u64) -> String {
    format!("/v1/practices/{practice_id}")
}

/// A practice's settings: one text the day before, at once when it is due.
fn practice(practice_id: u64) -> Vec<u8> {
    let settings = json!({
        "name": format!("Practice {practice_id}"),
        "timezone": ZONE,
        "sender": format!("+99989{practice_id:06}"),
        "send_from": "08:00",
        "send_until": "20:00",
        "rules": [{
            "rule_id": 1, "name": "day_before", "before_days": 1, "before_minutes": 0,
            "grouping_minutes": 60, "scatter_seconds": 0,
            "template": "{{ practice }}:{% for a in appointments %} {{ a.time }}{% endfor %}",
        }],
    });
    settings.to_string().into_bytes()
}

fn at(day: Date, hour: i8, minute: i8) -> Timestamp {
    let local = day.at(hour, minute, 0, 0);
    let zoned = local.to_zoned(TimeZone::fixed(OFFSET));
    zoned.expect("a day of this century in a fixed zone").timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pile(from: u64, to: u64) -> Pile {
        Pile { day: DAY, from, to }
    }

    fn batches(from: u64, to: u64) -> Vec<(u64, u64)> {
        pile(from, to).batches().iter().map(|batch| (batch.from, batch.to)).collect()
    }

    #[test]
    fn every_appointment_is_in_one_batch_of_one_practice() {
        assert_eq!(batches(0, 2_500), [(0, 1_000), (1_000, 2_000), (2_000, 2_500)]);
        assert_eq!(batches(2_500, 3_100), [(2_500, 3_000), (3_000, 3_100)]);
        assert!(batches(7, 7).is_empty());
        assert_eq!([2_500, 19_999, 20_000].map(|n| pile(n, n + 1).practice_id()), [3, 20, 1]);
    }

    #[test]
    fn its_times_are_local_ones() {
        let pile = pile(2_500, 2_502);
        assert_eq!(pile.booked_at().to_string(), "2026-05-04T09:00:00Z");
        assert_eq!(pile.due_at().to_string(), "2026-05-05T20:30:00Z");
        let body = pile.body();
        let lines: Vec<&str> = std::str::from_utf8(&body).expect("it is text").lines().collect();
        assert_eq!(lines.len(), 2);
        for piece in ["\"a2500\"", "+99900002500", "2026-05-06T14:40:00Z"] {
            assert!(lines[0].contains(piece), "{piece}: {}", lines[0]);
        }
    }
}
