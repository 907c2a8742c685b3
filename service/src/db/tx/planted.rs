//! A transaction in which a statement fails and nobody looks at how it ended, for the test of what
//! must notice it all the same: PostgreSQL reports success when it is committed. It is in no
//! release: only builds that check their assertions have it.
//!
//! `TEST_UNSEEN_FAILURE=POOL`: the last statement of each transaction on that pool's connections.

use std::sync::LazyLock;

use super::Tx;

static POOL: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("TEST_UNSEEN_FAILURE").ok());

/// Fails for certain, when it is run.
const FAILS: &str = "/*db_query='planted'*/ SELECT 1 / 0";

/// Runs it where the environment asks for that.
pub(super) async fn fail(tx: &Tx<'_>) {
    if POOL.as_deref() == Some(tx.conn.pool().name()) {
        let _unseen = tx.after_begin(tx.conn.control(FAILS)).await;
    }
}
