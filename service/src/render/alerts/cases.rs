//! The cases that prove each alert: one file a file of rules, and others where samples are further
//! apart. Where rules are made for rows of the contract's tables, so are the cases; texts are
//! written out as people read them.
//!
//! Never here: how they are written (`yaml`).

mod burn;
mod creep;
mod database;
mod disk;
mod forecast;
mod losses;
mod paths;
mod presence;
mod reconciliation;
mod saturation;
mod work;

use super::Refused;
use super::case::CaseFile;

/// All of them.
///
/// # Errors
/// An objective under which an alert that has to be there could never fire.
pub(super) fn all() -> Result<Vec<CaseFile>, Refused> {
    let file = |name, rules, every, cases| CaseFile {
        name,
        rules,
        interval: every,
        evaluation: every,
        cases,
    };
    // Evaluated no more often than the times that are looked at need: these are many rules.
    let burn = |name, interval, evaluation, cases| CaseFile {
        name,
        rules: "burn",
        interval,
        evaluation,
        cases,
    };
    let full = [saturation::cases(), disk::now()].concat();
    let fills = [forecast::cases(), disk::forecast()].concat();
    Ok(vec![
        burn("burn", "1m", "5m", burn::fast()),
        burn("burn_slow", "10m", "1h", burn::slow()),
        burn("paths", "1m", "5m", paths::fast()?),
        burn("paths_slow", "10m", "1h", paths::slow()?),
        file("creep", "creep", "6h", creep::cases()),
        file("saturation", "saturation", "15s", full),
        file("forecast", "saturation", "1h", fills),
        file("work", "work", "30s", work::cases()),
        file("work_slow", "work", "1h", reconciliation::slow()),
        file("database", "database", "30s", database::cases()),
        file("presence", "presence", "15s", presence::cases()),
    ])
}

/// A counter that rises by what each step says, from zero.
fn counter(steps: u32, rise: impl Fn(u32) -> f64) -> String {
    let mut sum = 0.0;
    let mut values = vec![0_i64];
    values.extend((0..steps).map(|step| {
        sum += rise(step);
        sum.round() as i64
    }));
    series(&values)
}

/// Values in promtool's notation: those that are evenly apart as a first one, a step and how often.
fn series(values: &[i64]) -> String {
    let mut parts = Vec::new();
    let mut rest = values;
    while let [first, after @ ..] = rest {
        let step = after.first().map_or(0, |next| next - first);
        let even = rest.windows(2).take_while(|pair| pair[1] - pair[0] == step).count();
        if even < 2 {
            parts.push(first.to_string());
            rest = after;
            continue;
        }
        parts.push(match step {
            0 => format!("{first}x{even}"),
            step => format!("{first}{step:+}x{even}"),
        });
        rest = &rest[even + 1..];
    }
    parts.join(" ")
}

/// Between 0 and 1, the same at every rendering: noise that can be checked in.
fn noise(step: u32) -> f64 {
    f64::from(step.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24)
}

/// As Prometheus' `humanizeDuration` writes it.
fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{}ms", significant(seconds * 1e3));
    }
    let whole = seconds as u64;
    let (days, hours) = (whole / 86_400, whole / 3_600 % 24);
    let (minutes, rest) = (whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{}s", significant(seconds)),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, _, _) => format!("{hours}h {minutes}m {rest}s"),
        _ => format!("{days}d {hours}h {minutes}m {rest}s"),
    }
}

/// As Prometheus' `humanizePercentage` writes it.
fn percentage(ratio: f64) -> String {
    format!("{}%", significant(ratio * 100.0))
}

/// Four significant digits, and no noughts at the end.
fn significant(value: f64) -> String {
    let digits = 3 - value.abs().max(1e-9).log10().floor() as i32;
    let text = format!("{value:.*}", usize::try_from(digits).unwrap_or(0));
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_rise_and_noise_is_even() {
        assert_eq!(counter(3, |_| 2.0), "0+2x3");
        assert_eq!(series(&[1, 5, 5, 5, 7, 6, 5, 9]), "1 5x2 7-1x2 9");
        assert_eq!(series(&[0, 1]), "0 1");
        let mean = (0..1_000).map(noise).sum::<f64>() / 1e3;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }

    #[test]
    fn numbers_are_written_as_prometheus_does() {
        let texts = [0.25, 2.5, 10.0, 61.0, 51_840.0, 129_600.0].map(duration);
        let expected = ["250ms", "2.5s", "10s", "1m 1s", "14h 24m 0s", "1d 12h 0m 0s"];
        assert_eq!(texts, expected);
        assert_eq!([0.2, 1.0, 0.878_906_25].map(percentage), ["20%", "100%", "87.89%"]);
    }
}
