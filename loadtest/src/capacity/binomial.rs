//! How sure one may be of a share, from so many cases: exact binomial tails (C. Clopper and E.
//! Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
//! 1934).
//!
//! Cases are taken as independent, which requests of one second are not: a run should have many
//! times the cases that are needed at the least. Never here: what the cases are.

use statrs::distribution::{Binomial, DiscreteCDF};

/// What so many cases show of an allowed share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The true share is at most the allowed one, at the confidence asked for.
    Within,
    /// It is more.
    Beyond,
    /// The cases are too few to tell.
    Open,
}

/// What `bad` of `all` show of the share `allowed`, each way at this confidence.
pub(crate) fn shown(bad: u64, all: u64, allowed: f64, confidence: f64) -> Shown {
    let doubt = 1.0 - confidence;
    if at_most(bad, all, allowed) <= doubt {
        return Shown::Within;
    }
    // At least so many bad ones, were the true share the allowed one.
    let at_least = if bad == 0 { 1.0 } else { 1.0 - at_most(bad - 1, all, allowed) };
    if at_least <= doubt { Shown::Beyond } else { Shown::Open }
}

/// The fewest cases from which, with not one bad, a share is shown to be within the allowed one.
pub(crate) fn cases_min(allowed: f64, confidence: f64) -> u64 {
    if allowed <= 0.0 {
        return u64::MAX;
    }
    ((1.0 - confidence).ln() / (1.0 - allowed).ln()).ceil().max(1.0) as u64
}

/// How likely it is to see at most so many bad ones, were each bad with this probability.
fn at_most(bad: u64, all: u64, probability: f64) -> f64 {
    if bad >= all {
        return 1.0;
    }
    // An objective of all of them allows none: a bad one is beyond it, and none proves nothing.
    if probability <= 0.0 {
        return 1.0;
    }
    Binomial::new(probability.min(1.0), all).map_or(1.0, |binomial| binomial.cdf(bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_shown_where_the_cases_carry_it() {
        // 0.99^298 = 0.0500 and a little; 0.99^299 is below.
        assert_eq!(cases_min(0.01, 0.95), 299);
        assert_eq!(shown(0, 299, 0.01, 0.95), Shown::Within);
        assert_eq!(shown(0, 298, 0.01, 0.95), Shown::Open);
        // The point is met exactly, which shows nothing.
        assert_eq!(shown(100, 10_000, 0.01, 0.95), Shown::Open);
        // R: qbinom(0.05, 10000, 0.01) is 84; pbinom(83) is below 0.05 and pbinom(84) above.
        assert_eq!(shown(83, 10_000, 0.01, 0.95), Shown::Within);
        assert_eq!(shown(84, 10_000, 0.01, 0.95), Shown::Open);
        // The same on the other side.
        assert_eq!(shown(117, 10_000, 0.01, 0.95), Shown::Open);
        assert_eq!(shown(118, 10_000, 0.01, 0.95), Shown::Beyond);
    }

    #[test]
    fn the_corners_are_sound() {
        assert_eq!(shown(0, 0, 0.01, 0.95), Shown::Open);
        assert_eq!(shown(5, 5, 0.01, 0.95), Shown::Beyond);
        assert_eq!(shown(1, 1_000, 0.0, 0.95), Shown::Beyond);
        assert_eq!(shown(0, 1_000, 0.0, 0.95), Shown::Open, "none proves no never");
        assert_eq!(cases_min(0.0, 0.95), u64::MAX);
    }
}
