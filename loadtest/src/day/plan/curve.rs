//! When on the day people book, change and look: the data's hours, with its bursts of minutes.
//!
//! Bursts are the minute's rate over its hour's: a few busy minutes among calm ones, the variance
//! as fitted. They scale with the day: a day a hundred times as large has the same shape. Never
//! here: who arrives (`households.rs`).

use crate::day::draw::{Draw, Purpose};
use crate::day::profile::{HOURS, Profile};

/// Share of minutes that are busy. In the data 3 % of minutes have three times their hour's rate
/// or more, chance included; with 5 % the fitted variance makes them three times as busy.
const BUSY_SHARE: f64 = 0.05;
const MINUTES: usize = 60;
const SECOND_NS: f64 = 1e9;

/// The shape of the day.
#[derive(Debug)]
pub(crate) struct Curve {
    by_hour: [f64; HOURS],
    /// For each hour the share of it that has passed at the end of each minute.
    passed: Vec<[f64; MINUTES]>,
}

impl Curve {
    pub(crate) fn new(profile: &Profile, seed: u64) -> Self {
        let mut draw = Draw::new(seed, Purpose::Bursts, 0);
        let (busy, calm) = rates(profile.minute_excess);
        let passed = (0..HOURS).map(|_| {
            let mut sum = 0.0;
            let mut passed = [0.0; MINUTES];
            for share in &mut passed {
                sum += if draw.chance(BUSY_SHARE) { busy } else { calm };
                *share = sum;
            }
            passed.map(|share| share / sum)
        });
        Self { by_hour: profile.booked_by_hour(), passed: passed.collect() }
    }

    /// Moves a second of the day, within its hour, to where the hour's bursts put it. Keeps order
    /// and the hour. Nanoseconds since midnight.
    pub(crate) fn place(&self, second_of_day: f64) -> u64 {
        let hour = ((second_of_day / 3600.0) as usize).min(HOURS - 1);
        let share = second_of_day / 3600.0 - hour as f64;
        let passed = &self.passed[hour];
        let minute = passed.partition_point(|end| *end <= share).min(MINUTES - 1);
        let before = if minute == 0 { 0.0 } else { passed[minute - 1] };
        let within = ((share - before) / (passed[minute] - before)).clamp(0.0, 1.0);
        let second = hour as f64 * 3600.0 + (minute as f64 + within) * 60.0;
        (second * SECOND_NS) as u64
    }

    /// An instant at which someone calls: nanoseconds since midnight.
    pub(crate) fn draw(&self, draw: &mut Draw) -> u64 {
        let hour = draw.weighted(&self.by_hour);
        self.place((hour as f64 + draw.unit()) * 3600.0)
    }
}

/// Rates of a busy and of a calm minute with mean 1 and the given variance.
fn rates(excess: f64) -> (f64, f64) {
    let odds = (1.0 - BUSY_SHARE) / BUSY_SHARE;
    // At this much all bookings would be in busy minutes; stay below, so that no minute is empty.
    let most = 0.9 * odds;
    let above = (excess * odds).sqrt().min(most);
    (1.0 + above, 1.0 - above / odds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_variance_asked_for() {
        for excess in [0.0, 0.2, 1.0] {
            let (busy, calm) = rates(excess);
            let mean = busy * BUSY_SHARE + calm * (1.0 - BUSY_SHARE);
            let variance =
                (busy - 1.0).powi(2) * BUSY_SHARE + (calm - 1.0).powi(2) * (1.0 - BUSY_SHARE);
            assert!((mean - 1.0).abs() < 1e-9);
            assert!((variance - excess).abs() < 1e-9);
        }
        assert!(rates(1e9).1 > 0.0);
    }

    #[test]
    fn places_keep_order_and_hour() {
        let curve = Curve::new(&Profile::builtin(), 7);
        let placed: Vec<u64> = (0..86_400).map(|s| curve.place(f64::from(s))).collect();
        assert!(placed.is_sorted());
        for (second, ns) in placed.iter().enumerate() {
            assert_eq!(ns / 3_600_000_000_000, second as u64 / 3600);
        }
    }

    /// What comes out has the burstiness that was fitted from what went in.
    #[test]
    fn a_large_day_is_as_bursty_as_the_data() {
        let profile = Profile::builtin();
        let mut excess = 0.0;
        let seeds = 8;
        for seed in 0..seeds {
            let curve = Curve::new(&profile, seed);
            let mut minutes = [0.0_f64; 60];
            for n in 0..60_000 {
                let at = curve.place(8.0 * 3600.0 + f64::from(n) * 0.06);
                minutes[(at / 60_000_000_000 % 60) as usize] += 0.001;
            }
            excess += minutes.iter().map(|rate| (rate - 1.0).powi(2)).sum::<f64>() / 60.0;
        }
        let mean = excess / f64::from(seeds as u32);
        assert!((mean - profile.minute_excess).abs() < 0.12, "{mean}");
    }
}
