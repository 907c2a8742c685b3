//! Which statuses an endpoint can answer, and how each is counted: what makes the series of
//! requests a closed set.
//!
//! Never here: recording (`http`).

use contract::endpoint::Access;
use contract::{Endpoint, RequestOutcome};

/// Every status that an endpoint answers: what its row makes possible.
pub(crate) fn statuses(endpoint: Endpoint) -> Vec<u16> {
    let spec = endpoint.spec();
    let mut statuses = successes(endpoint).to_vec();
    statuses.extend([400, 500, 503]);
    match spec.access {
        Access::Open => {}
        Access::Practice | Access::AdminKey => statuses.extend([401, 403, 404]),
        Access::Provider => statuses.extend([403, 404]),
    }
    if is_report(endpoint) {
        statuses.push(406);
    }
    if spec.body_bytes_max > 0 {
        statuses.extend([408, 409, 413, 415, 422]);
        if spec.access == Access::Open {
            statuses.push(403); // refused in production, or where it is not on
        }
    } else {
        statuses.push(413);
    }
    statuses.sort_unstable();
    statuses
}

/// The statuses by which an endpoint says that it did what was asked.
pub(crate) const fn successes(endpoint: Endpoint) -> &'static [u16] {
    match endpoint {
        Endpoint::PutPractice => &[200, 201],
        Endpoint::CreateApiKey => &[201],
        Endpoint::RevokeApiKey | Endpoint::ReceiveStatus => &[204],
        Endpoint::ReadPractice
        | Endpoint::UpsertAppointments
        | Endpoint::CancelAppointment
        | Endpoint::ReadAppointment
        | Endpoint::ListMessages
        | Endpoint::ReadDailyCounts
        | Endpoint::ReadJobReport
        | Endpoint::ReadDelivery
        | Endpoint::ReadTrend
        | Endpoint::ReceiveReply
        | Endpoint::ReadOpenapi
        | Endpoint::ReadHealth
        | Endpoint::ReadReadiness
        | Endpoint::ReadMetrics
        | Endpoint::DebugRequest
        | Endpoint::DebugSlow
        | Endpoint::ReadLive
        | Endpoint::StreamLive
        | Endpoint::RunAudit
        | Endpoint::ReadResiduals
        | Endpoint::ReadBacklog
        | Endpoint::ReadFleet
        | Endpoint::ReadQueries
        | Endpoint::ReadStages
        | Endpoint::PutStage
        | Endpoint::RunStage
        | Endpoint::ReadClock
        | Endpoint::PutClock => &[200],
    }
}

/// Whether it is answered as JSON or as CSV, as the caller likes.
pub(crate) const fn is_report(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::ReadDailyCounts
            | Endpoint::ReadJobReport
            | Endpoint::ReadDelivery
            | Endpoint::ReadTrend
            | Endpoint::ReadFleet
    )
}

/// How an answer of a status is counted; a problem's code may say otherwise.
pub(crate) const fn outcome_of(status: u16) -> RequestOutcome {
    match status {
        503 => RequestOutcome::Shed,
        0..400 => RequestOutcome::Ok,
        400..500 => RequestOutcome::Rejected,
        500.. => RequestOutcome::Failed,
    }
}
