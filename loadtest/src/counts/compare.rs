//! Counts against counts: exactly, but for those that the server and the allocator decide with, by
//! as much as the same build differs from itself.
//!
//! Never here: how it is shown (`sheet`).

use std::collections::{BTreeMap, BTreeSet};

use contract::{Endpoint, Query, Stage};
use schemars::JsonSchema;
use serde::Serialize;

use super::document::{Caller, Document, Phase};

/// How far a count may be from another of the same work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(super) struct Tolerance {
    /// As a share of the baseline.
    share: f64,
    /// Or by this much, where there is little of it.
    least: u64,
}

/// Statements, rows, bytes sent, batches: the same work is the same work.
const NONE: Tolerance = Tolerance { share: 0.0, least: 0 };
/// What is remembered for a time is asked for again when that is over: how often depends on how
/// long the run takes. Far more than that is a memory that doesn't work.
const REMEMBERED: Tolerance = Tolerance { share: 1.0, least: 20 };
/// Revisions of practices, for a second; whose number a sender's is, for a minute. Each with the
/// endpoints and stages that ask for what is remembered: which of them comes first after that time
/// is chance.
const OF_MEMORIES: [(Query, &[Endpoint], &[Stage]); 2] = [
    (
        Query::PracticeRevisions,
        &[
            Endpoint::UpsertAppointments,
            Endpoint::CancelAppointment,
            Endpoint::ReadPractice,
            Endpoint::CreateApiKey,
        ],
        &[Stage::Release, Stage::Claim, Stage::Resolve],
    ),
    (Query::SenderRead, &[Endpoint::ReceiveReply], &[]),
];
/// Buffers of a statement.
const BUFFERS: Tolerance = Tolerance { share: 0.02, least: 8 };
/// Log that a statement writes.
const LOG: Tolerance = Tolerance { share: 0.02, least: 256 };
/// Memory asked for by all threads, those that watch the process included.
const MEMORY: Tolerance = Tolerance { share: 0.05, least: 65_536 };

impl Tolerance {
    fn allows(self, from: u64, to: u64) -> bool {
        let most = (from as f64 * self.share).max(self.least as f64);
        from.abs_diff(to) as f64 <= most
    }

    /// In words.
    pub(super) fn words(self) -> String {
        if self == NONE {
            return "none".to_owned();
        }
        format!("{:.0} % or {}", self.share * 100.0, self.least)
    }
}

/// Who counts buffers and log, and whose memory it is.
const SERVER: &str = "server";
const SERVICE: &str = "service";

/// What a count is of. In the order in which a report has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(super) struct Place {
    /// The part of the plan.
    pub(super) phase: String,
    /// The endpoint, the stage, the provider, the server.
    pub(super) who: String,
    /// What was counted.
    pub(super) what: &'static str,
    /// The statement, where it is of one; else empty.
    pub(super) statement: String,
}

/// A count as it was and as it is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Compared {
    /// What it is of.
    #[serde(flatten)]
    pub(super) place: Place,
    /// In the baseline.
    pub(super) from: u64,
    /// Now.
    pub(super) to: u64,
    /// How often the endpoint was asked or the stage had a batch, in the baseline; 0 for neither.
    pub(super) turns: u64,
    /// How far apart they may be.
    pub(super) tolerance: Tolerance,
    /// Whether they are the same.
    pub(super) said: Said,
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// As far as it has to be.
    Same,
    /// Further apart than it may be.
    Different,
    /// Others decide it, and they are others now.
    LeftOut,
}

/// How far apart a count was in several runs of the same.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Spread {
    /// What it is of.
    #[serde(flatten)]
    pub(super) place: Place,
    /// The least of all runs.
    pub(super) least: u64,
    /// The most of all runs.
    pub(super) most: u64,
    /// How far apart they may be.
    pub(super) tolerance: Tolerance,
}

impl Spread {
    /// Whether any two of the runs would pass as the same.
    pub(super) fn is_within(&self) -> bool {
        self.tolerance.allows(self.least, self.most)
    }

