//! One file an endpoint, named like its row: read the request, do the one thing, answer. The
//! dispatch is exhaustive, so a row without a file does not compile.
//!
//! Belongs here: the interface's JSON and what it means. Never here: sockets and limits (`http`),
//! transactions (`ingest`, `receipts`, `practice`).

#[cfg(debug_assertions)]
mod bug;
pub(crate) mod cancel_appointment;
pub(crate) mod create_api_key;
pub(crate) mod debug_request;
pub(crate) mod debug_slow;
pub(crate) mod flights;
pub(crate) mod list_messages;
pub(crate) mod put_clock;
pub(crate) mod put_practice;
pub(crate) mod put_stage;
pub(crate) mod read_appointment;
pub(crate) mod read_backlog;
pub(crate) mod read_clock;
pub(crate) mod read_daily_counts;
pub(crate) mod read_delivery;
pub(crate) mod read_fleet;
pub(crate) mod read_health;
pub(crate) mod read_job_report;
pub(crate) mod read_live;
pub(crate) mod read_metrics;
pub(crate) mod read_openapi;
pub(crate) mod read_practice;
pub(crate) mod read_queries;
pub(crate) mod read_readiness;
pub(crate) mod read_residuals;
pub(crate) mod read_stages;
pub(crate) mod read_trend;
pub(crate) mod receive_reply;
pub(crate) mod receive_status;
pub(crate) mod report;
pub(crate) mod revoke_api_key;
pub(crate) mod run_audit;
pub(crate) mod run_stage;
pub(crate) mod shapes;
pub(crate) mod stream_live;
pub(crate) mod upsert_appointments;

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use contract::{Endpoint, READ_AFTER};

use crate::app::App;
use crate::db::DbError;
use crate::db::router::carried::{self, Carried};
use crate::db::router::{After, NotAToken};
use crate::http::{Code, Problem, Request, Response};

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'a>>;

/// Answers a request by its endpoint's handler. Reads see what the request shows that it has seen;
/// a write is answered with what to show next time.
pub(crate) async fn dispatch(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let after = read_after(app, &request)?;
    if app.db.is_overtaken_by(after) {
        let why = "another server was promoted, which this process hasn't found yet";
        return Err(DbError::Unavailable(why.into()).into());
    }
    let carried = Carried::new(after);
    #[cfg(debug_assertions)]
    bug::spoil(app, request.endpoint).await;
    let answer = carried::within(Arc::clone(&carried), handle(app, request)).await;
    let Some(token) = carried.written().map(|token| token.to_string()) else { return answer };
    // What went wrong after a commit doesn't take it back.
    match answer {
        Ok(answer) => Ok(answer.with_header(READ_AFTER, &token)),
        Err(problem) => Err(problem.after(token)),
    }
}

fn read_after(app: &App, request: &Request) -> Result<After, Problem> {
    let values = request.headers.get_all(READ_AFTER).iter();
    // A value that is no text is no token.
    let after = app.db.after(values.map(|value| value.to_str().unwrap_or_default()));
    after.map_err(|NotAToken| {
        let detail = "read-after: send it as an answer of this service held it, or leave it out.";
        Problem::new(Code::BadToken, detail)
    })
}

/// Each handler in a box of its own size: a booking that waits for its commit doesn't take as much
/// memory as the largest of them.
fn handle<'a>(app: &'a Arc<App>, request: Request) -> Answering<'a> {
    match request.endpoint {
        Endpoint::PutPractice => Box::pin(put_practice::handle(app, request)),
        Endpoint::ReadPractice => Box::pin(read_practice::handle(app, request)),
        Endpoint::CreateApiKey => Box::pin(create_api_key::handle(app, request)),
        Endpoint::RevokeApiKey => Box::pin(revoke_api_key::handle(app, request)),
        Endpoint::UpsertAppointments => Box::pin(upsert_appointments::handle(app, request)),
        Endpoint::CancelAppointment => Box::pin(cancel_appointment::handle(app, request)),
        Endpoint::ReadAppointment => Box::pin(read_appointment::handle(app, request)),
        Endpoint::ListMessages => Box::pin(list_messages::handle(app, request)),
        Endpoint::ReadDailyCounts => Box::pin(read_daily_counts::handle(app, request)),
        Endpoint::ReadJobReport => Box::pin(read_job_report::handle(app, request)),
        Endpoint::ReadDelivery => Box::pin(read_delivery::handle(app, request)),
        Endpoint::ReadTrend => Box::pin(read_trend::handle(app, request)),
        Endpoint::ReceiveStatus => Box::pin(receive_status::handle(app, request)),
        Endpoint::ReceiveReply => Box::pin(receive_reply::handle(app, request)),
        Endpoint::ReadOpenapi => Box::pin(read_openapi::handle(app, request)),
        Endpoint::ReadHealth => Box::pin(read_health::handle(app, request)),
        Endpoint::ReadReadiness => Box::pin(read_readiness::handle(app, request)),
        Endpoint::ReadMetrics => Box::pin(read_metrics::handle(app, request)),
        Endpoint::DebugRequest => Box::pin(ready(debug_request::handle(&request))),
        Endpoint::DebugSlow => Box::pin(ready(debug_slow::handle(&request))),
        Endpoint::ReadLive => Box::pin(read_live::handle(app, request)),
        Endpoint::StreamLive => Box::pin(stream_live::handle(app, request)),
        Endpoint::RunAudit => Box::pin(run_audit::handle(app, request)),
        Endpoint::ReadResiduals => Box::pin(read_residuals::handle(app, request)),
        Endpoint::ReadBacklog => Box::pin(read_backlog::handle(app, request)),
        Endpoint::ReadFleet => Box::pin(read_fleet::handle(app, request)),
        Endpoint::ReadQueries => Box::pin(read_queries::handle(app, request)),
        Endpoint::ReadStages => Box::pin(read_stages::handle(app, request)),
        Endpoint::PutStage => Box::pin(put_stage::handle(app, request)),
        Endpoint::RunStage => Box::pin(run_stage::handle(app, request)),
        Endpoint::ReadClock => Box::pin(read_clock::handle(app, request)),
        Endpoint::PutClock => Box::pin(put_clock::handle(app, request)),
    }
}
