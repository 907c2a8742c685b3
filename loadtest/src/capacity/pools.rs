//! The sweep of the service's pools: the same load at several sizes of the pools and with several
//! numbers of workers (tasks of the stages that take connections of the same pool). It proves the
//! sizes that Little's law gives, and shows from how many workers a connection requests wait for
//! what workers hold.
//!
//! Belongs here: the order of the steps, and what is kept of each. Never here: what is tried
//! (`grid`), what it says (`judge`), how it looks (`sheet`), or replaying a day (`own_stack`).

pub(super) mod grid;
pub(super) mod judge;
pub(super) mod sheet;

use contract::{Pool, Stage};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{PoolSize, Verdict, sized};
use super::args::CapacityArgs;
use super::own_stack::{Day, Observed, OwnStack};
use super::search::Bracket;
use super::step::{Kind, Measured};
use crate::demo::stack_up::Shape;
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::report::units::{latency, rate as rate_of, share};
use grid::{SWEPT, Setting};
use judge::{PoolAnswer, PoolStep, wait_seconds_max};

/// Of the highest rate that passed, so much is swept: at the edge itself everything waits.
const SHARE_OF_CAPACITY: f64 = 0.8;

/// A sweep.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PoolSweep {
    /// The rate that was swept.
    pub(crate) rate: f64,
    /// How long each step's day is.
    pub(crate) step_seconds: f64,
    /// Shards of the database in all steps.
    pub(crate) shards: u16,
    /// The first one is with what is set by default; what Little's law says follows from it.
    pub(crate) steps: Vec<SweepStep>,
    /// What the steps say of each pool.
    pub(crate) pools: Vec<PoolAnswer>,
    /// Why it ended before its end, where it did.
    pub(crate) broke_off: Option<String>,
}

/// A step of the sweep.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SweepStep {
    pub(crate) pools: Vec<PoolStep>,
    /// The critical path of which the largest share was over its objective.
    pub(crate) worst: String,
    /// That share.
    pub(crate) over_share: f64,
    /// Whether that was more than may be.
    pub(crate) missed: bool,
    /// The slowest p99 of the critical paths.
    pub(crate) p99_seconds: f64,
    /// The day was not done at its deadline.
    pub(crate) undone: Option<String>,
    /// Why nothing can be told.
    pub(crate) spoilt: Option<String>,
}

/// The rate that is to be swept, if any is.
pub(super) fn rate(args: &CapacityArgs, bracket: &Bracket) -> Option<f64> {
    if args.sweep.no_pools {
        return None;
    }
    let passes = || bracket.passes.as_ref().map(|tally| tally.rate * SHARE_OF_CAPACITY);
    args.sweep.pools_at.or_else(passes)
}

/// Sweeps at a rate, until all is tried or something goes wrong.
pub(super) async fn sweep(
    args: &CapacityArgs,
    own: &OwnStack<'_>,
    rate: f64,
    interrupt: &Interrupt,
) -> PoolSweep {
    let step_seconds = args.sweep.pools.as_secs_f64();
    let shards = grid::shards(args.stack.shards);
    let mut sweep = PoolSweep {
        rate,
        step_seconds,
        shards,
        steps: Vec::new(),
        pools: Vec::new(),
        broke_off: None,
    };
    if let Err(failure) = sweep.go(args, own, interrupt).await {
        // What fails because it is being stopped is no failure of its own.
        let why = if interrupt.stopped() { "stopped".to_owned() } else { failure.to_string() };
        sweep.broke_off = Some(why);
    }
    sweep
}

impl PoolSweep {
    async fn go(
        &mut self,
        args: &CapacityArgs,
        own: &OwnStack<'_>,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        complain!("{:<8} the sweep of pools, at {}", "pools", rate_of(self.rate));
        let first = self.step(args, own, None, interrupt).await?;
        let by_law = SWEPT.map(|pool| by_law(pool, &first.measured, args.stack.processes));
        let sizes = by_law.each_ref().map(|law| law.size);
        let settings = grid::settings(sizes, args.work.seed, args.sweep.pools_steps);
        let most = grid::connections_max(sizes, args.stack.processes);
        for (i, setting) in settings.iter().enumerate() {
            complain!("{:<8} {} of {}: {}", "pools", i + 1, settings.len(), told(setting));
            let done = self.step(args, own, Some((setting, most)), interrupt).await;
            // Also of a sweep that breaks off.
            let steps = &self.steps;
            let answer = |(pool, law): (Pool, &PoolSize)| judge::answer(pool, law.clone(), steps);
            self.pools = SWEPT.into_iter().zip(&by_law).map(answer).collect();
            done?;
        }
        Ok(())
    }

