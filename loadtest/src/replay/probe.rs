//! The bursts of a calibration: texts that fall due all at once, and bookings as fast as they are
//! answered; two of each, of which the better counts. They are a few practices' of their own,
//! before the day.
//!
//! Never here: what follows from them (`calibrate`).

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::Limit;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use stack::provider::State;
use tokio::time::{Instant, sleep, sleep_until};

use super::clock::ClockSetter;
use super::jobs::{Job, Worked, work_off};
use super::target::Target;
use super::watch::Backlog;
use crate::client::{Client, ClientError, JSON, NDJSON};
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
const BEFORE: SignedDuration = SignedDuration::from_hours(6);
/// Domain time from one burst to the next: each has texts of its own.
const APART: SignedDuration = SignedDuration::from_hours(2);
/// A day's length hangs on no single burst: a machine that stood still for a moment in one shows
/// what it can do in the other.
const BURSTS: u32 = 2;
/// Far enough ahead that nobody is reminded of it during the day.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 40);
/// Domain seconds over which the burst falls due, and its speed: a tenth of a real second.
const SPREAD_SECONDS: u32 = 600;
const SPEED: f64 = 6_000.0;
/// A burst, but for the few texts that are tried again, is handed over within this time, or the
/// service is not able to.
const WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

/// True for a practice of the bursts, whose texts are none of the day's.
pub(crate) fn is_of_probe(practice_id: i64) -> bool {
    PRACTICES.contains(&practice_id)
}

/// A fortieth of the day's texts: a second or two of work.
fn burst_of(plan: &Plan) -> u64 {
    plan.promise().messages_min.div_ceil(40).clamp(1_000, 10_000)
}

/// Texts handed over a second, of the better burst. Leaves the domain clock standing before the
/// day.
pub(crate) async fn texts(
    plan: &Plan,
    target: &Target,
    clock: &mut ClockSetter,
    interrupt: &Interrupt,
) -> Result<f64, Failure> {
    let mut best = 0.0_f64;
    for turn in 0..BURSTS {
        best = best.max(burst_of_texts(plan, target, clock, interrupt, turn).await?);
    }
    Ok(best)
}

async fn burst_of_texts(
    plan: &Plan,
    target: &Target,
    clock: &mut ClockSetter,
    interrupt: &Interrupt,
    turn: u32,
) -> Result<f64, Failure> {
    let before = BEFORE - APART * turn.cast_signed();
    let from = plan.origin().saturating_sub(before).unwrap_or(Timestamp::MIN);
    let burst = burst_of(plan);
    let mut step = Step::begin("probe", "texts", burst);
    clock.hold(from).await?;
    let first = burst * u64::from(turn);
    book(plan, target, from, first..first + burst).await?;
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
async fn book(
    plan: &Plan,
    target: &Target,
    from: Timestamp,
    phones: std::ops::Range<u64>,
) -> Result<(), Failure> {
    let address = target.public.first().map_or("", String::as_str);
    let mut client = Client::new(address, Some(&target.admin_key))?;
    let zone = plan.practices().first().map_or("UTC", |practice| &*practice.timezone);
    // Due an hour before it starts, in a window that begins a little after the clock's start.
    let starts = from.saturating_add(SignedDuration::from_mins(75)).unwrap_or(Timestamp::MAX);
    let each = (phones.end - phones.start).div_ceil(PRACTICES.count() as u64);
    let each = each.min(target.limit(Limit::BatchItems));
    let mut first = phones.start;
    for practice_id in PRACTICES {
        let path = format!("/v1/practices/{practice_id}");
        client.send(Method::PUT, &path, practice(practice_id, zone)).await?;
        let last = phones.end.min(first + each);
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

/// Bookings answered a second, of the better burst: each a request of its own, over as many
/// connections as the day has.
pub(crate) async fn bookings(
    plan: &Plan,
    target: &Target,
    users: usize,
    interrupt: &Interrupt,
) -> Result<f64, Failure> {
    let mut best = 0.0_f64;
    for turn in 0..BURSTS {
        best = best.max(burst_of_bookings(plan, target, users, interrupt, turn).await?);
    }
    Ok(best)
}

async fn burst_of_bookings(
    plan: &Plan,
    target: &Target,
    users: usize,
    interrupt: &Interrupt,
    turn: u32,
) -> Result<f64, Failure> {
    let starts = plan.origin().saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
    let burst = burst_of(plan);
    let job = Arc::new(Bookings { first: burst * u64::from(turn), count: burst, starts });
    let mut step = Step::begin("probe", "bookings", job.count);
    let began = Instant::now();
    let key = Some(target.admin_key.as_str());
    let worked = Worked { addresses: &target.public, connections: users, key };
    let done = work_off(job, worked, &mut step, interrupt).await?;
    let measured = done.things as f64 / began.elapsed().as_secs_f64().max(1e-9);
    step.end(&format!("{} bookings answered at {}", count(done.things), rate(measured)));
    Ok(measured)
}

struct Bookings {
    first: u64,
    count: u64,
    starts: Timestamp,
}

impl Job for Bookings {
    fn count(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    async fn run(&self, client: &mut Client, index: usize) -> Result<u64, ClientError> {
        let practices = PRACTICES.end - PRACTICES.start;
        let practice_id = PRACTICES.start + index as i64 % practices;
        let number = self.first + index as u64;
        let body = json!({
            "appointment_id": format!("b{number:07}"),
            "version": 1,
            "starts_at": self.starts.to_string(),
            "phone": format!("+{}", FIRST_PHONE + number),
        });
        let (path, body) = (import_path(practice_id), body.to_string());
        client.ask(Method::POST, &path, Some(JSON), Bytes::from(body)).await?;
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
        assert!(is_of_probe(900) && !is_of_probe(1_001));
    }
}
