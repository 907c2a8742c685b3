//! What the machine did to the run: each second's steal (time that the hypervisor gave to others)
//! and how long the harness's own threads stood in line for a processor, from `/proc`.
//!
//! A second with too much of either is spoilt: what was measured in it says more of the machine
//! than of the service. Belongs here: sampling, and what spoils a second. Never here: what many
//! spoilt seconds mean for a run (`run::verdict`).

use std::fs;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::ledger::Ledger;

const SECOND: Duration = Duration::from_secs(1);

/// What spoils a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Tolerance {
    /// Steal of all processors' time, at most, as a ratio.
    pub steal_max: f64,
    /// Time that all threads of the harness together wait for a processor, at most, in seconds a
    /// second.
    pub waiting_max: f64,
    /// Processor time of the harness, at most, as a ratio of the processors that it may use.
    pub busy_max: f64,
}

impl Tolerance {
    /// What nobody asked otherwise.
    pub const USUAL: Self = Self { steal_max: 0.2, waiting_max: 0.25, busy_max: 0.9 };
}

/// Why a second is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spoilt {
    /// The hypervisor gave the processors to others.
    Steal,
    /// The harness had no processor, or used all that it had.
    Starved,
}

/// One second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Second {
    /// Steal as a ratio of all processors' time.
    pub steal_ratio: f64,
    /// What all programs of the machine together used of it.
    pub busy_ratio: f64,
    /// Processor seconds of the harness.
    pub used_seconds: f64,
    /// Seconds that its threads waited for a processor, all together.
    pub waited_seconds: f64,
    /// Why it is left out, if it is.
    pub spoilt: Option<Spoilt>,
}

/// Counters at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Reading {
    steal: u64,
    idle: u64,
    all: u64,
    used_ns: u64,
    waited_ns: u64,
    /// Those that this process may use.
    processors: f64,
}

/// Samples every second of a run and settles it in the books.
#[derive(Debug)]
pub struct Watch {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<Vec<Second>>,
}

impl Watch {
    /// Begins at `start`, which may lie ahead.
    ///
    /// # Errors
    /// When `/proc` can't be read, or there is no thread.
    pub fn begin(ledger: Arc<Ledger>, start: Instant, tolerance: Tolerance) -> io::Result<Self> {
        Reading::now()?;
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let its = over.clone();
        let thread = thread::Builder::new()
            .name("machine".to_owned())
            .spawn(move || run(&ledger, start, tolerance, &its))?;
        Ok(Self { over, thread })
    }

    /// Ends with what is left of the last second.
    #[must_use]
    pub fn end(self) -> Vec<Second> {
        let Self { over, thread } = self;
        *over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        over.1.notify_one();
        thread.join().unwrap_or_default()
    }
}

fn run(
    ledger: &Ledger,
    start: Instant,
    tolerance: Tolerance,
    over: &(Mutex<bool>, Condvar),
) -> Vec<Second> {
    let mut seconds = Vec::new();
    wait_until(over, start);
    let (mut before, mut since) = (Reading::now().unwrap_or_default(), Instant::now());
    loop {
        let ended = wait_until(over, start + SECOND * (seconds.len() as u32 + 1));
        let (reading, now) = (Reading::now().unwrap_or(before), Instant::now());
        let second = reading.since(&before, now - since, tolerance);
        (before, since) = (reading, now);
        // Who sleeps through several seconds has one reading for all of them.
        while start + SECOND * (seconds.len() as u32 + 1) <= now || ended {
            seconds.push(second);
            ledger.settle_second(second.spoilt.is_some());
            if ended && start + SECOND * seconds.len() as u32 > now {
                return seconds;
            }
        }
    }
}