    /// One step, noted with what was observed.
    async fn step(
        &mut self,
        args: &CapacityArgs,
        own: &OwnStack<'_>,
        setting: Option<(&Setting, u32)>,
        interrupt: &Interrupt,
    ) -> Result<Observed, Failure> {
        let mut shape = Shape::demo(&args.stack);
        if let Some((setting, most)) = setting {
            shape.service.extend(grid::environment(setting));
            shape.postgres = shape.postgres.setting("max_connections", most.to_string());
        }
        let day = Day {
            dir: own.dir().join("pools").join(format!("{:02}", self.steps.len() + 1)),
            rate: self.rate,
            messages: ((self.rate * self.step_seconds) as u64).max(1),
            shards: self.shards,
            shape,
        };
        let observed = own.day(&day, interrupt).await?;
        let setting = setting.map(|(setting, _)| setting);
        let step = SweepStep::new(&observed, setting, args.stack.processes)?;
        complain!("{:<8} {}", "pools", step.said());
        self.steps.push(step);
        Ok(observed)
    }

    /// The verdict where nothing was searched for.
    pub(super) fn verdict(&self) -> (Verdict, Vec<String>) {
        let told = self.steps.iter().filter(|step| step.spoilt.is_none()).count();
        let steps = self.steps.len();
        let swept = format!("the pools were swept at {}, in {steps} steps", rate_of(self.rate));
        match &self.broke_off {
            Some(why) => (Verdict::Invalid, vec![self.broken(why)]),
            None if told == 0 => {
                (Verdict::Invalid, vec![format!("{swept}, of which the machine spoilt each")])
            }
            None => (Verdict::Pass, vec![swept]),
        }
    }

    /// That it broke off, in words.
    pub(super) fn broken(&self, why: &str) -> String {
        format!("the sweep of pools broke off after {} steps: {why}", self.steps.len())
    }
}

impl SweepStep {
    fn new(
        observed: &Observed,
        setting: Option<&Setting>,
        processes: u16,
    ) -> Result<Self, Failure> {
        let Observed { measured, .. } = observed;
        let over = |kind: &Kind| (kind.total - kind.good) as f64 / kind.total.max(1) as f64;
        let worst = measured.kinds.iter().max_by(|a, b| over(a).total_cmp(&over(b)));
        let pools = (0..SWEPT.len()).map(|i| pool_step(i, observed, setting, processes));
        Ok(Self {
            pools: pools.collect::<Result<_, Failure>>()?,
            worst: worst.map_or_else(String::new, |kind| kind.name.clone()),
            over_share: worst.map_or(0.0, over),
            missed: measured.kinds.iter().any(|kind| over(kind) > 1.0 - kind.objective_share),
            p99_seconds: measured.kinds.iter().map(|kind| kind.p99_seconds).fold(0.0, f64::max),
            undone: measured.undone.clone(),
            spoilt: measured.spoilt.clone(),
        })
    }

    fn said(&self) -> String {
        let pool = |step: &PoolStep| {
            let wait = step.wait_p99_seconds.map_or("none".to_owned(), latency);
            format!("{} waits {wait}", step.pool)
        };
        let pools: Vec<String> = self.pools.iter().map(pool).collect();
        let spoilt = self.spoilt.as_ref().map_or(String::new(), |why| format!("; {why}"));
        format!("p99 of {}; over its objective: {}{spoilt}", pools.join(", "), self.over())
    }

    /// The worst critical path and how much of it was over its objective, in words.
    fn over(&self) -> String {
        if self.over_share > 0.0 {
            return format!("{} {}", self.worst, share(self.over_share));
        }
        "none".to_owned()
    }
}

/// A pool in a step. A service that has another number of connections than was set is none that
/// knows the setting, and everything else that was observed of it would be taken for what it isn't.
fn pool_step(
    i: usize,
    observed: &Observed,
    setting: Option<&Setting>,
    processes: u16,
) -> Result<PoolStep, Failure> {
    let pool = SWEPT[i];
    let Observed { connections, pools, stages, .. } = observed;
    let told = connections.iter().find(|(name, _)| name == pool.name()).map_or(0.0, |told| told.1);
    let connections = (told / f64::from(processes)).round() as u32;
    if let Some(laid) = setting.map(|setting| setting[i]).filter(|l| l.connections != connections) {
        return Err(Failure::Unavailable(format!(
            "the pool {} has {connections} connections, though {} were set: does this build of the \
             service know database_pool_sizes?",
            pool.name(),
            laid.connections
        )));
    }
    let workers = setting.map_or_else(
        || grid::workers_by_default(pool),
        |setting| grid::workers(pool, setting[i].tasks),
    );
    let row = pools.iter().find(|row| row.name == pool.name());
    let late = Stage::of_pool(pool).filter_map(|stage| {
        let row = stages.iter().find(|row| row.name == stage.name())?;
        Some((row.name.to_owned(), row.lateness_p99_seconds?))
    });
    let wait_p99_seconds = row.and_then(|row| row.wait_p99_seconds);
    Ok(PoolStep {
        pool: pool.name().to_owned(),
        connections,
        workers,
        per_connection: f64::from(workers) / f64::from(connections.max(1)),
        waits: row.map_or(0, |row| row.waits),
        wait_p99_seconds,
        waited_share: row.and_then(|row| row.waited_share),
        latest: late.max_by(|a, b| a.1.total_cmp(&b.1)),
        starves: wait_p99_seconds.is_some_and(|wait| wait >= wait_seconds_max(pool)),
    })
}

