//! Backlogs of a size and shape in one shard, made by seeds, and single batches out of them.

use std::time::{Duration, Instant};

use contract::Stage;
use jiff::Timestamp;

use super::{Shape, Step};
use crate::bench::Failed;
use crate::bench::door::{Door, Statement};
use crate::bench::ground::Ground;
use crate::bench::progress::Progress;
use crate::stages::alone::{Alone, Sent};

/// All of it is in one shard, of as many practices as a large country's has.
pub(super) const SHARD: i16 = 0;
const PRACTICES: i64 = 1_000;

/// Messages in a batch that is measured, batches before, until PostgreSQL has settled on its
/// plans (it weighs them five times), and batches that are measured.
pub(super) const BATCH: usize = 100;
pub(super) const WARM_UP: usize = 6;
pub(super) const MEASURED: usize = 5;
/// Batches of what only has to be completed.
const FILL: usize = 1_000;

/// What the backlog is due and ready from on; a million of them fill a quarter of an hour.
const FROM: &str = "2026-01-05T09:00:00Z";
/// What time it is, in domain time: the practices are open.
pub(super) const NOW: &str = "2026-01-05T19:00:00Z";
/// From when on, and over how many seconds, intents lie in the future.
const AHEAD: &str = "2026-01-06T09:00:00Z";
const AHEAD_SECONDS: f64 = 150.0 * 86_400.0;
/// From when on lanes do; they are ready in real time.
const LATER: &str = "2900-01-01T00:00:00Z";

/// An instant of the above.
pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("the instants above are written as they should be")
}

/// What a backlog is made with.
pub(super) struct Backlog<'a> {
    pub(super) ground: &'a Ground,
    pub(super) alone: &'a Alone,
    pub(super) progress: &'a Progress,
}

impl Backlog<'_> {
    /// Fills the empty tables so that `depth` is pending. The connection returned holds the old
    /// snapshot where there is one.
    pub(super) async fn make(
        &self,
        step: Step,
        shape: Shape,
        depth: u32,
        completions: u32,
    ) -> Result<Option<Door>, Failed> {
        let door = &self.ground.door;
        door.rows(Statement::Clear, &[]).await?;
        door.rows(Statement::LowerFloors, &[]).await?;
        door.rows(Statement::SeedPractice, &[&SHARD, &PRACTICES]).await?;
        let depth = i64::from(depth);
        let size = if shape == Shape::Pinned { depth + i64::from(completions) } else { depth };
        let needed = i64::try_from(BATCH * (WARM_UP + MEASURED + 1)).unwrap_or(i64::MAX);
        let near = if shape == Shape::Future { needed.min(size) } else { size };
        let busy = if shape == Shape::Busy { size / 2 } else { 0 };
        self.seed(step, 0..near, busy, at(FROM), "1 millisecond").await?;
        match step {
            Step::Release => {
                let apart = format!("{:.6} seconds", AHEAD_SECONDS / size as f64);
                self.seed(step, near..size, 0, at(AHEAD), &apart).await?;
            }
            Step::Claim => self.seed(step, near..size, 0, at(LATER), "1 second").await?,
        }
        door.rows(Statement::Analyze, &[]).await?;
        if shape != Shape::Pinned {
            self.alone.raise_floors(SHARD).await?;
            return Ok(None);
        }
        let pinned = Door::open(&self.ground.settings).await?;
        pinned.rows(Statement::Begin, &[]).await?;
        pinned.rows(Statement::Look, &[]).await?;
        self.complete(step, usize::try_from(completions).unwrap_or(usize::MAX)).await?;
        Ok(Some(pinned))
    }

    async fn seed(
        &self,
        step: Step,
        range: std::ops::Range<i64>,
        busy: i64,
        from: Timestamp,
        apart: &str,
    ) -> Result<(), Failed> {
        if range.is_empty() {
            return Ok(());
        }
        let statement = match step {
            Step::Release => Statement::SeedIntent,
            Step::Claim => Statement::SeedLane,
        };
        let (first, end) = (range.start, range.end);
        self.ground
            .door
            .rows(statement, &[&SHARD, &PRACTICES, &first, &end, &busy, &from, &apart])
            .await?;
        Ok(())
    }

    /// Takes so many through, raising the floors as often as the service does.
    async fn complete(&self, step: Step, completions: usize) -> Result<(), Failed> {
        let period = Duration::from_millis(u64::from(Stage::Floor.spec().period_ms));
        let (mut done, mut raised) = (0, None::<Instant>);
        while done < completions {
            if raised.is_none_or(|at| at.elapsed() >= period) {
                self.alone.raise_floors(SHARD).await?;
                raised = Some(Instant::now());
            }
            let n = self.batch(step, FILL.min(completions - done)).await?;
            if n == 0 {
                return Err(Failed::Wrong("nothing is left to complete".into()));
            }
            done += n;
            self.progress.add(n);
        }
        self.alone.raise_floors(SHARD).await?;
        Ok(())
    }

    /// A whole batch.
    pub(super) async fn batch(&self, step: Step, n: usize) -> Result<usize, Failed> {
        let (done, rest) = self.begin(step, n).await?;
        self.end(rest).await?;
        Ok(done)
    }

    /// The part of a batch that is measured; the rest of it is left to `end`.
    pub(super) async fn begin(&self, step: Step, n: usize) -> Result<(usize, Vec<Sent>), Failed> {
        match step {
            Step::Release => {
                // The last family of a full batch is left for the next, as it may be cut.
                let n = u32::try_from(n + 1).unwrap_or(u32::MAX);
                let released = self.alone.release(SHARD, n).await?;
                Ok((released.map_or(0, |released| released.texts), Vec::new()))
            }
            Step::Claim => {
                let claimed = self.alone.claim(SHARD, n).await?;
                Ok((claimed.lanes, claimed.sent))
            }
        }
    }

    /// Settles what was claimed.
    pub(super) async fn end(&self, rest: Vec<Sent>) -> Result<(), Failed> {
        if !rest.is_empty() {
            self.alone.settle(SHARD, rest).await?;
        }
        Ok(())
    }

    /// Whoever has half of the backlog is in the next batch.
    pub(super) async fn let_the_busy_one_come_forward(&self) -> Result<(), Failed> {
        self.ground.door.rows(Statement::ComeForward, &[&SHARD]).await?;
        Ok(())
    }
}
