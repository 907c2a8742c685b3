//! The work that no request waits for, one file a stage, named like its row: a message's way from
//! the instant at which it is due to its fate, and what keeps the house clean. Any number of
//! processes may run them against one database.
//!
//! Belongs here: when a stage runs, what it does in its transactions, how it ends. Never here:
//! what a rule means (`plan`), what a text says (`text`), how a provider is spoken to
//! (`provider`).
//!
//! No stage holds a connection while it waits for anything but the database, and each runs as a
//! fixed number of tasks (`stage_tasks`), each with one connection at the most: how much of a pool
//! work can take is known beforehand.

pub(crate) mod alone;
mod claim;
mod codes;
mod deliver;
mod extend;
mod floor;
mod fold;
pub(crate) mod gate;
mod in_hand;
pub(crate) mod lockstep;
pub(crate) mod maintainer;
mod observe;
mod periodic;
mod prune;
mod reconcile;
mod recover;
mod release;
mod render;
pub(crate) mod replan;
mod resolve;
mod rhythm;
mod settle;
mod shards;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use contract::{Limit, Stage};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::obs::backlog::Depth;
use crate::reconcile::ledger::Counts;
use crate::text::Texts;
use deliver::Deliveries;
use periodic::LastTurn;
use release::Aside;
use rhythm::Rhythm;
use settle::Queue;
use shards::Shards;

/// A shard is looked at after this, also when nobody asked for it: notifications can get lost, and
/// other processes plan too. A fraction of the lateness that release may have.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a stage can do nothing with, for a reason that is its own, is left alone for this long, so
/// that others go on: a small part of the time that somebody needs who puts the reason right.
const ASIDE_FOR: Duration = Duration::from_secs(20);

/// What the stages share.
struct Shared {
    app: Arc<App>,
    texts: Texts,
    deliveries: Deliveries,
    settle: Queue,
    /// How fast each shard's texts fall due.
    rhythms: Shards<Rhythm>,
    /// Practices that release can do nothing for.
    aside: Aside,
    /// Unresolved deliveries, as last seen in each shard.
    ambiguous: Shards<u64>,
    /// What stands before the stages, as last seen in each shard.
    depths: Shards<Depth>,
    /// Rows below a floor, as last seen in each shard.
    stranded: Shards<u64>,
    /// Promises out of order, as last seen in each shard.
    residuals: Shards<Counts>,
    /// Until when each shard's promises have been looked at, in seconds since the epoch.
    reconciled: Shards<i64>,
    /// Until when each shard's deltas were all folded, in real time.
    folded: Shards<Timestamp>,
    /// By stage, how each shard's last turn of periodic work ended. None is late yet in a process
    /// that has only just started.
    turns: [Shards<LastTurn>; Stage::COUNT],
}

impl Shared {
    fn of(app: Arc<App>) -> Arc<Self> {
        let shard_count = app.practices.shard_count();
        let not_late = LastTurn::ended_well(app.clock.real_now());
        Arc::new(Self {
            texts: Texts::new(app.config.limit_usize(Limit::TemplateCache)),
            deliveries: Deliveries::new(app.config.limit_usize(Limit::DeliveriesInFlight)),
            settle: Queue::new(shard_count, Arc::clone(app.gates.of(Stage::Settle))),
            rhythms: Shards::new(shard_count, release::RHYTHM),
            aside: Aside::default(),
            ambiguous: Shards::new(shard_count, 0),
            depths: Shards::new(shard_count, Depth::default()),
            stranded: Shards::new(shard_count, 0),
            residuals: Shards::new(shard_count, Counts::default()),
            reconciled: Shards::new(shard_count, 0),
            folded: Shards::new(shard_count, app.clock.real_now()),
            turns: std::array::from_fn(|_stage| Shards::new(shard_count, not_late)),
            app,
        })
    }
}

/// The stages of a process at work.
pub(crate) struct Stages {
    shared: Arc<Shared>,
    /// What takes on work: ends first.
    takers: JoinSet<()>,
    /// What records its results: ends last.
    settlers: JoinSet<()>,
}

/// Starts the stages. They take on nothing new once `drain` is cancelled.
pub(crate) fn start(app: Arc<App>, drain: CancellationToken) -> Stages {
    let shared = Shared::of(app);
    shared.app.gates.attach(&shared);
    let mut takers = JoinSet::new();
    let mut settlers = JoinSet::new();
    let tasks = |stage| 0..shared.app.config.tasks(stage);
    for _ in tasks(Stage::Release) {
        takers.spawn(release::run(Arc::clone(&shared), drain.clone()));
    }
    for _ in tasks(Stage::Claim) {
        takers.spawn(claim::run(Arc::clone(&shared), drain.clone()));
    }
    for _ in tasks(Stage::Settle) {
        settlers.spawn(settle::run(Arc::clone(&shared)));
    }
    for stage in Stage::ALL.iter().copied().filter(|stage| stage.spec().period_ms > 0) {
        takers.spawn(periodic::run(Arc::clone(&shared), stage, drain.clone()));
    }
    takers.spawn(follow_clock(Arc::clone(&shared), drain));
    tokio::spawn(in_hand::watch(Arc::downgrade(&shared)));
    Stages { shared, takers, settlers }
}

impl Stages {
    /// What stands before a stage in this process's memory; nothing where it stands in the
    /// database.
    pub(crate) fn in_memory(app: &App, stage: Stage) -> Option<usize> {
        match stage {
            Stage::Plan => Some(app.ingest.waiting()),
            Stage::Receive => Some(app.receipts.waiting()),
            Stage::Settle => app.gates.shared().map(|shared| shared.settle.waiting()),
            Stage::Deliver => Some(app.gates.of(stage).read().waiting),
            Stage::Release
            | Stage::Render
            | Stage::Claim
            | Stage::Recover
            | Stage::Resolve
            | Stage::Floor
            | Stage::Sweep
            | Stage::Reconcile
            | Stage::Fold
            | Stage::Observe
            | Stage::Extend
            | Stage::Prune
            | Stage::Replan => None,
        }
    }

    /// Ends in order, after the drain was asked for: takes on nothing more, finishes what is being
    /// delivered, records it. No lease is left behind.
    pub(crate) async fn finished(mut self) {
        join(&mut self.takers).await;
        self.shared.deliveries.finished().await;
        self.shared.settle.close();
        join(&mut self.settlers).await;
    }
}

async fn join(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a stage's task ended by itself");
        }
    }
}

/// When the domain clock is set, everything may be due.
async fn follow_clock(shared: Arc<Shared>, drain: CancellationToken) {
    let mut changes = shared.app.clock.changed();
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            changed = changes.changed() => match changed {
                Ok(()) => shared.app.wake.all(),
                Err(_gone) => return,
            },
        }
    }
}
