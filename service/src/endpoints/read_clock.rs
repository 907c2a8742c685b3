//! `GET /admin/clock`

use std::sync::Arc;

use contract::Pool;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::{self, Pace};
use crate::http::{Problem, Request, Response, json};

/// How domain time follows real time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockBody {
    /// Until then domain time stands still.
    #[serde(deserialize_with = "json::instant")]
    #[schemars(with = "String")]
    pub(super) real_origin: Timestamp,
    /// Domain time at that instant.
    #[serde(deserialize_with = "json::instant")]
    #[schemars(with = "String")]
    pub(super) domain_origin: Timestamp,
    /// Domain seconds a real second.
    pub(super) speed: f64,
}

impl ClockBody {
    pub(super) const fn of(pace: Pace) -> Self {
        let Pace { real_origin, domain_origin, speed } = pace;
        Self { real_origin, domain_origin, speed }
    }
}

/// Reads the clock that all processes follow.
pub(crate) async fn handle(app: &Arc<App>, _request: Request) -> Result<Response, Problem> {
    let pace = clock::read(&app.db.get(Pool::Upkeep).await?).await?;
    Ok(Response::json(200, &ClockBody::of(pace)))
}
