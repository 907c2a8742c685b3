//! How often one practice may ask: so many requests a second, and as many at once after a pause.
//! Who asks more often is told before anything of its body is read, so that a client that runs
//! wild costs a look at one number each time, and the other practices nothing.
//!
//! Never here: who calls (`auth`), and how many requests there may be at a time (`server`).

use std::num::NonZeroU32;

use contract::Limit;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::problem::{Code, Problem};
use super::request::Principal;
use crate::obs;

type Limiter = RateLimiter<
    i64,
    DashMapStateStore<i64>,
    MonotonicClock,
    NoOpMiddleware<<MonotonicClock as Clock>::Instant>,
>;

/// What each practice asked lately: a number for each that ever did, so no more than there are.
pub(crate) struct Rates {
    limiter: Limiter,
    per_second: u64,
}

impl Rates {
    /// So many requests a second for each practice. Each process counts its own.
    pub(crate) fn new(per_second: u64) -> Self {
        let quota = u32::try_from(per_second).ok().and_then(NonZeroU32::new);
        let quota = Quota::per_second(quota.unwrap_or(NonZeroU32::MAX));
        Self { limiter: RateLimiter::dashmap_with_clock(quota, MonotonicClock), per_second }
    }

    /// Counts a request of a practice. Operators and providers may ask as often as they like.
    ///
    /// # Errors
    /// The practice has asked too often; with the seconds until it may again.
    pub(crate) fn admit(&self, caller: &Principal) -> Result<(), Problem> {
        let Principal::Practice { practice_id, .. } = caller else { return Ok(()) };
        let Err(early) = self.limiter.check_key(practice_id) else { return Ok(()) };
        obs::limit::reached(Limit::PracticeRequests);
        let wait = early.wait_time_from(self.limiter.clock().now());
        let seconds = wait.as_secs().saturating_add(1);
        let detail = format!(
            "A practice may ask {} times a second: send appointments in batches, or wait.",
            self.per_second
        );
        let mut problem = Problem::new(Code::TooManyRequests, detail);
        problem.retry_after = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        Err(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(practice_id: i64) -> Principal {
        Principal::Practice { practice_id, key_id: 1 }
    }

    #[test]
    fn each_practice_has_its_own_and_others_have_none() {
        let rates = Rates::new(1);
        assert!(rates.admit(&of(1)).is_ok());
        let refused = rates.admit(&of(1)).unwrap_err();
        assert_eq!((refused.status(), refused.retry_after), (429, Some(1)));
        assert!(rates.admit(&of(2)).is_ok());
        for other in [Principal::Anonymous, Principal::Admin, Principal::Provider] {
            assert!((0..3).all(|_| rates.admit(&other).is_ok()), "{other:?}");
        }
    }
}
