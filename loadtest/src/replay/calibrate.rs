//! Chooses a speed when none is given: a burst of some thousand texts shows how fast this machine
//! hands them over, and the day is replayed at a share of that. The speed is fixed for the run.
//!
//! Never here: changing the speed while a day runs; a schedule that answers to the service is no
//! open model.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use contract::Limit;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stack::provider::State;
use tokio::time::{Instant, sleep, sleep_until};

use super::clock::ClockSetter;
use super::target::Target;
use super::watch::Backlog;
use crate::client::{Client, NDJSON};
use crate::day::Plan;
use crate::day::request::import_path;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::progress::{Status, Step};
use crate::report::units::{count, rate};

/// Enough practices that every shard has its part; plans number theirs from 1,001.
const PRACTICES: std::ops::Range<i64> = 900..948;
/// The first one's number; plans take theirs from another range.
const SENDER: u64 = 9_999_000_000_000;
const FIRST_PHONE: u64 = 999_300_000_000;
/// Before the day, so that nothing of the day is due yet.
const BEFORE: SignedDuration = SignedDuration::from_hours(3);
/// Domain seconds over which the burst falls due, and its speed: a tenth of a real second.
const SPREAD_SECONDS: u32 = 600;
const SPEED: f64 = 6_000.0;
/// A burst, but for the few texts that are tried again, is handed over within this time, or the service is not able to.
const WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);
/// The share of the burst's rate that a day's mean is to have. A burst has the machine for itself
/// and its batches are full; a day brings bookings, callbacks and look-ups beside its texts, and
/// its busiest quarter of an hour has about 1.5 times its mean.
const SHARE: f64 = 0.4;
/// No day is replayed in less: at more than 870 domain seconds a second the half hour that a plan
/// allows the service for its work would be less than two real seconds.
const SHORTEST: Duration = Duration::from_secs(60);

/// True for a practice of the burst, whose texts are none of the day's.
pub(crate) fn is_of_probe(practice_id: i64) -> bool {
    PRACTICES.contains(&practice_id)
}

/// A speed and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Speed {
    pub(crate) speed: f64,
    pub(crate) reason: String,
}

/// The speed for a plan on a machine that hands over a burst at this rate.
pub(crate) fn choose(burst_per_second: f64, messages: u64, window: Duration) -> Speed {
    let wanted = burst_per_second * SHARE;
    let seconds = messages as f64 / wanted.max(0.1);
    let (took, what) = if seconds < SHORTEST.as_secs_f64() {
        (SHORTEST.as_secs_f64(), format!("no day is replayed in less than {SHORTEST:?}"))
    } else {
        (seconds, format!("{:.0} % of that", SHARE * 100.0))
    };
    let speed = (window.as_secs_f64() / took).max(1.0);
    // Two digits are enough, and easier to give again with --speed.
    let speed = if speed >= 100.0 { speed.round() } else { (speed * 10.0).round() / 10.0 };
    let reason = format!(
        "chosen: a burst was handed over at {}, the day goes at {} on average: {what}",
        rate(burst_per_second),
        rate(messages as f64 / took),
    );
    Speed { speed, reason }
}

/// Sends the burst and measures it. Leaves the domain clock standing before the day.
pub(crate) async fn probe(
    plan: &Plan,
    target: &Target,
    clock: &mut ClockSetter,
    interrupt: &Interrupt,
) -> Result<f64, Failure> {
    let from = plan.origin().saturating_sub(BEFORE).unwrap_or(Timestamp::MIN);
    let burst = plan.promise().messages_min.div_ceil(40).clamp(1_000, 10_000);
    let mut step = Step::begin("probe", "texts", burst);
    clock.hold(from).await?;
    book(plan, target, from, burst).await?;
    let mut provider = Client::new(&target.provider, None)?;
    let mut admin = Client::new(target.admin.first().map_or("", String::as_str), None)?;
    let before: State = provider.get("/control/state").await?;
    let running = clock.run(from, SPEED).await?;
    sleep_until(running.start + Duration::from_millis(200)).await;
    // All of it is due; a text that has to be tried again must not expire meanwhile.
    clock.hold(running.domain_at(Instant::now())).await?;
    let mut marks = [None; 2];
    loop {
        if interrupt.stopped() {
            return Err(Failure::Interrupted);
        }
        let state: State = provider.get("/control/state").await?;
        let done = state.accepted - before.accepted;
        for (mark, share) in marks.iter_mut().zip([0.05, 0.9]) {
            if mark.is_none() && done as f64 >= burst as f64 * share {
                *mark = Some((Instant::now(), done));
            }
        }
        let per_second = step.rate(done);
        step.show(&Status { done, per_second, ..Status::default() });
        if marks[1].is_some() && state.callbacks.pending == 0 {
            let backlog: Backlog = admin.get("/admin/backlog").await?;
            if backlog.is_empty() {
                break;
            }
        }
        if running.start.elapsed() > WITHIN {
            return Err(Failure::Unavailable(format!(
                "calibration: of {burst} texts only {done} were handed over within {WITHIN:?}; \
                 give a speed with --speed, and look at the service's log"
            )));
        }
        sleep(LOOK).await;
    }
    let [Some((low, low_done)), Some((high, high_done))] = marks else {
        return Err(Failure::Unavailable("calibration: nothing was handed over".to_owned()));
    };
    let seconds = high.duration_since(low).max(LOOK).as_secs_f64();
    let measured = (high_done - low_done).max(1) as f64 / seconds;
    step.end(&format!("{} texts handed over at {}", count(burst), rate(measured)));
    Ok(measured)
}

