//! One depth: what is piled up before each stage, and then that stage alone. Each stage is measured
//! on the same number of texts while all of the backlog stands there, which is what a depth costs;
//! what is left of it is worked off unmeasured where the next stage needs it.
//!
//! Never here: how it is measured (`rig`).

use std::path::Path;
use std::time::Duration;

use contract::Stage;
use http::Method;
use serde_json::json;
use stack::provider::State;
use tokio::time::sleep;

use super::facts::{Audited, Cost, Facts, Missing, Unit};
use super::rig::Rig;
use crate::demo::StackArgs;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::laws::audit::Audit;
use crate::piled::{self, Pile};
use crate::progress::{Status, Step};
use crate::report::units::count;

/// Between two looks at whether all receipts have come.
const LOOK: Duration = Duration::from_millis(50);

/// Stages that look at all that waits and have nothing of their own to do here: by turn.
const TURNS: [Stage; 7] = [
    Stage::Floor,
    Stage::Recover,
    Stage::Resolve,
    Stage::Sweep,
    Stage::Extend,
    Stage::Replan,
    Stage::Observe,
];
/// What is measured at a depth, for the progress.
const STEPS: u64 = 8 + TURNS.len() as u64;

/// Measures all stages at one depth, on a stack of its own.
pub(super) async fn measure(
    (args, program, logs): (&StackArgs, &Path, &Path),
    depth: u64,
    facts: &mut Facts,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let rig = tokio::select! {
        rig = Rig::start(args, program) => rig?,
        () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
    };
    let pile = Pile { day: piled::DAY, from: 0, to: depth };
    let mut depth = Depth { rig, depth, sample: facts.sample, pile, facts };
    let result = tokio::select! {
        result = depth.all(interrupt) => result,
        () = interrupt.stop.cancelled() => Err(Failure::Interrupted),
    };
    let Depth { rig, depth, .. } = depth;
    let is_kept = args.keep || matches!(result, Err(Failure::Unavailable(_)));
    rig.stop(is_kept.then(|| logs.join(format!("{depth}")))).await;
    result
}

struct Depth<'a> {
    rig: Rig,
    depth: u64,
    sample: u64,
    pile: Pile,
    facts: &'a mut Facts,
}

