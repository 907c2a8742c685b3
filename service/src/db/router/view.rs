//! What is known of all servers together, and what follows: who leads, who follows how far behind.
//! Each look makes a new view; a reader has one that doesn't change under its hands.
//!
//! Belongs here: facts and their age. Never here: which server a statement goes to (`choose`).

use std::time::Duration;

use contract::RouteReason;
use tokio::time::Instant;

use super::look::{Feed, Look, Role};
use super::token::History;

/// A look that is older than this many intervals says nothing any more.
const INTERVALS: u32 = 3;
/// A replica that has heard nothing of its primary for this long, or for this many intervals, has
/// lost it: there is a heartbeat every interval.
const SILENCE_MAX: Duration = Duration::from_secs(5);
const SILENT_INTERVALS: u32 = 4;
/// How much the newest look counts in a replica's mean rate of replay.
const NEWEST: f64 = 0.3;

/// What is known of all servers, in the order of the settings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    servers: Vec<Seen>,
    leader: Result<usize, NoLeader>,
    /// The furthest history that was ever seen here: what leads there and on none before.
    furthest: Option<History>,
    interval: Duration,
}

/// What is known of one server.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Seen {
    /// The last look that came to something.
    pub(crate) look: Option<Look>,
    /// Bytes of log a second that it replays.
    pub(crate) replayed_per_second: f64,
    /// The last try to look came to nothing.
    pub(crate) is_away: bool,
}

impl Seen {
    /// Nobody has tried to look at it yet.
    const fn is_untried(&self) -> bool {
        self.look.is_none() && !self.is_away
    }
}

/// Why nobody is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoLeader {
    /// Not all have been looked at yet.
    Unseen,
    /// None has been reached.
    Unreachable,
    /// Who answers is a replica, or follows a primary that was replaced.
    NonePromoted,
    /// Two servers of one history take writes: each may have what the other has not.
    TwoOfOneHistory,
}

impl NoLeader {
    /// What is wrong and what to do, for whoever reads the log.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Unseen => "not all servers have been looked at yet",
            Self::Unreachable => "no server that is named in the settings can be reached",
            Self::NonePromoted => {
                "no server that is named in the settings is the primary: promote a replica, or \
                 name the primary"
            }
            Self::TwoOfOneHistory => {
                "two servers take writes on one timeline, so none is written to: stop the wrong one"
            }
        }
    }
}

/// A replica that can be read, as the view has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    /// What can be read there, at least.
    pub(crate) lsn: u64,
    /// Bytes of log a second that it replays.
    pub(crate) replayed_per_second: f64,
    /// How old what it answers is at most; none while there is no primary to be behind of.
    pub(crate) staleness: Option<Duration>,
}

impl View {
    /// Of so many servers that nobody has looked at.
    pub(crate) fn new(servers: usize, interval: Duration) -> Self {
        let servers = vec![Seen::default(); servers];
        Self { servers, leader: Err(NoLeader::Unseen), furthest: None, interval }
    }

    /// The view after a look at a server, which may have come to nothing.
    #[must_use]
    pub(crate) fn with(&self, server: usize, found: Option<Look>, now: Instant) -> Self {
        let mut next = self.clone();
        let seen = &mut next.servers[server];
        seen.is_away = found.is_none();
        if let Some(look) = found {
            if let Some(last) = seen.look {
                let seconds = look.at.saturating_duration_since(last.at).as_secs_f64();
                if last.history.system == look.history.system && seconds > 0.0 {
                    let rate = look.lsn.saturating_sub(last.lsn) as f64 / seconds;
                    seen.replayed_per_second += NEWEST * (rate - seen.replayed_per_second);
                }
            }
            seen.look = Some(look);
        }
        next.lead(now);
        next
    }

