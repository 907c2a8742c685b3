//! The one log line about a request, from which it can be understood alone.

use std::time::Duration;

use contract::{Endpoint, RequestOutcome};

use super::{Finished, UNMATCHED};

/// Writes it. Its level says who must act: error, an operator, now; warning, an operator, if it
/// goes on; info, the caller; debug, nobody.
pub(super) fn write(request: &Finished<'_>) {
    let Finished {
        endpoint,
        id,
        caller,
        status,
        outcome,
        code,
        cause,
        took,
        first_byte,
        bytes_in,
        bytes_out,
        scope,
    } = *request;
    let route = endpoint.map_or(UNMATCHED, Endpoint::name);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "punctual::request",
                endpoint = route,
                status,
                outcome = outcome.name(),
                code,
                cause,
                duration_ms = millis(took),
                first_byte_ms = first_byte.map(millis),
                request_id = id,
                trace_id = %scope.trace(),
                caller = %caller,
                bytes_in,
                bytes_out,
                queries = scope.queries(),
                rows = scope.rows(),
                pool_wait_ms = millis(scope.pool_wait()),
                "request"
            )
        };
    }
    match outcome {
        RequestOutcome::Ok => line!(debug),
        // Probes ask every second; the latch that turned has its own line.
        RequestOutcome::Shed if endpoint == Some(Endpoint::ReadReadiness) => line!(debug),
        RequestOutcome::Rejected | RequestOutcome::Aborted => line!(info),
        RequestOutcome::Shed => line!(warn),
        RequestOutcome::Failed => line!(error),
    }
}

/// Milliseconds to the microsecond, as people read them.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
