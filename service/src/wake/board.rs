//! Which shard has its turn next. Each shard is worked on by one runner of the process at a time;
//! a turn ends by saying when the next one is. Under load the shard with the most work is taken
//! first, so that batches grow, but none waits much longer than the others.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A shard that is overdue by this much is taken before one with more work. A few times what a
/// turn takes.
const PATIENCE: Duration = Duration::from_millis(40);
/// When a turn failed, or was given up, the shard has its next one after this.
const AFTER_FAILURE: Duration = Duration::from_millis(250);

/// The turns of one stage.
pub(crate) struct Board {
    slots: Mutex<Vec<Slot>>,
    changed: Notify,
}

#[derive(Debug, Clone)]
struct Slot {
    /// When the next turn is.
    at: Instant,
    /// No turn before this, whoever asks for one.
    not_before: Instant,
    /// How many items are known to wait; there may be more.
    waiting: usize,
    /// Someone has the turn.
    busy: bool,
    /// Asked for while someone had the turn.
    asked: Option<Instant>,
}

impl Board {
    /// All shards have a turn at once.
    pub(super) fn new(shard_count: i16) -> Self {
        let now = Instant::now();
        let slot = Slot { at: now, not_before: now, waiting: 0, busy: false, asked: None };
        let slots = vec![slot; usize::try_from(shard_count).unwrap_or(0)];
        Self { slots: Mutex::new(slots), changed: Notify::new() }
    }

    /// A shard shall have its turn by then.
    pub(crate) fn advance(&self, shard: i16, at: Instant) {
        self.ask(shard, at, 0);
    }

    /// So many more items wait in a shard.
    pub(super) fn add(&self, shard: i16, items: usize) {
        self.ask(shard, Instant::now(), items);
    }

    fn ask(&self, shard: i16, at: Instant, items: usize) {
        let mut slots = self.slots();
        let Some(slot) = usize::try_from(shard).ok().and_then(|i| slots.get_mut(i)) else {
            return;
        };
        slot.waiting += items;
        if slot.busy {
            slot.asked = Some(slot.asked.map_or(at, |asked| asked.min(at)));
            return;
        }
        let at = at.max(slot.not_before);
        if at < slot.at {
            slot.at = at;
            drop(slots);
            self.changed.notify_one();
        }
    }

    /// Items known to wait over all shards.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.slots().iter().map(|slot| slot.waiting).sum()
    }

    /// Waits for a turn.
    pub(crate) async fn take(&self) -> Turn<'_> {
        loop {
            let changed = self.changed.notified();
            match self.pick(Instant::now()) {
                Ok(turn) => return turn,
                Err(Some(at)) => {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = changed => {}
                    }
                }
                Err(None) => changed.await,
            }
        }
    }

    /// The best shard that is due, or when the next one is.
    fn pick(&self, now: Instant) -> Result<Turn<'_>, Option<Instant>> {
        let mut slots = self.slots();
        let free = || slots.iter().enumerate().filter(|(_, slot)| !slot.busy);
        let due = || free().filter(|(_, slot)| slot.at <= now);
        let oldest = due().min_by_key(|(_, slot)| slot.at);
        let Some((oldest, slot)) = oldest else {
            return Err(free().map(|(_, slot)| slot.at).min());
        };
        let is_late = now.duration_since(slot.at) > PATIENCE;
        let fullest = due().max_by_key(|(_, slot)| slot.waiting).map_or(oldest, |(at, _)| at);
        let index = if is_late { oldest } else { fullest };
        let others = due().count() > 1;
        let slot = &mut slots[index];
        slot.busy = true;
        slot.asked = None;
        let turn = Turn {
            board: self,
            shard: i16::try_from(index).expect("there are at most 1,024 shards"),
            waiting: slot.waiting,
            is_over: false,
        };
        drop(slots);
        if others {
            // Another runner may be asleep.
            self.changed.notify_one();
        }
        Ok(turn)
    }

    fn end(&self, shard: i16, next: Instant, not_before: Instant, took: Taken) {
        let mut slots = self.slots();
        let slot = &mut slots[usize::try_from(shard).expect("a turn has a shard of the board")];
        slot.busy = false;
        slot.waiting = match took {
            Taken::Some(items) => slot.waiting.saturating_sub(items).max(1),
            Taken::AllOf(items) => slot.waiting.saturating_sub(items),
        };
        slot.not_before = not_before;
        let asked = slot.asked.take();
        slot.at = asked.map_or(next, |asked| asked.min(next)).max(not_before);
        drop(slots);
        self.changed.notify_one();
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    /// That many, and there are more.
    Some(usize),
    /// All that were known when the turn began.
    AllOf(usize),
}