impl Depth<'_> {
    async fn all(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        self.rig.gate(Stage::Plan, true).await?;
        self.hold(self.pile.booked_at()).await?;
        self.book(interrupt).await?;
        let mut step = Step::begin("stages", "stages", STEPS);
        let (mut done, depth) = (0, count(self.depth));
        let mut show = |what: &str| {
            let note = format!("{what} at {depth}");
            step.show(&Status { done, note, ..Status::default() });
            done += 1;
        };
        show("plan");
        self.plan().await?;
        show("release");
        self.hold(self.pile.due_at()).await?;
        self.alone(Stage::Release, self.depth).await?;
        self.rig.run(Stage::Release, None).await?;
        show("claim and deliver");
        let delivered = self.claim_and_deliver().await?;
        show("settle");
        self.alone(Stage::Settle, delivered).await?;
        show("receive");
        self.receive().await?;
        show("fold");
        self.until_idle(Stage::Fold, Unit::Change).await?;
        show("reconcile");
        self.until_idle(Stage::Reconcile, Unit::Text).await?;
        for stage in TURNS {
            show(stage.name());
            self.until_idle(stage, Unit::Turn).await?;
        }
        show("audit");
        self.audit().await?;
        step.end(&format!("every stage alone, with {} texts there", count(self.depth)));
        Ok(())
    }

    /// Lets domain time stand still.
    async fn hold(&mut self, at: jiff::Timestamp) -> Result<(), Failure> {
        let clock = json!({
            "real_origin": "2100-01-01T00:00:00Z", "domain_origin": at, "speed": 1.0,
        });
        let body = clock.to_string().into_bytes();
        self.rig.admin().send(Method::PUT, "/admin/clock", body).await?;
        Ok(())
    }

    /// Practices, and all appointments but the last ones, which are measured.
    async fn book(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        let target = self.rig.target.clone();
        piled::put_practices(&mut self.rig.public()?).await?;
        let last = self.depth - self.sample;
        Pile { to: last, ..self.pile }.book_all(&target, interrupt).await
    }

    /// Statistics as the running service has them: they are a part of the floor's turn.
    async fn analysed(&mut self) -> Result<(), Failure> {
        self.rig.run(Stage::Floor, None).await?;
        Ok(())
    }

    /// The last appointments, one request after the other.
    async fn plan(&mut self) -> Result<(), Failure> {
        self.analysed().await?;
        let last = Pile { from: self.depth - self.sample, ..self.pile };
        let what = (Stage::Plan, Unit::Text, self.depth);
        let book = async |rig: &mut Rig| Ok::<(), Failure>(last.book(&mut rig.public()?).await?);
        let ((), cost) = self.rig.meanwhile(what, book).await?;
        // No more stands before it than one request has.
        let before = self.sample.min(piled::BATCH);
        self.facts.note(Cost { items: self.sample, before, ..cost });
        self.rig.gate(Stage::Plan, false).await?;
        Ok(())
    }

    /// A stage on its sample, while all the rest of what stands before it stands behind that.
    async fn alone(&mut self, stage: Stage, before: u64) -> Result<(), Failure> {
        self.analysed().await?;
        let what = (stage, Unit::Text, self.depth);
        let (ran, cost) = self.rig.measure(what, Some(self.sample)).await?;
        self.facts.note(Cost { before, ..cost });
        self.expect(stage, ran.messages, self.sample);
        Ok(())
    }

    /// In rounds: as many texts as may be under way are claimed, and then delivered. How many were.
    ///
    /// No more than the sample: results wait in the service's memory, as long as their leases
    /// last, so that no backlog stands there that outlasts those.
    async fn claim_and_deliver(&mut self) -> Result<u64, Failure> {
        self.analysed().await?;
        let (mut claimed, mut delivered) = (0, 0);
        while claimed < self.sample {
            let claim = (Stage::Claim, Unit::Text, self.depth);
            let (ran, cost) = self.rig.measure(claim, Some(self.sample - claimed)).await?;
            self.facts.note(cost);
            if ran.messages == 0 {
                break;
            }
            claimed += ran.messages;
            let before = ran.messages;
            let deliver = (Stage::Deliver, Unit::Text, self.depth);
            let (ran, cost) = self.rig.measure(deliver, None).await?;
            self.facts.note(Cost { before, ..cost });
            delivered += ran.messages;
        }
        self.expect(Stage::Claim, claimed, self.sample);
        self.expect(Stage::Deliver, delivered, self.sample);
        Ok(delivered)
    }

    /// Receipts come by themselves as soon as they are let in.
    async fn receive(&mut self) -> Result<(), Failure> {
        let ((), cost) = self
            .rig
            .meanwhile((Stage::Receive, Unit::Receipt, self.depth), async |rig: &mut Rig| {
                rig.gate(Stage::Receive, true).await?;
                loop {
                    let state: State = rig.provider().get("/control/state").await?;
                    if state.callbacks.pending == 0 {
                        break;
                    }
                    sleep(LOOK).await;
                }
                rig.gate(Stage::Receive, false).await?;
                Ok::<(), Failure>(())
            })
            .await?;
        let items = cost.items;
        self.facts.note(Cost { before: items, ..cost });
        // One whose answer came too late comes again.
        self.expect(Stage::Receive, items.min(self.sample), self.sample);
        Ok(())
    }

    /// A stage that takes all that there is at a time: shown, and not judged.
    async fn until_idle(&mut self, stage: Stage, unit: Unit) -> Result<(), Failure> {
        let (ran, cost) = self.rig.measure((stage, unit, self.depth), None).await?;
        let items = cost.items;
        // A turn looks at what was done since the one before it, or counts what waits; and of two
        // batches of another size there is no telling what the depth did.
        self.facts.note(Cost { judged: false, before: items, ..cost });
        if !ran.idle || items == 0 {
            self.miss(stage, "had nothing to do, or did not come to its end".to_owned());
        }
        Ok(())
    }

    fn expect(&mut self, stage: Stage, did: u64, of: u64) {
        if did != of {
            self.miss(stage, format!("did {} of {}", count(did), count(of)));
        }
    }

    fn miss(&mut self, stage: Stage, what: String) {
        self.facts.missing.push(Missing { stage: stage.name(), depth: self.depth, what });
    }

    /// Whether the laws held: what breaks them may be cheap.
    async fn audit(&mut self) -> Result<(), Failure> {
        let audit: Audit = self.rig.admin().get("/admin/audit").await?;
        let broken = audit.checks.iter().filter(|check| check.violations > 0);
        self.facts.audits.push(Audited {
            depth: self.depth,
            cases: audit.checks.iter().map(|check| check.cases).sum(),
            broken: broken.map(|check| format!("law {}, {}", check.law, check.name)).collect(),
        });
        Ok(())
    }
}
