//! What was found: what each stage cost at each depth, and who is guilty. Pure.
//!
//! Never here: measuring (`rig`), telling (`sheet`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// The shape of `isolate.json`; the number rises when a reader of the old one would go wrong.
pub(super) const SCHEMA: &str = "punctual-loadtest-isolate/2";
/// A growth by less than this many buffers an item is none: it is a page or two of a whole batch,
/// such as an index that is one level higher.
pub(super) const BUFFERS_MIN: f64 = 0.5;

/// What a stage's cost is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// A text, or the promise of one.
    Text,
    /// A receipt of the provider.
    Receipt,
    /// A change of a count.
    Change,
    /// A turn of a shard, with nothing of the stage's own to do.
    Turn,
}

impl Unit {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Receipt => "receipt",
            Self::Change => "change",
            Self::Turn => "turn",
        }
    }
}

/// What a stage ran of a statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Served {
    /// How often.
    pub(super) calls: u64,
    /// Shared buffers, found in memory or read.
    pub(super) buffers: u64,
    /// Log written.
    pub(super) wal_bytes: u64,
}

/// What a stage did and cost at a depth.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Cost {
    /// The stage's name in the contract.
    pub(super) stage: &'static str,
    /// Texts that there were.
    pub(super) depth: u64,
    /// What stood before the stage itself, by its unit: of deliver no more than may be under way,
    /// of settle and receive what was let through to them.
    pub(super) before: u64,
    /// What its items are.
    pub(super) unit: Unit,
    /// Whether it must not depend on the depth.
    pub(super) judged: bool,
    /// What it worked on.
    pub(super) items: u64,
    /// In so many batches.
    pub(super) batches: u64,
    /// How long it took.
    pub(super) seconds: f64,
    /// Processor time of the service's process.
    pub(super) service_cpu_seconds: f64,
    /// Processor time of the primary.
    pub(super) database_cpu_seconds: f64,
    /// What it ran, by name.
    pub(super) statements: BTreeMap<String, Served>,
}

/// What the audit said at a depth.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Audited {
    /// Texts that there were.
    pub(super) depth: u64,
    /// What was looked at.
    pub(super) cases: u64,
    /// The checks that found something.
    pub(super) broken: Vec<String>,
}

/// All of it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) depths: Vec<u64>,
    pub(super) sample: u64,
    pub(super) growth_max: f64,
    pub(super) costs: Vec<Cost>,
    pub(super) audits: Vec<Audited>,
    pub(super) missing: Vec<Missing>,
    /// What part of the stack failed, so that nothing more could be measured.
    pub(super) broken: Option<String>,
    pub(super) interrupted: bool,
}

/// What a stage did not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Missing {
    /// Which stage.
    pub(super) stage: &'static str,
    /// Texts that there were.
    pub(super) depth: u64,
    /// What it did instead, in words.
    pub(super) what: String,
}

/// The stage that makes a backlog worse.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Guilty {
    /// Its name in the contract.
    pub(super) stage: &'static str,
    /// The statement whose cost grew most.
    pub(super) statement: String,
    /// The smallest depth.
    pub(super) from_depth: u64,
    /// The largest depth.
    pub(super) to_depth: u64,
    /// How many times as many buffers an item costs.
    pub(super) growth: f64,
    /// Buffers of that statement for one item, at the smallest and the largest depth.
    pub(super) buffers: [f64; 2],
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    /// Nothing depends on the depth.
    Passed,
    /// Somebody is guilty, or a law was broken.
    Failed,
    /// It can't be told.
    Invalid,
    /// Ctrl-C.
    Interrupted,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Verdict {
    /// How it ended.
    pub(super) ended: Ended,
    /// The stages that make a backlog worse, the worst first.
    pub(super) guilty: Vec<Guilty>,
}

/// All that is written as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document<'a> {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// Texts that there were, one after the other.
    depths: &'a [u64],
    /// Texts that each stage is measured on.
    sample: u64,
    /// An item may cost so many times as many buffers at the largest depth as at the smallest.
    growth_max: f64,
    /// What it means.
    verdict: Verdict,
    /// What each stage did and cost at each depth.
    costs: &'a [Cost],
    /// What the audit said at each depth.
    audits: &'a [Audited],
    /// What stages did not do.
    missing: &'a [Missing],
    /// What part of the stack failed, so that nothing more could be measured.
    broken: Option<&'a str>,
}

impl Cost {
    fn sum(&self, of: impl Fn(&Served) -> u64) -> u64 {
        self.statements.values().map(of).sum()
    }

    /// A figure by item; none where there are none.
    fn by_item(&self, value: f64) -> Option<f64> {
        (self.items > 0).then(|| value / self.items as f64)
    }

    /// Named statements for one item.
    pub(super) fn statements_each(&self) -> Option<f64> {
        self.by_item(self.sum(|served| served.calls) as f64)
    }

    /// Shared buffers for one item: what is judged.
    pub(super) fn buffers_each(&self) -> Option<f64> {
        self.by_item(self.sum(|served| served.buffers) as f64)
    }

