//! `docs/endpoints.md`, from the table of endpoints.

use std::fmt::Write as _;

use contract::Endpoint;
use contract::endpoint::{Access, Listener};

use super::{row, rule};

pub(super) fn page() -> String {
    let mut page = String::from(
        "# Endpoints\n\nWritten by `punctual render` from `service/contract/src/endpoint.rs`. The \
         public interface in detail is `docs/openapi.json`.\n\nA request is good when it is \
         answered within its latency objective; the percentage is the share that must be. \
         Statements is the budget of named statements; going over it is counted in \
         `endpoint_budget_exceeded_total`, running one statement more often than Repeats in \
         `endpoint_repeated_queries_total`.\n",
    );
    for (listener, title) in [(Listener::Public, "Public"), (Listener::Admin, "Admin")] {
        _ = write!(page, "\n## {title}\n\n");
        page += &row([
            "Name",
            "Method and path",
            "Caller",
            "Tier",
            "Latency",
            "Availability",
            "Statements",
            "Repeats",
            "Body",
            "Deadline",
        ]);
        page += &rule::<10>();
        for &endpoint in Endpoint::ALL {
            if endpoint.spec().listener == listener {
                page += &line(endpoint);
            }
        }
    }
    page += "\n## What each does\n\nA parameter after a path's question mark that is not named \
             here is refused (`bad_query`), but for a provider's.\n";
    for endpoint in Endpoint::ALL {
        _ = write!(page, "\n### {}\n\n{}\n", endpoint.name(), endpoint.help());
        let names: Vec<String> =
            endpoint.spec().params.iter().map(|name| format!("`{name}`")).collect();
        if !names.is_empty() {
            _ = write!(page, "\nParameters: {}.\n", names.join(", "));
        }
    }
    page
}

fn line(endpoint: Endpoint) -> String {
    let spec = endpoint.spec();
    let caller = match spec.access {
        Access::Open => "anybody who reaches it",
        Access::Practice => "the practice's key or the admin key",
        Access::AdminKey => "the admin key",
        Access::Provider => "the provider, signed",
    };
    let body = match spec.body_bytes_max {
        0 => "none".to_owned(),
        bytes => format!("{bytes} bytes"),
    };
    row([
        &format!("[{0}](#{0})", endpoint.name()),
        &format!("`{} {}`", spec.method.name(), spec.path),
        caller,
        spec.tier.name(),
        &format!("{} ms in {} %", spec.latency_ms, percent(spec.latency_objective)),
        &format!("{} %", percent(spec.availability_objective)),
        &spec.query_budget.to_string(),
        &spec.repeats_max.to_string(),
        &body,
        &format!("{} ms", spec.deadline_ms),
    ])
}

/// A ratio in per cent, without what floating point adds.
fn percent(ratio: f64) -> f64 {
    (ratio * 1e7).round() / 1e5
}
