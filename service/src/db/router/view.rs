//! What is known of all servers together, and what follows: who leads, who follows how far behind.
//! Each look makes a new view; a reader has one that doesn't change under its hands.
//!
//! Belongs here: facts and their age. Never here: which server a statement goes to (`choose`).

use std::time::Duration;

use contract::RouteReason;
use jiff::SignedDuration;
use tokio::time::Instant;

use super::look::{Feed, Look, Role};
use super::token::{After, History};

/// A look that is older than this many intervals says nothing any more.
const INTERVALS: u32 = 3;
/// A server that took writes and can't be reached is taken to do so for this long, unless it is
/// seen to be something else: two on one timeline are two also while one is slow to answer.
const LEADS_FOR: Duration = Duration::from_secs(60);
/// Whoever waits for a server that has been silent for so long waits in vain.
pub(super) const HUNG_AFTER: Duration = Duration::from_secs(5);
/// The clocks of two servers may differ by this much; a heartbeat from further ahead says nothing.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(1);
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
    /// The newest look at a server while it led.
    last_led: Option<Look>,
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

    /// Whether no look has come to something for longer than this.
    fn is_silent(&self, patience: Duration, now: Instant) -> bool {
        self.look.is_none_or(|look| now.saturating_duration_since(look.at) > patience)
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
    /// How old what it answers is at most.
    pub(crate) staleness: Duration,
}

/// How far a replica is behind, whether or not it can be read: by the last look at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Behind {
    /// Bytes of log that the primary's newest look had and its own had not; none where their
    /// positions can't be compared.
    pub(crate) bytes: Option<u64>,
    /// How old what it answers is at most.
    pub(crate) staleness: Duration,
}

impl View {
    /// Of so many servers that nobody has looked at.
    pub(crate) fn new(servers: usize, interval: Duration) -> Self {
        let servers = vec![Seen::default(); servers];
        Self { servers, leader: Err(NoLeader::Unseen), furthest: None, last_led: None, interval }
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

    /// The highest timeline wins, for ever: a primary that was replaced and comes back is none,
    /// also where only a replica says that it was replaced. The first system that led is the one:
    /// another database behind one of the addresses is not ours.
    fn lead(&mut self, now: Instant) {
        let looks = |view: &Self| -> Vec<(usize, Look)> {
            let seen = view.servers.iter().enumerate();
            let looks = seen.filter_map(|(server, seen)| Some((server, seen.look?)));
            let ours = view.furthest.map(|known| known.system);
            looks.filter(|(_, l)| ours.is_none_or(|ours| ours == l.history.system)).collect()
        };
        let first = looks(self).iter().map(|(_, look)| *look).find(Look::is_primary);
        self.furthest = self.furthest.or(first.map(|look| look.history));
        let highest = looks(self).iter().map(|(_, look)| look.history.timeline).max();
        if let (Some(known), Some(highest)) = (&mut self.furthest, highest) {
            known.timeline = known.timeline.max(highest);
        }
        let leaders: Vec<(usize, Look)> = looks(self)
            .into_iter()
            .filter(|(_, look)| look.is_primary() && Some(look.history) == self.furthest)
            .filter(|(_, look)| now.saturating_duration_since(look.at) <= LEADS_FOR)
            .collect();
        self.leader = match leaders.first() {
            // Several names of one server are one.
            Some((first, one)) if leaders.iter().all(|(_, look)| look.started == one.started) => {
                Ok(*first)
            }
            Some(_) => Err(NoLeader::TwoOfOneHistory),
            // It may only be unreachable: it leads until it says otherwise or another one does.
            None => match self.leader {
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
        self.last_led = self.primary().copied().or(self.last_led);
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

    /// Whether what a reader shows is of another history than the leader's: positions can't be
    /// compared, and nobody knows whether it was ever given out.
    pub(crate) fn is_foreign(&self, after: After) -> bool {
        match after {
            After::Nothing => false,
            After::At(token) => self.furthest.is_some_and(|ours| ours != token.history),
            After::Several => true,
        }
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
        self.leading()?.look.as_ref()
    }

    /// What is known of whoever leads.
    fn leading(&self) -> Option<&Seen> {
        Some(&self.servers[self.leader.ok()?])
    }

    /// Whether there is a primary: one that has answered lately, or that a look still waits for,
    /// which soon fails if it waits in vain. While there is none, no replica is held to an age.
    pub(crate) fn has_primary(&self, now: Instant) -> bool {
        let looks = self.interval * INTERVALS;
        self.leading().is_some_and(|seen| {
            // One that is seldom looked at isn't lost between two looks.
            let patience = if seen.is_away { looks } else { HUNG_AFTER.max(looks) };
            !seen.is_silent(patience, now)
        })
    }

    /// Whether the leader has been silent for so long that what is asked of it hangs as well. For a
    /// shorter time it is waited for: it may only be busy.
    pub(crate) fn is_hung(&self, now: Instant) -> bool {
        self.leader.is_ok_and(|server| self.hangs(server, now))
    }

    /// The same of any server.
    pub(crate) fn hangs(&self, server: usize, now: Instant) -> bool {
        let seen = &self.servers[server];
        seen.is_away && seen.look.is_some() && seen.is_silent(HUNG_AFTER, now)
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
        let is_fed = match feed {
            Feed::Heard(ago) => ago <= SILENCE_MAX.max(self.interval * SILENT_INTERVALS),
            Feed::Gone => false,
            Feed::Hidden => true,
        };
        if !is_fed && self.has_primary(now) {
            return Err(RouteReason::Disconnected);
        }
        Ok(Standing {
            lsn: look.lsn,
            replayed_per_second: seen.replayed_per_second,
            staleness: self.staleness(&look, now),
        })
    }

    /// How far a replica is behind; none for a primary, and where nothing was ever seen of it.
    pub(crate) fn behind(&self, server: usize, now: Instant) -> Option<Behind> {
        let look = self.servers[server].look.filter(|look| !look.is_primary())?;
        let primary = self.last_led.filter(|primary| primary.history == look.history);
        Some(Behind {
            bytes: primary.map(|primary| primary.lsn.saturating_sub(look.lsn)),
            staleness: self.staleness(&look, now),
        })
    }

    /// How old what a replica answers is at most. It has everything up to the last heartbeat that
    /// can be read there; if it has all that the primary had when that was looked at, it is only
    /// as old as that look. The time of the last replayed transaction would grow on an idle one.
    fn staleness(&self, look: &Look, now: Instant) -> Duration {
        let Some(primary) = self.last_led else { return Duration::MAX };
        let by_beat = look.beat.map_or(Duration::MAX, |beat| {
            let age = primary.clock_at(now).duration_since(beat);
            let is_ahead = age < -SKEW_MAX;
            let age = Duration::try_from(age).unwrap_or(Duration::ZERO);
            if is_ahead { Duration::MAX } else { age }
        });
        let has_all = look.history == primary.history && look.lsn >= primary.lsn;
        let by_lsn = has_all.then(|| now.saturating_duration_since(primary.at));
        by_lsn.map_or(by_beat, |age| age.min(by_beat))
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
pub(super) mod tests;
