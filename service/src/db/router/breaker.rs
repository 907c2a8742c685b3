//! A circuit breaker for one replica: after some failures in a row nobody is sent there for a
//! while; then one reader tries, and the rest follow if it went well.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long it stays open at first; doubled with each try that fails.
const OPEN_FIRST: Duration = Duration::from_secs(1);

/// Whether readers are let through.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// In a row, they open it.
    failures_max: u64,
    /// It stays open no longer at a time.
    pause_max: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    failures: u64,
    open: Option<Open>,
    /// Counts openings and closings: who entered before one says nothing of what came after it.
    turn: u64,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    until: Instant,
    lasted: Duration,
    /// Somebody tries.
    is_tried: bool,
}

/// Who was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    turn: u64,
}

/// As in the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// All are let through.
    Closed,
    /// The next one may try.
    HalfOpen,
    /// Nobody is.
    Open,
}

impl Breaker {
    /// Closed.
    pub(crate) fn new(failures_max: u64, pause_max: Duration) -> Self {
        Self { failures_max, pause_max, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(crate) fn enter(&self, now: Instant) -> Option<Ticket> {
        let mut state = self.state();
        if let Some(open) = &mut state.open {
            if now < open.until || open.is_tried {
                return None;
            }
            open.is_tried = true;
        }
        Some(Ticket { turn: state.turn })
    }

    /// The server answered.
    pub(crate) fn succeeded(&self, ticket: Ticket) {
        let mut state = self.state();
        if ticket.turn != state.turn {
            return;
        }
        // The only one that is let through an open one is whoever tries it.
        if state.open.take().is_some() {
            state.turn += 1;
        }
        state.failures = 0;
    }

    /// It did not, and that was its fault. True if that opened it.
    pub(crate) fn failed(&self, ticket: Ticket, now: Instant) -> bool {
        let mut state = self.state();
        if ticket.turn != state.turn {
            return false;
        }
        state.failures = state.failures.saturating_add(1);
        let lasts = match state.open {
            None if state.failures < self.failures_max => return false,
            None => OPEN_FIRST.min(self.pause_max),
            Some(open) => (open.lasted * 2).min(self.pause_max),
        };
        state.open = Some(Open { until: now + lasts, lasted: lasts, is_tried: false });
        state.turn += 1;
        true
    }

    /// The reader went away without knowing: the next one may try.
    pub(crate) fn abandoned(&self, ticket: Ticket) {
        let mut state = self.state();
        if ticket.turn == state.turn
            && let Some(open) = &mut state.open
        {
            open.is_tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: u64 = 3;

    fn breaker() -> Breaker {
        Breaker::new(FAILURES, Duration::from_secs(30))
    }

    fn now() -> Instant {
        Instant::now()
    }

    /// Open, after failures in a row; with a ticket of before.
    fn opened() -> (Breaker, Ticket) {
        let breaker = breaker();
        let early = breaker.enter(now()).unwrap();
        for n in 1..=FAILURES {
            let ticket = breaker.enter(now()).unwrap();
            assert_eq!(breaker.failed(ticket, now()), n == FAILURES);
        }
        assert_eq!(breaker.enter(now()), None);
        (breaker, early)
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_one_good_try_closes_it() {
        let breaker = breaker();
        for _ in 1..FAILURES {
            assert!(!breaker.failed(breaker.enter(now()).unwrap(), now()));
        }
        breaker.succeeded(breaker.enter(now()).unwrap());
        for _ in 1..FAILURES {
            assert!(!breaker.failed(breaker.enter(now()).unwrap(), now()), "not in a row");
        }
        let (breaker, _) = opened();
        tokio::time::advance(OPEN_FIRST).await;
        assert_eq!(breaker.position(now()), Position::HalfOpen);
        let probe = breaker.enter(now()).unwrap();
        assert_eq!(breaker.enter(now()), None, "one tries, the others don't");
        breaker.succeeded(probe);
        assert!(breaker.enter(now()).is_some() && breaker.enter(now()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn each_try_that_fails_doubles_the_pause() {
        let (breaker, _) = opened();
        for expected in [1, 2, 4, 8, 16, 30, 30] {
            let began = now();
            while breaker.position(now()) == Position::Open {
                tokio::time::advance(Duration::from_millis(500)).await;
            }
            assert_eq!(began.elapsed(), Duration::from_secs(expected));
            assert!(breaker.failed(breaker.enter(now()).unwrap(), now()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_was_given_up_is_made_by_the_next() {
        let (breaker, _) = opened();
        tokio::time::advance(OPEN_FIRST).await;
        breaker.abandoned(breaker.enter(now()).unwrap());
        assert!(breaker.enter(now()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_entered_before_it_opened_neither_closes_it_nor_takes_the_try() {
        let (breaker, early) = opened();
        breaker.succeeded(early);
        assert_eq!(breaker.position(now()), Position::Open);
        tokio::time::advance(OPEN_FIRST).await;
        let probe = breaker.enter(now()).unwrap();
        assert!(!breaker.failed(early, now()));
        breaker.abandoned(early);
        assert_eq!(breaker.enter(now()), None, "the try is still under way");
        breaker.succeeded(probe);
        assert_eq!(breaker.position(now()), Position::Closed);
    }
}
