//! Every endpoint of the service: where it is reached, who may call it, how fast it must be and
//! how much of the database it may use. Routing, dispatch, metrics, alerts and documents are
//! derived from these rows; an endpoint without a row can't be reached.
//!
//! Never here: how a request is answered (`service/src/endpoints/<name>.rs`).

use crate::table::{is_snake_case, table};
use crate::tier::Tier;

/// HTTP methods that the service answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads; never changes anything.
    Get,
    /// Makes or does something.
    Post,
    /// Puts a thing in a stated state; repeating it changes nothing.
    Put,
    /// Ends a thing.
    Delete,
}

impl Method {
    /// As on the wire and in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Which socket answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listener {
    /// The one that practices and providers reach.
    Public,
    /// The operators' one, on loopback unless configured.
    Admin,
}

/// What a caller has to present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Nothing.
    Open,
    /// A key of the practice in the path, or the admin key.
    Practice,
    /// The admin key.
    AdminKey,
    /// The provider's signature.
    Provider,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// HTTP method.
    pub method: Method,
    /// Path template; `{name}` matches one segment.
    pub path: &'static str,
    /// Which socket answers.
    pub listener: Listener,
    /// What a caller has to present.
    pub access: Access,
    /// Parameters that may stand after the path's question mark, once each: any other is refused.
    /// Only a provider may add its own to a callback, whose address it signs whole.
    pub params: &'static [&'static str],
    /// How much it matters.
    pub tier: Tier,
    /// A request is good when answered within this many milliseconds; a streamed answer, when its
    /// first byte leaves within them.
    pub latency_ms: u32,
    /// The share of requests that must be good for latency, as a ratio.
    pub latency_objective: f64,
    /// The share of requests that must not fail by our fault, as a ratio.
    pub availability_objective: f64,
    /// Most named statements that one request may run.
    pub query_budget: u32,
    /// Most times that one request may run the same statement: more is a loop around a statement
    /// where one with a set would do.
    pub repeats_max: u16,
    /// Largest request body in bytes; 0 means that none is read.
    pub body_bytes_max: u32,
    /// The request is given up, with 503, after this many milliseconds; a streamed answer must
    /// have begun by then.
    pub deadline_ms: u32,
    /// The answer is made while it is sent: until the caller or the process leaves, or a report that
    /// is read a page at a time.
    pub streams: bool,
}

