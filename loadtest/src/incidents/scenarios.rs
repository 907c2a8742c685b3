//! The incidents, one file each, named like its name: what goes wrong, what must hold at its end,
//! and what must have been seen of it.
//!
//! Never here: the stack (`ground`), looking (`watch`).

mod above_pool;
mod due_at_once;
mod endpoint_creeps;
mod id_space;
mod provider_slows;
mod report_beside;

use clap::ValueEnum;

use super::facts::Found;
use super::ground::Ground;
use crate::exit::Failure;
use crate::report::lines::put;

/// An incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Scenario {
    /// All future appointments fall due at once.
    DueAtOnce,
    /// More is done at a time than there are connections.
    AbovePool,
    /// A space of numbers is used up.
    IdSpace,
    /// One endpoint gets slower while the average over all of them stays flat.
    EndpointCreeps,
    /// The provider slows down until a backlog stands.
    ProviderSlows,
    /// Reports are made of the tables at work.
    ReportBeside,
}

/// All of them, in the order in which they happen.
pub(super) const ALL: [Scenario; 6] = [
    Scenario::DueAtOnce,
    Scenario::AbovePool,
    Scenario::IdSpace,
    Scenario::EndpointCreeps,
    Scenario::ProviderSlows,
    Scenario::ReportBeside,
];

/// Which there are, a line each.
pub(super) fn list() -> String {
    let mut out = String::new();
    for scenario in ALL {
        put(&mut out, &format!("{:<16} {}", scenario.name(), scenario.story()));
    }
    out
}

impl Scenario {
    /// As it is asked for.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::DueAtOnce => "due_at_once",
            Self::AbovePool => "above_pool",
            Self::IdSpace => "id_space",
            Self::EndpointCreeps => "endpoint_creeps",
            Self::ProviderSlows => "provider_slows",
            Self::ReportBeside => "report_beside",
        }
    }

    /// What happens, in a sentence.
    pub(super) const fn story(self) -> &'static str {
        match self {
            Self::DueAtOnce => "the clock jumps, and all future appointments fall due at once",
            Self::AbovePool => "400 bookings and 400 texts at a time, far above the connections",
            Self::IdSpace => "a sequence is used up, and then has numbers again",
            Self::EndpointCreeps => "one endpoint gets slower while the average stays flat",
            Self::ProviderSlows => "the provider slows down until a backlog stands, and recovers",
            Self::ReportBeside => "reports are made of the tables at work while texts go out",
        }
    }

    /// Makes it happen.
    pub(super) async fn run(self, ground: &mut Ground) -> Result<Found, Failure> {
        match self {
            Self::DueAtOnce => due_at_once::run(ground).await,
            Self::AbovePool => above_pool::run(ground).await,
            Self::IdSpace => id_space::run(ground).await,
            Self::EndpointCreeps => endpoint_creeps::run(ground).await,
            Self::ProviderSlows => provider_slows::run(ground).await,
            Self::ReportBeside => report_beside::run(ground).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_name_everywhere() {
        for scenario in ALL {
            let asked = Scenario::from_str(scenario.name(), false);
            assert_eq!(asked, Ok(scenario));
        }
        assert_eq!(Scenario::value_variants().len(), ALL.len());
        let list = list();
        assert_eq!(list.lines().count(), ALL.len());
        assert!(ALL.iter().all(|scenario| list.contains(scenario.name())), "{list}");
    }
}
