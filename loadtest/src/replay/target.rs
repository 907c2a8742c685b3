//! What is replayed against: where the parts of a stack are and what they are allowed.
//!
//! Never here: starting them (`demo`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::Limit;

/// A running service with its simulated provider.
#[derive(Debug, Clone)]
pub struct Target {
    /// `host:port` of each process's public listener.
    pub public: Vec<String>,
    /// `host:port` of each process's admin listener.
    pub admin: Vec<String>,
    /// The key that may do everything.
    pub admin_key: String,
    /// `host:port` of the provider simulator.
    pub provider: String,
    /// Its log of accepted texts.
    pub provider_log: PathBuf,
    /// Bounds of the service that differ from the contract's defaults.
    pub limits: BTreeMap<&'static str, u64>,
}

impl Target {
    /// A bound as the service has it.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> u64 {
        self.limits.get(limit.name()).copied().unwrap_or(limit.spec().default)
    }
}
