//! The cases that prove each alert: one file a file of rules, and another where samples are further
//! apart. Texts are written out as people read them.
//!
//! Never here: how they are written (`yaml`).

mod burn;
mod creep;
mod database;
mod presence;
mod reconciliation;
mod saturation;
mod work;

use super::case::CaseFile;

pub(super) fn all() -> Vec<CaseFile> {
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
    vec![
        burn("burn", "1m", "5m", burn::fast()),
        burn("burn_slow", "10m", "1h", burn::slow()),
        file("creep", "creep", "6h", creep::cases()),
        file("saturation", "saturation", "15s", saturation::now()),
        file("forecast", "saturation", "1h", saturation::forecast()),
        file("work", "work", "30s", work::cases()),
        file("database", "database", "30s", database::cases()),
        file("presence", "presence", "15s", presence::cases()),
    ]
}

/// A counter that rises by what each step says, from zero.
fn counter(steps: u32, rise: impl Fn(u32) -> f64) -> String {
    let mut sum = 0.0;
    let mut values = vec!["0".to_owned()];
    values.extend((0..steps).map(|step| {
        sum += rise(step);
        format!("{sum:.0}")
    }));
    values.join(" ")
}

/// Between 0 and 1, the same at every rendering: noise that can be checked in.
fn noise(step: u32) -> f64 {
    f64::from(step.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_rise_and_noise_is_even() {
        assert_eq!(counter(3, |_| 2.0), "0 2 4 6");
        let mean = (0..1_000).map(noise).sum::<f64>() / 1e3;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
