//! How long to wait before trying again: doubling, bounded, and never two in step.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Waits of a task that can't do its work.
const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_secs(2);

/// Waits of a text that the provider could not take.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(128);

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
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 128, 128]);
        assert_eq!(doubled(FIRST, LAST, 99), LAST);
    }

    /// What the limit's reason says of the tries together: seven waits lie between eight of them.
    #[test]
    fn all_tries_of_a_text_outlast_the_trouble_that_the_limit_promises() {
        let limit = Limit::AttemptsPerMessage.spec();
        let tries = i16::try_from(limit.default).expect("a few");
        let waits: Duration = (1..tries).map(|attempts| retry_after(attempts, None, 0.5)).sum();
        let minutes = (waits.as_secs_f64() / 60.0).round();
        let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
        let says = format!("that is {} minutes of provider trouble", words[minutes as usize]);
        assert!(limit.reason.ends_with(&says), "{waits:?} are not what it says: {}", limit.reason);
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
