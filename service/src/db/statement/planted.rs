//! Statements with a fault, for the tests of what must find it. They are in no release: only builds
//! that check their assertions have them.
//!
//! `TEST_CLAIM_BUG=distinct_on`: a claim that costs more the more waits.

use std::sync::LazyLock;

use contract::Query;

static IS_DISTINCT_ON: LazyLock<bool> =
    LazyLock::new(|| std::env::var("TEST_CLAIM_BUG").is_ok_and(|bug| bug == "distinct_on"));

/// What is sent instead of a statement, where the environment asks for it.
pub(super) fn text(query: Query) -> Option<&'static str> {
    (query == Query::ClaimLanes && *IS_DISTINCT_ON).then_some(concat!(
        "/*db_query='claim_lanes'*/ ",
        include_str!("../../../sql/planted/claim_lanes.sql")
    ))
}
