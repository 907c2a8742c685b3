//! Gates before the stages, for tests and for the harness that measures one stage at a time: a
//! held stage takes on nothing more. Each stage asks its gate in one place, before it takes a
//! batch, a turn or a delivery; where the setting `stage_gates` is off, that is a look at a flag.
//!
//! Belongs here: who may pass, who is inside. Never here: what a held stage is made to do
//! (`lockstep`).
//!
//! A gate is its process's own. Of several processes on one database each has to be held.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use contract::Stage;
use tokio::sync::Notify;

use super::Shared;
use crate::config::StageGates;
use crate::obs;

/// The gates of a process.
pub(crate) struct Gates {
    is_on: bool,
    all: [Arc<Gate>; Stage::COUNT],
    /// The stages, once they are at work.
    shared: OnceLock<Weak<Shared>>,
}

/// What stands before one stage.
pub(crate) struct Gate {
    stage: Stage,
    /// Nobody asks it without that.
    is_on: bool,
    inner: Mutex<Inner>,
    changed: Notify,
}

struct Inner {
    is_held: bool,
    /// The process leaves: nothing is held any more.
    is_left: bool,
    /// Somebody is making the stage work.
    runs: bool,
    /// How many a run still lets through.
    let_through: usize,
    inside: usize,
    waiting: usize,
}

/// A gate as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Nothing passes.
    pub(crate) is_held: bool,
    /// The stage is being made to work by hand.
    pub(crate) runs: bool,
    /// Batches, turns or deliveries that have passed and are not at their end.
    pub(crate) inside: usize,
    /// Those that stand before it.
    pub(crate) waiting: usize,
}

/// Why a gate was not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is open, so the stage works by itself.
    Open,
    /// The stage is being made to work.
    Runs,
    /// The process is on its way out.
    Left,
}

impl Gates {
    /// As the setting says.
    pub(crate) fn new(setting: StageGates) -> Self {
        let is_on = setting != StageGates::Off;
        let is_held = |stage: Stage| setting == StageGates::Held && stage.has_gate();
        let gate = |stage| Arc::new(Gate::new(stage, is_on, is_held(stage)));
        let this = Self {
            is_on,
            all: std::array::from_fn(|at| gate(Stage::ALL[at])),
            shared: OnceLock::new(),
        };
        if is_on {
            tracing::warn!("stages can be held by operators: good for trying out only");
        }
        this
    }

    /// Whether stages can be held.
    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// The gate of a stage.
    pub(crate) const fn of(&self, stage: Stage) -> &Arc<Gate> {
        &self.all[stage.index()]
    }

    /// The process leaves: what was taken on goes to its end.
    pub(crate) fn leave(&self) {
        for gate in &self.all {
            let mut inner = gate.inner();
            inner.is_left = true;
            inner.is_held = false;
            drop(inner);
            obs::stage::held(gate.stage, false);
            gate.changed.notify_waiters();
        }
    }

    /// Says which stages are held, so that nobody forgets it.
    pub(super) fn remind(&self) {
        let held = self.all.iter().filter(|gate| gate.read().is_held);
        let held: Vec<&str> = held.map(|gate| gate.stage.name()).collect();
        if !held.is_empty() {
            tracing::warn!(stages = held.join(","), "stages are held: nothing goes through them");
        }
    }

    /// The stages are at work.
    pub(super) fn attach(&self, shared: &Arc<Shared>) {
        let _first = self.shared.set(Arc::downgrade(shared));
    }

    /// The stages at work.
    pub(super) fn shared(&self) -> Option<Arc<Shared>> {
        self.shared.get().and_then(Weak::upgrade)
    }
}

impl Gate {
    fn new(stage: Stage, is_on: bool, is_held: bool) -> Self {
        if is_held {
            obs::stage::held(stage, true);
        }
        let inner =
            Inner { is_held, is_left: false, runs: false, let_through: 0, inside: 0, waiting: 0 };
        Self { stage, is_on, inner: Mutex::new(inner), changed: Notify::new() }
    }

    /// One that nobody can hold.
    pub(crate) fn always_open(stage: Stage) -> Arc<Self> {
        Arc::new(Self::new(stage, false, false))
    }

    /// Goes through, once it is open.
    pub(crate) async fn pass(self: &Arc<Self>) -> Inside {
        self.line_up().pass().await
    }

    /// Stands before it from now on.
    pub(crate) fn line_up(self: &Arc<Self>) -> Ticket {
        if !self.is_on {
            return Ticket(None);
        }
        self.inner().waiting += 1;
        Ticket(Some(Arc::clone(self)))
    }

