//! The two sides of a duet: started fresh for each, one after the other, in the order that the duet
//! asks for, and stopped after it. A side is the reminder service with a PostgreSQL and a simulator
//! of its own (`own`), or any other service by its commands (`other`).
//!
//! Never here: sending (`play`), or what is made of it (`judge`).

mod other;
mod own;

use std::sync::Arc;
use std::time::Duration;

use super::args::GateArgs;
use super::play::{How, Played};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::run::objective::Objectives;
pub(crate) use own::stack_args;

/// Who plays against whom, and what.
pub(super) enum Contest {
    /// The reminder service.
    Own(Box<own::Own>),
    /// Any other service.
    Other(Box<other::Other>),
}

/// One duet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Which side starts first.
    pub(super) first: usize,
    /// Decides all that is left to chance.
    pub(super) seed: u64,
    /// Base on both sides: what is seen then is chance.
    pub(super) base_alone: bool,
}

impl Round {
    /// Which build stands on a side.
    fn build(&self, side: usize) -> usize {
        if self.base_alone { 0 } else { side }
    }

    /// The sides in the order of their start.
    fn order(&self) -> [usize; 2] {
        [self.first, 1 - self.first]
    }
}

impl Contest {
    /// What the flags ask for, built where it must be.
    pub(super) async fn of(args: &GateArgs, interrupt: &Interrupt) -> Result<Self, Failure> {
        if let (Some(base), Some(head)) = (&args.sides.base, &args.sides.head) {
            let own = own::Own::of(args, [base, head], interrupt).await?;
            return Ok(Self::Own(Box::new(own)));
        }
        let Some(commands) = other::Commands::of(&args.sides) else {
            let what = "give --base and --head, or --base-start and --head-start";
            return Err(Failure::Usage(what.to_owned()));
        };
        let plan = Arc::new(args.work.plan_apart().await?);
        let objectives = Objectives::asked_of(&args.judged.objective, &plan)?;
        let other = other::Other {
            commands,
            work: args.work.clone(),
            plan,
            objectives,
            headers: args.headers(),
            ok: args.judged.ok.clone(),
        };
        Ok(Self::Other(Box::new(other)))
    }

    /// How long a duet is.
    pub(super) fn length(&self, args: &GateArgs) -> Result<Duration, Failure> {
        match self {
            Self::Own(_) => args.duet.length(),
            Self::Other(other) => {
                let length = Some(other.plan.span());
                super::args::DuetArgs { length, ..args.duet.clone() }.length()
            }
        }
    }

    /// What is compared, as people read it: with the variables that are set for one side alone,
    /// but not with what they are set to, which may be a secret.
    pub(super) fn names(&self) -> [String; 2] {
        let (names, environment) = match self {
            Self::Own(own) => (own.names(), &own.environment),
            Self::Other(other) => (other.commands.names(), &other.commands.environment),
        };
        let [base, head] = names;
        [with_variables(base, &environment[0]), with_variables(head, &environment[1])]
    }

    /// What is sent, as people read it.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Own(own) => own.source(),
            Self::Other(other) => other.plan.about().source.clone(),
        }
    }

    /// Head's commit, where it is one.
    pub(super) fn head_commit(&self) -> Option<String> {
        match self {
            Self::Own(own) => own.head_commit(),
            Self::Other(_) => None,
        }
    }

    /// True when both sides are the same build in the same environment.
    pub(super) fn is_same(&self) -> bool {
        match self {
            Self::Own(own) => own.is_same(),
            Self::Other(other) => other.commands.is_same(),
        }
    }

    /// Starts both sides, plays, and stops them; the plan's hash goes with what was played.
    pub(super) async fn play(
        &self,
        round: Round,
        how: How,
        interrupt: &Interrupt,
    ) -> Result<(Played, String), Failure> {
        match self {
            Self::Own(own) => own.play(round, how, interrupt).await,
            Self::Other(other) => other.play(round, how, interrupt).await,
        }
    }
}

fn with_variables(mut name: String, environment: &[(String, String)]) -> String {
    for (n, (variable, _)) in environment.iter().enumerate() {
        name.push_str(if n == 0 { ", with " } else { ", " });
        name.push_str(variable);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_and_their_values_kept() {
        let set = [("KEY", "secret"), ("B", "2")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(with_variables("serve".to_owned(), &set), "serve, with KEY, B");
        assert_eq!(with_variables("serve".to_owned(), &[]), "serve");
    }
}
