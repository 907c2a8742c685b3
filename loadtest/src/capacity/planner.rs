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
}

/// Messages that are due in an hour and may leave until their practice closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Group {
    /// The hour, of a day's.
    pub(crate) hour: u8,
    /// Hours from the day's beginning until the practice closes.
    pub(crate) closes: f64,
    /// How many, as a share of the day.
    pub(crate) share: f64,
}

/// Messages of a day, by when they are due and how long they may leave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Due(Vec<Group>);

impl Due {
    /// By weights, of which the sum is the day. None without any.
    pub(crate) fn new(mut groups: Vec<Group>) -> Option<Self> {
        let sum: f64 = groups.iter().map(|group| group.share).sum();
        groups.iter_mut().for_each(|group| group.share /= sum);
        groups.sort_by(|a, b| a.hour.cmp(&b.hour).then(a.closes.total_cmp(&b.closes)));
        (sum > 0.0).then_some(Self(groups))
    }

    /// Messages that a provider of this rate does not take before their practice closes, or within
    /// so many hours of their own where that is given: each hour's wait behind those of the hours
    /// before, the oldest first.
    pub(crate) fn missed(&self, messages: f64, per_second: f64, window_hours: Option<u8>) -> f64 {
        let taken = per_second * HOUR_SECONDS;
        let until = |group: &Group| match window_hours {
            Some(hours) => f64::from(group.hour) + f64::from(hours),
            None => group.closes,
        };
        let mut waiting: Vec<(f64, f64)> = Vec::new();
        let last = self.0.iter().map(until).fold(0.0, f64::max).ceil() as u32;
        for hour in 0..last {
            let due = self.0.iter().filter(|group| u32::from(group.hour) == hour);
            waiting.extend(due.map(|group| (until(group), group.share * messages)));
            let mut used = 0.0;
            for (until, left) in &mut waiting {
                // Of an hour in which they close only what is before it.
                let open = (*until - f64::from(hour)).clamp(0.0, 1.0);
                let now = left.min((taken * open - used).max(0.0));
                *left -= now;
                used += now;
            }
        }
        // Also those that were due when it had closed.
        let never = self.0.iter().filter(|group| u32::from(group.hour) >= last);
        let never: f64 = never.map(|group| group.share * messages).sum();
        never + waiting.iter().map(|(_, left)| left).sum::<f64>()
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

    /// So many hours with as many messages each, of practices that all close then.
    fn flat_of(hours: u8, closes: f64) -> Due {
        Due::new((0..hours).map(|hour| Group { hour, closes, share: 1.0 }).collect()).unwrap()
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
        let check = |due: &Due, messages, per_second, window, expected: f64| {
            let missed = due.missed(messages, per_second, window);
            assert!((missed - expected).abs() < 1e-6, "{missed} for {expected}");
        };
        let flat = flat_of(10, 24.0);
        // Ten hours of 3,600 each, one a second: all in time.
        check(&flat, 36_000.0, 1.0, Some(1), 0.0);
        // Half a second's worth: with an hour's window half is missed.
        check(&flat, 36_000.0, 0.5, Some(1), 18_000.0);
        // All in one hour: with two hours' window the second one takes as many again.
        let burst = flat_of(1, 24.0);
        check(&burst, 36_000.0, 1.0, Some(1), 32_400.0);
        check(&burst, 36_000.0, 1.0, Some(2), 28_800.0);
        check(&burst, 7_200.0, 1.0, Some(2), 0.0);
    }

    #[test]
    fn each_practice_s_messages_are_missed_when_it_closes() {
        let check = |due: &Due, per_second, window, expected: f64| {
            let missed = due.missed(7_200.0, per_second, window);
            assert!((missed - expected).abs() < 1e-6, "{missed} for {expected}");
        };
        let group = |hour, closes| Group { hour, closes, share: 1.0 };
        // Both are due in the same hour; one closes half an hour after that, the other much later.
        let two = Due::new(vec![group(8, 20.0), group(8, 9.5)]).unwrap();
        // Of 3,600 of the first, an hour and a half of half a one a second take 2,700.
        check(&two, 0.5, None, 900.0);
        check(&two, 1.0, None, 0.0);
        // What comes later waits for what came first, and then has no time left.
        let after = Due::new(vec![group(7, 20.0), group(8, 9.0)]).unwrap();
        check(&after, 0.5, None, 3_600.0);
        // By the flag each has two hours, whenever it closes.
        check(&two, 0.5, Some(2), 3_600.0);
        // What is due when its practice has closed is missed.
        check(&Due::new(vec![group(8, 20.0), group(21, 9.0)]).unwrap(), 1e6, None, 3_600.0);
        assert_eq!(Due::new(vec![Group { share: 0.0, ..group(8, 9.0) }]), None);
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
