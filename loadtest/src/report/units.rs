//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds with three digits that matter: `850 µs`, `12.3 ms`, `1.20 s`, `2:05 min`.
#[must_use]
pub fn latency(seconds: f64) -> String {
    if seconds <= 0.0 {
        "0".to_owned()
    } else if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.01 {
        format!("{:.2} ms", seconds * 1e3)
    } else if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min", clock(Duration::from_secs_f64(seconds)))
    }
}

/// A duration as `m:ss` or `h:mm:ss`.
#[must_use]
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A ratio as a percentage; one just below the whole never reads as 100 %.
#[must_use]
pub fn share(ratio: f64) -> String {
    if ratio >= 1.0 {
        "100 %".to_owned()
    } else {
        format!("{:.2} %", (ratio * 10_000.0).floor() / 100.0)
    }
}

/// Bytes in megabytes (10^6).
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A rate a second.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second < 10.0 {
        format!("{per_second:.1}/s")
    } else {
        // Rates are far below 2^53.
        format!("{}/s", count(per_second.round() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let counts: Vec<_> = [0, 12, 123, 1_234, 1_234_567].map(count).to_vec();
        assert_eq!(counts, ["0", "12", "123", "1,234", "1,234,567"]);
        let latencies: Vec<_> =
            [0.0, 0.00085, 0.0042, 0.0123, 0.25, 1.2, 64.25, 125.0].map(latency).to_vec();
        assert_eq!(
            latencies,
            ["0", "850 µs", "4.20 ms", "12.3 ms", "250 ms", "1.20 s", "64.2 s", "2:05 min"]
        );
        assert_eq!(clock(Duration::from_secs(3_725)), "1:02:05");
        assert_eq!([share(1.0), share(0.99999), share(0.5)], ["100 %", "99.99 %", "50.00 %"]);
        assert_eq!([rate(2.34), rate(2_345.6)], ["2.3/s", "2,346/s"]);
        assert_eq!(megabytes(149_900_000), "149.9 MB");
    }
}
