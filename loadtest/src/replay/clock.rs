//! The domain clock of the service, set over its admin listener: held still, or running at a speed
//! from an instant on. The harness computes the same time by itself.
//!
//! Never here: latencies and deadlines; they are real time.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::target::Target;
use crate::client::{Client, ClientError, JSON};
use crate::exit::Failure;

/// Far enough that no run outlasts it, near enough that nobody's arithmetic overflows.
const NEVER: SignedDuration = SignedDuration::from_hours(24 * 365);
/// From setting the clock to its start: all processes have seen it by then.
const LEAD: Duration = Duration::from_secs(2);

/// The clock's row: domain time is `domain_origin + max(0, now − real_origin) × speed`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) real_origin: Timestamp,
    pub(crate) domain_origin: Timestamp,
    pub(crate) speed: f64,
}

/// Sets the clock.
#[derive(Debug)]
pub(crate) struct ClockSetter(Client);

/// A clock that was set running.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Running {
    /// When it starts, on the harness' clock.
    pub(crate) start: Instant,
    /// The row.
    pub(crate) pace: Pace,
}

impl ClockSetter {
    pub(crate) fn new(target: &Target) -> Result<Self, Failure> {
        let address = target.admin.first().map_or("", String::as_str);
        Ok(Self(Client::new(address, Some(&target.admin_key))?))
    }

    /// Lets domain time stand still at an instant.
    pub(crate) async fn hold(&mut self, at: Timestamp) -> Result<(), ClientError> {
        let real_origin = Timestamp::now().saturating_add(NEVER).unwrap_or(Timestamp::MAX);
        self.put(Pace { real_origin, domain_origin: at, speed: 1.0 }).await.map(drop)
    }

    /// The token after which a read has seen all that was committed before this call. It comes
    /// with an answer to any write: the clock is held once more, where it stands.
    pub(crate) async fn token(&mut self) -> Result<Option<HeaderValue>, ClientError> {
        let answer = self.0.ask(Method::GET, "/admin/clock", None, Bytes::new()).await?;
        let pace: Pace = self.0.read(&Method::GET, "/admin/clock", &answer)?;
        self.put(pace).await
    }

    /// Lets domain time run from an instant on at this speed, beginning in a moment.
    pub(crate) async fn run(
        &mut self,
        from: Timestamp,
        speed: f64,
    ) -> Result<Running, ClientError> {
        let (now, start) = (Timestamp::now(), Instant::now() + LEAD);
        let lead = SignedDuration::try_from(LEAD).expect("two seconds fit");
        let real_origin = now.saturating_add(lead).unwrap_or(Timestamp::MAX);
        let pace = Pace { real_origin, domain_origin: from, speed };
        self.put(pace).await?;
        Ok(Running { start, pace })
    }

    async fn put(&mut self, pace: Pace) -> Result<Option<HeaderValue>, ClientError> {
        let body = serde_json::to_vec(&pace).expect("two instants and a number are JSON");
        let answer = self.0.ask(Method::PUT, "/admin/clock", Some(JSON), body.into()).await?;
        Ok(answer.read_after)
    }
}

impl Running {
    /// Domain time at an instant of the harness' clock.
    pub(crate) fn domain_at(&self, at: Instant) -> Timestamp {
        let elapsed = at.saturating_duration_since(self.start).as_secs_f64();
        let domain = SignedDuration::from_secs_f64(elapsed * self.pace.speed);
        self.pace.domain_origin.saturating_add(domain).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn domain_time_stands_before_its_start_and_then_runs() {
        let origin: Timestamp = "2027-03-09T09:00:00Z".parse().unwrap();
        let start = Instant::now() + Duration::from_secs(2);
        let pace = Pace { real_origin: origin, domain_origin: origin, speed: 600.0 };
        let running = Running { start, pace };
        assert_eq!(running.domain_at(Instant::now()), origin);
        let later = running.domain_at(start + Duration::from_secs(6));
        assert_eq!(later, "2027-03-09T10:00:00Z".parse().unwrap());
    }

    #[test]
    fn the_row_is_as_the_api_has_it() {
        let origin: Timestamp = "2027-03-09T09:00:00Z".parse().unwrap();
        let pace = Pace { real_origin: origin, domain_origin: origin, speed: 300.0 };
        let instant = "2027-03-09T09:00:00Z";
        let expected = serde_json::json!({
            "real_origin": instant, "domain_origin": instant, "speed": 300.0,
        });
        assert_eq!(serde_json::to_value(pace).unwrap(), expected);
    }
}
