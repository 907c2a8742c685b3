//! `POST /admin/stages/{stage}/run`: for tests and measurements.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read_stages::{named, refused};
use crate::app::App;
use crate::http::{Code, Problem, Request, Response};
use crate::stages::lockstep::{self, Failed};

/// How far a stage shall go.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunBody {
    /// It stops after about so many messages; when nothing is left, if not given.
    #[serde(default)]
    messages_max: Option<NonZeroU32>,
}

/// What a stage did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunAnswer {
    stage: &'static str,
    /// Batches that were not empty; of deliver, deliveries; of periodic stages, turns.
    batches: usize,
    /// What was in them, in the stage's own unit.
    messages: usize,
    /// Nothing is left that the stage could do now. A claim stops where all deliveries are under
    /// way, and then it isn't.
    idle: bool,
    /// How long it took.
    seconds: f64,
}

/// Makes a held stage work.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let stage = named(app, &request)?;
    let body: RunBody =
        if request.body.is_empty() { RunBody::default() } else { request.json()? };
    let most = body.messages_max.map_or(usize::MAX, |most| most.get() as usize);
    let began = Instant::now();
    let ran = lockstep::run(app, stage, most).await.map_err(|failed| match failed {
        Failed::Gate(why) => refused(why),
        Failed::Db(error) => error.into(),
        Failed::Gone => Problem::new(Code::Stopping, "The stages are not at work."),
    })?;
    Ok(Response::json(
        200,
        &RunAnswer {
            stage: stage.name(),
            batches: ran.batches,
            messages: ran.items,
            idle: ran.is_idle,
            seconds: began.elapsed().as_secs_f64(),
        },
    ))
}
