//! Counts as a file: what `loadtest/baselines/counts.json` holds. One number a line, in an order
//! that stays, so that a review sees what changed. A report has the same of what was counted.
//!
//! Never here: how far apart two may be (`compare`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use crate::exit::Failure;
use crate::whole::replace;

/// The shape; the number rises when a reader of the old one would go wrong.
pub(super) const SCHEMA: &str = "punctual-loadtest-counts/1";

/// All counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    pub(super) schema: String,
    /// Which plan: other counts are of other work.
    pub(super) plan_hash: String,
    /// What it was counted with.
    pub(super) made_with: MadeWith,
    /// Counts by part of the plan.
    pub(super) phases: BTreeMap<String, Phase>,
}

/// What decides over those counts that are not the service's alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MadeWith {
    /// PostgreSQL's major version: buffers and log are compared within one.
    pub(super) postgres: u32,
    /// How the service was compiled: memory is compared within one way.
    pub(super) profile: String,
}

/// The counts of a part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Phase {
    /// By endpoint: what its requests ran and were answered.
    pub(super) endpoints: BTreeMap<String, Caller>,
    /// By stage: what its batches ran.
    pub(super) stages: BTreeMap<String, Caller>,
    /// What the provider was sent.
    pub(super) provider: Sent,
    /// By statement: what the server did for it.
    pub(super) statements: BTreeMap<String, Served>,
    /// Bytes of memory that the service asked for.
    pub(super) memory_bytes: u64,
}

/// What requests of one kind or batches of one stage did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Caller {
    /// Requests, or batches.
    pub(super) turns: u64,
    /// Bytes of all answers' bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answered_bytes: Option<u64>,
    /// How often each statement ran.
    pub(super) calls: BTreeMap<String, u64>,
    /// Rows that it returned or touched.
    pub(super) rows: BTreeMap<String, u64>,
}

/// What the harness counts of the requests to an endpoint: the service tells of those that run
/// statements alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// Requests.
    pub(super) requests: u64,
    /// Bytes of all answers' bodies.
    pub(super) bytes: u64,
}

/// What the provider was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    /// Texts.
    pub(super) texts: u64,
    /// Bytes of what they say, to whom, from whom, and where they are called back.
    pub(super) bytes: u64,
}

/// What the server did for a statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Served {
    /// Buffers that it looked at.
    pub(super) buffers: u64,
    /// Log that it wrote.
    pub(super) wal_bytes: u64,
}

impl Phase {
    /// What was counted between two answers of the service, with what the harness counted itself.
    pub(super) fn between(
        before: &Asked,
        after: &Asked,
        answered: &BTreeMap<&'static str, Answered>,
        provider: Sent,
    ) -> Self {
        let mut phase = Self {
            provider,
            memory_bytes: after.requested_bytes.saturating_sub(before.requested_bytes),
            ..Self::default()
        };
        for (name, Answered { requests, bytes }) in answered {
            let caller =
                Caller { turns: *requests, answered_bytes: Some(*bytes), ..Caller::default() };
            phase.endpoints.insert((*name).to_owned(), caller);
        }
        for (name, caller) in &after.callers {
            let old = before.callers.get(name).cloned().unwrap_or_default();
            let mut new =
                Caller { turns: caller.turns.saturating_sub(old.turns), ..Caller::default() };
            for (statement, (calls, rows)) in &caller.statements {
                let (old_calls, old_rows) =
                    old.statements.get(statement).copied().unwrap_or((0, 0));
                if *calls > old_calls {
                    new.calls.insert(statement.clone(), calls - old_calls);
                    new.rows.insert(statement.clone(), rows.saturating_sub(old_rows));
                }
            }
            if caller.is_endpoint {
                if let Some(known) = phase.endpoints.get_mut(name) {
                    (known.calls, known.rows) = (new.calls, new.rows);
                }
            } else if new.turns > 0 || !new.calls.is_empty() {
                phase.stages.insert(name.clone(), new);
            }
        }
        for (name, served) in &after.served {
            let old = before.served.get(name).copied().unwrap_or_default();
            let new = Served {
                buffers: served.buffers().saturating_sub(old.buffers()),
                wal_bytes: served.wal_bytes.saturating_sub(old.wal_bytes),
            };
            if new != Served::default() {
                phase.statements.insert(name.clone(), new);
            }
        }
        phase
    }

    fn callers(&self) -> impl Iterator<Item = &Caller> {
        self.endpoints.values().chain(self.stages.values())
    }

    fn calls(&self) -> u64 {
        self.callers().flat_map(|caller| caller.calls.values()).sum()
    }
}

