//! Chooses a speed when none is given. Bursts of texts and of bookings show how fast this machine
//! does either; the day is replayed at a share of that. The speed is fixed for the run.
//!
//! Belongs here: the choice. Never here: the bursts (`probe`), or changing the speed while a day
//! runs: a schedule that answers to the service is no open model.

use std::time::Duration;

use super::clock::ClockSetter;
use super::probe;
use super::target::Target;
use crate::day::Plan;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::report::units::rate;

/// The share of the day's length that its texts and bookings may take, done at the bursts' rates.
/// The busiest hour has about twice the work of the mean one, and the callbacks, changes and
/// look-ups that the bursts don't have are about as much work again. Two processors have carried a
/// third; at a fifth, of the better of two bursts, bookings were late in the busiest hour.
const SHARE: f64 = 0.15;
/// No day is replayed in less: at 810 domain seconds a second, the half hour that a plan allows the
/// service is 2.2 real seconds.
const SHORTEST: Duration = Duration::from_secs(60);

/// A speed and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Speed {
    pub(crate) speed: f64,
    pub(crate) reason: String,
}

/// How fast a machine does each kind of work when it does nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    pub(crate) texts_per_second: f64,
    pub(crate) bookings_per_second: f64,
}

/// The bursts, and the speed that follows from them.
pub(crate) async fn calibrate(
    plan: &Plan,
    target: &Target,
    users: usize,
    clock: &mut ClockSetter,
    interrupt: &Interrupt,
) -> Result<Speed, Failure> {
    let pace = Pace {
        texts_per_second: probe::texts(plan, target, clock, interrupt).await?,
        bookings_per_second: probe::bookings(plan, target, users, interrupt).await?,
    };
    let work = (plan.promise().messages_min, plan.counts().arrivals);
    Ok(choose(pace, work, Duration::from_nanos(plan.window_ns())))
}

/// The speed for so many texts and requests on a machine of this pace.
fn choose(pace: Pace, (texts, requests): (u64, u64), window: Duration) -> Speed {
    let of_texts = texts as f64 / pace.texts_per_second.max(0.1);
    let of_requests = requests as f64 / pace.bookings_per_second.max(0.1);
    let seconds = (of_texts + of_requests) / SHARE;
    let (took, why) = if seconds < SHORTEST.as_secs_f64() {
        (SHORTEST.as_secs_f64(), format!("no day is replayed in less than {SHORTEST:?}"))
    } else {
        (seconds, format!("its work fills {:.0} % of that", SHARE * 100.0))
    };
    let speed = (window.as_secs_f64() / took).max(1.0);
    // Few digits are enough, and easier to give again with --speed.
    let speed = if speed >= 100.0 { speed.round() } else { (speed * 10.0).round() / 10.0 };
    let reason = format!(
        "chosen: bursts went at {} texts and {} bookings, so the day takes {:.0} s: {why}",
        rate(pace.texts_per_second),
        rate(pace.bookings_per_second),
        window.as_secs_f64() / speed,
    );
    Speed { speed, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_follows_the_bursts_and_has_its_bounds() {
        let window = Duration::from_secs(52_200);
        let pace =
            |texts, bookings| Pace { texts_per_second: texts, bookings_per_second: bookings };
        // 100 s for the texts and 100 s for the requests, at 15 % of the machine: 1333 s.
        let fast = choose(pace(5_000.0, 6_000.0), (500_000, 600_000), window);
        assert!((fast.speed - 39.2).abs() < 0.1, "{fast:?}");
        assert!(fast.reason.contains("15 % of that"), "{fast:?}");
        let short = choose(pace(5_000.0, 6_000.0), (2_000, 2_500), window);
        assert!((short.speed - 870.0).abs() < 1.0 && short.reason.contains("60s"), "{short:?}");
        let slow = choose(pace(0.0, 0.0), (500_000, 600_000), window);
        assert!((slow.speed - 1.0).abs() < 1e-9);
    }
}
