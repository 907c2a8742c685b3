//! The settings. One table ([`settings`]) says what can be set; from it come the help, the
//! documentation, the names in the environment and in files, and [`Config`] itself. Layers in
//! rising order: defaults, a TOML file, the environment, flags. All mistakes are told at once.
//!
//! Never here: what a setting does; a bound's default and reason (`contract::limit`).

mod amounts;
mod check;
mod layers;
mod settings;
mod value;

#[cfg(test)]
mod tests;

use std::fmt;

use contract::{Limit, Stage};

pub(crate) use layers::{Inputs, Loaded, admin_addr, load};
pub(crate) use settings::{Config, Setting, all as settings};
pub(crate) use value::{BaseUrl, LogFormat, ProviderKind, StageGates};

/// What a limit's setting is called: `limit_` and the row's name.
pub(crate) const LIMIT_PREFIX: &str = "limit_";

/// The prefix of every name in the environment.
pub(crate) const ENVIRONMENT_PREFIX: &str = "PUNCTUAL_";

impl Config {
    /// A bound of the limit table as configured.
    pub(crate) const fn limit(&self, limit: Limit) -> u64 {
        self.limits[limit.index()]
    }

    /// How many tasks do a stage's work side by side.
    pub(crate) fn tasks(&self, stage: Stage) -> usize {
        self.stage_tasks.of(stage)
    }

    /// A bound as a size; the table's bounds fit.
    pub(crate) fn limit_usize(&self, limit: Limit) -> usize {
        usize::try_from(self.limit(limit)).unwrap_or(usize::MAX)
    }
}

/// One wrong setting: what is wrong, where it was set, what to do. One line, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    /// The name as it was written there, or where it could be.
    pub(crate) name: String,
    /// Where it was set, in words.
    pub(crate) place: String,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, what } = self;
        if place.is_empty() {
            write!(f, "{name}: {what}")
        } else {
            write!(f, "{name} ({place}): {what}")
        }
    }
}
