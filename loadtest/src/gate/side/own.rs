//! The reminder service: each side on a PostgreSQL of its own, with a simulator and keys of its
//! own; a day compressed to the duet's length goes to both, and both send its texts meanwhile.
//!
//! Never here: the day (`crate::day`), preparing one (`replay::prepare`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stack::postgres::{self, Options as Servers};
use tokio::time::Instant;

use super::Round;
use crate::day::{Options, Plan, Profile, Source};
use crate::demo::StackArgs;
use crate::demo::stack_up::{Shape, StackUp};
use crate::exit::Failure;
use crate::gate::args::GateArgs;
use crate::gate::build::{self, Built};
use crate::gate::play::{How, Played, play};
use crate::interrupt::Interrupt;
use crate::replay::Target;
use crate::replay::causal;
use crate::replay::clock::ClockSetter;
use crate::replay::live::{Keys, Live};
use crate::replay::prepare;

/// Requests of a day for each of its texts, by the built-in profile: 600 thousand and 500 thousand.
const REQUESTS_A_TEXT: f64 = 1.2;

/// Two builds of the reminder service.
pub(in crate::gate) struct Own {
    builds: [Built; 2],
    pub(super) environment: [Vec<(String, String)>; 2],
    length: Duration,
    pairs: f64,
}

/// A side that stands ready.
struct Ready {
    stack: StackUp,
    target: Target,
    clock: ClockSetter,
    keys: Keys,
}

impl Own {
    pub(super) async fn of(
        args: &GateArgs,
        asked: [&String; 2],
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let length = args.duet.length()?;
        let dir = args.sides.build_dir.clone();
        let [base, head] = asked.map(String::clone);
        let stop = interrupt.stop.clone();
        // Cargo takes minutes.
        let builds = tokio::task::spawn_blocking(move || {
            let program = |side, asked: &str| build::program(side, asked, dir.as_deref(), &stop);
            Ok::<_, Failure>([program(0, &base)?, program(1, &head)?])
        });
        let builds = builds.await.map_err(|e| Failure::Unavailable(e.to_string()))??;
        let environment = [args.sides.base_env.clone(), args.sides.head_env.clone()];
        Ok(Self { builds, environment, length, pairs: args.duet.pairs })
    }

    pub(super) fn names(&self) -> [String; 2] {
        self.builds.each_ref().map(|built| match &built.commit {
            Some(commit) => format!("{} ({})", built.asked, &commit[..commit.len().min(12)]),
            None => built.asked.clone(),
        })
    }

    pub(super) fn source(&self) -> String {
        format!("a day of {} texts in {:?}", self.messages(), self.length)
    }

    pub(super) fn head_commit(&self) -> Option<String> {
        self.builds[1].commit.clone()
    }

    pub(super) fn is_same(&self) -> bool {
        let same_program = self.builds[0].program == self.builds[1].program;
        same_program && self.environment[0] == self.environment[1]
    }

    /// Texts of a day with so many requests a second.
    fn messages(&self) -> u64 {
        (self.pairs * self.length.as_secs_f64() / REQUESTS_A_TEXT).round().max(1.0) as u64
    }

    pub(super) async fn play(
        &self,
        round: Round,
        how: How,
        interrupt: &Interrupt,
    ) -> Result<(Played, String), Failure> {
        let options = Options {
            messages: self.messages(),
            seed: round.seed,
            book: Some(0),
            ..Options::default()
        };
        let plan = tokio::task::spawn_blocking(move || {
            let source = Source::from_profile(Profile::builtin(), options.seed);
            Plan::build(&options, &source).map_err(|e| Failure::Usage(e.to_string()))
        });
        let plan = Arc::new(plan.await.map_err(|e| Failure::Unavailable(e.to_string()))??);
        let mut ready: [Option<Ready>; 2] = [None, None];
        for side in round.order() {
            let starting = self.start(round.build(side), &plan, interrupt);
            ready[side] = Some(tokio::select! {
                started = starting => started?,
                () = interrupt.stop.cancelled() => return Err(Failure::Interrupted),
            });
        }
        let [Some(mut base), Some(mut head)] = ready else { return Err(Failure::Interrupted) };
        let speed = plan.window_ns() as f64 / self.length.as_nanos() as f64;
        let part = |ready: &Ready| {
            let writes = causal::channel().0;
            let live = Live::new(plan.clone(), ready.keys.clone(), speed, writes);
            (Arc::new(live), ready.target.public.first().cloned().unwrap_or_default())
        };
        let parts = [part(&base), part(&head)];
        let (base_clock, head_clock) = (&mut base.clock, &mut head.clock);
        let start = async {
            let mut last = Instant::now();
            for clock in [base_clock, head_clock] {
                last = last.max(clock.run(plan.origin(), speed).await?.start);
            }
            Ok::<_, Failure>(last)
        };
        let played = play(parts, how, start, interrupt).await;
        for side in [base, head] {
            side.stack.stop().await;
        }
        Ok((played?, plan.hash().to_owned()))
    }

    async fn start(
        &self,
        build: usize,
        plan: &Arc<Plan>,
        interrupt: &Interrupt,
    ) -> Result<Ready, Failure> {
        let args = stack_args(self.builds[build].program.clone());
        // No replica: what it replays costs both sides alike, and more than what is compared.
        let shape = Shape {
            postgres: Servers::new(postgres::Profile::Demo).setting("shared_buffers", "256MB"),
            replica: false,
            service: self.environment[build].clone(),
            ..Shape::demo(&args)
        };
        let program = &self.builds[build].program;
        let stack = StackUp::start_as(&shape, &args, program, plan.seed()).await?;
        let target = stack.target();
        let mut clock = ClockSetter::new(&target)?;
        clock.hold(plan.origin()).await?;
        let keys = prepare::practices(plan, &target, interrupt).await?;
        prepare::import(plan, &keys, &target, interrupt).await?;
        Ok(Ready { stack, target, clock, keys })
    }
}

/// A stack of one process whose provider does everything right, and nothing that watches it.
pub(crate) fn stack_args(program: PathBuf) -> StackArgs {
    StackArgs {
        punctual: Some(program),
        processes: 1,
        shards: 1,
        no_faults: true,
        prometheus: PathBuf::new(),
        no_prometheus: true,
        keep: false,
    }
}
