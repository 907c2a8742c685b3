//! Which server a read goes to: a pure function of the view, of what is asked, and of how much each
//! server has to do.
//!
//! Belongs here: the choice. Never here: a connection (`reader`), or a fact about a server
//! (`view`).

use std::cmp::Ordering;
use std::time::Duration;

use contract::RouteReason;
use tokio::time::Instant;

use super::token::After;
use super::view::{NoLeader, Standing, View};

/// A replica that stood still replays at least so fast once there is something to replay.
const REPLAY_AT_LEAST: f64 = 16e6;

/// What a read needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ask {
    /// What it must have seen.
    pub(crate) after: After,
    /// How old what it sees may be otherwise.
    pub(crate) staleness_max: Duration,
    /// How long it may wait for a replica that is nearly there.
    pub(crate) patience: Duration,
}

/// Where a read goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice {
    /// To this replica, which is asked again on the connection that is read from.
    Replica {
        /// Which.
        server: usize,
        /// How old its answer is at most.
        staleness: Duration,
    },
    /// To the primary, and why.
    Primary(RouteReason),
}

/// What is asked of each server beside the view.
pub(crate) trait Load {
    /// Reads under way there.
    fn in_flight(&self, server: usize) -> usize;
    /// Whether its breaker lets nobody through.
    fn is_broken(&self, server: usize, now: Instant) -> bool;
    /// A number below `n`, by lot.
    fn draw(&self, n: usize) -> usize;
}

/// Chooses. Of the replicas that have what is asked for two are drawn, and the one with less to do
/// is taken; where none has it yet, the nearest one if it is near enough to wait for.
pub(crate) fn choose(view: &View, ask: &Ask, now: Instant, load: &impl Load) -> Choice {
    let mut reason = RouteReason::NoReplica;
    // Where there is no other server, nothing that a reader shows makes a difference.
    if view.servers().len() < 2 {
        return Choice::Primary(reason);
    }
    let mut ready: [Option<usize>; 2] = [None; 2];
    let mut seen = 0;
    let mut nearest: Option<(f64, usize)> = None;
    let after = match ask.after {
        After::Nothing => None,
        // Positions of two primaries of one timeline can't be told apart.
        After::At(_) if view.leader() == Err(NoLeader::TwoOfOneHistory) => {
            return Choice::Primary(RouteReason::OtherHistory);
        }
        After::At(token) if Some(token.history) == view.history() => Some(token.lsn),
        After::At(_) | After::Several => return Choice::Primary(RouteReason::OtherHistory),
    };
    let has_primary = view.has_primary(now);
    let mut furthest: Option<(u64, usize)> = None;
    for server in 0..view.servers().len() {
        if view.leader() == Ok(server) {
            continue;
        }
        match fit(view, server, ask, after, now, load) {
            Fit::Ready(lsn) => {
                furthest = furthest.max(Some((lsn, server)));
                // Two of all that are ready, each pair as likely as the others: a reservoir.
                seen += 1;
                if let Some(free) = ready.iter_mut().find(|place| place.is_none()) {
                    *free = Some(server);
                } else if let Some(place) = ready.get_mut(load.draw(seen)) {
                    *place = Some(server);
                }
            }
            Fit::In(seconds) => {
                if nearest.is_none_or(|(best, _)| seconds < best) {
                    nearest = Some((seconds, server));
                }
            }
            // Of several reasons the one that is nearest to a replica that can be read.
            Fit::No(why) => reason = reason.max(why),
        }
    }
    let server = match ready {
        // Nothing newer will come: whoever has most.
        [Some(_), _] if !has_primary => furthest.map(|(_, server)| server),
        [Some(a), Some(b)] => match load.in_flight(a).cmp(&load.in_flight(b)) {
            Ordering::Less => Some(a),
            Ordering::Greater => Some(b),
            Ordering::Equal => Some(if load.draw(2) == 0 { a } else { b }),
        },
        [Some(only), None] => Some(only),
        [None, _] => nearest.map(|(_, server)| server),
    };
    match server.map(|server| (server, view.standing(server, now))) {
        Some((server, Ok(standing))) => Choice::Replica { server, staleness: standing.staleness },
        Some((_, Err(reason))) => Choice::Primary(reason),
        None => Choice::Primary(reason),
    }
}

enum Fit {
    /// It has what is asked for, and all up to a position.
    Ready(u64),
    /// It will have it in so many seconds.
    In(f64),
    /// It can't be read.
    No(RouteReason),
}

fn fit(
    view: &View,
    server: usize,
    ask: &Ask,
    after: Option<u64>,
    now: Instant,
    load: &impl Load,
) -> Fit {
    let standing = match view.standing(server, now) {
        Ok(standing) => standing,
        Err(why) => return Fit::No(why),
    };
    if load.is_broken(server, now) {
        return Fit::No(RouteReason::BreakerOpen);
    }
    let is_over = |most: Duration| standing.staleness > most;
    if is_over(ask.staleness_max) && view.has_primary(now) {
        let lacks_it = after.is_some_and(|lsn| standing.lsn < lsn);
        return Fit::No(if lacks_it { RouteReason::Behind } else { RouteReason::Lagging });
    }
    let Some(lsn) = after else { return Fit::Ready(standing.lsn) };
    if standing.lsn >= lsn {
        return Fit::Ready(standing.lsn);
    }
    // What was written since the look can't be known there: between two looks a replica that keeps
    // up has heartbeats two intervals old. One that doesn't is not worth waiting for.
    let seconds = seconds_to(&standing, lsn);
    let keeps_up = !is_over(ask.patience + view.interval() * 3);
    if keeps_up && seconds <= ask.patience.as_secs_f64() {
        Fit::In(seconds)
    } else {
        Fit::No(RouteReason::Behind)
    }
}

fn seconds_to(standing: &Standing, lsn: u64) -> f64 {
    let missing = lsn.saturating_sub(standing.lsn) as f64;
    missing / standing.replayed_per_second.max(REPLAY_AT_LEAST)
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