table! {
    /// An endpoint of the service.
    pub enum Endpoint: Spec;

    /// Makes a practice, or changes its settings and rules. A change opens a new revision. If reminders are due at other times under it, future appointments are planned again. What texts say and where they come from holds for what is booked too, a second after the answer at the latest: a text is made with the newest name, time zone and template of its rule, and one that waits and was never tried is worded anew before it leaves. A text that was tried keeps its words, unless it loses an appointment or leaves on another day than it was due on; one whose rule is gone keeps its words as well. Each try leaves from the number that is the newest then.
    PutPractice = put_practice {
        method: Method::Put, path: "/v1/practices/{practice_id}",
        listener: Listener::Public, access: Access::AdminKey, tier: Tier::Standard, params: &[],
        latency_ms: 500, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 8, repeats_max: 2, body_bytes_max: 65_536, deadline_ms: 5_000, streams: false,
    }
    /// Reads a practice with its settings and rules.
    ReadPractice = read_practice {
        method: Method::Get, path: "/v1/practices/{practice_id}",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Standard, params: &[],
        latency_ms: 250, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 3, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// Makes an API key for a practice. It is shown once and stored as a hash.
    CreateApiKey = create_api_key {
        method: Method::Post, path: "/v1/practices/{practice_id}/api-keys",
        listener: Listener::Public, access: Access::AdminKey, tier: Tier::Standard, params: &[],
        latency_ms: 500, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 3, repeats_max: 2, body_bytes_max: 1_024, deadline_ms: 5_000, streams: false,
    }
    /// Ends an API key of a practice.
    RevokeApiKey = revoke_api_key {
        method: Method::Delete, path: "/v1/practices/{practice_id}/api-keys/{key_id}",
        listener: Listener::Public, access: Access::AdminKey, tier: Tier::Standard, params: &[],
        latency_ms: 500, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 3, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// Takes in one appointment or up to 1,000 and plans their reminders in the same transaction. The highest version of an appointment wins; repeating one changes nothing.
    UpsertAppointments = upsert_appointments {
        method: Method::Post, path: "/v1/practices/{practice_id}/appointments",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Critical, params: &[],
        latency_ms: 500, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 20, repeats_max: 2, body_bytes_max: 2_097_152, deadline_ms: 10_000, streams: false,
    }
    /// Cancels an appointment and says for each of its reminders whether it was stopped in time.
    CancelAppointment = cancel_appointment {
        method: Method::Post, path: "/v1/practices/{practice_id}/appointments/{appointment_id}/cancel",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Critical, params: &[],
        latency_ms: 500, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 20, repeats_max: 2, body_bytes_max: 1_024, deadline_ms: 10_000, streams: false,
    }
    /// Reads an appointment with its reminders and their fates.
    ReadAppointment = read_appointment {
        method: Method::Get, path: "/v1/practices/{practice_id}/appointments/{appointment_id}",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Standard, params: &[],
        latency_ms: 250, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 3, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// Lists a practice's messages in the order in which they were made, a page at a time.
    ListMessages = list_messages {
        method: Method::Get, path: "/v1/practices/{practice_id}/messages",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Standard,
        params: &["after", "limit", "day"],
        latency_ms: 500, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 3, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// Counts a practice's reminders of one local day by rule and fate, with what is left over: as JSON or CSV.
    ReadDailyCounts = read_daily_counts {
        method: Method::Get, path: "/v1/practices/{practice_id}/days/{day}/counts",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Reporting, params: &[],
        latency_ms: 1_000, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 4, repeats_max: 2, body_bytes_max: 0, deadline_ms: 10_000, streams: false,
    }
    /// Says of each appointment that a practice's texts of one local day tell of who was told, when, what came of it and what was answered: as JSON or CSV, a page at a time.
    ReadJobReport = read_job_report {
        method: Method::Get, path: "/v1/practices/{practice_id}/days/{day}/report",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Reporting, params: &[],
        latency_ms: 1_000, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 2_100, repeats_max: 2_048, body_bytes_max: 0, deadline_ms: 30_000, streams: true,
    }
    /// Says how a practice's texts of some days were handed over, by rule and local hour of their due time: how many, what came of them, how late. As JSON or CSV.
    ReadDelivery = read_delivery {
        method: Method::Get, path: "/v1/practices/{practice_id}/reports/delivery",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Reporting,
        params: &["from", "until"],
        latency_ms: 1_000, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 4, repeats_max: 2, body_bytes_max: 0, deadline_ms: 30_000, streams: false,
    }
    /// Counts a practice's reminders by local day and fate, for up to 90 days. As JSON or CSV.
    ReadTrend = read_trend {
        method: Method::Get, path: "/v1/practices/{practice_id}/reports/trend",
        listener: Listener::Public, access: Access::Practice, tier: Tier::Reporting,
        params: &["from", "until"],
        latency_ms: 1_000, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 4, repeats_max: 2, body_bytes_max: 0, deadline_ms: 10_000, streams: false,
    }
    /// Takes in a provider's word on what became of a message. Older and repeated ones change nothing.
    ReceiveStatus = receive_status {
        method: Method::Post,
        path: "/v1/callbacks/{provider}/status/{practice_id}/{message_id}/{attempt_no}/{signature}",
        listener: Listener::Public, access: Access::Provider, tier: Tier::Critical, params: &[],
        latency_ms: 1_000, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 6, repeats_max: 2, body_bytes_max: 16_384, deadline_ms: 10_000, streams: false,
    }
    /// Takes in a text that a patient sent, once each.
    ReceiveReply = receive_reply {
        method: Method::Post, path: "/v1/callbacks/{provider}/reply",
        listener: Listener::Public, access: Access::Provider, tier: Tier::Critical, params: &[],
        latency_ms: 1_000, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 8, repeats_max: 2, body_bytes_max: 16_384, deadline_ms: 10_000, streams: false,
    }
    /// The description of the public interface, OpenAPI 3.1.
    ReadOpenapi = read_openapi {
        method: Method::Get, path: "/v1/openapi.json",
        listener: Listener::Public, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 100, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 0, repeats_max: 2, body_bytes_max: 0, deadline_ms: 1_000, streams: false,
    }
    /// Whether the process lives.
    ReadHealth = read_health {
        method: Method::Get, path: "/healthz",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 100, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 0, repeats_max: 2, body_bytes_max: 0, deadline_ms: 1_000, streams: false,
    }
    /// Whether the process can do its work now: 200, or 503 with what is missing.
    ReadReadiness = read_readiness {
        method: Method::Get, path: "/readyz",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 100, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 1, repeats_max: 2, body_bytes_max: 0, deadline_ms: 2_000, streams: false,
    }
    /// All metrics, for Prometheus.
    ReadMetrics = read_metrics {
        method: Method::Get, path: "/metrics",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 250, latency_objective: 0.99, availability_objective: 0.999,
        query_budget: 0, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// The live page: this process's critical paths, stages, pools and statements, for a browser.
    ReadLive = read_live {
        method: Method::Get, path: "/",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 100, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 0, repeats_max: 2, body_bytes_max: 0, deadline_ms: 1_000, streams: false,
    }
    /// What the live page shows, once a second as server-sent events.
    StreamLive = stream_live {
        method: Method::Get, path: "/live/events",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 250, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 0, repeats_max: 2, body_bytes_max: 0, deadline_ms: 1_000, streams: true,
    }
    /// What was kept of a trace: its flights with their spans, as a waterfall for people or as JSON.
    DebugRequest = debug_request {
        method: Method::Get, path: "/debug/requests/{trace_id}",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 250, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 0, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// The bad flights that a route has kept, a sample of the good ones, and what the slow ones have in common against it.
    DebugSlow = debug_slow {
        method: Method::Get, path: "/debug/slow",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard,
        params: &["route"],
        latency_ms: 250, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 0, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// Checks the laws on the database's side by statements that share nothing with the workers.
    RunAudit = run_audit {
        method: Method::Get, path: "/admin/audit",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Reporting, params: &[],
        latency_ms: 60_000, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 400, repeats_max: 1_024, body_bytes_max: 0, deadline_ms: 600_000, streams: false,
    }
    /// The promises that reconciliation found out of order and that aren't mended, by name.
    ReadResiduals = read_residuals {
        method: Method::Get, path: "/admin/residuals",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Reporting,
        params: &["practice_id"],
        latency_ms: 2_500, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 2_100, repeats_max: 1_024, body_bytes_max: 0, deadline_ms: 30_000, streams: false,
    }
    /// How much work stands before each stage.
    ReadBacklog = read_backlog {
        method: Method::Get, path: "/admin/backlog",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Reporting, params: &[],
        latency_ms: 2_500, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 2_100, repeats_max: 1_024, body_bytes_max: 0, deadline_ms: 30_000, streams: false,
    }
    /// Counts the reminders of all practices by local day and fate, for up to 90 days. As JSON or CSV.
    ReadFleet = read_fleet {
        method: Method::Get, path: "/admin/fleet",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Reporting,
        params: &["from", "until"],
        latency_ms: 2_500, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 2_100, repeats_max: 1_024, body_bytes_max: 0, deadline_ms: 30_000, streams: false,
    }
    /// Which statements take the time, who runs them, and a review of the database: indexes, sessions, spaces of numbers, slots.
    ReadQueries = read_queries {
        method: Method::Get, path: "/debug/queries",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Reporting,
        params: &["limit", "older_than_ms"],
        latency_ms: 2_500, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 20, repeats_max: 2, body_bytes_max: 0, deadline_ms: 30_000, streams: false,
    }
    /// The stages of this process: which is held, what it has in hand, what stands before it.
    ReadStages = read_stages {
        method: Method::Get, path: "/admin/stages",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Reporting, params: &[],
        latency_ms: 2_500, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 2_100, repeats_max: 1_024, body_bytes_max: 0, deadline_ms: 30_000, streams: false,
    }
    /// Holds a stage of this process, or opens it, for tests and measurements; refused unless `stage_gates` is on. Holding is answered when the stage has come to rest.
    PutStage = put_stage {
        method: Method::Put, path: "/admin/stages/{stage}",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 2_500, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 0, repeats_max: 2, body_bytes_max: 1_024, deadline_ms: 60_000, streams: false,
    }
    /// Makes a held stage work, one full batch after the other, until nothing is left or so many messages are done, and says what it did.
    RunStage = run_stage {
        method: Method::Post, path: "/admin/stages/{stage}/run",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Reporting, params: &[],
        latency_ms: 60_000, latency_objective: 0.9, availability_objective: 0.9,
        query_budget: 0, repeats_max: 2, body_bytes_max: 1_024, deadline_ms: 600_000, streams: false,
    }
    /// The domain clock: origin and speed.
    ReadClock = read_clock {
        method: Method::Get, path: "/admin/clock",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 250, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 1, repeats_max: 2, body_bytes_max: 0, deadline_ms: 5_000, streams: false,
    }
    /// Sets the domain clock, for demos and tests; refused in production.
    PutClock = put_clock {
        method: Method::Put, path: "/admin/clock",
        listener: Listener::Admin, access: Access::Open, tier: Tier::Standard, params: &[],
        latency_ms: 500, latency_objective: 0.99, availability_objective: 0.99,
        query_budget: 8, repeats_max: 8, body_bytes_max: 1_024, deadline_ms: 5_000, streams: false,
    }
}

impl Endpoint {
    /// Those whose latency is the time to their first byte.
    pub fn that_stream() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|row| row.spec().streams)
    }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Endpoint::COUNT {
        let row = Endpoint::ALL[i];
        let spec = row.spec();
        assert!(is_snake_case(row.name()), "an endpoint's name is snake_case");
        assert!(spec.path.as_bytes()[0] == b'/', "a path begins with a slash");
        assert!(spec.latency_ms > 0 && spec.latency_ms <= spec.deadline_ms);
        assert!(spec.repeats_max > 0);
        assert!(!matches!(spec.access, Access::Provider) || spec.params.is_empty());
        // What has no end is for operators and holds no connection; what has one is a report.
        let may_stream = match spec.listener {
            Listener::Admin => spec.query_budget == 0,
            Listener::Public => matches!(spec.tier, Tier::Reporting),
        };
        assert!(!spec.streams || may_stream);
        assert!(spec.latency_objective > 0.0 && spec.latency_objective < 1.0);
        assert!(spec.availability_objective > 0.0 && spec.availability_objective < 1.0);
        assert!(matches!(spec.method, Method::Get | Method::Delete) == (spec.body_bytes_max == 0));
        i += 1;
    }
};

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
