//! How long to wait before trying again: doubling, bounded, and never two in step.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Waits of a task that can't do its work.
const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_secs(2);

/// Waits of a text that the provider could not take. It is tried until its appointment begins: the
/// longest wait bounds how many tries that are, and how long after the trouble it still waits.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(256);

/// The waits of a task between failures in a row.
#[derive(Debug, Default)]
pub(in crate::stages) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked.
    pub(in crate::stages) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits after a failure, or until told to stop.
    pub(in crate::stages) async fn wait(&mut self, stop: &CancellationToken) {
        let wait = jittered(doubled(FIRST, LAST, self.failures), rand::random());
        self.failures = self.failures.saturating_add(1);
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(wait) => {}
        }
    }
}

/// How long a text waits after a try that the provider did not take; `attempts` counts that one.
/// `chance` is a number from 0 to 1.
pub(super) fn retry_after(attempts: i16, asked: Option<Duration>, chance: f64) -> Duration {
    let failures = u32::try_from(attempts).unwrap_or(0).saturating_sub(1);
    let own = jittered(doubled(RETRY_FIRST, RETRY_LAST, failures), chance);
    asked.map_or(own, |asked| asked.max(own))
}

fn doubled(first: Duration, last: Duration, failures: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(last)
}

/// Between four and six fifths of it.
fn jittered(wait: Duration, chance: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use contract::Limit;

    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<u64> =
            (1..=10).map(|attempts| retry_after(attempts, None, 0.5).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
        assert_eq!(retry_after(i16::MAX, None, 0.5), RETRY_LAST);
        assert_eq!(doubled(FIRST, LAST, 99), LAST);
    }

    /// Tries that fit into some days, each wait as long as `chance` makes it.
    fn tries_in(days: u64, chance: f64) -> u64 {
        let end = Duration::from_secs(days * 86_400);
        let (mut at, mut tries) = (Duration::ZERO, 0);
        while at < end {
            tries += 1;
            at += retry_after(i16::try_from(tries).unwrap(), None, chance);
        }
        tries
    }

    /// A rule reminds at most 60 days and 1,440 minutes ahead. What the limit's reason says of the
    /// tries is so, and by no setting does a text run out of them before its appointment begins.
    #[test]
    fn the_tries_of_a_text_outlast_its_wait_whatever_the_limit() {
        let limit = Limit::AttemptsPerMessage.spec();
        let usual = (tries_in(61, 0.5) as f64 / 61.0).round();
        let most = tries_in(61, 0.0);
        for says in [format!("about {usual} a day"), format!("at most {most} in the 61 days")] {
            assert!(limit.reason.contains(&says), "{says}: {}", limit.reason);
        }
        assert!(most < limit.least && limit.least <= limit.default);
        assert_eq!(limit.most, u64::from(i16::MAX.unsigned_abs()));
    }

    #[test]
    fn a_provider_can_ask_for_more_and_not_for_less() {
        let asked = |seconds| retry_after(3, Some(Duration::from_secs(seconds)), 0.5).as_secs();
        assert_eq!((asked(1), asked(30)), (4, 30));
    }

    #[test]
    fn never_two_in_step() {
        let wait = |chance| retry_after(1, None, chance).as_millis();
        assert_eq!((wait(0.0), wait(1.0)), (800, 1_200));
    }
}
