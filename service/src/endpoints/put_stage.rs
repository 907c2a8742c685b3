//! `PUT /admin/stages/{stage}`: for tests and measurements.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::read_stages::{GateIs, StageAnswer, named, refused};
use crate::app::App;
use crate::http::{Problem, Request, Response};

/// What a stage shall do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StageBody {
    gate: GateIs,
}

/// Holds a stage, or opens it. Held, it is answered for when nothing of it is under way any more.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let stage = named(app, &request)?;
    let body: StageBody = request.json()?;
    let gate = app.gates.of(stage);
    match body.gate {
        GateIs::Open => gate.open().map_err(refused)?,
        GateIs::Held => {
            gate.hold().map_err(refused)?;
            gate.at_rest().await;
        }
    }
    Ok(Response::json(200, &StageAnswer::of(app, stage)))
}