/// What a pool of one process needs by what was measured.
fn by_law(pool: Pool, measured: &Measured, processes: u16) -> PoolSize {
    let of = |all: &[(String, f64)]| {
        let found = all.iter().find(|(name, _)| name == pool.name());
        found.map_or(0.0, |(_, value)| value / f64::from(processes))
    };
    sized(pool.name(), of(&measured.checkouts), of(&measured.held))
}

fn told(setting: &Setting) -> String {
    let pool = |(pool, laid): (&Pool, &grid::Laid)| {
        let workers = grid::workers(*pool, laid.tasks);
        format!("{} of size {} with {workers} workers", pool.name(), laid.connections)
    };
    SWEPT.iter().zip(setting).map(pool).collect::<Vec<_>>().join(", ")
}

/// A step of one pool.
#[cfg(test)]
pub(super) fn step_of(pool: PoolStep) -> SweepStep {
    SweepStep {
        pools: vec![pool],
        worst: "upsert_appointments".to_owned(),
        over_share: 0.001,
        missed: false,
        p99_seconds: 0.02,
        undone: None,
        spoilt: None,
    }
}

/// A sweep of two steps.
#[cfg(test)]
pub(super) fn sample() -> PoolSweep {
    let steps = vec![
        step_of(judge::sample(6, 0.67, false)),
        SweepStep { missed: true, ..step_of(judge::sample(6, 2.0, true)) },
    ];
    let by_law = sized(Pool::Interactive.name(), 100.0, 1.5);
    PoolSweep {
        rate: 80.0,
        step_seconds: 20.0,
        shards: 8,
        pools: vec![judge::answer(Pool::Interactive, by_law, &steps)],
        steps,
        broke_off: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::step;
    use super::*;
    use crate::report::PoolRow;

    #[test]
    fn the_law_is_told_of_one_process() {
        let mut measured = step::sample(10_000);
        measured.held = vec![("interactive".to_owned(), 3.0)];
        measured.checkouts = vec![("interactive".to_owned(), 200.0)];
        let law = by_law(Pool::Interactive, &measured, 2);
        assert_eq!((law.rate, law.held, law.hold_seconds, law.size), (100.0, 1.5, 0.015, 6));
        assert_eq!(by_law(Pool::Pipeline, &measured, 2).size, 1, "nothing was held");
    }

    #[test]
    fn a_service_that_does_not_do_as_it_is_set_is_found_out() {
        let connections = SWEPT.map(|pool| (pool.name().to_owned(), 12.0)).to_vec();
        let wait_p99_seconds = Some(wait_seconds_max(Pool::Interactive));
        let row = |pool: Pool| PoolRow {
            name: pool.name(),
            waits: 7,
            wait_p99_seconds,
            waited_share: Some(0.5),
        };
        let observed = Observed {
            measured: step::sample(9_900),
            connections,
            pools: SWEPT.map(row).to_vec(),
            stages: Vec::new(),
        };
        let laid = |connections| grid::Laid { connections, tasks: 3 };
        let step = SweepStep::new(&observed, Some(&[laid(6), laid(6)]), 2).unwrap();
        let [interactive, pipeline] = &step.pools[..] else { panic!("{step:?}") };
        assert_eq!((interactive.connections, interactive.workers, interactive.waits), (6, 6, 7));
        assert_eq!((interactive.per_connection, pipeline.workers), (1.0, 11));
        assert!(interactive.starves && !pipeline.starves, "each by its own bound");
        assert_eq!((step.worst.as_str(), step.over_share, step.missed), ("read_user", 0.01, false));
        let wrong = SweepStep::new(&observed, Some(&[laid(6), laid(5)]), 2).unwrap_err();
        let says = "pipeline has 6 connections, though 5 were set";
        assert!(wrong.to_string().contains(says), "{wrong}");
    }

    #[test]
    fn what_breaks_off_can_not_be_told_and_what_was_spoilt_neither() {
        assert_eq!(sample().verdict().0, Verdict::Pass);
        let broken = PoolSweep { broke_off: Some("no service".to_owned()), ..sample() };
        let (verdict, reasons) = broken.verdict();
        assert_eq!(verdict, Verdict::Invalid);
        assert_eq!(reasons, ["the sweep of pools broke off after 2 steps: no service"]);
        let mut spoilt = sample();
        spoilt.steps.iter_mut().for_each(|step| step.spoilt = Some("steal".to_owned()));
        assert_eq!(spoilt.verdict().0, Verdict::Invalid);
    }
}
