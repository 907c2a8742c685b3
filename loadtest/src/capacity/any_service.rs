//! A rate, sent to any service: a plan of its own, long enough that each kind of request comes
//! often enough to tell, measured as `loadtest run` measures.
//!
//! Never here: what it is worth (`step`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::args::CapacityArgs;
use super::binomial::cases_min;
use super::enough::{CASES, LONGER_MAX};
use super::resources::{self, Outside};
use super::step::{Kind, Measured, Sent, Written};
use crate::engine::ledger::Counts;
use crate::exit::Failure;
use crate::inside::rules::Rule;
use crate::inside::{Inside, Told};
use crate::interrupt::Interrupt;
use crate::plan::Plan;
use crate::run::facts::{Facts, KindRow};
use crate::run::measure::Setup;
use crate::run::objective::Objectives;
use crate::run::verdict;

/// Shares of a step's beginning in which a backlog only fills what is under way.
const WARMING_UP: f64 = 0.25;

/// What is sent, and where to.
pub(super) struct AnyService<'a> {
    args: &'a CapacityArgs,
    dir: &'a Path,
    objectives: Objectives,
    /// The gauge that must not grow, where the service has it.
    backlog: Rule,
    /// False once a step's logs or goose's report could not be written.
    is_whole: AtomicBool,
}

impl<'a> AnyService<'a> {
    pub(super) fn new(args: &'a CapacityArgs, dir: &'a Path) -> Result<Self, Failure> {
        let objectives = Objectives::new(&args.judged.objective);
        let backlog: Rule = args.search.backlog().parse().map_err(Failure::Usage)?;
        let load = Self { args, dir, objectives, backlog, is_whole: AtomicBool::new(true) };
        let plan = load.plan(args.search.start, Duration::from_secs(1))?;
        let objectives = Objectives::for_plan(&args.judged.objective, &plan)?;
        Ok(Self { objectives, ..load })
    }

    /// Says at once that nobody is there.
    pub(super) async fn reach(&self) -> Result<(), Failure> {
        for target in &self.args.target {
            crate::run::reach(target).await?;
        }
        // What was asked for by name and isn't there would never grow.
        let wanted = self.args.search.backlog.as_ref().map(|_| &self.backlog);
        self.inside()?.reach_with(wanted).await
    }

    /// Sends a rate.
    pub(super) async fn measure(
        &self,
        number: usize,
        rate: f64,
        interrupt: &Interrupt,
    ) -> Result<Measured, Failure> {
        let dir = self.dir.join("steps").join(format!("{:02}-{rate}", number + 1));
        let made = std::fs::create_dir_all(&dir);
        made.map_err(|error| Failure::Unavailable(format!("{}: {error}", dir.display())))?;
        let setup = Setup {
            targets: &self.args.target,
            objectives: &self.objectives,
            how: &self.args.how,
            judged: &self.args.judged,
            traceparent: self.args.inside.traceparent,
            dir: &dir,
            progress: "step",
        };
        let plan = self.long_enough(rate)?;
        let taken = setup.measure(Arc::new(plan), self.inside()?, interrupt).await?;
        self.is_whole.fetch_and(taken.is_whole, Ordering::Relaxed);
        Ok(self.measured(&taken.facts))
    }

