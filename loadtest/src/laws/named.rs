//! Law 12: which statements a plan's day can't do without, so that a look at `pg_stat_statements`
//! that saw fewer saw too little.
//!
//! Only what the primary is asked for counts: reads that a replica may answer are in that server's
//! statistics. Never here: whether a statement has its name; that is the audit's.

use contract::Query;

use crate::day::plan::Promise;

/// What any day runs: practices with a key, bookings that are planned, texts that leave and are
/// called back, counts that are folded, and the audit itself, whose last check looks.
const OF_ANY_DAY: [Query; 38] = [
    Query::PracticeLock,
    Query::PracticeUpsert,
    Query::PracticeRevisionInsert,
    Query::RuleInsert,
    Query::SenderUpsert,
    Query::SenderLeave,
    Query::ApiKeyInsert,
    Query::ApiKeyRead,
    Query::ShardFloors,
    Query::AppointmentLock,
    Query::AppointmentUpsert,
    Query::IntentInsert,
    Query::TallyDeltaInsert,
    Query::MaintainerLock,
    Query::ReleaseDue,
    Query::MessageInsert,
    Query::LaneEnter,
    Query::LaneItemInsert,
    Query::IntentRelease,
    Query::ClaimLanes,
    Query::ClaimHeads,
    Query::AttemptInsert,
    Query::SettleLock,
    Query::SettleLanes,
    Query::MessageSettle,
    Query::AttemptOutcomeInsert,
    Query::NewsApply,
    Query::FoldSums,
    Query::FoldDelete,
    Query::AuditExpected,
    Query::AuditConservation,
    Query::AuditTally,
    Query::AuditMembers,
    Query::AuditAttempts,
    Query::AuditOrder,
    Query::AuditCancelled,
    Query::AuditGroups,
    Query::AuditFamilies,
];

/// What stopping a reminder that waits runs.
const OF_STOPPING: [Query; 2] = [Query::IntentLock, Query::IntentSuppress];

/// The statements that a day with so much in it runs on the primary, at least.
#[must_use]
pub fn promised(promise: &Promise) -> Vec<Query> {
    let stops = promise.cancellations_in_time_min > 0;
    let of_stopping = OF_STOPPING.iter().filter(|_| stops);
    OF_ANY_DAY.iter().chain(of_stopping).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use contract::Consistency;

    use super::*;

    #[test]
    fn each_is_promised_once_and_runs_on_the_primary() {
        let promise = Promise { cancellations_in_time_min: 1, ..Promise::default() };
        let all = promised(&promise);
        assert_eq!(all.len(), OF_ANY_DAY.len() + OF_STOPPING.len());
        assert_eq!(all.iter().map(|q| q.name()).collect::<HashSet<_>>().len(), all.len());
        assert!(all.iter().all(|query| query.spec().consistency == Consistency::Strong));
        assert_eq!(promised(&Promise::default()).len(), OF_ANY_DAY.len());
    }
}
