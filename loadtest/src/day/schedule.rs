//! The schedule as a pure function: when in real time a domain instant comes.
//!
//! Never here: waiting for it (the engine's pacer).

use std::time::Duration;

/// Real time from the replay's start to a domain offset at this speed (domain seconds per real
/// second). The intended start of an arrival is `t0 + real_offset(arrival.intended_domain_ns)`,
/// however the service copes.
///
/// ```
/// use loadtest::day::schedule::real_offset;
/// use std::time::Duration;
///
/// assert_eq!(real_offset(3_600_000_000_000, 200.0), Duration::from_secs(18));
/// ```
#[must_use]
pub fn real_offset(domain_ns: u64, speed: f64) -> Duration {
    // 2^53 ns are 104 days, and a day's offset is exact far beyond a nanosecond of real time.
    Duration::from_nanos((domain_ns as f64 / speed) as u64)
}

/// The domain offset that has come after this much real time: what is due by now.
#[must_use]
pub fn domain_offset(real: Duration, speed: f64) -> u64 {
    (real.as_nanos() as f64 * speed) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_scale_by_speed() {
        for (domain_ns, speed, real_ns) in [
            (0, 1.0, 0),
            (1_000, 1.0, 1_000),
            (52_200_000_000_000, 300.0, 174_000_000_000),
            (52_200_000_000_000, 0.5, 104_400_000_000_000),
        ] {
            let real = real_offset(domain_ns, speed);
            assert_eq!(real, Duration::from_nanos(real_ns));
            assert_eq!(domain_offset(real, speed), domain_ns);
        }
    }

    #[test]
    fn order_is_kept() {
        let offsets: Vec<Duration> = (0..1000).map(|i| real_offset(i * 977, 217.3)).collect();
        assert!(offsets.is_sorted());
    }
}
