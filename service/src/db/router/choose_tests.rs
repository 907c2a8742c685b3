//! Where reads go, by the servers of [`World`].

#![allow(clippy::unwrap_used)]
use super::*;
use crate::db::router::token::Token;
use crate::db::router::view::tests::{World, history};
use std::cell::Cell;

/// What each server has to do, which are broken, and what is drawn.
struct Fixed {
    in_flight: [usize; 4],
    broken: [bool; 4],
    drawn: Cell<usize>,
}

impl Load for Fixed {
    fn in_flight(&self, server: usize) -> usize {
        self.in_flight[server]
    }
    fn is_broken(&self, server: usize, _: Instant) -> bool {
        self.broken[server]
    }
    fn draw(&self, n: usize) -> usize {
        self.drawn.get() % n
    }
}

fn idle() -> Fixed {
    Fixed { in_flight: [0; 4], broken: [false; 4], drawn: Cell::new(0) }
}

fn ask(after: After) -> Ask {
    let (staleness_max, patience) = (Duration::from_secs(10), Duration::from_millis(50));
    Ask { after, staleness_max, patience }
}

fn at(timeline: u32, lsn: u64) -> After {
    After::At(Token { history: history(timeline), lsn })
}

fn server_of(world: &World, ask: &Ask, load: &Fixed) -> Result<usize, RouteReason> {
    match choose(&world.view, ask, Instant::now(), load) {
        Choice::Replica { server, .. } => Ok(server),
        Choice::Primary(reason) => Err(reason),
    }
}

const MB: u64 = 1_000_000;

#[tokio::test(start_paused = true)]
async fn alone_the_primary_answers() {
    let mut world = World::new(1);
    world.primary(0, 1, 100);
    for after in [After::Nothing, at(1, 50), at(2, 50), After::Several] {
        let found = server_of(&world, &ask(after), &idle());
        assert_eq!(found, Err(RouteReason::NoReplica), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_answered_where_it_is_replayed_or_nearly() {
    let mut world = World::new(3);
    world.primary(0, 1, 200 * MB);
    world.replica(1, 1, 100 * MB);
    world.replica(2, 1, 150 * MB);
    let found = |lsn| server_of(&world, &ask(at(1, lsn)), &idle());
    assert_eq!(found(120 * MB), Ok(2), "only one has it");
    assert_eq!(found(150 * MB + 1), Ok(2), "the nearest is waited for");
    assert_eq!(found(200 * MB), Err(RouteReason::Behind), "three seconds of replay");
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_keep_up_is_not_waited_for_however_near() {
    let mut world = World::new(2);
    world.primary(0, 1, 200);
    world.replica_behind(1, 1, 100, Duration::from_secs(2));
    assert_eq!(server_of(&world, &ask(at(1, 101)), &idle()), Err(RouteReason::Behind));
    assert_eq!(server_of(&world, &ask(at(1, 100)), &idle()), Ok(1));
    assert_eq!(server_of(&world, &ask(After::Nothing), &idle()), Ok(1));
    world.replica_behind(1, 1, 100, Duration::from_secs(11));
    assert_eq!(server_of(&world, &ask(After::Nothing), &idle()), Err(RouteReason::Lagging));
    assert_eq!(server_of(&world, &ask(at(1, 100)), &idle()), Err(RouteReason::Lagging));
    // However old it is, that it lacks the write is what is counted.
    assert_eq!(server_of(&world, &ask(at(1, 101)), &idle()), Err(RouteReason::Behind));
}

/// What is too old is not shown because the primary is busy.
#[tokio::test(start_paused = true)]
async fn a_bound_holds_while_the_primary_takes_its_time_to_answer() {
    let mut world = World::new(2);
    world.primary(0, 1, 200);
    tokio::time::advance(Duration::from_millis(1_900)).await;
    world.replica_behind(1, 1, 100, Duration::from_secs(11));
    assert_eq!(server_of(&world, &ask(After::Nothing), &idle()), Err(RouteReason::Lagging));
    world.saw(0, None);
    assert_eq!(server_of(&world, &ask(After::Nothing), &idle()), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_history_goes_to_the_primary() {
    let mut world = World::new(2);
    world.primary(0, 2, 100);
    world.replica(1, 2, 100);
    for after in [at(1, 50), at(3, 50), After::Several] {
        let found = server_of(&world, &ask(after), &idle());
        assert_eq!(found, Err(RouteReason::OtherHistory), "{after:?}");
    }
    assert_eq!(server_of(&world, &ask(at(2, 50)), &idle()), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn of_two_the_one_with_less_to_do_is_taken() {
    let mut world = World::new(3);
    world.primary(0, 1, 100);
    world.replica(1, 1, 100);
    world.replica(2, 1, 100);
    for (in_flight, drawn, expected) in
        [([0, 3, 1, 0], 0, 2), ([0, 1, 3, 0], 1, 1), ([0; 4], 0, 1), ([0; 4], 1, 2)]
    {
        let load = Fixed { in_flight, drawn: Cell::new(drawn), ..idle() };
        assert_eq!(server_of(&world, &ask(After::Nothing), &load), Ok(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_any_two_are_drawn() {
    let mut world = World::new(4);
    world.primary(0, 1, 100);
    (1..4).for_each(|server| world.replica(server, 1, 100));
    // The third takes the place that is drawn, or none; then the idle one of the two is taken.
    for (drawn, in_flight, expected) in
        [(0, [0, 0, 5, 1], 3), (1, [0, 5, 0, 1], 3), (2, [0, 5, 1, 0], 2)]
    {
        let load = Fixed { in_flight, drawn: Cell::new(drawn), ..idle() };
        assert_eq!(server_of(&world, &ask(After::Nothing), &load), Ok(expected), "{drawn}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_one_is_left_alone_and_the_nearest_reason_is_told() {
    let mut world = World::new(3);
    world.primary(0, 1, 100);
    world.replica(1, 1, 100);
    let load = Fixed { broken: [false, true, false, false], ..idle() };
    assert_eq!(server_of(&world, &ask(After::Nothing), &load), Err(RouteReason::BreakerOpen));
    world.replica_behind(2, 1, 50, Duration::from_secs(60));
    assert_eq!(server_of(&world, &ask(After::Nothing), &load), Err(RouteReason::Lagging));
    world.replica(2, 1, 100);
    assert_eq!(server_of(&world, &ask(After::Nothing), &load), Ok(2));
}

#[tokio::test(start_paused = true)]
async fn without_a_primary_whoever_has_most_is_read_however_old() {
    let mut world = World::new(3);
    world.primary(0, 1, 100);
    tokio::time::advance(Duration::from_secs(60)).await;
    world.replica_behind(1, 1, 80, Duration::from_secs(3_600));
    world.replica_behind(2, 1, 90, Duration::from_secs(60));
    for drawn in 0..2 {
        let load = Fixed { drawn: Cell::new(drawn), in_flight: [0, 0, 9, 0], ..idle() };
        assert_eq!(server_of(&world, &ask(After::Nothing), &load), Ok(2));
    }
}

#[tokio::test(start_paused = true)]
async fn with_two_primaries_of_one_timeline_a_token_says_nothing() {
    let mut world = World::new(3);
    world.primary(0, 1, 100);
    world.replica(2, 1, 100);
    assert_eq!(server_of(&world, &ask(at(1, 50)), &idle()), Ok(2));
    world.primary(1, 1, 100);
    let found = server_of(&world, &ask(at(1, 50)), &idle());
    assert_eq!(found, Err(RouteReason::OtherHistory));
    assert_eq!(server_of(&world, &ask(After::Nothing), &idle()), Ok(2));
}
