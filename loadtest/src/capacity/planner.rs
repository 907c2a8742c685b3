//! What a rate means for whoever plans: days of so many messages, money, log, disk, pools, and what
//! the provider's rate and the sending windows let through. Plain arithmetic.
//!
//! Never here: measuring.

use serde::Serialize;

/// The day that capacities are told in.
pub(crate) const DAY_MESSAGES: f64 = 500_000.0;
const HOUR_SECONDS: f64 = 3_600.0;

/// Messages an hour of the day, as shares of the day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Hours(Vec<f64>);

impl Hours {
    /// By weights, of which the sum is the day. None without any.
    pub(crate) fn new(weights: &[f64]) -> Option<Self> {
        let sum: f64 = weights.iter().sum();
        (sum > 0.0).then(|| Self(weights.iter().map(|weight| weight / sum).collect()))
    }

    /// The share of the busiest hour.
    pub(crate) fn peak(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    /// The day whose busiest hour has this rate.
    pub(crate) fn messages_at(&self, peak_rate: f64) -> f64 {
        peak_rate * HOUR_SECONDS / self.peak()
    }

    /// Messages that a provider of this rate does not take within so many hours of their own: each
    /// hour's wait behind those of the hours before, the oldest first.
    pub(crate) fn missed(&self, messages: f64, per_second: f64, window_hours: usize) -> f64 {
        let taken = per_second * HOUR_SECONDS;
        let mut waiting: Vec<f64> = Vec::new();
        let mut missed = 0.0;
        // As many hours more as those of the last hour may wait.
        let later = std::iter::repeat_n(0.0, window_hours);
        for share in self.0.iter().copied().chain(later) {
            waiting.push(share * messages);
            let mut left = taken;
            for hour in &mut waiting {
                let now = hour.min(left);
                *hour -= now;
                left -= now;
            }
            // Whose window ends with this hour.
            if waiting.len() >= window_hours.max(1) {
                missed += waiting.remove(0);
            }
        }
        missed
    }
}

/// The number of connections that so many seconds of holding a second need, so that at most this
/// share of checkouts has to wait: Erlang's C (A. K. Erlang, 1917), for arrivals by chance.
pub(crate) fn pool_size(held: f64, wait_share: f64) -> u32 {
    let mut servers = held.floor().max(0.0) as u32 + 1;
    while erlang_c(servers, held) > wait_share && servers < 10_000 {
        servers += 1;
    }
    servers
}

/// The share of arrivals that finds all busy.
fn erlang_c(servers: u32, held: f64) -> f64 {
    let c = f64::from(servers);
    if held >= c {
        return 1.0;
    }
    // Erlang's B by its recursion, which has no factorials to overflow.
    let mut blocked = 1.0;
    for n in 1..=servers {
        blocked = held * blocked / (f64::from(n) + held * blocked);
    }
    let busy = held / c;
    blocked / (1.0 - busy + busy * blocked)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn flat(hours: usize) -> Hours {
        Hours::new(&vec![1.0; hours]).unwrap()
    }

    #[test]
    fn a_day_is_told_by_its_busiest_hour() {
        let hours = Hours::new(&[1.0, 2.0, 1.0]).unwrap();
        assert_eq!(hours.peak(), 0.5);
        assert!((hours.messages_at(DAY_MESSAGES * 0.5 / 3_600.0) - DAY_MESSAGES).abs() < 1e-6);
        assert_eq!(Hours::new(&[0.0, 0.0]), None);
    }

    #[test]
    fn what_the_provider_does_not_take_in_time_is_missed() {
        // Ten hours of 3,600 each, one a second: all in time.
        assert_eq!(flat(10).missed(36_000.0, 1.0, 1), 0.0);
        // Half a second's worth: with an hour's window half is missed.
        assert_eq!(flat(10).missed(36_000.0, 0.5, 1), 18_000.0);
        // All in one hour: with two hours' window the second one takes as many again.
        let burst = Hours::new(&[1.0]).unwrap();
        assert_eq!(burst.missed(36_000.0, 1.0, 1), 32_400.0);
        assert_eq!(burst.missed(36_000.0, 1.0, 2), 28_800.0);
        assert_eq!(burst.missed(7_200.0, 1.0, 2), 0.0);
    }

    #[test]
    fn pools_follow_from_what_is_held() {
        // One server half busy: half of all wait.
        assert!((erlang_c(1, 0.5) - 0.5).abs() < 1e-9);
        // Two servers, one held in the mean: a third (the textbook's).
        assert!((erlang_c(2, 1.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(erlang_c(2, 2.0), 1.0);
        assert_eq!(pool_size(0.0, 0.01), 1);
        let size = pool_size(4.0, 0.01);
        assert!(erlang_c(size, 4.0) <= 0.01 && erlang_c(size - 1, 4.0) > 0.01, "{size}");
    }
}
