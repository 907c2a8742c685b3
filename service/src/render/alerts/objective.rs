//! The objectives of the tables as alerts see them: rows of one kind, tier and objective are judged
//! by one rule.
//!
//! Belongs here: reading the tables, and refusing what can't be alerted on. Never here: windows and
//! expressions (`burn`).

use contract::tier::Tier;
use contract::{Endpoint, Family, Journey, Stage};

/// Which table a path is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Endpoint,
    Journey,
    Stage,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Endpoint, Self::Journey, Self::Stage];

    /// The label that names a row.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Endpoint => "http_route",
            Self::Journey => "journey",
            Self::Stage => "stage",
        }
    }

    /// What counts all of its events.
    pub(super) const fn events(self) -> &'static str {
        match self {
            Self::Endpoint => Family::SloRequests.name(),
            Self::Journey => Family::SloJourneys.name(),
            Self::Stage => Family::SloStageItems.name(),
        }
    }

    /// What counts the good ones.
    pub(super) const fn good(self) -> &'static str {
        match self {
            Self::Endpoint => Family::SloGoodRequests.name(),
            Self::Journey => Family::SloGoodJourneys.name(),
            Self::Stage => Family::SloGoodStageItems.name(),
        }
    }
}

/// Which of a row's objectives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slo {
    Latency,
    Availability,
    Lateness,
}

impl Slo {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Availability => "availability",
            Self::Lateness => "lateness",
        }
    }
}

/// Rows that share everything that a rule depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) slo: Slo,
    pub(super) tier: Tier,
    /// The share of events that must be good.
    pub(super) objective: f64,
    /// The rows' names.
    pub(super) rows: Vec<&'static str>,
}

impl Class {
    /// The share of events that may be bad, without what floating point adds.
    pub(super) fn budget(&self) -> f64 {
        ((1.0 - self.objective) * 1e9).round() / 1e9
    }
}

/// An objective that no alert could watch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{slo} objective {objective} of {rows}: {factor} times its budget is more than every event \
     there is, so the alert could never fire; raise the objective above {least}, or lower the tier"
)]
pub(crate) struct Refused {
    pub(super) slo: &'static str,
    pub(super) objective: String,
    pub(super) rows: String,
    pub(super) factor: String,
    pub(super) least: String,
}

/// Every objective of the tables.
pub(super) fn all() -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::new();
    let mut add = |kind, slo, tier, objective: f64, row| {
        let found = classes.iter_mut().find(|class| {
            class.kind == kind
                && class.slo == slo
                && class.tier == tier
                && (class.objective - objective).abs() < 1e-9
        });
        match found {
            Some(class) => class.rows.push(row),
            None => classes.push(Class { kind, slo, tier, objective, rows: vec![row] }),
        }
    };
    for row in Endpoint::ALL {
        let spec = row.spec();
        add(Kind::Endpoint, Slo::Latency, spec.tier, spec.latency_objective, row.name());
    }
    for row in Endpoint::ALL {
        let spec = row.spec();
        add(Kind::Endpoint, Slo::Availability, spec.tier, spec.availability_objective, row.name());
    }
    for row in Journey::ALL {
        // A journey is a critical path by definition: the table has no other.
        add(Kind::Journey, Slo::Latency, Tier::Critical, row.spec().objective, row.name());
    }
    for row in Stage::ALL {
        add(Kind::Stage, Slo::Lateness, row.spec().tier, row.spec().objective, row.name());
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_objective_of_the_tables_is_in_one_class() {
        let objectives = 2 * Endpoint::COUNT + Journey::COUNT + Stage::COUNT;
        assert_eq!(all().iter().map(|class| class.rows.len()).sum::<usize>(), objectives);
        assert!(all().iter().all(|class| class.budget() > 0.0));
    }
}
