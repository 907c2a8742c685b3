//! How long to wait for company: long enough that a transaction has a batch worth its cost, short
//! enough that nobody is late. A pure function of how fast things have been coming.

use std::time::Duration;

use tokio::time::Instant;

/// How much the newest measurement counts.
const NEWEST: f64 = 0.3;
/// With less company than this to be had, waiting is for nothing.
const COMPANY_MIN: f64 = 4.0;

/// How fast things come, and how long to wait for more of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// A batch worth its transaction.
    batch: f64,
    shortest: Duration,
    longest: Duration,
    last: Option<Instant>,
    per_second: f64,
}

impl Rhythm {
    /// Nothing has come yet.
    pub(super) const fn new(batch: u32, shortest: Duration, longest: Duration) -> Self {
        Self { batch: batch as f64, shortest, longest, last: None, per_second: 0.0 }
    }

    /// Notes that so many came since the last time.
    pub(super) fn came(&mut self, items: usize, now: Instant) {
        if let Some(last) = self.last {
            // Two turns in the same millisecond say nothing about the rate.
            let seconds = now.duration_since(last).as_secs_f64().max(0.001);
            let newest = items as f64 / seconds;
            self.per_second += NEWEST * (newest - self.per_second);
        }
        self.last = Some(now);
    }

    /// How long to wait until a batch has come together.
    pub(super) fn wait(&self) -> Duration {
        if self.per_second * self.longest.as_secs_f64() < COMPANY_MIN {
            return self.shortest;
        }
        let seconds = self.batch / self.per_second;
        Duration::from_secs_f64(seconds.min(self.longest.as_secs_f64())).max(self.shortest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_company_only_where_there_is_some() {
        let (shortest, longest) = (Duration::from_millis(10), Duration::from_millis(400));
        let after = |items, every_ms| {
            let mut rhythm = Rhythm::new(100, shortest, longest);
            let start = Instant::now();
            for n in 0..40 {
                rhythm.came(items, start + Duration::from_millis(every_ms) * n);
            }
            rhythm.wait().as_millis()
        };
        assert_eq!(Rhythm::new(100, shortest, longest).wait(), shortest);
        assert_eq!(after(1, 1_000), 10, "one a second has no company");
        assert_eq!(after(5, 100), 400, "fifty a second");
        assert_eq!(after(100, 200), 200, "five hundred a second");
        assert_eq!(after(1_000, 50), 10, "twenty thousand a second");
    }
}
