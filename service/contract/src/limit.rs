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
    /// Below this the service could not do its work: no setting may be less.
    pub least: u64,
    /// Above this it is a slip of the pen, or more than a machine has: no setting may be more.
    pub most: u64,
    /// What it counts.
    pub unit: &'static str,
    /// Something of it is in use at a time, so that there is a share to be told. Without it, single
    /// things are held against the bound and are over it or not.
    pub has_level: bool,
    /// It bounds a memory: beyond it the oldest is forgotten and asked for again. Full is how it is
    /// meant to be, and nobody is turned away.
    pub forgets: bool,
    /// Why it is that.
    pub reason: &'static str,
}

table! {
    /// A bound.
    pub enum Limit: Spec;

    /// Connections that the public listener keeps open.
    PublicConnections = public_connections {
        default: 2_048, least: 1, most: 1_000_000,
        unit: "connections", has_level: true, forgets: false,
        reason: "about 20 kB each with their buffers: 40 MB of the 150 MB that a process may hold",
    }
    /// Connections that the admin listener keeps open.
    AdminConnections = admin_connections {
        default: 64, least: 1, most: 10_000, unit: "connections", has_level: true, forgets: false,
        reason: "a few scrapers and people; more is a mistake",
    }
    /// Answers that are streamed to operators at a time.
    Streams = streams {
        default: 16, least: 1, most: 10_000, unit: "streams", has_level: true, forgets: false,
        reason: "a quarter of the operators' connections: open pages must leave room for scrapes",
    }
    /// Reports that are sent a page at a time, at a time.
    Reports = reports {
        default: 16, least: 1, most: 10_000, unit: "reports", has_level: true, forgets: false,
        reason: "two pages of 500 texts each, about 400 kB: 6 MB of the 150 MB of a process",
    }
    /// Requests being answered at a time.
    RequestsInFlight = requests_in_flight {
        default: 1_536, least: 1, most: 1_000_000,
        unit: "requests", has_level: true, forgets: false,
        reason: "half a second's worth at three thousand a second: more only makes answers late",
    }
    /// Requests a second of one practice to one process; as many at once after a pause.
    PracticeRequests = practice_requests {
        default: 5_000, least: 1, most: 1_000_000,
        unit: "requests a second", has_level: false, forgets: false,
        reason: "who asks again as soon as it is answered stays below it; a client that runs wild \
                 on many connections doesn't, and leaves room to others",
    }
    /// Look-ups at a time of API keys that are not in memory. Two of them are at the database.
    KeyLookups = key_lookups {
        default: 256, least: 1, most: 100_000,
        unit: "look-ups", has_level: true, forgets: false,
        reason: "a sixth of the requests in flight, and a tenth of a second for a process that has \
                 just begun: keys that somebody makes up leave the rest to others",
    }
    /// Bytes of request bodies held in memory at a time.
    BodyBytes = body_bytes {
        default: 33_554_432, least: 1_024, most: 4_294_967_295,
        unit: "bytes", has_level: true, forgets: false,
        reason: "sixteen of the largest batches; read, they take a multiple of it",
    }
    /// Bytes of a request's head. The server's buffer for one can't be smaller than 8 kB.
    RequestHeadBytes = request_head_bytes {
        default: 16_384, least: 8_192, most: 1_048_576,
        unit: "bytes", has_level: false, forgets: false,
        reason: "cookies and proxies stay below 8 kB; twice that is an attack",
    }
    /// Milliseconds in which a connection must send a whole request head, also when idle.
    RequestHeadMs = request_head_ms {
        default: 75_000, least: 100, most: 3_600_000,
        unit: "milliseconds", has_level: false, forgets: false,
        reason: "clients keep connections alive for up to a minute",
    }
    /// Writes that wait for the group commit, over all shards.
    CommitQueue = commit_queue {
        default: 8_192, least: 1, most: 1_000_000, unit: "writes", has_level: true, forgets: false,
        reason: "one full import batch of 1,000 for each of eight clients",
    }
    /// Appointments in one request.
    BatchItems = batch_items {
        default: 1_000, least: 1, most: 10_000,
        unit: "appointments", has_level: false, forgets: false,
        reason: "one transaction of a few tens of milliseconds",
    }
    /// Deliveries under way at a time, in one process.
    DeliveriesInFlight = deliveries_in_flight {
        default: 768, least: 1, most: 100_000, unit: "deliveries", has_level: true, forgets: false,
        reason: "Little's law: 4,000 a second at 150 ms each, with a quarter to spare",
    }
    /// Tries for one message. What a provider can't take now is tried until its appointment begins,
    /// and what it refuses for good fails at once; neither comes near this.
    AttemptsPerMessage = attempts_per_message {
        default: 32_000, least: 26_000, most: 32_767,
        unit: "attempts", has_level: false, forgets: false,
        reason: "with doubling waits from one second to 256 that is about 338 a day, and at most \
                 25742 in the 61 days that a reminder may lie ahead; what counts them holds 32767",
    }
    /// Practices whose settings and rules are kept in memory.
    PracticeCache = practice_cache {
        default: 20_000, least: 1, most: 10_000_000,
        unit: "practices", has_level: true, forgets: true,
        reason: "about 2 kB each with compiled templates: 40 MB",
    }
    /// Compiled templates kept in memory. Practices that share a template share its place.
    TemplateCache = template_cache {
        default: 2_048, least: 1, most: 1_000_000,
        unit: "templates", has_level: true, forgets: true,
        reason: "about 4 kB each: 8 MB; most practices have the default ones",
    }
    /// Sender numbers kept in memory.
    SenderCache = sender_cache {
        default: 50_000, least: 1, most: 100_000_000,
        unit: "numbers", has_level: true, forgets: true,
        reason: "32 bytes each",
    }
    /// API keys whose check is kept in memory.
    ApiKeyCache = api_key_cache {
        default: 20_000, least: 1, most: 10_000_000, unit: "keys", has_level: true, forgets: true,
        reason: "about 100 bytes each, and as many again at most that are no keys; a revoked key \
                 is forgotten within a minute, or a quarter of an hour where no primary is found",
    }
    /// Days ahead for which intents are planned; appointments beyond it are planned later.
    PlanHorizonDays = plan_horizon_days {
        default: 190, least: 1, most: 3_650, unit: "days", has_level: false, forgets: false,
        reason: "half a year of bookings: one partition a week",
    }
    /// Reads under way on the primary that a replica should have answered.
    FallbackReads = fallback_reads {
        default: 3, least: 1, most: 500, unit: "reads", has_level: true, forgets: false,
        reason: "they share the eight connections of the writes, which keep half: one is for \
                 readers of another history",
    }
    /// Reports under way on the primary that a replica should have answered.
    FallbackReports = fallback_reports {
        default: 1, least: 1, most: 500, unit: "reports", has_level: true, forgets: false,
        reason: "reports are what is given up first: one at a time, and none while reads have all \
                 of their places",
    }
    /// Reads and reports under way on the primary for readers that show a token of another timeline
    /// or of another database.
    ForeignTokens = foreign_tokens {
        default: 1, least: 1, most: 500, unit: "reads", has_level: true, forgets: false,
        reason: "anybody can make such a token up, so they take no place of others; who had it \
                 from before a promotion gets a new one with the answer, and is here once",
    }
    /// Milliseconds for which a read waits for such a place; a report waits for none.
    FallbackWaitMs = fallback_wait_ms {
        default: 250, least: 1, most: 60_000,
        unit: "milliseconds", has_level: false, forgets: false,
        reason: "an eighth of what it may wait for a connection there",
    }
    /// Milliseconds in which a replica must say how far it is, on the connection that is read from.
    ReplicaCheckMs = replica_check_ms {
        default: 500, least: 10, most: 60_000,
        unit: "milliseconds", has_level: false, forgets: false,
        reason: "whoever was on his way to one that hangs still has time for the primary",
    }
    /// Failures of a replica in a row after which it is left alone.
    ReplicaFailures = replica_failures {
        default: 3, least: 1, most: 1_000, unit: "failures", has_level: false, forgets: false,
        reason: "one may be its replay's doing, and the next one a connection of before",
    }
    /// Milliseconds for which a replica that keeps failing is left alone at most, after a second at
    /// first and twice as long each time.
    ReplicaPauseMs = replica_pause_ms {
        default: 30_000, least: 1_000, most: 3_600_000,
        unit: "milliseconds", has_level: false, forgets: false,
        reason: "one that was mended is read again half a minute later, and nobody has to do it",
    }
    /// Tokens that one request may show.
    ReadTokens = read_tokens {
        default: 8, least: 1, most: 100, unit: "tokens", has_level: false, forgets: false,
        reason: "one tells of all writes before it; more are of writes that were sent side by side",
    }
    /// Bytes of log that a token may be ahead of what was last seen of the primary: what is further
    /// ahead was never given out.
    TokenAheadBytes = token_ahead_bytes {
        default: 268_435_456, least: 1_048_576, most: 1_000_000_000_000,
        unit: "bytes", has_level: false, forgets: false,
        reason: "more than a server writes between two looks: a gigabyte a second at the default",
    }
    /// Bytes of a response that the provider may send.
    ProviderResponseBytes = provider_response_bytes {
        default: 262_144, least: 1_024, most: 16_777_216,
        unit: "bytes", has_level: false, forgets: false,
        reason: "a page of 50 looked-up messages is about 60 kB",
    }
}

impl Limit {
    /// Those of which something is in use at a time, and that turn away or hold up what comes when
    /// they are full: what must not fill up.
    pub fn that_turn_away() -> impl Iterator<Item = Self> {
        let rows = Self::ALL.iter().copied();
        rows.filter(|row| row.spec().has_level && !row.spec().forgets)
    }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Limit::COUNT {
        let row = Limit::ALL[i];
        assert!(is_snake_case(row.name()), "a limit's name is snake_case");
        assert!(row.spec().default > 0);
        assert!(row.spec().has_level || !row.spec().forgets, "a memory is full to some share");
        i += 1;
    }
};