/// Books one appointment each for as many phones, all due within the spread.
async fn book(plan: &Plan, target: &Target, from: Timestamp, burst: u64) -> Result<(), Failure> {
    let address = target.public.first().map_or("", String::as_str);
    let mut client = Client::new(address, Some(&target.admin_key))?;
    let zone = plan.practices().first().map_or("UTC", |practice| &*practice.timezone);
    // Due an hour before it starts, in a window that begins a little after the clock's start.
    let starts = from.saturating_add(SignedDuration::from_mins(75)).unwrap_or(Timestamp::MAX);
    let each = burst.div_ceil(PRACTICES.count() as u64).min(target.limit(Limit::BatchItems));
    let mut first = 0;
    for practice_id in PRACTICES {
        let path = format!("/v1/practices/{practice_id}");
        client.send(Method::PUT, &path, practice(practice_id, zone)).await?;
        let last = burst.min(first + each);
        if first == last {
            break;
        }
        let body = appointments(first..last, starts);
        client.ask(Method::POST, &import_path(practice_id), Some(NDJSON), body).await?;
        first = last;
    }
    Ok(())
}

fn practice(practice_id: i64, timezone: &str) -> Vec<u8> {
    json!({
        "name": "Calibration",
        "timezone": timezone,
        "sender": format!("+{}", SENDER + practice_id.unsigned_abs()),
        "send_from": "00:00",
        "send_until": "23:59",
        "rules": [{
            "rule_id": 1,
            "name": "an_hour_before",
            "before_days": 0,
            "before_minutes": 60,
            "grouping_minutes": SPREAD_SECONDS / 60,
            "scatter_seconds": SPREAD_SECONDS,
            "template": "{{ practice }}: {% for a in appointments %}{{ a.when }}.{% endfor %}",
        }],
    })
    .to_string()
    .into_bytes()
}

fn appointments(range: std::ops::Range<u64>, starts: Timestamp) -> Bytes {
    let mut out = String::new();
    for i in range {
        writeln!(
            out,
            r#"{{"appointment_id":"p{i:07}","version":1,"starts_at":"{starts}","phone":"+{}"}}"#,
            FIRST_PHONE + i
        )
        .expect("a String takes all that is written");
    }
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_speed_follows_the_burst_and_has_its_bounds() {
        let window = Duration::from_secs(52_200);
        let fast = choose(5_000.0, 500_000, window);
        assert!((fast.speed - 209.0).abs() < 1.0, "{fast:?}");
        assert!(fast.reason.contains("40 % of that"), "{fast:?}");
        let short = choose(5_000.0, 2_000, window);
        assert!((short.speed - 870.0).abs() < 1.0 && short.reason.contains("60s"), "{short:?}");
        assert!((choose(0.0, 500_000, window).speed - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_sent_is_json() {
        let starts: Timestamp = "2027-03-09T07:15:00Z".parse().unwrap();
        let body = appointments(0..3, starts);
        let lines = std::str::from_utf8(&body).unwrap().lines();
        let all: Vec<serde_json::Value> = lines.map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(all.len(), 3);
        assert_eq!(all[2]["phone"], "+999300000002");
        assert_eq!(all[2]["starts_at"], "2027-03-09T07:15:00Z");
        let practice: serde_json::Value = serde_json::from_slice(&practice(900, "UTC")).unwrap();
        assert_eq!(practice["rules"][0]["scatter_seconds"], 600);
    }
}
