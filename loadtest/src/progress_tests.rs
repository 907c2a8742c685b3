//! What is shown, also where there is little room for it.

use std::sync::{Arc, Mutex, PoisonError};

use indicatif::TermLike;

use super::*;

/// Of an ordinary day.
fn status() -> Status {
    Status {
        done: 123_456,
        per_second: 2_104.6,
        note: "p99 book 12.0 ms of 500 ms".into(),
        short_note: String::new(),
        left: Some(Duration::from_secs(83)),
    }
}

/// A terminal that keeps the lines that are drawn.
#[derive(Debug, Clone)]
struct Drawn {
    columns: u16,
    text: Arc<Mutex<String>>,
}

impl TermLike for Drawn {
    fn width(&self) -> u16 {
        self.columns
    }
    fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> std::io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }
    fn write_str(&self, text: &str) -> std::io::Result<()> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }
    fn clear_line(&self) -> std::io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines of a bar as a terminal of so many columns gets them.
fn drawn_in(columns: u16, status: &Status, total: u64) -> Vec<String> {
    let terminal = Drawn { columns, text: Arc::default() };
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let bar = drawn(ProgressBar::with_draw_target(Some(total), target), "replay");
    bar.set_position(status.done);
    bar.set_message(beside_and_below(status, total, "messages", usize::from(columns)));
    terminal.text.lock().unwrap_or_else(PoisonError::into_inner).clear();
    bar.force_draw();
    let text = terminal.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // Lines are filled up to the terminal's width, where it wraps.
    let lines = text.lines().map(|line| line.chars().collect::<Vec<_>>());
    let wrapped = lines.flat_map(|line| {
        line.chunks(usize::from(columns))
            .map(|row| row.iter().collect::<String>())
            .collect::<Vec<_>>()
    });
    wrapped.map(|row| row.trim_end().to_owned()).collect()
}

#[test]
fn a_bar_and_what_is_below_it_fit_into_80_columns() {
    let largest = Status {
        done: 9_876_543,
        per_second: 12_345.0,
        note: "x".repeat(128),
        short_note: "y".repeat(80),
        left: Some(Duration::from_secs(5_025)),
    };
    let lines = drawn_in(80, &largest, 10_000_000);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
    let says = "9,876,543 / 10,000,000 messages  12,345/s  1:23:45 left";
    assert!(lines[0].starts_with("replay   ") && lines[0].ends_with(says), "{lines:?}");
    assert_eq!(lines[1], "y".repeat(80));
    // Where there is room, all of it.
    assert_eq!(drawn_in(128, &largest, 10_000_000)[1], "x".repeat(128));
}

#[test]
fn a_terminal_that_is_narrower_still_gets_no_longer_line() {
    for columns in [1, 20, 21, 40, 60, 79] {
        let text = beside_and_below(&status(), 500_000, "messages", columns);
        let (beside, below) = text.split_once('\n').expect("two lines");
        assert!(beside.chars().count() <= columns.saturating_sub(BEFORE_TEXT), "{text}");
        assert!(below.chars().count() <= columns, "{text}");
    }
    let text = beside_and_below(&status(), 500_000, "messages", 60);
    assert_eq!(text, "123,456 / 500,000  2,105/s  1:23 left\np99 book 12.0 ms of 500 ms");
}

#[test]
fn a_line_says_all() {
    let status = status();
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
