//! What follows from looks, in a world of made-up servers whose time stands still between them.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::db::router::look::Look;
use crate::db::router::token::Token;
use jiff::{SignedDuration, Timestamp};

/// Servers 0, 1 and 2, of one database, looked at every 250 ms.
pub(in crate::db::router) const INTERVAL: Duration = Duration::from_millis(250);

pub(in crate::db::router) fn history(timeline: u32) -> History {
    History { system: 77, timeline }
}

/// The primary's time at an instant, in a test that began at `began`.
fn clock(began: Instant, at: Instant) -> Timestamp {
    let passed = SignedDuration::try_from(at.duration_since(began)).unwrap();
    "2027-03-09T07:00:00Z".parse::<Timestamp>().unwrap() + passed
}

/// A test's servers.
pub(in crate::db::router) struct World {
    began: Instant,
    /// When the server was started that is looked at next.
    started: Timestamp,
    pub(in crate::db::router) view: View,
}

impl World {
    pub(in crate::db::router) fn new(servers: usize) -> Self {
        Self::looked_at(servers, INTERVAL)
    }

    /// Whose servers are looked at more seldom, or more often.
    fn looked_at(servers: usize, interval: Duration) -> Self {
        let started = "2027-03-01T00:00:00Z".parse().unwrap();
        Self { began: Instant::now(), started, view: View::new(servers, interval) }
    }

    fn look(&self, timeline: u32, lsn: u64, role: Role, beat_ago: Duration) -> Look {
        let at = Instant::now();
        let clock = clock(self.began, at);
        let beat = Some(clock - SignedDuration::try_from(beat_ago).unwrap());
        Look { at, started: self.started, history: history(timeline), lsn, clock, beat, role }
    }

    pub(in crate::db::router) fn saw(&mut self, server: usize, found: Option<Look>) {
        let started = self.started + SignedDuration::from_mins(server as i64);
        let found = found.map(|look| Look { started, ..look });
        self.view = self.view.with(server, found, Instant::now());
    }

    pub(in crate::db::router) fn primary(&mut self, server: usize, timeline: u32, lsn: u64) {
        let look = self.look(timeline, lsn, Role::Primary, Duration::ZERO);
        self.saw(server, Some(look));
    }

    pub(in crate::db::router) fn replica(&mut self, server: usize, timeline: u32, lsn: u64) {
        self.replica_behind(server, timeline, lsn, Duration::from_millis(200));
    }

    pub(in crate::db::router) fn replica_behind(
        &mut self,
        server: usize,
        timeline: u32,
        lsn: u64,
        beat_ago: Duration,
    ) {
        let role = Role::Replica { feed: Feed::Heard(Duration::from_millis(10)) };
        let look = self.look(timeline, lsn, role, beat_ago);
        self.saw(server, Some(look));
    }

    pub(in crate::db::router) fn with_feed(&mut self, server: usize, feed: Feed) {
        let look = self.look(1, 100, Role::Replica { feed }, Duration::from_millis(200));
        self.saw(server, Some(look));
    }

    fn standing(&self, server: usize) -> Result<Standing, RouteReason> {
        self.view.standing(server, Instant::now())
    }
}

async fn pass(millis: u64) {
    tokio::time::advance(Duration::from_millis(millis)).await;
}

