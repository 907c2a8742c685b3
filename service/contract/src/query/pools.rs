//! On which pools a statement may be run, so that a series of each can be there from the start and
//! a run on another pool is a mistake.
//!
//! Never here: which pool a reader gets; that is the router's.

use super::Query;
use crate::consistency::Consistency;
use crate::outcome::QueryOutcome;
use crate::pool::Pool;

impl Query {
    /// The pools that it may be run on: those of its row, and beside each of the primary's that
    /// of the replicas which answer the same readers, where a replica may.
    pub fn pools(self) -> impl Iterator<Item = Pool> {
        let spec = self.spec();
        let may_be_a_replica = match spec.consistency {
            Consistency::Strong | Consistency::OfServer => false,
            Consistency::ReadYourWrites | Consistency::BoundedStaleness(_) => true,
        };
        let beside = spec.pools.iter().filter_map(move |pool| pool.of_replicas());
        spec.pools.iter().copied().chain(beside.filter(move |_| may_be_a_replica))
    }
}

impl Pool {
    /// The pool of replicas for the same readers; nothing where they read the primary alone.
    #[must_use]
    pub const fn of_replicas(self) -> Option<Self> {
        match self {
            Self::Interactive => Some(Self::ReplicaInteractive),
            Self::Reporting => Some(Self::ReplicaReporting),
            Self::Pipeline | Self::Upkeep | Self::ReplicaInteractive | Self::ReplicaReporting => {
                None
            }
        }
    }

    /// Whether a statement can end so on it. Who leaves is a request: stages wait for what they
    /// have begun, or give it up at a deadline.
    #[must_use]
    pub const fn can_see(self, outcome: QueryOutcome) -> bool {
        match outcome {
            QueryOutcome::Ok
            | QueryOutcome::Error
            | QueryOutcome::Timeout
            | QueryOutcome::Disconnected => true,
            QueryOutcome::Cancelled => !matches!(self, Self::Pipeline | Self::Upkeep),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Side;

    #[test]
    fn what_is_declared_strong_names_no_pool_of_replicas() {
        for &query in Query::ALL {
            let spec = query.spec();
            let is_of_server = spec.consistency == Consistency::OfServer;
            let on_replicas = spec.pools.iter().any(|pool| pool.spec().side == Side::Replica);
            assert!(is_of_server || !on_replicas, "{}", query.name());
        }
    }

    #[test]
    fn what_a_replica_may_answer_is_run_there() {
        for &query in Query::ALL {
            let a_replica_may = query.spec().consistency.staleness_max_seconds().is_some();
            let on_replicas = query.pools().any(|pool| pool.spec().side == Side::Replica);
            // Asked ahead of such a read, on its connection; and of each server by the audit.
            let of_each = [Query::ServerCheck, Query::AuditStatements].contains(&query);
            assert_eq!(on_replicas, a_replica_may || of_each, "{}", query.name());
        }
    }

    #[test]
    fn no_pool_is_named_twice() {
        for &query in Query::ALL {
            let mut pools: Vec<Pool> = query.pools().collect();
            pools.sort_unstable();
            let all = pools.len();
            pools.dedup();
            assert_eq!(pools.len(), all, "{}", query.name());
        }
    }
}