    /// As a share of the least.
    pub(super) fn share(&self) -> f64 {
        (self.most - self.least) as f64 / self.least.max(1) as f64
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Count {
    value: u64,
    turns: u64,
    tolerance: Tolerance,
}

/// Every count of either, both being of one plan.
pub(super) fn compare(baseline: &Document, counted: &Document) -> Vec<Compared> {
    let (before, after) = (flat(baseline), flat(counted));
    let (same_server, same_build) = same(baseline, counted);
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    let compared = places.into_iter().filter_map(|place| {
        let (old, new) = (before.get(place), after.get(place));
        let Count { turns, tolerance, .. } = *old.or(new)?;
        let value = |count: Option<&Count>| count.map_or(0, |count| count.value);
        let (from, to) = (value(old), value(new));
        // What is there on one side alone differs, however little it is.
        let is_both = old.is_some() && new.is_some();
        let is_same = (is_both || tolerance == REMEMBERED) && tolerance.allows(from, to);
        let said = match place.who.as_str() {
            SERVER if !same_server => Said::LeftOut,
            SERVICE if !same_build => Said::LeftOut,
            _ if is_same => Said::Same,
            _ => Said::Different,
        };
        Some(Compared { place: place.clone(), from, to, turns, tolerance, said })
    });
    compared.collect()
}

/// Which counts are left out, in words, and why.
pub(super) fn left_out(baseline: &Document, counted: &Document) -> Vec<String> {
    let (same_server, same_build) = same(baseline, counted);
    let (old, new) = (&baseline.made_with, &counted.made_with);
    let mut out = Vec::new();
    if !same_server {
        let (old, new) = (old.postgres, new.postgres);
        out.push(format!("buffers and log are not compared: PostgreSQL is {new}, it was {old}"));
    }
    if !same_build {
        let (old, new) = (&old.profile, &new.profile);
        out.push(format!("memory is not compared: the build is {new}, it was {old}"));
    }
    out
}

fn same(baseline: &Document, counted: &Document) -> (bool, bool) {
    let (old, new) = (&baseline.made_with, &counted.made_with);
    (old.postgres == new.postgres, old.profile == new.profile)
}

/// How far apart each count is over several runs, those of the server and the allocator always,
/// the others where they are apart at all.
pub(super) fn spread(all: &[Document]) -> Vec<Spread> {
    let flats: Vec<BTreeMap<Place, Count>> = all.iter().map(flat).collect();
    let places: BTreeSet<&Place> = flats.iter().flat_map(BTreeMap::keys).collect();
    let spread = places.into_iter().filter_map(|place| {
        let values = flats.iter().map(|flat| flat.get(place).map_or(0, |count| count.value));
        let (least, most) = (values.clone().min()?, values.max()?);
        let tolerance = flats.iter().find_map(|flat| flat.get(place))?.tolerance;
        let spread = Spread { place: place.clone(), least, most, tolerance };
        (least != most || tolerance != NONE).then_some(spread)
    });
    spread.collect()
}

fn flat(document: &Document) -> BTreeMap<Place, Count> {
    let mut counts = BTreeMap::new();
    for (phase, counted) in &document.phases {
        of_phase(phase, counted, &mut counts);
    }
    counts
}

/// Whether a statement is one whose answer is remembered for a time, and by whom it is asked.
fn is_remembered(who: &str, statement: &str) -> bool {
    OF_MEMORIES.iter().any(|(query, endpoints, stages)| {
        let asks = who == SERVER
            || endpoints.iter().any(|endpoint| endpoint.name() == who)
            || stages.iter().any(|stage| stage.name() == who);
        asks && query.name() == statement
    })
}

fn of_phase(phase: &str, counted: &Phase, counts: &mut BTreeMap<Place, Count>) {
    let Phase { endpoints, stages, provider, statements, memory_bytes } = counted;
    let mut put = |who: &str, what, statement: &str, mut count: Count| {
        if is_remembered(who, statement) {
            count.tolerance = REMEMBERED;
        }
        let (phase, who, statement) = (phase.to_owned(), who.to_owned(), statement.to_owned());
        counts.insert(Place { phase, who, what, statement }, count);
    };
    for (who, caller) in endpoints.iter().chain(stages) {
        let Caller { turns, answered_bytes, calls, rows } = caller;
        let exact = |value| Count { value, turns: *turns, tolerance: NONE };
        put(who, "turns", "", exact(*turns));
        if let Some(bytes) = answered_bytes {
            put(who, "bytes answered", "", exact(*bytes));
        }
        for (statement, n) in calls {
            put(who, "calls", statement, exact(*n));
        }
        for (statement, n) in rows {
            put(who, "rows", statement, exact(*n));
        }
    }
    let alone = |value, tolerance| Count { value, turns: 0, tolerance };
    put("provider", "texts", "", alone(provider.texts, NONE));
    put("provider", "bytes sent", "", alone(provider.bytes, NONE));
    for (statement, served) in statements {
        put(SERVER, "buffers", statement, alone(served.buffers, BUFFERS));
        put(SERVER, "log bytes", statement, alone(served.wal_bytes, LOG));
    }
    put(SERVICE, "memory bytes", "", alone(*memory_bytes, MEMORY));
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::document::tests::document;
    use super::*;

    /// One query more in each of ten requests, a stage that is new, more buffers.
    pub(in crate::counts) fn changed() -> Document {
        let mut changed = document();
        let phase = changed.phases.entry("day".to_owned()).or_default();
        let read = phase.endpoints.entry("read_appointment".to_owned()).or_default();
        read.calls.insert("readiness_probe".to_owned(), 10);
        read.rows.insert("readiness_probe".to_owned(), 10);
        read.rows.remove("appointment_messages");
        let served = phase.statements.entry("release_due".to_owned()).or_default();
        served.buffers = 1_021;
        changed
    }

    fn different(baseline: &Document, counted: &Document) -> Vec<Compared> {
        let mut all = compare(baseline, counted);
        all.retain(|count| count.said == Said::Different);
        all
    }

    #[test]
    fn the_same_is_the_same_and_a_little_is_allowed_where_it_is() {
        let all = compare(&document(), &document());
        assert!(all.len() == 14 && all.iter().all(|count| count.said == Said::Same), "{all:?}");
        let mut near = document();
        let phase = near.phases.entry("day".to_owned()).or_default();
        phase.statements.entry("release_due".to_owned()).or_default().buffers = 1_020;
        phase.memory_bytes += 100_000;
        assert_eq!(different(&document(), &near), []);
    }

    #[test]
    fn one_query_more_is_a_difference_and_so_is_one_less() {
        let differences = different(&document(), &changed());
        let seen: Vec<(&str, &str, u64, u64)> = differences
            .iter()
            .map(|d| (d.place.what, d.place.statement.as_str(), d.from, d.to))
            .collect();
        let wanted = [
            ("calls", "readiness_probe", 0, 10),
            ("rows", "appointment_messages", 14, 0),
            ("rows", "readiness_probe", 0, 10),
            ("buffers", "release_due", 1_000, 1_021),
        ];
        assert_eq!(seen, wanted);
        assert_eq!(different(&changed(), &document()).len(), 4, "fewer are no less of a change");
        assert_eq!(differences[0].turns, 10);
    }

    #[test]
    fn what_others_decide_is_compared_with_the_same_others_alone() {
        let mut elsewhere = changed();
        elsewhere.made_with.postgres = 17;
        let differences = different(&document(), &elsewhere);
        assert!(differences.iter().all(|d| d.place.what != "buffers") && differences.len() == 3);
        let all = compare(&document(), &elsewhere);
        let left_out = all.iter().filter(|count| count.said == Said::LeftOut);
        let left_out: Vec<&str> = left_out.map(|count| count.place.what).collect();
        assert_eq!(left_out, ["buffers", "log bytes"]);
        let why = super::left_out(&document(), &elsewhere);
        assert!(why[0].starts_with("buffers and log are not compared"), "{why:?}");
        elsewhere.made_with.profile = "release".to_owned();
        let why = super::left_out(&document(), &elsewhere);
        assert!(why[1].contains("the build is release, it was dev"), "{why:?}");
        assert!(super::left_out(&document(), &changed()).is_empty());
    }

    #[test]
    fn a_memory_that_was_looked_up_once_more_is_no_difference_and_one_that_is_gone_is() {
        let of = |who: &str, calls: Option<u64>| {
            let mut document = document();
            let phase = document.phases.entry("day".to_owned()).or_default();
            let is_endpoint = Endpoint::from_name(who).is_some();
            let callers = if is_endpoint { &mut phase.endpoints } else { &mut phase.stages };
            let caller = callers.entry(who.to_owned()).or_default();
            caller.calls.extend(calls.map(|calls| ("practice_revisions".to_owned(), calls)));
            document
        };
        let with = |calls: u64| of("cancel_appointment", Some(calls));
        let without = of("cancel_appointment", None);
        assert_eq!(different(&without, &with(2)), []);
        assert_eq!(different(&with(2), &without), []);
        let elsewhere = different(&document(), &of("read_appointment", Some(2)));
        assert_eq!(elsewhere.len(), 1, "it has nothing to ask there: {elsewhere:?}");
        assert_eq!(different(&with(2), &with(200)).len(), 1);
        assert_eq!(different(&of("claim", None), &of("claim", Some(2))), []);
        let elsewhere = different(&of("settle", None), &of("settle", Some(2)));
        assert_eq!(elsewhere.len(), 1, "it words nothing and sends nothing: {elsewhere:?}");
        assert!(spread(&[with(2), with(3)]).iter().all(Spread::is_within));
    }

    #[test]
    fn what_little_there_is_may_differ_by_a_little() {
        assert!(BUFFERS.allows(3, 11) && !BUFFERS.allows(3, 12));
        assert!(BUFFERS.allows(1_000, 980) && !BUFFERS.allows(1_000, 979));
        assert!(NONE.allows(5, 5) && !NONE.allows(5, 4));
    }

    #[test]
    fn repeats_show_how_far_apart_they_are() {
        let spread = spread(&[document(), document(), changed()]);
        let of = |what: &str, statement: &str| {
            spread.iter().find(|s| s.place.what == what && s.place.statement == statement)
        };
        let buffers = of("buffers", "release_due").expect("they are always shown");
        assert!((buffers.share() - 0.021).abs() < 1e-9 && !buffers.is_within());
        assert!(of("calls", "readiness_probe").is_some_and(|s| !s.is_within()));
        assert!(of("calls", "release_due").is_none(), "what is exact is not told");
        assert!(of("memory bytes", "").is_some_and(Spread::is_within));
    }
}