    /// Bytes of log for one item.
    pub(super) fn wal_each(&self) -> Option<f64> {
        self.by_item(self.sum(|served| served.wal_bytes) as f64)
    }

    /// Processor time for one item, of the service and of the database.
    pub(super) fn cpu_each(&self) -> Option<[f64; 2]> {
        let each = |seconds| self.by_item(seconds);
        Some([each(self.service_cpu_seconds)?, each(self.database_cpu_seconds)?])
    }

    /// Items a second.
    pub(super) fn per_second(&self) -> f64 {
        self.items as f64 / self.seconds.max(1e-9)
    }

    /// Shared buffers of a statement for one item.
    pub(super) fn of_statement(&self, name: &str) -> f64 {
        let served = self.statements.get(name).copied().unwrap_or_default();
        self.by_item(served.buffers as f64).unwrap_or(0.0)
    }

    /// Adds what the same stage did at the same depth in another round.
    pub(super) fn add(&mut self, other: Self) {
        let Self { stage: _, depth: _, unit: _, judged: _, items, batches, seconds, .. } = other;
        self.before = self.before.max(other.before);
        self.items += items;
        self.batches += batches;
        self.seconds += seconds;
        self.service_cpu_seconds += other.service_cpu_seconds;
        self.database_cpu_seconds += other.database_cpu_seconds;
        for (name, served) in other.statements {
            let sum = self.statements.entry(name).or_default();
            sum.calls += served.calls;
            sum.buffers += served.buffers;
            sum.wal_bytes += served.wal_bytes;
        }
    }
}

impl Facts {
    pub(super) const fn new(depths: Vec<u64>, sample: u64, growth_max: f64) -> Self {
        Self {
            depths,
            sample,
            growth_max,
            costs: Vec::new(),
            audits: Vec::new(),
            missing: Vec::new(),
            broken: None,
            interrupted: false,
        }
    }

    /// Notes what a stage did; rounds at one depth add up.
    pub(super) fn note(&mut self, cost: Cost) {
        let same = |known: &&mut Cost| (known.stage, known.depth) == (cost.stage, cost.depth);
        match self.costs.iter_mut().find(same) {
            Some(known) => known.add(cost),
            None => self.costs.push(cost),
        }
    }

    /// What the stages did, in the order in which they did it first.
    pub(super) fn stages(&self) -> Vec<Vec<&Cost>> {
        let mut stages: Vec<Vec<&Cost>> = Vec::new();
        for cost in &self.costs {
            match stages.iter_mut().find(|costs| costs[0].stage == cost.stage) {
                Some(costs) => costs.push(cost),
                None => stages.push(vec![cost]),
            }
        }
        stages
    }

    /// What it means.
    pub(super) fn verdict(&self) -> Verdict {
        let mut guilty: Vec<Guilty> =
            self.stages().iter().filter_map(|costs| guilty(costs, self.growth_max)).collect();
        guilty.sort_by(|a, b| b.growth.total_cmp(&a.growth));
        let is_broken = self.audits.iter().any(|audit| !audit.broken.is_empty());
        let ended = if self.interrupted {
            Ended::Interrupted
        } else if is_broken || !guilty.is_empty() {
            Ended::Failed
        } else if !self.missing.is_empty() || self.broken.is_some() {
            Ended::Invalid
        } else {
            Ended::Passed
        };
        Verdict { ended, guilty }
    }

    /// As it stands in the JSON.
    pub(super) fn document(&self) -> Document<'_> {
        Document {
            schema: SCHEMA,
            depths: &self.depths,
            sample: self.sample,
            growth_max: self.growth_max,
            verdict: self.verdict(),
            costs: &self.costs,
            audits: &self.audits,
            missing: &self.missing,
            broken: self.broken.as_deref(),
        }
    }
}

/// How many times as much an item costs at the largest depth as at the smallest.
pub(super) fn growth(costs: &[&Cost]) -> Option<f64> {
    let (first, last) = (costs.first()?, costs.last()?);
    if first.depth == last.depth {
        return None;
    }
    let (from, to) = (first.buffers_each()?, last.buffers_each()?);
    (from > 0.0).then(|| to / from)
}

fn guilty(costs: &[&Cost], growth_max: f64) -> Option<Guilty> {
    let (first, last) = (costs.first()?, costs.last()?);
    let growth = growth(costs).filter(|growth| first.judged && *growth > growth_max)?;
    if last.buffers_each()? - first.buffers_each()? < BUFFERS_MIN {
        return None;
    }
    let more = |name: &str| last.of_statement(name) - first.of_statement(name);
    let names = last.statements.keys();
    let statement = names.max_by(|a, b| more(a).total_cmp(&more(b)))?;
    Some(Guilty {
        stage: first.stage,
        statement: statement.clone(),
        from_depth: first.depth,
        to_depth: last.depth,
        growth,
        buffers: [first.of_statement(statement), last.of_statement(statement)],
    })
}

#[cfg(test)]
#[path = "facts_tests.rs"]
pub(super) mod tests;