/// A shard's turn. Dropped before its end, the shard has another one a little later.
#[must_use]
pub(crate) struct Turn<'a> {
    board: &'a Board,
    /// Whose turn it is.
    pub(crate) shard: i16,
    /// How many items were known to wait.
    pub(crate) waiting: usize,
    is_over: bool,
}

impl Turn<'_> {
    /// All that was there was taken; the next turn is then, or when somebody asks for one.
    pub(crate) fn done(self, next: Instant) {
        self.rest(next, Duration::ZERO);
    }

    /// The same, and nobody gets a turn before the pause is over.
    pub(crate) fn rest(mut self, next: Instant, pause: Duration) {
        self.is_over = true;
        let not_before = Instant::now() + pause;
        self.board.end(self.shard, next, not_before, Taken::AllOf(self.waiting));
    }

    /// So many were taken, and there are more: the next turn is at once.
    pub(crate) fn more(mut self, taken: usize) {
        self.is_over = true;
        let now = Instant::now();
        self.board.end(self.shard, now, now, Taken::Some(taken));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let later = Instant::now() + AFTER_FAILURE;
            self.board.end(self.shard, later, later, Taken::Some(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn settled(shards: i16) -> Board {
        let board = Board::new(shards);
        for _ in 0..shards {
            board.take().await.done(Instant::now() + 60 * SECOND);
        }
        board
    }

    async fn is_idle(board: &Board, for_: Duration) -> bool {
        tokio::time::timeout(for_, board.take()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_when_it_said_or_when_asked_for() {
        let board = settled(2).await;
        assert!(is_idle(&board, 59 * SECOND).await);
        board.advance(1, Instant::now());
        let turn = board.take().await;
        assert_eq!(turn.shard, 1);
        // Asked for while it is taken: again right after.
        board.advance(1, Instant::now());
        assert!(is_idle(&board, SECOND / 2).await);
        turn.done(Instant::now() + 60 * SECOND);
        assert_eq!(board.take().await.shard, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_fullest_first_but_none_waits_long() {
        let board = settled(3).await;
        board.add(0, 1);
        board.add(1, 50);
        board.add(2, 7);
        let turn = board.take().await;
        assert_eq!((turn.shard, turn.waiting), (1, 50));
        turn.more(20);
        assert_eq!(board.waiting(), 38);
        tokio::time::advance(PATIENCE * 2).await;
        assert_eq!(board.take().await.shard, 0, "longest overdue");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_kept_whoever_asks() {
        let board = settled(1).await;
        board.advance(0, Instant::now());
        let turn = board.take().await;
        turn.rest(Instant::now() + 60 * SECOND, SECOND);
        board.advance(0, Instant::now());
        assert!(is_idle(&board, SECOND / 2).await);
        assert_eq!(board.take().await.shard, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_failed_comes_again() {
        let board = settled(1).await;
        board.advance(0, Instant::now());
        drop(board.take().await);
        assert!(is_idle(&board, AFTER_FAILURE / 2).await);
        assert_eq!(board.take().await.shard, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn two_runners_have_two_shards() {
        let board = settled(2).await;
        let (first, second) = tokio::join!(board.take(), async {
            tokio::task::yield_now().await;
            board.advance(0, Instant::now());
            board.advance(1, Instant::now());
            board.take().await
        });
        assert_ne!(first.shard, second.shard);
    }
}
