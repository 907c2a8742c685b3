//! A plan's content hash: SHA-256 over all that is sent and when, in a form in which no two plans
//! look alike (every text stands behind its length).
//!
//! Never here: where the plan comes from, or the headers that a run adds to every request (keys
//! differ between machines, the work doesn't).

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use super::{Arrival, Kind, Planned};

/// Changes whenever the form does.
const FORM: &[u8] = b"punctual plan 1\n";

/// Hex of the hash.
pub(super) fn hash(
    kinds: &[Kind],
    requests: &[Planned],
    arrivals: &[Arrival],
    span: Duration,
) -> String {
    let mut context = Context::new(&SHA256);
    context.update(FORM);
    number(&mut context, kinds.len());
    for Kind { name, method } in kinds {
        text(&mut context, name.as_bytes());
        text(&mut context, method.as_bytes());
    }
    number(&mut context, requests.len());
    for Planned { kind, method, uri, headers, body } in requests {
        number(&mut context, *kind);
        text(&mut context, method.as_str().as_bytes());
        text(&mut context, uri.path_and_query().map_or("/", |p| p.as_str()).as_bytes());
        number(&mut context, headers.len());
        for (name, value) in headers.iter() {
            text(&mut context, name.as_str().as_bytes());
            text(&mut context, value.as_bytes());
        }
        text(&mut context, body);
    }
    number(&mut context, arrivals.len());
    for Arrival { intended_ns, request } in arrivals {
        context.update(&intended_ns.to_le_bytes());
        context.update(&request.to_le_bytes());
    }
    context.update(&(span.as_nanos() as u64).to_le_bytes());
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(context: &mut Context, n: usize) {
    context.update(&(n as u64).to_le_bytes());
}

fn text(context: &mut Context, bytes: &[u8]) {
    number(context, bytes.len());
    context.update(bytes);
}
