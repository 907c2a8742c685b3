//! The stages of the work: what turns a booking into a receipt, and what keeps the house clean.
//! Each is measured by its lateness (when a thing was started minus when it was due), its
//! duration, its batch and what is in flight.
//!
//! Never here: how a stage works (`service/src/stages/<name>.rs`).

use crate::pool::Pool;
use crate::table::{is_snake_case, table};
use crate::tier::Tier;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// How much it matters.
    pub tier: Tier,
    /// Work is on time when started within this many milliseconds of being due.
    pub lateness_ms: u32,
    /// The share of work that must be on time, as a ratio.
    pub objective: f64,
    /// Most items in one batch.
    pub batch_max: u32,
    /// For periodic work, how often each shard has its turn; 0 for work that is woken.
    pub period_ms: u32,
    /// The pool whose connections it works with, one a task; none where it holds none of its own.
    pub pool: Option<Pool>,
    /// Tasks that do it side by side in a process, unless configured otherwise: two keep a
    /// connection busy while the other waits for the disk, and more only make its batches smaller.
    /// 1 for periodic work, which is always one task's; 0 for what has no tasks: a text is rendered
    /// within its release or its claim, and deliveries have a bound of their own.
    pub tasks: u32,
}

table! {
    /// A stage of the work.
    pub enum Stage: Spec;

    /// Plans the reminders of appointments in the transaction that takes them in. Lateness is the time from arrival to the start of the transaction.
    Plan = plan {
        tier: Tier::Critical, lateness_ms: 250, objective: 0.99, batch_max: 1_000, period_ms: 0,
        pool: Some(Pool::Interactive), tasks: 2,
    }
    /// Records the providers' receipts and the patients' replies.
    Receive = receive {
        tier: Tier::Critical, lateness_ms: 500, objective: 0.99, batch_max: 1_000, period_ms: 0,
        pool: Some(Pool::Interactive), tasks: 2,
    }
    /// Turns intents that fall due into texts in their recipients' lanes. Lateness is real time since the due instant.
    Release = release {
        tier: Tier::Critical, lateness_ms: 2_500, objective: 0.99, batch_max: 1_000, period_ms: 0,
        pool: Some(Pool::Pipeline), tasks: 2,
    }
    /// Renders the text of a group and counts its segments.
    Render = render {
        tier: Tier::Critical, lateness_ms: 2_500, objective: 0.99, batch_max: 1_000, period_ms: 0,
        pool: None, tasks: 0,
    }
    /// Leases ready lanes, looks at their appointments again and records the attempts. Lateness is the time since the lane was ready.
    Claim = claim {
        tier: Tier::Critical, lateness_ms: 2_500, objective: 0.99, batch_max: 500, period_ms: 0,
        pool: Some(Pool::Pipeline), tasks: 2,
    }
    /// Hands a text to the provider. Lateness is the time from the claim's commit to the first byte.
    Deliver = deliver {
        tier: Tier::Critical, lateness_ms: 1_000, objective: 0.99, batch_max: 1, period_ms: 0,
        pool: None, tasks: 0,
    }
    /// Records what came of the deliveries and frees their lanes. Lateness is the time since the provider's answer.
    Settle = settle {
        tier: Tier::Critical, lateness_ms: 1_000, objective: 0.99, batch_max: 500, period_ms: 0,
        pool: Some(Pool::Pipeline), tasks: 2,
    }
    /// Finds leases that ran out. What may have left becomes unresolved, the rest ready again.
    Recover = recover {
        tier: Tier::Critical, lateness_ms: 10_000, objective: 0.99, batch_max: 500, period_ms: 1_000,
        pool: Some(Pool::Pipeline), tasks: 1,
    }
    /// Asks the provider about deliveries whose answer was lost.
    Resolve = resolve {
        tier: Tier::Critical, lateness_ms: 10_000, objective: 0.99, batch_max: 100, period_ms: 500,
        pool: Some(Pool::Pipeline), tasks: 1,
    }
    /// Raises the floors below which no scan looks.
    Floor = floor {
        tier: Tier::Standard, lateness_ms: 5_000, objective: 0.99, batch_max: 1, period_ms: 1_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
    /// Proves that nothing stands below a floor. Its count must be zero.
    Sweep = sweep {
        tier: Tier::Standard, lateness_ms: 30_000, objective: 0.99, batch_max: 1_000, period_ms: 30_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
    /// Compares what appointments and rules promise with what is planned and sent, a part of the practices a turn.
    Reconcile = reconcile {
        tier: Tier::Standard, lateness_ms: 30_000, objective: 0.99, batch_max: 1_000, period_ms: 5_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
    /// Folds the deltas of the counts into their sums.
    Fold = fold {
        tier: Tier::Standard, lateness_ms: 10_000, objective: 0.99, batch_max: 20_000, period_ms: 2_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
    /// Looks at the backlog and at the database, for gauges; acts on nothing.
    Observe = observe {
        tier: Tier::Standard, lateness_ms: 5_000, objective: 0.99, batch_max: 2, period_ms: 5_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
    /// Attaches the days ahead and plans appointments that came inside the horizon.
    Extend = extend {
        tier: Tier::Standard, lateness_ms: 60_000, objective: 0.99, batch_max: 500, period_ms: 5_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
    /// Drops the weeks of promises and tries that are older than they are kept, once nothing of them waits or is unfolded, which one shard's turn does for all; and removes what was out of order and has been closed for as long.
    Prune = prune {
        tier: Tier::Standard, lateness_ms: 10_000, objective: 0.99, batch_max: 500, period_ms: 10_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
    /// Plans a practice's future appointments again after its rules or settings changed.
    Replan = replan {
        tier: Tier::Standard, lateness_ms: 10_000, objective: 0.99, batch_max: 500, period_ms: 1_000,
        pool: Some(Pool::Upkeep), tasks: 1,
    }
}

impl Stage {
    /// Whether it can be held by itself: it takes on work of its own. A text is rendered within its
    /// release or its claim.
    #[must_use]
    pub const fn has_gate(self) -> bool {
        !matches!(self, Self::Render)
    }

    /// Whether the number of its tasks can be set: it is woken, and has some.
    #[must_use]
    pub const fn has_tasks(self) -> bool {
        let spec = self.spec();
        spec.period_ms == 0 && spec.tasks > 0
    }

    /// The stages that work with a pool's connections.
    pub fn of_pool(pool: Pool) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |stage| stage.spec().pool == Some(pool))
    }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Stage::COUNT {
        let row = Stage::ALL[i];
        let spec = row.spec();
        assert!(is_snake_case(row.name()), "a stage's name is snake_case");
        assert!(spec.lateness_ms > 0 && spec.batch_max > 0);
        assert!(spec.objective > 0.0 && spec.objective < 1.0);
        assert!(spec.period_ms == 0 || spec.tasks == 1, "periodic work is one task's");
        assert!(spec.pool.is_some() == (spec.tasks > 0), "a task works with a connection");
        i += 1;
    }
};
