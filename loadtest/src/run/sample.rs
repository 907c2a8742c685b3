//! A made-up run for the tests of its faces and of the verdict.

use std::collections::BTreeMap;

use super::facts::{Facts, Failures, KindRow};
use super::verdict::Thresholds;
use crate::engine::ledger::{CleanRow, Counts, Quantiles};
use crate::engine::machine::{Second, Spoilt, Tolerance};
use crate::engine::windows::{Window, WindowRow};
use crate::inside::Told;

pub(super) const THRESHOLDS: Thresholds = Thresholds {
    achieved_min: 0.995,
    lag_max: 0.1,
    spoilt_max: 0.2,
    tolerance: Tolerance { steal_max: 0.2, waiting_max: 0.25, busy_max: 0.9 },
};

pub(crate) fn facts() -> Facts {
    let clean = Second {
        steal_ratio: 0.03,
        busy_ratio: 0.5,
        used_seconds: 0.2,
        waited_seconds: 0.01,
        spoilt: None,
    };
    let stolen = Second { steal_ratio: 0.4, spoilt: Some(Spoilt::Steal), ..clean };
    let window = WindowRow {
        count: 1_000,
        good: 998,
        failed: 1,
        p50_seconds: 0.002,
        p99_seconds: 0.02,
        max_seconds: 0.09,
        service_p50_seconds: 0.001,
        service_p99_seconds: 0.01,
        lag_p50_seconds: 0.0001,
        lag_p99_seconds: 0.001,
    };
    Facts {
        started_at: "2027-03-09T12:00:00Z".into(),
        targets: vec!["127.0.0.1:8080".into()],
        plan_hash: "5f0c".into(),
        source: "1000 a second for 10s, evenly".into(),
        notes: vec!["3 rows left out: they write (first in line 7)".into()],
        seed: Some(1),
        planned: 10_000,
        span_seconds: 10.0,
        sent: 9_999,
        achieved_ratio: 0.9999,
        connections: 128,
        timeout_seconds: 15.0,
        ok: [200, 399],
        pacer: "a thread on the kernel's high-resolution timer",
        interrupted: false,
        kinds: vec![kind("read_user", 0.25), kind("unmatched", 0.5)],
        seconds: [vec![clean; 9], vec![stolen]].concat(),
        windows: vec![Window { at_seconds: 1.0, rows: vec![window, window] }],
        offered: vec![1_000; 10],
        sent_by_second: vec![1_000; 10],
        inside: Told::default(),
        slowest: Vec::new(),
    }
}

fn kind(name: &'static str, objective_seconds: f64) -> KindRow {
    let quantiles = |ms: f64| Quantiles {
        p50: ms / 1e3,
        p90: ms / 500.0,
        p99: ms / 100.0,
        p999: 0.2,
        max: 0.4,
    };
    KindRow {
        name,
        objective_seconds,
        objective_share: 0.99,
        counts: Counts { total: 5_000, good: 4_980, failed: 3, unsent: 1, ..Counts::default() },
        response: quantiles(2.0),
        service: quantiles(1.0),
        lag: quantiles(0.9),
        service_mean_seconds: 0.001,
        clean: CleanRow {
            total: 4_500,
            good: 4_490,
            missed_by_service: 4,
            asked: 4_500,
            young: 0,
            response: quantiles(1.9),
            own_lag: quantiles(0.06),
        },
        reasons: BTreeMap::from([("status 500", Failures { count: 3, first_seconds: 4.2 })]),
    }
}
