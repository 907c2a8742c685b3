//! What a person sees while a run goes on: a bar on a terminal, otherwise a plain line every few
//! seconds. The numbers are the same.
//!
//! Never here: measuring; who shows progress brings the numbers.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::units::{clock, count, rate};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Between two drawings of the bar.
const DRAWS_PER_SECOND: u8 = 10;
/// The rate shown is that of the last few seconds.
const RATE_OVER: Duration = Duration::from_secs(5);

/// How far something is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Done so far.
    pub done: u64,
    /// Done a second, of late.
    pub per_second: f64,
    /// What else is worth a look.
    pub note: String,
    /// Time left, where it can be told.
    pub left: Option<Duration>,
}

/// A step of a run that takes a while.
#[derive(Debug)]
pub struct Step {
    name: &'static str,
    unit: &'static str,
    total: u64,
    face: Face,
    rate: Rate,
}

#[derive(Debug)]
enum Face {
    Bar(ProgressBar),
    Lines { printed: Instant },
}

impl Step {
    /// Begins a step of `total` things.
    #[must_use]
    pub fn begin(name: &'static str, unit: &'static str, total: u64) -> Self {
        let face = if std::io::stderr().is_terminal() {
            let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
            let bar = ProgressBar::with_draw_target(Some(total), target);
            let style = ProgressStyle::with_template("{prefix:<8} {bar:16} {wide_msg}")
                .expect("the template is a constant that parses");
            Face::Bar(bar.with_style(style).with_prefix(name))
        } else {
            Face::Lines { printed: Instant::now() }
        };
        Self { name, unit, total, face, rate: Rate::default() }
    }

    /// How many things there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The rate of the last few seconds, given what is done now.
    pub fn rate(&mut self, done: u64) -> f64 {
        self.rate.at(Instant::now(), done)
    }

    /// Shows how far it is.
    pub fn show(&mut self, status: &Status) {
        match &mut self.face {
            Face::Bar(bar) => {
                bar.set_position(status.done.min(self.total));
                bar.set_message(line(status, self.total, self.unit));
            }
            Face::Lines { printed } if printed.elapsed() >= LINE_EVERY => {
                *printed = Instant::now();
                eprintln!("{:<8} {}", self.name, line(status, self.total, self.unit));
            }
            Face::Lines { .. } => {}
        }
    }

    /// Ends the step with a line that stays.
    pub fn end(self, text: &str) {
        if let Face::Bar(bar) = &self.face {
            bar.finish_and_clear();
        }
        eprintln!("{:<8} {text}", self.name);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        // A step that is cut short leaves no half-drawn bar behind.
        if let Face::Bar(bar) = &self.face
            && !bar.is_finished()
        {
            bar.finish_and_clear();
        }
    }
}

/// One line for a status.
#[must_use]
pub fn line(status: &Status, total: u64, unit: &str) -> String {
    let mut parts =
        vec![format!("{} / {} {unit}", count(status.done), count(total)), rate(status.per_second)];
    if !status.note.is_empty() {
        parts.push(status.note.clone());
    }
    if let Some(left) = status.left {
        parts.push(format!("{} left", clock(left)));
    }
    parts.join("  ")
}

/// Time left, honestly: what the schedule still takes, and beyond it what has fallen behind at the
/// rate at which it is worked off. Nothing is said when nothing moves.
#[must_use]
pub fn time_left(schedule: Duration, behind: u64, per_second: f64) -> Option<Duration> {
    if behind == 0 {
        return Some(schedule);
    }
    let catching_up = behind as f64 / per_second;
    Duration::try_from_secs_f64(catching_up).ok().map(|extra| schedule + extra)
}

/// A rate over a sliding window.
#[derive(Debug, Default)]
struct Rate {
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    fn at(&mut self, now: Instant, done: u64) -> f64 {
        self.seen.push_back((now, done));
        while self.seen.len() > 2 && now.duration_since(self.seen[1].0) >= RATE_OVER {
            self.seen.pop_front();
        }
        let (since, before) = self.seen[0];
        let seconds = now.duration_since(since).as_secs_f64();
        if seconds > 0.0 { done.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all() {
        let status = Status {
            done: 123_456,
            per_second: 2_104.6,
            note: "p99 book 12.0 ms of 500 ms".into(),
            left: Some(Duration::from_secs(83)),
        };
        assert_eq!(
            line(&status, 500_000, "messages"),
            "123,456 / 500,000 messages  2,105/s  p99 book 12.0 ms of 500 ms  1:23 left"
        );
        let line = line(&Status::default(), 10, "x");
        assert_eq!(line, "0 / 10 x  0.0/s");
    }

    #[test]
    fn the_time_left_is_honest() {
        let minute = Duration::from_secs(60);
        assert_eq!(time_left(minute, 0, 0.0), Some(minute));
        assert_eq!(time_left(minute, 500, 100.0), Some(Duration::from_secs(65)));
        // Nothing moves: no promise.
        assert_eq!(time_left(minute, 500, 0.0), None);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut rate = Rate::default();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(rate.at(at(0), 0), 0.0);
        assert_eq!(rate.at(at(1), 100), 100.0);
        for second in 2..=20 {
            rate.at(at(second), 100);
        }
        assert_eq!(rate.at(at(21), 100), 0.0, "the burst is forgotten");
    }
}
