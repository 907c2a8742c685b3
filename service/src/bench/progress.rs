//! How far a benchmark is, on standard error: one line that is written over on a terminal, a line
//! when a step begins without one.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Often enough to see it move.
const EVERY: Duration = Duration::from_millis(200);

/// One step's progress.
pub(super) struct Progress {
    step: String,
    total: u64,
    done: AtomicU64,
    /// When it was last drawn; `None` without a terminal.
    drawn: Mutex<Option<Instant>>,
}

impl Progress {
    /// Begins a step of so many items.
    pub(super) fn begin(step: impl Into<String>, total: u64) -> Self {
        let step = step.into();
        let is_terminal = std::io::stderr().is_terminal();
        if !is_terminal {
            complain!("{step} …");
        }
        let drawn = Mutex::new(is_terminal.then(Instant::now));
        Self { step, total, done: AtomicU64::new(0), drawn }
    }

    /// So many more are done.
    pub(super) fn add(&self, n: usize) {
        let done = self.done.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
        let Ok(mut drawn) = self.drawn.try_lock() else { return };
        if let Some(last) = drawn.as_mut()
            && last.elapsed() >= EVERY
        {
            *last = Instant::now();
            let percent = (done * 100).checked_div(self.total).unwrap_or(0).min(100);
            self.draw(&format!("{}: {percent} %", self.step));
        }
    }

    /// How many were done.
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn draw(&self, line: &str) {
        let mut stderr = std::io::stderr().lock();
        // Whoever closed standard error doesn't look.
        let _closed = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.lock().is_ok_and(|drawn| drawn.is_some()) {
            self.draw("");
        }
    }
}