    /// Whether all that the steps leave behind could be written.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    fn inside(&self) -> Result<Inside, Failure> {
        let mut own = vec![self.backlog.clone()];
        own.extend(self.args.inside.metric.iter().cloned());
        Inside::new(self.args.inside.places(), own)
    }

    fn plan(&self, rate: f64, duration: Duration) -> Result<Plan, Failure> {
        let plan = self.args.work.work(rate, duration).plan();
        plan.map_err(|error| Failure::Usage(error.to_string()))
    }

    /// A plan in which the rarest kind comes often enough.
    fn long_enough(&self, rate: f64) -> Result<Plan, Failure> {
        let step = self.args.search.step;
        // At a low rate a step may be less than one request.
        let step = step.max(Duration::from_secs_f64(2.0 / rate));
        let plan = self.plan(rate, step)?;
        let wanted = |kind: &crate::plan::Kind| {
            let share = self.objectives.of(&kind.name).share;
            cases_min(1.0 - share, self.args.search.confidence / 100.0).saturating_mul(CASES)
        };
        let short = plan
            .kinds()
            .iter()
            .zip(plan.counts())
            .map(|(kind, count)| wanted(kind) as f64 / count.max(1) as f64);
        let longer = short.fold(1.0, f64::max).min(f64::from(LONGER_MAX));
        if longer <= 1.0 {
            return Ok(plan);
        }
        self.plan(rate, step.mul_f64(longer))
    }

    fn measured(&self, facts: &Facts) -> Measured {
        let thresholds = self.args.judged.thresholds();
        let spoilt = verdict::spoilt(facts, &thresholds);
        let spoilt = spoilt
            .or_else(|| facts.kinds.iter().find_map(|kind| verdict::lagged(kind, &thresholds)));
        let all: u64 = facts.kinds.iter().map(|kind| kind.counts.total).sum();
        let sent = |c: &Counts| c.total.saturating_sub(c.unsent + c.refused) as f64;
        let spent: f64 = facts.kinds.iter().map(|k| k.service_mean_seconds * sent(&k.counts)).sum();
        let seconds = facts.span_seconds.max(1e-9);
        let (throughput, concurrency) = (facts.sent as f64 / seconds, spent / seconds);
        let outside =
            Outside { seconds: &facts.seconds, concurrency, connections: facts.connections };
        Measured {
            plan: Sent {
                hash: facts.plan_hash.clone(),
                source: facts.source.clone(),
                seed: facts.seed,
            },
            kinds: facts.kinds.iter().filter(|kind| kind.counts.total > 0).map(kind).collect(),
            achieved_ratio: facts.achieved_ratio,
            backlog: backlog(&self.backlog.family, &facts.inside, facts.span_seconds),
            undone: None,
            written: Written::default(),
            point: (spoilt.is_none() && all > 0).then_some((concurrency, throughput)),
            used: resources::used(&outside, &facts.inside),
            held: resources::held(&facts.inside, facts.span_seconds),
            checkouts: resources::checkouts(&facts.inside, facts.span_seconds),
            spoilt,
        }
    }
}

fn kind(row: &KindRow) -> Kind {
    let KindRow { counts, clean, .. } = row;
    Kind {
        name: row.name.to_owned(),
        total: clean.total,
        good: clean.good,
        all: counts.total,
        failed: counts.failed + counts.unanswered + counts.unsent,
        objective_seconds: row.objective_seconds,
        objective_share: row.objective_share,
        p99_seconds: clean.response.p99,
    }
}

/// All lines of a gauge added up, from when the step had warmed up to its last intended start.
pub(super) fn backlog(family: &str, told: &Told, span_seconds: f64) -> Vec<(f64, f64)> {
    let panel = told.panels.iter().find(|panel| panel.family == family);
    let counts = |at: f64| at >= span_seconds * WARMING_UP && at <= span_seconds;
    panel.into_iter().flat_map(|panel| &panel.sum).copied().filter(|(at, _)| counts(*at)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::inside::Panel;
    use crate::report::sheet::Unit;

    #[test]
    fn a_backlog_is_all_of_its_lines_once_the_step_has_warmed_up() {
        let panel = Panel {
            title: String::new(),
            family: "queue_depth".into(),
            unit: Unit::Number,
            // Whichever of its lines are shown.
            lines: BTreeMap::new(),
            left_out: 1,
            sum: (0..10).map(|s| (f64::from(s), f64::from(s) * 3.0)).collect(),
        };
        let told = Told { panels: vec![panel], ..Told::default() };
        let sums = backlog("queue_depth", &told, 4.0);
        assert_eq!(sums, [(1.0, 3.0), (2.0, 6.0), (3.0, 9.0), (4.0, 12.0)]);
        assert_eq!(backlog("queue_depth", &Told::default(), 4.0), []);
    }
}
