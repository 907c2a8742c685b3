//! Every bound in the program with its reason. A full thing answers 503 with `Retry-After`, at
//! once; nothing grows without a row here.
//!
//! Never here: an objective (endpoint, stage, journey) or the size of a batch (stage).

use crate::table::{is_snake_case, table};

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// The bound, unless configured otherwise.
    pub default: u64,
    /// What it counts.
    pub unit: &'static str,
    /// Why it is that.
    pub reason: &'static str,
}

table! {
    /// A bound.
    pub enum Limit: Spec;

    /// Connections that the public listener keeps open.
    PublicConnections = public_connections {
        default: 2_048, unit: "connections",
        reason: "about 20 kB each with their buffers: 40 MB of the 150 MB that a process may hold",
    }
    /// Connections that the admin listener keeps open.
    AdminConnections = admin_connections {
        default: 64, unit: "connections",
        reason: "a few scrapers and people; more is a mistake",
    }
    /// Answers that are streamed to operators at a time.
    Streams = streams {
        default: 16, unit: "streams",
        reason: "a quarter of the operators' connections: open pages must leave room for scrapes",
    }
    /// Reports that are sent a page at a time, at a time.
    Reports = reports {
        default: 16, unit: "reports",
        reason: "two pages of 500 texts each, about 400 kB: 6 MB of the 150 MB of a process",
    }
    /// Requests being answered at a time.
    RequestsInFlight = requests_in_flight {
        default: 1_536, unit: "requests",
        reason: "half a second's worth at three thousand a second: more only makes answers late",
    }
    /// Bytes of request bodies held in memory at a time.
    BodyBytes = body_bytes {
        default: 33_554_432, unit: "bytes",
        reason: "sixteen of the largest batches; read, they take a multiple of it",
    }
    /// Bytes of a request's head.
    RequestHeadBytes = request_head_bytes {
        default: 16_384, unit: "bytes",
        reason: "cookies and proxies stay below 8 kB; twice that is an attack",
    }
    /// Milliseconds in which a connection must send a whole request head, also when idle.
    RequestHeadMs = request_head_ms {
        default: 75_000, unit: "milliseconds",
        reason: "clients keep connections alive for up to a minute",
    }
    /// Writes that wait for the group commit, over all shards.
    CommitQueue = commit_queue {
        default: 8_192, unit: "writes",
        reason: "one full import batch of 1,000 for each of eight clients",
    }
    /// Appointments in one request.
    BatchItems = batch_items {
        default: 1_000, unit: "appointments",
        reason: "one transaction of a few tens of milliseconds",
    }
    /// Deliveries under way at a time, in one process.
    DeliveriesInFlight = deliveries_in_flight {
        default: 768, unit: "deliveries",
        reason: "Little's law: 4,000 a second at 150 ms each, with a quarter to spare",
    }
    /// Tries for one message before it fails.
    AttemptsPerMessage = attempts_per_message {
        default: 8, unit: "attempts",
        reason: "with doubling waits from one second that is four minutes of provider trouble",
    }
    /// Practices whose settings and rules are kept in memory.
    PracticeCache = practice_cache {
        default: 20_000, unit: "practices",
        reason: "about 2 kB each with compiled templates: 40 MB",
    }
    /// Compiled templates kept in memory. Practices that share a template share its place.
    TemplateCache = template_cache {
        default: 2_048, unit: "templates",
        reason: "about 4 kB each: 8 MB; most practices have the default ones",
    }
    /// Sender numbers kept in memory.
    SenderCache = sender_cache {
        default: 50_000, unit: "numbers",
        reason: "32 bytes each",
    }
    /// API keys whose check is kept in memory.
    ApiKeyCache = api_key_cache {
        default: 20_000, unit: "keys",
        reason: "about 100 bytes each; a revoked key is forgotten within a minute",
    }
    /// Days ahead for which intents are planned; appointments beyond it are planned later.
    PlanHorizonDays = plan_horizon_days {
        default: 190, unit: "days",
        reason: "half a year of bookings: one partition a week",
    }
    /// Reads under way on the primary that a replica should have answered.
    FallbackReads = fallback_reads {
        default: 3, unit: "reads",
        reason: "they share the eight connections of the writes, which keep five",
    }
    /// Reports under way on the primary that a replica should have answered.
    FallbackReports = fallback_reports {
        default: 1, unit: "reports",
        reason: "reports are what is given up first: one at a time leaves the primary its room",
    }
    /// Bytes of a response that the provider may send.
    ProviderResponseBytes = provider_response_bytes {
        default: 262_144, unit: "bytes",
        reason: "a page of 50 looked-up messages is about 60 kB",
    }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Limit::COUNT {
        let row = Limit::ALL[i];
        assert!(is_snake_case(row.name()), "a limit's name is snake_case");
        assert!(row.spec().default > 0);
        i += 1;
    }
};
