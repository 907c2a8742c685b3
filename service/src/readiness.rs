//! Whether this process can do its work now: a set of latches, each turned by the one who knows.
//! The process is ready when all are set.
//!
//! Never here: how a thing is found out; that is with whoever turns the latch.

use std::sync::atomic::{AtomicBool, Ordering};

/// Something without which the process can't do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Latch {
    /// The database answers and can be written to.
    Database,
    /// Its schema is new enough.
    Migrated,
    /// The domain clock's row has been read.
    Clock,
    /// The process isn't on its way out.
    Serving,
}

impl Latch {
    /// All of them, in the order in which they are set at start.
    pub(crate) const ALL: [Self; 4] = [Self::Database, Self::Migrated, Self::Clock, Self::Serving];

    /// As in the answer of `/readyz` and as label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Migrated => "migrated",
            Self::Clock => "clock",
            Self::Serving => "serving",
        }
    }

    /// What is missing while it isn't set, in words.
    pub(crate) const fn missing(self) -> &'static str {
        match self {
            Self::Database => "the database can't be reached or can't be written to",
            Self::Migrated => "the schema isn't known to be migrated",
            Self::Clock => "the domain clock hasn't been read",
            Self::Serving => "the process is starting or stopping",
        }
    }
}

/// The latches of a process. None is set at first.
#[derive(Debug, Default)]
pub(crate) struct Readiness([AtomicBool; Latch::ALL.len()]);

impl Readiness {
    /// Turns a latch and says whether that changed it.
    pub(crate) fn set(&self, latch: Latch, is_set: bool) -> bool {
        let changed = self.0[latch as usize].swap(is_set, Ordering::AcqRel) != is_set;
        match (changed, is_set, latch) {
            (false, _, _) => {}
            (true, true, _) | (true, false, Latch::Serving) => {
                tracing::info!(latch = latch.name(), is_set, "readiness");
            }
            (true, false, Latch::Database | Latch::Migrated | Latch::Clock) => {
                tracing::warn!(
                    latch = latch.name(),
                    is_set,
                    missing = latch.missing(),
                    "readiness"
                );
            }
        }
        changed
    }

    /// Whether a latch is set.
    pub(crate) fn is_set(&self, latch: Latch) -> bool {
        self.0[latch as usize].load(Ordering::Acquire)
    }

    /// The latches that are not set.
    pub(crate) fn missing(&self) -> Vec<Latch> {
        Latch::ALL.into_iter().filter(|&latch| !self.is_set(latch)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_with_all_latches() {
        let readiness = Readiness::default();
        for latch in Latch::ALL {
            assert!(!readiness.missing().is_empty());
            assert!(readiness.set(latch, true));
            assert!(!readiness.set(latch, true), "set twice is no change");
        }
        assert!(readiness.missing().is_empty());
        assert!(readiness.set(Latch::Serving, false));
        assert_eq!(readiness.missing(), [Latch::Serving]);
    }
}
