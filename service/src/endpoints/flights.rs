//! Kept flights as they are shown: as JSON, and as pages for people. What `debug_request` and
//! `debug_slow` have in common.
//!
//! Never here: which flights are kept (`obs::kept`).

use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use http::header::ACCEPT;
use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::{Problem, Request, Response};
use crate::obs::kept::Kept;

/// A kept flight.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FlightShape {
    trace_id: String,
    route: &'static str,
    /// When it ended.
    at: String,
    took_ms: f64,
    outcome: &'static str,
    /// HTTP status; 0 where there was no answer.
    status: u16,
    /// Why it was kept: slow, failed, aborted or sample.
    why: &'static str,
    spans: Vec<SpanShape>,
    /// Spans for which there was no room.
    spans_dropped: u32,
}

/// A stretch of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SpanShape {
    /// pool, query, wait, batch or call.
    kind: &'static str,
    name: &'static str,
    start_ms: f64,
    took_ms: f64,
    rows: u32,
    /// How a statement ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// Where it begins, in per cent of the whole.
    left_percent: f64,
    /// How long it is, in per cent of the whole.
    width_percent: f64,
}

impl From<Kept> for FlightShape {
    fn from(kept: Kept) -> Self {
        let Kept { trace, route, at, took, outcome, status, why, spans, dropped } = kept;
        let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Timestamp::UNIX_EPOCH.saturating_add(since_epoch).unwrap_or_default();
        let whole = took.as_secs_f64().max(1e-6);
        let span = |span: crate::obs::flight::Span| {
            let (start, length) = (span.start.as_secs_f64(), span.took.as_secs_f64());
            SpanShape {
                kind: span.what.kind(),
                name: span.what.name(),
                start_ms: millis(start),
                took_ms: millis(length),
                rows: span.rows,
                outcome: span.how.map(|(_, outcome)| outcome.name()),
                left_percent: percent(start / whole),
                width_percent: percent(length / whole),
            }
        };
        Self {
            trace_id: trace.to_string(),
            route: route.name(),
            at: format!("{at:.3}"),
            took_ms: millis(took.as_secs_f64()),
            outcome,
            status,
            why: why.name(),
            spans: spans.into_iter().map(span).collect(),
            spans_dropped: dropped,
        }
    }
}

/// Milliseconds to the microsecond.
pub(super) fn millis(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

fn percent(ratio: f64) -> f64 {
    (ratio.clamp(0.0, 1.0) * 1e4).round() / 1e2
}

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, text) in [
        ("page.html", include_str!("flights/page.html.j2")),
        ("debug_request.html", include_str!("flights/debug_request.html.j2")),
        ("debug_slow.html", include_str!("flights/debug_slow.html.j2")),
    ] {
        pages.add_template(name, text).expect("checked by a test");
    }
    pages
});

/// As the caller likes it: a page for browsers, which say so, and JSON for everybody else.
pub(super) fn answer<T: Serialize>(
    request: &Request,
    page: &'static str,
    value: &T,
) -> Result<Response, Problem> {
    let accept = request.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/html")) {
        return Ok(Response::json(200, value).with_header("vary", "accept"));
    }
    let made = make(page, value);
    let text = made.map_err(|error| Problem::internal(error.to_string()))?;
    // Nothing but its own styles: names that a page shows are ours, and still.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    Ok(Response::of(200, "text/html; charset=utf-8", text)
        .with_header("vary", "accept")
        .with_header("content-security-policy", policy))
}

/// The part that is of this page, inside of what all pages have.
fn make<T: Serialize>(page: &str, value: &T) -> Result<String, minijinja::Error> {
    let body = PAGES.get_template(page)?.render(Serde(value))?;
    PAGES.get_template("page.html")?.render(context! { body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_sound_and_escape_what_they_show() {
        let flight = serde_json::json!({ "outcome": "<b>" });
        let shown = serde_json::json!({
            "route": "<b>", "trace_id": "<b>", "flights": [flight], "sample": [flight],
        });
        for (page, names) in [("debug_request.html", 2), ("debug_slow.html", 3)] {
            let text = make(page, &shown).unwrap();
            assert!(text.starts_with("<!doctype html>"), "{text}");
            assert_eq!(text.matches("&lt;b&gt;").count(), names, "{text}");
            assert!(!text.contains("<b>"), "{text}");
        }
    }
}
