//! A circuit breaker for one replica: after some failures in a row nobody is sent there for a
//! while; then one reader tries, and the rest follow if it went well.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// How long it stays open at first; doubled with each try that fails.
const OPEN_FIRST: Duration = Duration::from_secs(1);
const OPEN_MAX: Duration = Duration::from_secs(30);

/// Whether readers are let through.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    until: Instant,
    lasted: Duration,
    /// Somebody tries.
    is_tried: bool,
}

/// As in the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// All are let through.
    Closed,
    /// One may try.
    HalfOpen,
    /// Nobody is.
    Open,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it stands.
    pub(crate) fn position(&self, now: Instant) -> Position {
        match self.state().open {
            None => Position::Closed,
            Some(open) if now < open.until || open.is_tried => Position::Open,
            Some(_) => Position::HalfOpen,
        }
    }

    /// Lets a reader through, or not. Who is let through says how it went.
    pub(crate) fn enter(&self, now: Instant) -> bool {
        let mut state = self.state();
        match &mut state.open {
            None => true,
            Some(open) if now < open.until || open.is_tried => false,
            Some(open) => {
                open.is_tried = true;
                true
            }
        }
    }

    /// It went well.
    pub(crate) fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// It did not, and that was the server's fault. True if that opened it.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let lasts = match state.open {
            None if state.failures < FAILURES => return false,
            None => OPEN_FIRST,
            // Those that were under way when it opened say nothing new.
            Some(open) if !open.is_tried => return false,
            Some(open) => (open.lasted * 2).min(OPEN_MAX),
        };
        state.open = Some(Open { until: now + lasts, lasted: lasts, is_tried: false });
        true
    }

    /// The reader went away without knowing: the next one may try.
    pub(crate) fn abandoned(&self) {
        if let Some(open) = &mut self.state().open {
            open.is_tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_open_it_and_one_good_try_closes_it() {
        let breaker = Breaker::default();
        for _ in 0..2 {
            assert!(breaker.enter(Instant::now()) && !breaker.failed(Instant::now()));
        }
        breaker.succeeded();
        for n in 0..3 {
            assert!(breaker.enter(Instant::now()));
            assert_eq!(breaker.failed(Instant::now()), n == 2);
        }
        assert!(!breaker.enter(Instant::now()));
        assert!(!breaker.failed(Instant::now()), "a late failure opens it no further");
        tokio::time::advance(OPEN_FIRST).await;
        assert_eq!(breaker.position(Instant::now()), Position::HalfOpen);
        assert!(breaker.enter(Instant::now()));
        assert!(!breaker.enter(Instant::now()), "one tries, the others don't");
        breaker.succeeded();
        assert!(breaker.enter(Instant::now()) && breaker.enter(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn each_try_that_fails_doubles_the_pause() {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.failed(Instant::now());
        }
        let mut paused = Duration::ZERO;
        for expected in [1, 2, 4, 8, 16, 30, 30] {
            let began = Instant::now();
            while breaker.position(Instant::now()) == Position::Open {
                tokio::time::advance(Duration::from_millis(500)).await;
            }
            paused += began.elapsed();
            assert_eq!(began.elapsed(), Duration::from_secs(expected));
            assert!(breaker.enter(Instant::now()));
            assert!(breaker.failed(Instant::now()));
        }
        assert_eq!(paused, Duration::from_secs(91));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_was_given_up_is_made_by_the_next() {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.failed(Instant::now());
        }
        tokio::time::advance(OPEN_FIRST).await;
        assert!(breaker.enter(Instant::now()));
        breaker.abandoned();
        assert!(breaker.enter(Instant::now()));
    }
}
