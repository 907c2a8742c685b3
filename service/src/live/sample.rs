//! One look at everything that the page shows, by the typed reads of `obs`: counts since the
//! process started, and levels as they are now.
//!
//! Never here: a difference between two looks (`history`).

use std::time::{Duration, Instant, SystemTime};

use contract::{Endpoint, Fate, Journey, Limit, Pool, Query, Stage};

use crate::obs;
use crate::obs::histogram::Snapshot;
use crate::obs::slo::Judged;

/// What one look saw. The cells of the histograms make it about 20 kB.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) wall: SystemTime,
    pub(super) cpu: Duration,
    pub(super) resident_bytes: u64,
    pub(super) journeys: [(Snapshot, Judged); Journey::COUNT],
    pub(super) endpoints: Vec<obs::http::Reading>,
    pub(super) stages: Vec<StageSeen>,
    pub(super) due: u64,
    pub(super) fates: [u64; Fate::COUNT],
    pub(super) law: obs::law::Reading,
    pub(super) pools: Vec<PoolSeen>,
    pub(super) limits: [(Option<f64>, u64); Limit::COUNT],
    pub(super) statements: Vec<(Snapshot, u64)>,
}

/// A stage with what stands before it.
pub(super) struct StageSeen {
    pub(super) did: obs::stage::Reading,
    pub(super) before: Option<(u64, Option<Duration>)>,
}

/// A pool with those who hold its connections.
pub(super) struct PoolSeen {
    pub(super) pool: Pool,
    pub(super) is: obs::pool::Reading,
    pub(super) holders: Vec<(&'static str, u64)>,
}

impl Sample {
    /// Looks.
    pub(super) fn take() -> Self {
        let (fates, due) = obs::fate::read();
        let cpu = obs::process::cpu_seconds().unwrap_or(0.0);
        Self {
            at: Instant::now(),
            wall: SystemTime::now(),
            cpu: Duration::try_from_secs_f64(cpu).unwrap_or_default(),
            resident_bytes: obs::process::resident_bytes().unwrap_or(0),
            journeys: std::array::from_fn(|i| obs::journey::read(Journey::ALL[i])),
            endpoints: Endpoint::ALL.iter().map(|&row| obs::http::read(row)).collect(),
            stages: Stage::ALL
                .iter()
                .map(|&stage| StageSeen {
                    did: obs::stage::read(stage),
                    before: obs::backlog::read(stage),
                })
                .collect(),
            due,
            fates,
            law: obs::law::read(),
            pools: Pool::ALL
                .iter()
                .filter_map(|&pool| {
                    let (is, holders) = (obs::pool::read(pool)?, obs::holder::read(pool));
                    Some(PoolSeen { pool, is, holders })
                })
                .collect(),
            limits: std::array::from_fn(|i| obs::limit::read(Limit::ALL[i])),
            statements: Query::ALL.iter().map(|&query| obs::query::read(query)).collect(),
        }
    }

    /// A stage as it was seen.
    pub(super) fn stage(&self, stage: Stage) -> &obs::stage::Reading {
        &self.stages[stage.index()].did
    }

    /// Texts that were claimed or looked up and whose result is not recorded yet: what this
    /// process has in hand.
    pub(super) fn in_hand(&self) -> i64 {
        let items = |stage| self.stage(stage).items as i64;
        items(Stage::Claim) + items(Stage::Resolve) - items(Stage::Settle)
    }

    /// Those of them that the provider has, or is asked about.
    pub(super) fn at_provider(&self) -> i64 {
        let in_flight = |stage| self.stage(stage).in_flight as i64;
        in_flight(Stage::Deliver) + in_flight(Stage::Resolve)
    }
}
