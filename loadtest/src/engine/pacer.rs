//! How to wait for the instant at which the next request leaves.
//!
//! Belongs here: the ways to wait, and which one suits a rate. Never here: sending, or a rate that
//! answers to the service's speed.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::alarm::Alarm;

/// Up to this many requests a second the alarm's thread is worth what it costs: at 20 µs each,
/// 5,000 take a tenth of a processor. Above it many requests are due in each millisecond anyway.
pub const ALARM_RATE_MAX: f64 = 5_000.0;

/// A way to wait for an instant.
#[derive(Debug, Clone, Default)]
pub enum Pacer {
    /// The runtime's timer wheel. It turns in milliseconds, so a request leaves about 1.2 ms late;
    /// the lag histogram shows it.
    #[default]
    Runtime,
    /// A thread on the kernel's high-resolution timer, some 60 µs late.
    Alarm(Arc<Alarm>),
}

impl Pacer {
    /// What suits this many requests a second.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn at_rate(per_second: f64) -> std::io::Result<Self> {
        if per_second <= ALARM_RATE_MAX {
            Ok(Self::Alarm(Arc::new(Alarm::start()?)))
        } else {
            Ok(Self::Runtime)
        }
    }

    /// In words.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Runtime => "the runtime's timer (1 ms)",
            Self::Alarm(_) => "a thread on the kernel's high-resolution timer",
        }
    }

    /// Returns when this instant has come; at once when it is past.
    pub async fn wait(&self, at: Instant) {
        if at <= Instant::now() {
            return;
        }
        match self {
            Self::Runtime => sleep_until(at).await,
            Self::Alarm(alarm) => alarm.wait(at.into_std()).await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_at_the_instant_and_never_later_than_it_must() {
        let start = Instant::now();
        let at = start + Duration::from_millis(1_500);
        Pacer::Runtime.wait(at).await;
        assert_eq!(Instant::now(), at);
        tokio::time::advance(Duration::from_secs(1)).await;
        let late = Instant::now();
        Pacer::Runtime.wait(at).await;
        assert_eq!(Instant::now(), late, "what is late leaves at once");
    }

    #[tokio::test]
    async fn the_rate_decides() {
        assert!(matches!(Pacer::at_rate(1_000.0).unwrap(), Pacer::Alarm(_)));
        assert!(matches!(Pacer::at_rate(40_000.0).unwrap(), Pacer::Runtime));
    }
}