/// Waits, and says whether the run ended meanwhile.
fn wait_until((over, changed): &(Mutex<bool>, Condvar), at: Instant) -> bool {
    let over = over.lock().unwrap_or_else(PoisonError::into_inner);
    let left = at.saturating_duration_since(Instant::now());
    let waited = changed.wait_timeout_while(over, left, |over| !*over);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

impl Reading {
    fn now() -> io::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let (steal, idle, all) = processors(&stat)
            .ok_or_else(|| io::Error::other("/proc/stat has no line of all processors"))?;
        let processors = thread::available_parallelism()?.get() as f64;
        let mut reading = Self { steal, idle, all, used_ns: 0, waited_ns: 0, processors };
        for thread in fs::read_dir("/proc/self/task")?.flatten() {
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let mut numbers = text.split_whitespace().map_while(|n| n.parse::<u64>().ok());
            reading.used_ns += numbers.next().unwrap_or(0);
            reading.waited_ns += numbers.next().unwrap_or(0);
        }
        Ok(reading)
    }

    fn since(&self, before: &Self, elapsed: Duration, tolerance: Tolerance) -> Second {
        let ratio = |part: u64, whole: f64| if whole > 0.0 { part as f64 / whole } else { 0.0 };
        let elapsed_ns = elapsed.as_nanos() as f64;
        let all = self.all.saturating_sub(before.all);
        let (steal, idle) =
            (self.steal.saturating_sub(before.steal), self.idle.saturating_sub(before.idle));
        let steal_ratio = ratio(steal, all as f64);
        let busy_ratio = ratio(all.saturating_sub(steal).saturating_sub(idle), all as f64);
        let used_seconds = ratio(self.used_ns.saturating_sub(before.used_ns), elapsed_ns);
        let waited_seconds = ratio(self.waited_ns.saturating_sub(before.waited_ns), elapsed_ns);
        let spoilt = if steal_ratio > tolerance.steal_max {
            Some(Spoilt::Steal)
        } else if waited_seconds > tolerance.waiting_max
            || used_seconds > tolerance.busy_max * self.processors
        {
            Some(Spoilt::Starved)
        } else {
            None
        };
        Second { steal_ratio, busy_ratio, used_seconds, waited_seconds, spoilt }
    }
}

/// Steal, idle time and all time of all processors, in ticks. Guests' time is part of user time,
/// and waiting for a disk is being idle.
fn processors(stat: &str) -> Option<(u64, u64, u64)> {
    let numbers = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = numbers.split_whitespace().map_while(|n| n.parse().ok()).collect();
    let all = ticks.iter().take(8).sum();
    Some((*ticks.get(7)?, ticks[3] + ticks[4], all))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TOLERANCE: Tolerance = Tolerance { steal_max: 0.2, waiting_max: 0.25, busy_max: 0.9 };

    #[test]
    fn the_line_of_all_processors_is_read() {
        let stat = "cpu  10 1 20 60 4 0 2 3 5 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(processors(stat), Some((3, 64, 100)));
        assert_eq!(processors("cpu0 1 2\n"), None);
        let now = Reading::now().unwrap();
        assert!(now.all > 0 && now.used_ns > 0, "{now:?}");
    }

    #[test]
    fn steal_and_waiting_spoil_a_second() {
        let before = Reading::default();
        for (steal, waited_ms, used_ms, spoilt) in [
            (20, 250, 900, None),
            (21, 0, 0, Some(Spoilt::Steal)),
            (0, 251, 0, Some(Spoilt::Starved)),
            (0, 0, 901, Some(Spoilt::Starved)),
        ] {
            let (used_ns, waited_ns) = (used_ms * 1_000_000, waited_ms * 1_000_000);
            let reading =
                Reading { steal, idle: 40, all: 100, used_ns, waited_ns, processors: 1.0 };
            let second = reading.since(&before, SECOND, TOLERANCE);
            assert_eq!(second.spoilt, spoilt, "{second:?}");
            assert_eq!(second.busy_ratio, (60 - steal) as f64 / 100.0);
        }
    }

    /// Ended before its first second is over: that second is settled all the same.
    #[test]
    fn the_last_second_is_settled_though_it_is_short() {
        let ledger = Arc::new(Ledger::new(&[], true));
        let watch = Watch::begin(ledger, Instant::now(), TOLERANCE).unwrap();
        assert_eq!(watch.end().len(), 1);
    }
}
