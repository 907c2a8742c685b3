//! `PUT /admin/clock`: for demos and tests.

use std::sync::Arc;

use contract::{Pool, Query};

use super::read_clock::ClockBody;
use crate::app::App;
use crate::clock::Pace;
use crate::db::weeks;
use crate::http::{Code, Problem, Request, Response};

/// Sets the clock that all processes follow; the others see it within half a second.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    if app.config.env.is_production() {
        let detail = "In production domain time is real time.";
        return Err(Problem::new(Code::NotHere, detail));
    }
    let body: ClockBody = request.json()?;
    if !(body.speed > 0.0 && body.speed <= 100_000.0) {
        let detail = "speed: must be above 0 and at most 100000";
        return Err(Problem::new(Code::Invalid, detail));
    }
    let ClockBody { real_origin, domain_origin, speed } = body;
    let mut conn = app.db.get(Pool::Upkeep).await?;
    // Days must exist before anything can be due on them.
    let horizon = app.config.limit(contract::Limit::PlanHorizonDays);
    weeks::attach(&conn, domain_origin, horizon).await?;
    let tx = conn.begin();
    tx.execute(Query::ClockWrite, &[&real_origin, &domain_origin, &speed]).await?;
    // A clock that is put back must not leave floors ahead of it.
    tx.execute(Query::ShardFloorsLower, &[&domain_origin]).await?;
    tx.commit().await?;
    app.clock.set(Pace { real_origin, domain_origin, speed });
    Ok(Response::json(200, &body))
}
