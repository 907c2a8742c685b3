//! What the listeners ask. The process listens before it has its database, so that it can say that
//! it lives and what is missing; everything else waits for the [`App`].

use std::sync::{Arc, OnceLock};

use contract::Endpoint;
use http::HeaderMap;

use crate::app::App;
use crate::endpoints::{
    self, read_health, read_live, read_metrics, read_openapi, read_readiness, stream_live,
};
use crate::http::server::Dispatch;
use crate::http::{Code, PathParams, Principal, Problem, Request, Response};
use crate::live::Live;
use crate::readiness::Readiness;

/// The process as the listeners see it.
pub(super) struct Site {
    pub(super) app: OnceLock<Arc<App>>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) live: Arc<Live>,
}

impl Site {
    pub(super) const fn new(readiness: Arc<Readiness>, live: Arc<Live>) -> Self {
        Self { app: OnceLock::new(), readiness, live }
    }

    async fn before_start(&self, request: &Request) -> Result<Response, Problem> {
        match request.endpoint {
            Endpoint::ReadHealth => Ok(read_health::answer()),
            Endpoint::ReadMetrics => read_metrics::answer(&request.headers).await,
            Endpoint::ReadReadiness => read_readiness::answer(&self.readiness),
            Endpoint::ReadOpenapi => Ok(read_openapi::answer()),
            Endpoint::ReadLive => Ok(read_live::answer()),
            Endpoint::StreamLive => Ok(stream_live::answer(&self.live)),
            Endpoint::PutPractice
            | Endpoint::ReadPractice
            | Endpoint::CreateApiKey
            | Endpoint::RevokeApiKey
            | Endpoint::UpsertAppointments
            | Endpoint::CancelAppointment
            | Endpoint::ReadAppointment
            | Endpoint::ListMessages
            | Endpoint::ReadDailyCounts
            | Endpoint::ReadJobReport
            | Endpoint::ReadDelivery
            | Endpoint::ReadTrend
            | Endpoint::ReceiveStatus
            | Endpoint::ReceiveReply
            | Endpoint::DebugRequest
            | Endpoint::DebugSlow
            | Endpoint::RunAudit
            | Endpoint::ReadResiduals
            | Endpoint::ReadBacklog
            | Endpoint::ReadFleet
            | Endpoint::ReadQueries
            | Endpoint::ReadStages
            | Endpoint::PutStage
            | Endpoint::RunStage
            | Endpoint::ReadClock
            | Endpoint::PutClock => Err(not_started()),
        }
    }
}

fn not_started() -> Problem {
    Problem::new(Code::NotReady, "The process has not reached its database yet: try again soon.")
}

impl Dispatch for Site {
    async fn authenticate(
        &self,
        endpoint: Endpoint,
        path: &PathParams,
        headers: &HeaderMap,
    ) -> Result<Principal, Problem> {
        use contract::endpoint::Access;
        let Some(app) = self.app.get() else {
            return match endpoint.spec().access {
                Access::Open => Ok(Principal::Anonymous),
                Access::Practice | Access::AdminKey | Access::Provider => Err(not_started()),
            };
        };
        let shard_of = |practice_id| app.practices.shard(practice_id);
        let caller = app.keys.principal(&app.db, shard_of, endpoint, path, headers).await?;
        app.rates.admit(&caller)?;
        Ok(caller)
    }

    async fn dispatch(&self, request: Request) -> Result<Response, Problem> {
        match self.app.get() {
            Some(app) => endpoints::dispatch(app, request).await,
            None => self.before_start(&request).await,
        }
    }
}
