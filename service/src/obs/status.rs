//! Which statuses an endpoint can answer, and how each is counted: what makes the series of
//! requests a closed set.
//!
//! Never here: recording (`http`).

use contract::endpoint::{Access, Method};
use contract::{Endpoint, RequestOutcome};

/// A status and how it is counted: a problem's code decides where there are several ways.
pub(super) type Answer = (u16, RequestOutcome);

/// What a request is answered that no endpoint matches.
pub(super) const UNMATCHED: &[Answer] = &[
    (400, RequestOutcome::Rejected),
    (404, RequestOutcome::Rejected),
    (405, RequestOutcome::Rejected),
    (500, RequestOutcome::Failed),
];

/// Every way in which an endpoint answers.
pub(super) fn answers(endpoint: Endpoint) -> Vec<Answer> {
    let mut answers: Vec<Answer> =
        statuses(endpoint).into_iter().map(|status| (status, outcome_of(status))).collect();
    // Not done in time: that is our fault, and not that of too much work elsewhere.
    answers.push((503, RequestOutcome::Failed));
    if endpoint.spec().streams {
        // It had begun, and could not be sent to its end.
        answers.extend(successes(endpoint).iter().map(|&status| (status, RequestOutcome::Failed)));
    }
    answers
}

/// Every status that an endpoint answers: what its row and its handler make possible.
pub(crate) fn statuses(endpoint: Endpoint) -> Vec<u16> {
    let spec = endpoint.spec();
    let mut statuses = [successes(endpoint), of_its_own(endpoint)].concat();
    // Any request can be malformed, slow to come or too large; any may find us broken or full.
    statuses.extend([400, 408, 413, 500, 503]);
    match spec.access {
        Access::Open => {}
        Access::Practice => statuses.extend([401, 403, 429]),
        Access::AdminKey => statuses.extend([401, 403]),
        Access::Provider => statuses.push(403),
    }
    match spec.method {
        Method::Get => {}
        // The database may hold what contradicts a write.
        Method::Post | Method::Put | Method::Delete => statuses.push(409),
    }
    if is_report(endpoint) {
        statuses.push(406);
    }
    statuses.sort_unstable();
    statuses
}

/// What an endpoint's own handler refuses, beside what follows from its row.
const fn of_its_own(endpoint: Endpoint) -> &'static [u16] {
    match endpoint {
        Endpoint::ReadPractice
        | Endpoint::CreateApiKey
        | Endpoint::RevokeApiKey
        | Endpoint::ReadAppointment
        | Endpoint::DebugRequest => &[404],
        Endpoint::UpsertAppointments | Endpoint::CancelAppointment => &[404, 415, 422],
        Endpoint::ReceiveStatus | Endpoint::ReceiveReply => &[404, 422],
        Endpoint::PutPractice => &[415, 422],
        // Refused in production, or where it is not on.
        Endpoint::PutClock => &[403, 415, 422],
        Endpoint::PutStage | Endpoint::RunStage => &[403, 415],
        Endpoint::ListMessages
        | Endpoint::ReadDailyCounts
        | Endpoint::ReadJobReport
        | Endpoint::ReadDelivery
        | Endpoint::ReadTrend
        | Endpoint::ReadOpenapi
        | Endpoint::ReadHealth
        | Endpoint::ReadReadiness
        | Endpoint::ReadMetrics
        | Endpoint::DebugSlow
        | Endpoint::ReadLive
        | Endpoint::StreamLive
        | Endpoint::RunAudit
        | Endpoint::ReadResiduals
        | Endpoint::ReadBacklog
        | Endpoint::ReadFleet
        | Endpoint::ReadQueries
        | Endpoint::ReadStages
        | Endpoint::ReadClock => &[],
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_answer_is_there_once() {
        for &endpoint in Endpoint::ALL {
            let answers = answers(endpoint);
            let once: BTreeSet<_> = answers.iter().collect();
            assert_eq!(once.len(), answers.len(), "{}: {answers:?}", endpoint.name());
            for outcome in [RequestOutcome::Shed, RequestOutcome::Failed] {
                assert!(once.contains(&(503, outcome)), "{}", endpoint.name());
            }
            let is_broken = (successes(endpoint)[0], RequestOutcome::Failed);
            assert_eq!(once.contains(&is_broken), endpoint.spec().streams, "{}", endpoint.name());
        }
    }
}