    /// The highest timeline wins, for ever: a primary that was replaced and comes back is none. The
    /// first system that led is the one: another database behind one of the addresses is not ours.
    fn lead(&mut self, now: Instant) {
        let primaries = self.servers.iter().enumerate().filter_map(|(server, seen)| {
            let look = seen.look.filter(|look| look.is_primary() && !self.is_old(look, now))?;
            let is_ours = self.furthest.is_none_or(|known| {
                known.system == look.history.system && known.timeline <= look.history.timeline
            });
            is_ours.then_some((look.history, server))
        });
        let primaries: Vec<(History, usize)> = primaries.collect();
        let highest = primaries.iter().map(|(history, _)| history.timeline).max();
        let mut leaders = primaries.iter().filter(|(history, _)| Some(history.timeline) == highest);
        self.leader = match (leaders.next(), leaders.next()) {
            (Some(&(history, server)), None) => {
                self.furthest = Some(history);
                Ok(server)
            }
            (Some(&(history, _)), Some(_)) => {
                self.furthest = Some(history);
                Err(NoLeader::TwoOfOneHistory)
            }
            // It may only be unreachable: it leads until it says otherwise or another one does.
            (None, _) => match self.leader {
                Ok(server) if self.may_still_lead(server) => Ok(server),
                Err(NoLeader::Unseen) if self.servers.iter().any(Seen::is_untried) => {
                    Err(NoLeader::Unseen)
                }
                Err(NoLeader::TwoOfOneHistory) => Err(NoLeader::TwoOfOneHistory),
                Err(_) if self.servers.iter().all(|seen| seen.look.is_none()) => {
                    Err(NoLeader::Unreachable)
                }
                Ok(_) | Err(_) => Err(NoLeader::NonePromoted),
            },
        };
    }

    fn may_still_lead(&self, server: usize) -> bool {
        let look = self.servers[server].look;
        look.is_some_and(|look| look.is_primary() && Some(look.history) == self.furthest)
    }

    /// Whether a look is too old to say anything.
    pub(crate) fn is_old(&self, look: &Look, now: Instant) -> bool {
        now.saturating_duration_since(look.at) > self.interval * INTERVALS
    }

    /// Who is written to.
    pub(crate) const fn leader(&self) -> Result<usize, NoLeader> {
        self.leader
    }

    /// The history in which the leader writes.
    pub(crate) const fn history(&self) -> Option<History> {
        self.furthest
    }

    /// What is known of each server, in the order of the settings.
    pub(crate) fn servers(&self) -> &[Seen] {
        &self.servers
    }

    /// Between two looks at a server.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// The leader's newest look.
    pub(crate) fn primary(&self) -> Option<&Look> {
        self.servers[self.leader.ok()?].look.as_ref()
    }

    /// Whether there is a primary that answers: while there is none, nothing new can be missed.
    fn has_primary(&self, now: Instant) -> bool {
        let seen = self.leader.ok().map(|server| self.servers[server]);
        seen.is_some_and(|seen| {
            !seen.is_away && seen.look.is_some_and(|look| !self.is_old(&look, now))
        })
    }

    /// Where a replica stands, or why it can't be read.
    pub(crate) fn standing(&self, server: usize, now: Instant) -> Result<Standing, RouteReason> {
        let seen = &self.servers[server];
        let look = seen.look.filter(|look| !self.is_old(look, now));
        let look = look.ok_or(RouteReason::Unseen)?;
        let Role::Replica { feed } = look.role else { return Err(RouteReason::Promoted) };
        if Some(look.history) != self.furthest {
            return Err(RouteReason::OtherHistory);
        }
        let has_primary = self.has_primary(now);
        let is_fed = match feed {
            Feed::Heard(ago) => ago <= SILENCE_MAX.max(self.interval * SILENT_INTERVALS),
            Feed::Gone => false,
            Feed::Hidden => true,
        };
        if has_primary && !is_fed {
            return Err(RouteReason::Disconnected);
        }
        Ok(Standing {
            lsn: look.lsn,
            replayed_per_second: seen.replayed_per_second,
            staleness: has_primary.then(|| self.staleness(&look, now)),
        })
    }

    /// How old what a replica answers is at most. It has everything up to the last heartbeat that
    /// can be read there; if it has all that the primary had when that was looked at, it is only
    /// as old as that look. The time of the last replayed transaction would grow on an idle one.
    fn staleness(&self, look: &Look, now: Instant) -> Duration {
        let Some(primary) = self.primary() else { return Duration::MAX };
        let by_beat = look.beat.map_or(Duration::MAX, |beat| {
            let age = primary.clock_at(now).duration_since(beat);
            Duration::try_from(age).unwrap_or(Duration::ZERO)
        });
        let has_all = look.lsn >= primary.lsn;
        let by_lsn = has_all.then(|| now.saturating_duration_since(primary.at));
        by_lsn.map_or(by_beat, |age| age.min(by_beat))
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
pub(super) mod tests;