impl Document {
    /// Reads a file.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |what: &dyn std::fmt::Display| {
            Failure::Usage(format!("{}: {what}; --update writes a new one", file.display()))
        };
        let text = fs::read_to_string(file).map_err(|e| wrong(&e))?;
        let document: Self = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
        if document.schema != SCHEMA {
            return Err(wrong(&format!("its shape is {}, not {SCHEMA}", document.schema)));
        }
        Ok(document)
    }

    /// Writes a file. What stands there stays where that fails.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self).expect("numbers and strings only");
        text.push('\n');
        replace(file, &text)
            .map_err(|e| Failure::Unavailable(format!("baseline {}: {e}", file.display())))
    }

    /// Refuses to compare the counts of different work.
    pub(super) fn check_plan(&self, hash: &str, file: &Path) -> Result<(), Failure> {
        if self.plan_hash == hash {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{}: is of plan {}, and this one is {hash}; --update writes a new one",
            file.display(),
            self.plan_hash
        )))
    }

    /// In words.
    pub(super) fn summary(&self) -> String {
        let sum = |of: fn(&Phase) -> u64| self.phases.values().map(of).sum::<u64>();
        let requests = sum(|phase| phase.endpoints.values().map(|caller| caller.turns).sum());
        format!(
            "{requests} requests and {} texts, {} statements",
            sum(|phase| phase.provider.texts),
            sum(Phase::calls)
        )
    }

    /// The sums by request and by text, for a history.
    pub(super) fn sums(&self) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (name, phase) in &self.phases {
            let texts = phase.provider.texts.max(1) as f64;
            for (endpoint, caller) in &phase.endpoints {
                let calls: u64 = caller.calls.values().sum();
                let by_request = calls as f64 / caller.turns.max(1) as f64;
                sums.insert(format!("{name}.{endpoint}.statements"), by_request);
            }
            let of_stages = phase.stages.values().flat_map(|caller| caller.calls.values());
            let buffers = phase.statements.values().map(|served| served.buffers);
            let log = phase.statements.values().map(|served| served.wal_bytes);
            for (what, sum) in [
                ("stages.statements", of_stages.sum::<u64>()),
                ("buffers", buffers.sum()),
                ("wal_bytes", log.sum()),
                ("memory_bytes", phase.memory_bytes),
            ] {
                sums.insert(format!("{name}.{what}"), sum as f64 / texts);
            }
        }
        sums
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::asked;
    use super::*;
    use crate::report::schema;

    pub(in crate::counts) fn document() -> Document {
        let map = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<BTreeMap<_, _>>()
        };
        let read = Caller {
            turns: 10,
            answered_bytes: Some(4_321),
            calls: map(&[("appointment_read", 10), ("appointment_messages", 9)]),
            rows: map(&[("appointment_read", 10), ("appointment_messages", 14)]),
        };
        let release = Caller {
            turns: 2,
            answered_bytes: None,
            calls: map(&[("release_due", 2)]),
            rows: map(&[("release_due", 40)]),
        };
        let served = Served { buffers: 1_000, wal_bytes: 50_000 };
        let phase = Phase {
            endpoints: BTreeMap::from([("read_appointment".to_owned(), read)]),
            stages: BTreeMap::from([("release".to_owned(), release)]),
            provider: Sent { texts: 40, bytes: 9_000 },
            statements: BTreeMap::from([("release_due".to_owned(), served)]),
            memory_bytes: 5_000_000,
        };
        Document {
            schema: SCHEMA.to_owned(),
            plan_hash: "5f0c".to_owned(),
            made_with: MadeWith { postgres: 15, profile: "dev".to_owned() },
            phases: BTreeMap::from([("day".to_owned(), phase)]),
        }
    }

    #[test]
    fn what_was_counted_before_is_taken_off() {
        let asked = |turns, calls, rows, bytes| {
            let statements = BTreeMap::from([("appointment_read".to_owned(), (calls, rows))]);
            let caller = asked::Caller { turns, is_endpoint: true, statements };
            asked::Asked {
                callers: BTreeMap::from([("read_appointment".to_owned(), caller)]),
                requested_bytes: bytes,
                ..asked::Asked::default()
            }
        };
        let answered = |requests| Answered { requests, bytes: 77 };
        let answered =
            BTreeMap::from([("read_appointment", answered(3)), ("receive_status", answered(9))]);
        let (before, after) = (asked(2, 2, 1, 100), asked(5, 6, 3, 900));
        let phase = Phase::between(&before, &after, &answered, Sent::default());
        let caller = &phase.endpoints["read_appointment"];
        assert_eq!((caller.turns, caller.answered_bytes), (3, Some(77)));
        assert_eq!((caller.calls["appointment_read"], caller.rows["appointment_read"]), (4, 2));
        assert_eq!(phase.memory_bytes, 800);
        assert_eq!(phase.endpoints["receive_status"].turns, 9, "also what runs no statement");
        let nothing = Phase::between(&after, &after, &BTreeMap::new(), Sent::default());
        assert!(nothing.endpoints.is_empty(), "what did nothing isn't there");
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("counts.json");
        document().write(&file).unwrap();
        let read = Document::read(&file).unwrap();
        assert_eq!(read, document());
        assert!(read.check_plan("5f0c", &file).is_ok());
        let error = read.check_plan("6a", &file).unwrap_err().to_string();
        assert!(error.contains("is of plan 5f0c, and this one is 6a; --update"), "{error}");
        fs::write(&file, "{}").unwrap();
        let error = Document::read(&file).unwrap_err().to_string();
        assert!(error.contains("--update writes a new one"), "{error}");
    }

    #[test]
    fn a_full_disk_costs_no_baseline() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("counts.json");
        document().write(&file).unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("counts.json.new")).unwrap();
        let other = Document { plan_hash: "6a".to_owned(), ..document() };
        let failure = other.write(&file).unwrap_err();
        assert_eq!(failure.exit(), crate::exit::Exit::Unavailable);
        let text = failure.to_string();
        assert!(text.contains("counts.json: No space left"), "{text}");
        assert_eq!(Document::read(&file).unwrap(), document());
    }

    #[test]
    fn the_json_is_as_it_is_written_down() {
        let baseline = Path::new(env!("CARGO_MANIFEST_DIR")).join("baselines/counts.json");
        let file = expect_file!["../../../docs/counts-baseline.schema.json"];
        schema::check(file, &[document(), Document::read(&baseline).unwrap()]);
    }

    #[test]
    fn sums_are_by_request_and_by_text() {
        let sums = document().sums();
        assert_eq!(sums["day.read_appointment.statements"], 1.9);
        assert_eq!(sums["day.wal_bytes"], 1_250.0);
        assert_eq!(document().summary(), "10 requests and 40 texts, 21 statements");
    }
}
