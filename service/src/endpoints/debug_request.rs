//! `GET /debug/requests/{trace_id}`

use schemars::JsonSchema;
use serde::Serialize;

use super::flights::{self, FlightShape};
use crate::http::{Code, Problem, Request, Response};
use crate::obs::exemplar::TraceId;
use crate::obs::kept;

/// What is known of a trace.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TraceShape {
    trace_id: String,
    /// In the order in which they ended: a trace may be of several requests, or of a text.
    flights: Vec<FlightShape>,
}

/// Finds what was kept.
pub(crate) fn handle(request: &Request) -> Result<Response, Problem> {
    let given = request.path.str("trace_id");
    let trace = TraceId::parse(given).ok_or_else(|| {
        let detail = "trace_id must be 32 lower-case hexadecimal digits, not all of them zero";
        Problem::new(Code::BadPath, detail)
    })?;
    let flights: Vec<FlightShape> =
        kept::of_trace(trace).into_iter().map(FlightShape::from).collect();
    if flights.is_empty() {
        let detail = "No flight of this trace was kept here: it was neither slow nor bad nor \
                      drawn, or newer ones took its place, or another process answered it.";
        return Err(Problem::new(Code::NotFound, detail));
    }
    flights::answer(
        request,
        "debug_request.html",
        &TraceShape { trace_id: trace.to_string(), flights },
    )
}
