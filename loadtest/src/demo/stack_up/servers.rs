//! What a measurement or an incident does with the servers of a stack, beside the service.
//!
//! Never here: starting and stopping them (`stack_up`).

use stack::postgres::Database;

use super::StackUp;
use crate::exit::Failure;

impl StackUp {
    /// Its database, for trouble that is made on purpose.
    pub(crate) const fn database(&self) -> &Database {
        &self.database
    }

    /// Writes all of the database's changes to its files: what is logged after it doesn't depend on
    /// what was logged before.
    pub(crate) async fn checkpoint(&self) -> Result<(), Failure> {
        self.pair.primary().checkpoint().await.map_err(Failure::from)
    }

    /// The servers' major version.
    pub(crate) fn postgres_major(&self) -> u32 {
        self.pair.binaries().version().0
    }
}
