//! The pools of database connections: one a class of work, so that no class can take another's
//! connections. A pool's share of the connections is its size; all waits are bounded.
//!
//! Never here: a connection outside a pool (the listener for wake-ups, and one a server to look at
//! it).

use crate::table::{is_snake_case, table};
use crate::tier::Tier;

/// Which servers a pool has connections to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The primary, whichever server that is.
    Primary,
    /// Each replica.
    Replica,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// How much what uses it matters.
    pub tier: Tier,
    /// What uses it.
    pub used_by: &'static str,
    /// To which servers.
    pub side: Side,
    /// Its share of the connections to a server, in parts of the sum over the rows of its side.
    pub share: u32,
    /// Most that a checkout waits, in milliseconds; then the work answers 503 or tries again later.
    pub wait_ms_max: u32,
}

table! {
    /// A pool of database connections.
    pub enum Pool: Spec;

    /// Requests that people and providers wait for: reads, and the group commit's transactions.
    Interactive = interactive { tier: Tier::Critical, used_by: "endpoints and the group commit", side: Side::Primary, share: 8, wait_ms_max: 2_000, }
    /// The work that moves messages: release, claim, settle, recover, resolve.
    Pipeline = pipeline { tier: Tier::Critical, used_by: "stages that move messages", side: Side::Primary, share: 6, wait_ms_max: 5_000, }
    /// Housekeeping: floors, sweeps, folding, planning ahead.
    Upkeep = upkeep { tier: Tier::Standard, used_by: "stages that keep the house clean", side: Side::Primary, share: 2, wait_ms_max: 5_000, }
    /// Audits and counts for operators.
    Reporting = reporting { tier: Tier::Reporting, used_by: "audit and backlog", side: Side::Primary, share: 2, wait_ms_max: 5_000, }
    /// Reads that a replica answers; what finds none free is read on the primary.
    ReplicaInteractive = replica_interactive { tier: Tier::Standard, used_by: "endpoints that read", side: Side::Replica, share: 6, wait_ms_max: 100, }
    /// Reports that a replica answers.
    ReplicaReporting = replica_reporting { tier: Tier::Reporting, used_by: "reports", side: Side::Replica, share: 2, wait_ms_max: 5_000, }
}

// A silly row does not compile.
const _: () = {
    let mut i = 0;
    while i < Pool::COUNT {
        let row = Pool::ALL[i];
        assert!(is_snake_case(row.name()), "a pool's name is snake_case");
        assert!(row.spec().share > 0 && row.spec().wait_ms_max > 0);
        i += 1;
    }
};