    /// Waits until it is open; somebody may close it right after.
    pub(crate) async fn opened(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.is_on || !self.inner().is_held {
                return;
            }
            changed.await;
        }
    }

    /// Goes through if it is open.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Inside> {
        if !self.is_on {
            return Some(Inside(None));
        }
        let mut inner = self.inner();
        if inner.is_held {
            inner.let_through = inner.let_through.checked_sub(1)?;
        }
        inner.inside += 1;
        drop(inner);
        Some(Inside(Some(Arc::clone(self))))
    }

    /// Counts as inside what one that went through has begun.
    pub(crate) fn follow(self: &Arc<Self>) -> Inside {
        if !self.is_on {
            return Inside(None);
        }
        self.inner().inside += 1;
        Inside(Some(Arc::clone(self)))
    }

    /// Lets nothing more through.
    pub(crate) fn hold(&self) -> Result<(), Refused> {
        let mut inner = self.inner();
        if inner.is_left {
            return Err(Refused::Left);
        }
        inner.is_held = true;
        drop(inner);
        obs::stage::held(self.stage, true);
        tracing::warn!(stage = self.stage.name(), "held: nothing goes through until it is opened");
        Ok(())
    }

    /// Lets the stage work by itself.
    pub(crate) fn open(&self) -> Result<(), Refused> {
        let mut inner = self.inner();
        if inner.runs {
            return Err(Refused::Runs);
        }
        inner.is_held = false;
        drop(inner);
        obs::stage::held(self.stage, false);
        tracing::info!(stage = self.stage.name(), "opened");
        self.changed.notify_waiters();
        Ok(())
    }

    /// Waits until nobody is inside.
    pub(crate) async fn at_rest(&self) {
        loop {
            let changed = self.changed.notified();
            if self.inner().inside == 0 {
                return;
            }
            changed.await;
        }
    }

    /// A gate as it is.
    pub(crate) fn read(&self) -> Reading {
        let inner = self.inner();
        let Inner { is_held, runs, inside, waiting, is_left: _, let_through: _ } = *inner;
        drop(inner);
        Reading { is_held, runs, inside, waiting }
    }

    /// Takes the right to make a held stage work.
    pub(super) fn begin_run(self: &Arc<Self>) -> Result<Run, Refused> {
        let mut inner = self.inner();
        if inner.runs {
            return Err(Refused::Runs);
        }
        if !inner.is_held {
            return Err(if inner.is_left { Refused::Left } else { Refused::Open });
        }
        inner.runs = true;
        drop(inner);
        Ok(Run(Arc::clone(self)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch, turn or delivery that went through, until this is dropped.
#[must_use]
pub(crate) struct Inside(Option<Arc<Gate>>);

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(gate) = &self.0 {
            let mut inner = gate.inner();
            inner.inside -= 1;
            let is_empty = inner.inside == 0;
            drop(inner);
            if is_empty {
                gate.changed.notify_waiters();
            }
        }
    }
}

/// One that stands before a gate, until this is dropped.
#[must_use]
pub(crate) struct Ticket(Option<Arc<Gate>>);

impl Ticket {
    /// Goes through, once it is open.
    pub(crate) async fn pass(self) -> Inside {
        let Some(gate) = &self.0 else { return Inside(None) };
        loop {
            // Made before the look, it hears of every change after it.
            let changed = gate.changed.notified();
            if let Some(inside) = gate.enter() {
                return inside;
            }
            changed.await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(gate) = &self.0 {
            let mut inner = gate.inner();
            inner.waiting -= 1;
            let is_last = inner.waiting == 0;
            drop(inner);
            if is_last {
                gate.changed.notify_waiters();
            }
        }
    }
}

/// The right to make a held stage work, until this is dropped.
pub(super) struct Run(Arc<Gate>);

impl Run {
    /// Lets those through that stand before the gate now, at most so many, and waits for their
    /// ends. Returns how many went through.
    pub(super) async fn let_through(&self, most: usize) -> usize {
        let begun = self.begin(most);
        loop {
            let changed = self.0.changed.notified();
            if let Some(left) = self.left() {
                return begun - left.min(begun);
            }
            changed.await;
        }
    }

    fn begin(&self, most: usize) -> usize {
        let mut inner = self.0.inner();
        let begun = inner.waiting.min(most);
        inner.let_through = begun;
        drop(inner);
        self.0.changed.notify_waiters();
        begun
    }

    /// Once all are through and at their ends: how many of those that were let through never came.
    fn left(&self) -> Option<usize> {
        let inner = self.0.inner();
        let is_through = inner.let_through == 0 || inner.waiting == 0 || !inner.is_held;
        (is_through && inner.inside == 0).then_some(inner.let_through)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        inner.runs = false;
        inner.let_through = 0;
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
