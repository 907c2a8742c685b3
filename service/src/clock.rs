//! The two times. *Domain time* (due times, windows, days) may be scaled or held in demos and
//! tests; *real time* (leases, retries, floors of lanes, every latency) never is. This is the only
//! place that asks the machine what time it is; everything else is told.
//!
//! The pair of origins and the speed is one row in the database, so that all processes, restarts
//! and the load harness agree: domain(now) = domain_origin + max(0, now − real_origin) × speed.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use contract::{Pool, Query};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::db::{Conn, Db, DbError};

/// How domain time follows real time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// Until then domain time stands still.
    pub(crate) real_origin: Timestamp,
    /// Domain time at that instant.
    pub(crate) domain_origin: Timestamp,
    /// Domain seconds a real second.
    pub(crate) speed: f64,
}

impl Pace {
    /// Domain time is real time.
    pub(crate) const REAL: Self = Self {
        real_origin: Timestamp::UNIX_EPOCH,
        domain_origin: Timestamp::UNIX_EPOCH,
        speed: 1.0,
    };

    /// Domain time at a real instant.
    pub(crate) fn domain_at(&self, real: Timestamp) -> Timestamp {
        let elapsed = real.duration_since(self.real_origin);
        if elapsed.is_negative() {
            return self.domain_origin;
        }
        if self.speed == 1.0 {
            return self.domain_origin.saturating_add(elapsed).unwrap_or(Timestamp::MAX);
        }
        let scaled = SignedDuration::from_secs_f64(elapsed.as_secs_f64() * self.speed);
        self.domain_origin.saturating_add(scaled).unwrap_or(Timestamp::MAX)
    }

    /// The real instant at which domain time is, was or will be that; the origin for anything
    /// before it.
    pub(crate) fn real_at(&self, domain: Timestamp) -> Timestamp {
        let ahead = domain.duration_since(self.domain_origin);
        if ahead.is_negative() {
            return self.real_origin;
        }
        if self.speed == 1.0 {
            return self.real_origin.saturating_add(ahead).unwrap_or(Timestamp::MAX);
        }
        let scaled = SignedDuration::from_secs_f64(ahead.as_secs_f64() / self.speed);
        self.real_origin.saturating_add(scaled).unwrap_or(Timestamp::MAX)
    }
}

/// The process's clock.
pub(crate) struct Clock {
    pace: RwLock<Pace>,
    /// Stands still at this real instant, in tests.
    held_at: Option<Timestamp>,
    changes: watch::Sender<u64>,
}

impl Clock {
    /// A clock that runs with the machine's.
    pub(crate) fn new(pace: Pace) -> Arc<Self> {
        Arc::new(Self { pace: RwLock::new(pace), held_at: None, changes: watch::Sender::new(0) })
    }

    /// A clock at which it is always that instant, in both times.
    #[cfg(test)]
    pub(crate) fn held(at: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            pace: RwLock::new(Pace::REAL),
            held_at: Some(at),
            changes: watch::Sender::new(0),
        })
    }

    /// Real time, of the machine.
    pub(crate) fn real_now(&self) -> Timestamp {
        self.held_at.unwrap_or_else(Timestamp::now)
    }

    /// Domain time.
    pub(crate) fn domain_now(&self) -> Timestamp {
        self.pace().domain_at(self.real_now())
    }

    /// The real instant of a domain instant.
    pub(crate) fn to_real(&self, domain: Timestamp) -> Timestamp {
        self.pace().real_at(domain)
    }

    /// When to look whether a domain instant ahead has come: at its real instant. While domain time
    /// stands still, from where it may be set to any other, that is in a moment.
    pub(crate) fn look_for(&self, domain: Timestamp, moment: Duration) -> Timestamp {
        let (pace, real_now) = (self.pace(), self.real_now());
        if real_now < pace.real_origin { real_now + moment } else { pace.real_at(domain) }
    }

    /// How domain time follows real time at present.
    pub(crate) fn pace(&self) -> Pace {
        *self.pace.read().expect("no code panics while it holds the pace")
    }

    /// Follows another pace from now on; whoever sleeps until a domain instant is woken.
    pub(crate) fn set(&self, pace: Pace) {
        let mut current = self.pace.write().expect("no code panics while it holds the pace");
        if *current != pace {
            *current = pace;
            drop(current);
            self.changes.send_modify(|n| *n += 1);
        }
    }

    /// Wakes when the pace changes.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Reads the pace that all processes share.
pub(crate) async fn read(conn: &Conn) -> Result<Pace, DbError> {
    let row = conn.row_opt(Query::ClockRead, &[]).await?;
    Ok(row.map_or(Pace::REAL, |row| Pace {
        real_origin: row.get(0),
        domain_origin: row.get(1),
        speed: row.get(2),
    }))
}

/// Keeps a clock at the pace that all processes share.
pub(crate) async fn poll(clock: Arc<Clock>, db: Db, every: Duration) {
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let read = async { read(&db.get(Pool::Upkeep).await?).await };
        match read.await {
            Ok(pace) => clock.set(pace),
            // Readiness and the pools' metrics say that the database is away.
            Err(error) => tracing::debug!(%error, "the clock's row could not be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn domain_time_stands_still_until_its_origin_and_then_runs_at_its_speed() {
        let pace = Pace {
            real_origin: at("2026-01-01T00:00:00Z"),
            domain_origin: at("2016-05-09T03:00:00Z"),
            speed: 60.0,
        };
        assert_eq!(pace.domain_at(at("2025-12-31T00:00:00Z")), at("2016-05-09T03:00:00Z"));
        assert_eq!(pace.domain_at(at("2026-01-01T00:01:00Z")), at("2016-05-09T04:00:00Z"));
        assert_eq!(pace.real_at(at("2016-05-09T04:00:00Z")), at("2026-01-01T00:01:00Z"));
        assert_eq!(pace.real_at(at("2016-05-08T00:00:00Z")), pace.real_origin);
    }

    #[test]
    fn real_pace_is_the_identity() {
        let now = at("2026-11-23T12:34:56.789Z");
        assert_eq!(Pace::REAL.domain_at(now), now);
        assert_eq!(Pace::REAL.real_at(now), now);
    }

    #[test]
    fn what_lies_ahead_is_looked_for_when_it_comes() {
        let clock = Clock::held(at("2026-01-01T00:00:00Z"));
        let opens = at("2026-01-01T08:00:00Z");
        let moment = Duration::from_secs(1);
        assert_eq!(clock.look_for(opens, moment), opens);
        let origin = at("2026-01-01T00:00:00Z");
        clock.set(Pace { real_origin: origin, domain_origin: origin, speed: 3_600.0 });
        assert_eq!(clock.look_for(opens, moment), at("2026-01-01T00:00:08Z"));
        clock.set(Pace { real_origin: at("2100-01-01T00:00:00Z"), ..clock.pace() });
        assert_eq!(clock.look_for(opens, moment), at("2026-01-01T00:00:01Z"));
    }

    #[tokio::test]
    async fn a_change_wakes_who_waits() {
        let clock = Clock::held(at("2026-01-01T00:00:00Z"));
        let mut changed = clock.changed();
        clock.set(Pace { speed: 2.0, ..Pace::REAL });
        changed.changed().await.unwrap();
        assert_eq!(clock.pace().speed, 2.0);
    }
}
