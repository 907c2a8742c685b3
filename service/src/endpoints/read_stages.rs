//! `GET /admin/stages`

use std::sync::Arc;

use contract::Stage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read_backlog::{self, BacklogAnswer};
use crate::app::App;
use crate::http::{Code, Problem, Request, Response};
use crate::stages::Stages;
use crate::stages::gate::Refused;

/// Whether a stage works by itbacklog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum GateIs {
    /// It does.
    Open,
    /// It takes on nothing, but for what it is made to do by hand.
    Held,
}

/// The stages of this process.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StagesAnswer {
    /// Whether stages can be held here: the setting `stage_gates`.
    enabled: bool,
    /// All that take on work of their own.
    stages: Vec<StageAnswer>,
}

/// A stage.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StageAnswer {
    stage: &'static str,
    gate: GateIs,
    /// Somebody is making it work by hand.
    runs: bool,
    /// Batches, turns or deliveries under way.
    in_hand: usize,
    /// What stands before it, in its own unit; none where nothing does, or that isn't counted.
    /// Of plan, receive, deliver and settle it stands in this process.
    depth: Option<i64>,
}

impl StageAnswer {
    /// The stage as it is, but for what stands before it in the database.
    pub(super) fn of(app: &App, stage: Stage) -> Self {
        let gate = app.gates.of(stage).read();
        let depth = Stages::in_memory(app, stage);
        Self {
            stage: stage.name(),
            gate: if gate.is_held { GateIs::Held } else { GateIs::Open },
            runs: gate.runs,
            in_hand: gate.inside,
            depth: depth.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
        }
    }
}

/// What stands before a stage in the database; none where nothing does, or that isn't counted.
const fn before(stage: Stage, backlog: &BacklogAnswer) -> Option<i64> {
    match stage {
        Stage::Release => Some(backlog.due),
        Stage::Claim => Some(backlog.ready),
        Stage::Resolve => Some(backlog.unresolved),
        Stage::Fold => Some(backlog.unfolded),
        Stage::Plan
        | Stage::Receive
        | Stage::Render
        | Stage::Deliver
        | Stage::Settle
        | Stage::Recover
        | Stage::Floor
        | Stage::Sweep
        | Stage::Reconcile
        | Stage::Observe
        | Stage::Extend
        | Stage::Prune
        | Stage::Replan => None,
    }
}

/// Says of each stage whether it is held, what it has in hand and what stands before it.
pub(crate) async fn handle(app: &Arc<App>, _request: Request) -> Result<Response, Problem> {
    let backlog = read_backlog::read(app).await?;
    let with_gates = Stage::ALL.iter().filter(|stage| stage.has_gate());
    let stages = with_gates.map(|&stage| {
        let is = StageAnswer::of(app, stage);
        StageAnswer { depth: is.depth.or(before(stage, &backlog)), ..is }
    });
    let answer = StagesAnswer { enabled: app.gates.is_on(), stages: stages.collect() };
    Ok(Response::json(200, &answer))
}

/// The stage that a path names, where stages can be held.
pub(super) fn named(app: &App, request: &Request) -> Result<Stage, Problem> {
    if !app.gates.is_on() {
        let detail = "No stage can be held here: that takes the setting stage_gates, and no \
                      production.";
        return Err(Problem::new(Code::NotHere, detail));
    }
    let stage = Stage::from_name(request.path.str("stage")).filter(|stage| stage.has_gate());
    stage.ok_or_else(|| {
        let detail = "stage in the path must be one that GET /admin/stages lists";
        Problem::new(Code::BadPath, detail)
    })
}

/// Why a gate was not moved, or a stage not made to work.
pub(super) fn refused(why: Refused) -> Problem {
    match why {
        Refused::Open => Problem::new(Code::Conflict, "The stage is open: hold it first."),
        Refused::Runs => {
            Problem::new(Code::Conflict, "The stage is being made to work: wait for its end.")
        }
        Refused::Left => Problem::new(Code::Stopping, "The process is on its way out."),
    }
}