#[tokio::test(start_paused = true)]
async fn the_one_that_takes_writes_leads_wherever_it_stands_in_the_settings() {
    let mut world = World::new(3);
    assert_eq!(world.view.leader(), Err(NoLeader::Unseen));
    world.replica(0, 1, 90);
    assert_eq!(world.view.leader(), Err(NoLeader::Unseen));
    world.saw(1, None);
    assert_eq!(world.view.leader(), Err(NoLeader::Unseen));
    world.replica(2, 1, 90);
    assert_eq!(world.view.leader(), Err(NoLeader::NonePromoted));
    world.primary(2, 1, 100);
    assert_eq!(world.view.leader(), Ok(2));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_reached_nobody_is_said_to_be_a_replica() {
    let mut world = World::new(2);
    world.saw(0, None);
    assert_eq!(world.view.leader(), Err(NoLeader::Unseen));
    world.saw(1, None);
    assert_eq!(world.view.leader(), Err(NoLeader::Unreachable));
    world.replica(1, 1, 90);
    assert_eq!(world.view.leader(), Err(NoLeader::NonePromoted));
}

#[tokio::test(start_paused = true)]
async fn it_leads_while_it_is_only_away() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    world.replica(1, 1, 100);
    for _ in 0..20 {
        pass(250).await;
        world.saw(0, None);
        world.replica_behind(1, 1, 100, Duration::from_secs(60));
    }
    assert_eq!(world.view.leader(), Ok(0));
    assert!(world.standing(1).is_ok(), "it is read on");
    assert!(!world.view.has_primary(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_promoted_replica_leads_and_the_old_primary_never_again() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    world.replica(1, 1, 100);
    world.saw(0, None);
    world.primary(1, 2, 110);
    assert_eq!(world.view.leader(), Ok(1));
    world.primary(0, 1, 300);
    assert_eq!(world.view.leader(), Ok(1));
    assert_eq!(world.standing(0), Err(RouteReason::Promoted));
    // Also when the new one can't be reached for a while.
    pass(2_000).await;
    world.saw(1, None);
    world.primary(0, 1, 301);
    assert_eq!(world.view.leader(), Ok(1));
    // It comes back as a follower of the new one.
    world.replica(0, 1, 100);
    assert_eq!(world.standing(0), Err(RouteReason::OtherHistory));
    world.replica(0, 2, 120);
    assert!(world.standing(0).is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_failed_look_loses_no_primary() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    world.saw(0, None);
    assert!(world.view.has_primary(Instant::now()));
    world.with_feed(1, Feed::Gone);
    assert_eq!(world.standing(1), Err(RouteReason::Disconnected));
}

/// It is busy: a look that it doesn't answer at all fails, and then it is away.
#[tokio::test(start_paused = true)]
async fn one_that_takes_its_time_to_answer_is_there() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    pass(1_900).await;
    world.with_feed(1, Feed::Gone);
    assert!(world.view.has_primary(Instant::now()));
    assert_eq!(world.standing(1), Err(RouteReason::Disconnected));
    world.saw(0, None);
    assert!(!world.view.has_primary(Instant::now()));
    assert!(world.standing(1).is_ok(), "it is read on");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_seldom_looked_at_is_there_between_two_looks() {
    let mut world = World::looked_at(2, Duration::from_secs(4));
    world.primary(0, 1, 100);
    // Longer than whoever hangs is waited for, and shorter than a look holds.
    pass(11_900).await;
    assert!(world.view.has_primary(Instant::now()));
    assert!(!world.view.is_hung(Instant::now()));
    pass(200).await;
    assert!(!world.view.has_primary(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_follows_another_primary_says_that_ours_was_replaced() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    world.replica(1, 2, 110);
    assert_eq!(world.view.leader(), Err(NoLeader::NonePromoted));
    world.primary(0, 1, 101);
    assert_eq!(world.view.leader(), Err(NoLeader::NonePromoted));
}

#[tokio::test(start_paused = true)]
async fn two_names_of_one_server_are_one() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    let look = world.look(1, 100, Role::Primary, Duration::ZERO);
    world.view = world.view.with(0, Some(look), Instant::now());
    world.view = world.view.with(1, Some(look), Instant::now());
    assert_eq!(world.view.leader(), Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_from_a_clock_that_is_ahead_says_nothing() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    let role = Role::Replica { feed: Feed::Heard(Duration::ZERO) };
    for (ahead, expected) in [(1, Duration::ZERO), (2, Duration::MAX)] {
        let mut look = world.look(1, 90, role, Duration::ZERO);
        look.beat = look.beat.map(|beat| beat + SignedDuration::from_secs(ahead));
        world.saw(1, Some(look));
        assert_eq!(world.standing(1).unwrap().staleness, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn two_that_take_writes_on_one_timeline_are_written_to_by_nobody() {
    let mut world = World::new(3);
    world.primary(0, 1, 100);
    world.primary(1, 2, 110);
    world.replica(2, 2, 110);
    assert_eq!(world.view.leader(), Ok(1));
    world.primary(0, 2, 105);
    assert_eq!(world.view.leader(), Err(NoLeader::TwoOfOneHistory));
    assert!(world.standing(2).is_ok(), "what may be stale is read on");
    // Also while one of them is slow to answer.
    pass(2_000).await;
    world.primary(1, 2, 111);
    assert_eq!(world.view.leader(), Err(NoLeader::TwoOfOneHistory));
    // One of them is seen to be something else.
    world.replica(0, 2, 105);
    world.primary(1, 2, 111);
    assert_eq!(world.view.leader(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn another_database_behind_an_address_is_none_of_ours() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    let mut look = world.look(9, 500, Role::Primary, Duration::ZERO);
    look.history.system = 78;
    world.saw(1, Some(look));
    assert_eq!(world.view.leader(), Ok(0));
    look.role = Role::Replica { feed: Feed::Heard(Duration::ZERO) };
    world.saw(1, Some(look));
    assert_eq!(world.standing(1), Err(RouteReason::OtherHistory));
}

#[tokio::test(start_paused = true)]
async fn what_a_reader_shows_is_foreign_unless_it_is_of_the_leaders_history() {
    let token = |system, timeline| Token { history: History { system, timeline }, lsn: 50 };
    let mut world = World::new(2);
    assert!(!world.view.is_foreign(After::At(token(1, 1))), "nobody knows yet");
    world.primary(0, 2, 100);
    for (after, expected) in [
        (After::Nothing, false),
        (After::At(token(77, 2)), false),
        (After::At(token(77, 1)), true),
        (After::At(token(1, 2)), true),
        (After::Several, true),
    ] {
        assert_eq!(world.view.is_foreign(after), expected, "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_demoted_primary_leaves_nobody_to_write_to() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    world.replica(0, 1, 100);
    assert_eq!(world.view.leader(), Err(NoLeader::NonePromoted));
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_three_intervals_says_nothing() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    assert_eq!(world.standing(1), Err(RouteReason::Unseen));
    world.replica(1, 1, 100);
    pass(750).await;
    assert!(world.standing(1).is_ok());
    pass(1).await;
    assert_eq!(world.standing(1), Err(RouteReason::Unseen));
}

#[tokio::test(start_paused = true)]
async fn one_that_receives_nothing_is_not_read_however_much_it_has() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    for (feed, expected) in [
        (Feed::Heard(Duration::from_secs(5)), None),
        (Feed::Heard(Duration::from_millis(5_001)), Some(RouteReason::Disconnected)),
        (Feed::Gone, Some(RouteReason::Disconnected)),
        (Feed::Hidden, None),
    ] {
        world.with_feed(1, feed);
        assert_eq!(world.standing(1).err(), expected, "{feed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn staleness_is_honest_when_idle_and_when_behind() {
    let mut world = World::new(2);
    world.primary(0, 1, 100);
    // Behind by what was written in the last second.
    world.replica_behind(1, 1, 90, Duration::from_secs(1));
    assert_eq!(world.standing(1).unwrap().staleness, Duration::from_secs(1));
    pass(100).await;
    assert_eq!(world.standing(1).unwrap().staleness, Duration::from_millis(1_100));
    // It has all that the primary had 100 ms ago, however long ago the heartbeat was.
    world.replica_behind(1, 1, 100, Duration::from_secs(3_600));
    assert_eq!(world.standing(1).unwrap().staleness, Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_are_what_the_primary_had_and_the_replica_had_not() {
    let mut world = World::new(2);
    let bytes = |world: &World| world.view.behind(1, Instant::now()).map(|behind| behind.bytes);
    assert_eq!(bytes(&world), None, "nobody has looked at it");
    world.replica(1, 1, 90);
    assert_eq!(bytes(&world), Some(None), "nor at a primary");
    let far = u64::MAX - 1;
    for (primary, replica, behind) in [(100, 90, 10), (100, 100, 0), (far, 100, far - 100)] {
        world.primary(0, 1, primary);
        world.replica(1, 1, replica);
        assert_eq!(bytes(&world), Some(Some(behind)), "{replica} of {primary}");
    }
    // The look at it is newer than the one at the primary.
    world.primary(0, 1, 100);
    world.replica(1, 1, 130);
    assert_eq!(bytes(&world), Some(Some(0)));
    // Of one that is away it is known what it had.
    world.saw(0, None);
    world.replica(1, 1, 80);
    assert_eq!(bytes(&world), Some(Some(20)));
    world.saw(1, None);
    assert_eq!(bytes(&world), Some(Some(20)), "by the last look at it");
    // It follows another one: their positions can't be compared.
    world.replica(1, 2, 90);
    assert_eq!(bytes(&world), Some(None));
    world.primary(1, 2, 140);
    assert_eq!(bytes(&world), None, "it leads");
    world.replica(0, 2, 120);
    let of_the_other = world.view.behind(0, Instant::now()).and_then(|behind| behind.bytes);
    assert_eq!(of_the_other, Some(20));
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_replay_follows_the_looks() {
    let mut world = World::new(2);
    world.primary(0, 1, 0);
    for n in 0..60 {
        world.replica(1, 1, n * 250_000);
        pass(250).await;
    }
    let rate = world.standing(1).unwrap().replayed_per_second;
    assert!((rate - 1e6).abs() < 1_000.0, "{rate}");
}
