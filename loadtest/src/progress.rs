//! What a person sees while a run goes on: a bar on a terminal, with a second line below it where
//! there is more to say, otherwise a plain line every few seconds. The numbers are the same.
//!
//! Never here: measuring; who shows progress brings the numbers.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::units::{clock, count, rate};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Between two drawings of the bar.
const DRAWS_PER_SECOND: u8 = 10;
/// The rate shown is that of the last few seconds.
const RATE_OVER: Duration = Duration::from_secs(5);
/// A step's name, the bar and a space beside each, which stand before all that is said in a line.
const TEMPLATE: &str = "{prefix:<8} {bar:10} {msg}";
const BEFORE_TEXT: usize = 8 + 1 + 10 + 1;

/// How far something is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Done so far.
    pub done: u64,
    /// Done a second, of late.
    pub per_second: f64,
    /// What else is worth a look.
    pub note: String,
    /// The same for a terminal that is too narrow for it; nothing where the note is short.
    pub short_note: String,
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
            Face::Bar(drawn(bar, name))
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
                let columns = usize::from(Term::stderr().size().1);
                bar.set_position(status.done.min(self.total));
                bar.set_message(beside_and_below(status, self.total, self.unit, columns));
            }
            Face::Lines { printed } if printed.elapsed() >= LINE_EVERY => {
                *printed = Instant::now();
                complain!("{:<8} {}", self.name, line(status, self.total, self.unit));
            }
            Face::Lines { .. } => {}
        }
    }

    /// Ends the step with a line that stays.
    pub fn end(self, text: &str) {
        if let Face::Bar(bar) = &self.face {
            bar.finish_and_clear();
        }
        complain!("{:<8} {text}", self.name);
    }
}

/// Says something on standard error, to whoever may be there: a run goes on when nobody is.
pub(crate) fn tell(text: impl Display) {
    let _nobody_reads = writeln!(std::io::stderr(), "{text}");
}

fn drawn(bar: ProgressBar, name: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    let style = style.expect("the template is a constant that parses");
    bar.with_style(style).with_prefix(name)
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
    let mut parts = figures(status, total, &format!(" {unit}"));
    if !status.note.is_empty() {
        // Before the time left, which is the last of them.
        parts.insert(2, status.note.clone());
    }
    parts.join("  ")
}

/// How much, how fast, and for how long still.
fn figures(status: &Status, total: u64, unit: &str) -> Vec<String> {
    let done = format!("{} / {}{unit}", count(status.done), count(total));
    let mut parts = vec![done, rate(status.per_second)];
    parts.extend(status.left.map(|left| format!("{} left", clock(left))));
    parts
}

/// What stands beside a bar and, where there is a note, in a line of its own below it, so that
/// neither is longer than a terminal is wide.
#[must_use]
pub fn beside_and_below(status: &Status, total: u64, unit: &str, columns: usize) -> String {
    let beside = columns.saturating_sub(BEFORE_TEXT);
    let with_unit = figures(status, total, &format!(" {unit}")).join("  ");
    let bare = figures(status, total, "").join("  ");
    let mut text = first_that_fits(&[&with_unit, &bare], beside);
    if !status.note.is_empty() {
        text.push('\n');
        text += &first_that_fits(&[&status.note, &status.short_note], columns);
    }
    text
}

/// The first of these, or as much of the last one that says anything as there is room for.
fn first_that_fits(texts: &[&str], columns: usize) -> String {
    let mut said = texts.iter().filter(|text| !text.is_empty());
    let fits = said.clone().find(|text| text.chars().count() <= columns);
    match (fits, said.next_back()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => {
            let room = columns.saturating_sub(1);
            text.chars().take(room).chain("…".chars().take(columns)).collect()
        }
        (None, None) => String::new(),
    }
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
#[path = "progress_tests.rs"]
mod tests;
