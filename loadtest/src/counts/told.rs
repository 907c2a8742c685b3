//! What counts are worth, and as it is written: a comparison with a baseline, or how far apart
//! several runs of the same build are.
//!
//! Never here: how it looks (`sheet`).

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::compare::{self, Compared, Said, Spread};
use super::document::{Document, MadeWith};
use super::sheet;
use crate::exit::{Exit, Failure};
use crate::report::files::ReportDir;
use crate::report::plain;
use crate::run::verdict::{Value, Verdict};

/// The shape of `counts.json` in a report; the number rises when a reader of the old one would go
/// wrong.
pub(super) const SCHEMA: &str = "punctual-loadtest-comparison/1";
/// The shape of `spread.json`.
pub(super) const SPREAD_SCHEMA: &str = "punctual-loadtest-spread/1";

/// Counts beside those of a baseline: all that is written as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Comparison<'a> {
    /// Which shape this is.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// What it is worth.
    pub(super) verdict: Verdict,
    /// The file that was compared with.
    pub(super) baseline: String,
    /// What it was counted with.
    pub(super) baseline_made_with: &'a MadeWith,
    /// What others decide, and why it is not compared.
    pub(super) left_out: Vec<String>,
    /// How many counts were compared.
    pub(super) compared: u64,
    /// Those that are not the same.
    pub(super) differences: Vec<Compared>,
    /// What was counted, as a baseline has it.
    pub(super) counted: &'a Document,
    /// Every count, for the faces that show it.
    #[serde(skip)]
    pub(super) all: Vec<Compared>,
}

/// Counts of several runs of the same build: all that is written as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Repeats<'a> {
    /// Which shape this is.
    #[schemars(extend("const" = SPREAD_SCHEMA))]
    schema: &'static str,
    /// What it is worth.
    pub(super) verdict: Verdict,
    /// Which plan was counted.
    pub(super) plan_hash: &'a str,
    /// What it was counted with.
    pub(super) made_with: &'a MadeWith,
    /// How often.
    pub(super) times: u64,
    /// Those counts that may be apart, and those that are.
    pub(super) spreads: Vec<Spread>,
}

impl<'a> Comparison<'a> {
    /// Compares.
    pub(super) fn of(baseline: &'a Document, counted: &'a Document, file: &Path) -> Self {
        let all = compare::compare(baseline, counted);
        let is = |said| move |count: &&Compared| count.said == said;
        let differences: Vec<Compared> = all.iter().filter(is(Said::Different)).cloned().collect();
        let left_out = all.iter().filter(is(Said::LeftOut)).count();
        let file = file.display().to_string();
        Self {
            schema: SCHEMA,
            verdict: worth(differences.len(), counted, &file),
            baseline: file,
            baseline_made_with: &baseline.made_with,
            left_out: compare::left_out(baseline, counted),
            compared: (all.len() - left_out) as u64,
            differences,
            counted,
            all,
        }
    }

    /// Prints it and writes the report; the exit status follows from it. The terminal has what
    /// differs alone.
    pub(super) fn tell(&self, reports: &ReportDir) -> Exit {
        let text = plain::render(&sheet::short(self));
        let exit = self.verdict.value.exit();
        reports.tell("counts", self, &text, &sheet::of(self), exit)
    }
}

fn worth(differences: usize, counted: &Document, file: &str) -> Verdict {
    if differences == 0 {
        let reason = format!("{}, the same as in {file}", counted.summary());
        return Verdict { value: Value::Pass, reasons: vec![reason] };
    }
    let are = if differences == 1 { "1 count is" } else { &format!("{differences} counts are") };
    let reason = format!(
        "{are} not as in {file}; if it is meant, rewrite that with --update and have it reviewed"
    );
    Verdict { value: Value::Fail, reasons: vec![reason] }
}

impl<'a> Repeats<'a> {
    /// How far apart these are, of which there is one at least.
    pub(super) fn of(all: &'a [Document]) -> Option<Self> {
        let Document { plan_hash, made_with, .. } = all.first()?;
        let (spreads, times) = (compare::spread(all), all.len() as u64);
        let beyond = spreads.iter().filter(|spread| !spread.is_within()).count();
        let value = if beyond == 0 { Value::Pass } else { Value::Fail };
        let reason =
            format!("{times} runs of the same build: {beyond} counts beyond what is allowed");
        let verdict = Verdict { value, reasons: vec![reason] };
        Some(Self { schema: SPREAD_SCHEMA, verdict, plan_hash, made_with, times, spreads })
    }

    /// That fewer were counted than were asked for: what there is is told, and not judged.
    pub(super) fn cut_short(mut self, asked: u32, why: &Failure, is_stopped: bool) -> Self {
        self.verdict.value = if is_stopped { Value::Interrupted } else { Value::Invalid };
        self.verdict.reasons.push(format!("{} of {asked} runs: {why}", self.times));
        self
    }

    /// Prints it and writes the report; the exit status follows from it.
    pub(super) fn tell(&self, reports: &ReportDir) -> Exit {
        let sheet = sheet::of_repeats(self);
        let exit = self.verdict.value.exit();
        reports.tell("spread", self, &plain::render(&sheet), &sheet, exit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use expect_test::expect_file;

    use super::super::compare::tests::changed;
    use super::super::document::tests::document;
    use super::*;
    use crate::report::schema;

    #[test]
    fn the_json_is_as_it_is_written_down() {
        let (baseline, same, mut other) = (document(), document(), changed());
        other.made_with.postgres = 17;
        let file = Path::new("counts.json");
        let same = Comparison::of(&baseline, &same, file);
        assert_eq!((same.compared, same.verdict.value.exit()), (14, Exit::Passed));
        let other = Comparison::of(&baseline, &other, file);
        assert_eq!((other.compared, other.differences.len()), (14, 3));
        assert_eq!(other.verdict.value.exit(), Exit::Failed);
        schema::check(expect_file!["../../../docs/counts.schema.json"], &[same, other]);

        let all = [document(), changed()];
        let stopped = Repeats::of(&all).unwrap().cut_short(20, &Failure::Interrupted, true);
        assert_eq!(stopped.verdict.value.exit(), Exit::Interrupted);
        assert_eq!(stopped.verdict.reasons[1], "2 of 20 runs: interrupted");
        let repeats = Repeats::of(&all).unwrap();
        schema::check(expect_file!["../../../docs/counts-spread.schema.json"], &[repeats]);
    }
}
