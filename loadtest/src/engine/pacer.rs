//! When the next request leaves. The decision is a pure function of what is intended and of the
//! time that has passed; only the waiting touches a clock.
//!
//! Belongs here: that function and the ways to wait. Never here: sending, or a rate that answers
//! to the service's speed.

use std::time::Duration;

use tokio::time::Instant;

/// What to do about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Its time has not come.
    Wait(Duration),
    /// Its time is now or has passed by so much: send it at once.
    Go {
        /// How late it is.
        late: Duration,
    },
}

/// Decides about a request intended at `intended` when `elapsed` has passed, both since the start.
#[must_use]
pub fn pace(intended: Duration, elapsed: Duration) -> Pace {
    match intended.checked_sub(elapsed) {
        None | Some(Duration::ZERO) => Pace::Go { late: elapsed.saturating_sub(intended) },
        Some(left) => Pace::Wait(left),
    }
}

/// A way to wait for an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacer {
    /// The runtime's timer wheel. It turns in milliseconds, so a request leaves about 1.2 ms late;
    /// the lag histogram shows it.
    #[default]
    Runtime,
}

impl Pacer {
    /// Returns when the request intended at `start + intended` has to leave, with its lateness.
    pub async fn wait(self, start: Instant, intended: Duration) -> Duration {
        loop {
            // Before the start nothing has elapsed, and the wait is the longer by that.
            let ahead = start.saturating_duration_since(Instant::now());
            match pace(intended + ahead, start.elapsed()) {
                Pace::Go { late } => return late,
                Pace::Wait(_) => match self {
                    Self::Runtime => tokio::time::sleep_until(start + intended).await,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_waits_for_its_time_and_never_longer() {
        let ms = Duration::from_millis;
        let go = |late| Pace::Go { late: ms(late) };
        for (intended, elapsed, expected) in [
            (0, 0, go(0)),
            (10, 0, Pace::Wait(ms(10))),
            (10, 9, Pace::Wait(ms(1))),
            (10, 10, go(0)),
            (10, 11, go(1)),
            // A second's freeze is charged whole.
            (10, 1_010, go(1_000)),
            (0, 86_400_000, go(86_400_000)),
        ] {
            assert_eq!(pace(ms(intended), ms(elapsed)), expected, "{intended} at {elapsed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_at_the_instant() {
        let start = Instant::now() + Duration::from_secs(2);
        let late = Pacer::Runtime.wait(start, Duration::from_millis(1_500)).await;
        assert_eq!(Instant::now().duration_since(start), Duration::from_millis(1_500));
        assert_eq!(late, Duration::ZERO);
        tokio::time::advance(Duration::from_secs(1)).await;
        let late = Pacer::Runtime.wait(start, Duration::from_millis(1_500)).await;
        assert_eq!(late, Duration::from_secs(1));
    }
}
