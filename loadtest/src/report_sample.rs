//! A made-up report for the tests of its faces.

use std::collections::BTreeMap;

use super::*;
use crate::laws::{Check, LAWS, verdicts};

pub(crate) fn report() -> Report {
    let quantiles = |ms: f64| Quantiles {
        p50: ms / 1e3,
        p90: ms / 500.0,
        p99: ms / 100.0,
        p999: 0.4,
        max: 0.5,
    };
    let mut checks: Vec<Check> = LAWS
        .iter()
        .map(|&(law, _)| Check { cases: 1_000, ..Check::new(law, "audit: something", 900) })
        .collect();
    checks[2].broken(|| "practice 7: message 12 was accepted before 11".to_owned());
    Report {
        schema: SCHEMA,
        ended: Ended::Failed,
        run: Run {
            started_at: "2027-03-09T12:00:00Z".into(),
            plan_hash: "5f0c".into(),
            seed: 1,
            source: "profile".into(),
            left_out: vec!["1 left out: booked after its own appointment day (line 3)".into()],
            day: "2027-03-09".into(),
            practices: 400,
            messages_planned: 20_000,
            arrivals_planned: 26_000,
            speed: 1_500.0,
            speed_reason: "given with --speed".into(),
            users: 64,
            processes: 1,
            processors: 2,
        },
        import: Import { appointments: 40_000, rejected: 0, requests: 40, again: 1, seconds: 4.0 },
        day: Day { accepted: 20_000, seconds: 40.0, drain_seconds: 2.5, undrained: false },
        endpoints: vec![EndpointRow {
            name: "upsert_appointments",
            tier: "critical",
            objective_seconds: 0.5,
            objective_share: 0.99,
            good_share: 0.995,
            met: true,
            counts: Counts { total: 12_000, good: 11_940, failed: 3, ..Counts::default() },
            response: quantiles(2.0),
            service: quantiles(1.0),
            lag: quantiles(0.9),
            reasons: BTreeMap::from([("status 500", 3)]),
        }],
        journeys: vec![ServerRow {
            name: "due_to_handed_over",
            objective_seconds: 5.0,
            objective_share: 0.99,
            good_share: Some(0.97),
            count: 20_000,
            p50_seconds: Some(0.2),
            p99_seconds: Some(6.0),
        }],
        stages: vec![StageRow {
            name: "release",
            batches: 300,
            items: 20_000,
            failures: 0,
            duration_p99_seconds: Some(0.03),
            lateness_p99_seconds: None,
            lateness_objective_seconds: 2.5,
        }],
        pools: vec![PoolRow {
            name: "pipeline",
            waits: 9_000,
            wait_p99_seconds: Some(0.004),
            waited_share: Some(0.02),
        }],
        laws: verdicts(&checks),
        faults: BTreeMap::from([("accept_then_drop".to_owned(), 20)]),
        processes: vec![ProcessRow {
            name: "service".into(),
            cpu_seconds: 21.5,
            memory_max_bytes: 90_000_000,
            memory_quarters_bytes: [50_000_000, 80_000_000, 82_000_000, 84_000_000],
        }],
        series: Series {
            accepted: vec![(0.0, 0), (20.0, 9_000), (40.0, 20_000)],
            windows: Vec::new(),
            offered: vec![10, 20],
            sent: vec![10, 19, 1],
            seconds: Vec::new(),
            memory: BTreeMap::from([(
                "service".to_owned(),
                vec![(0.0, 40_000_000), (40.0, 84_000_000)],
            )]),
        },
        inside: Told::default(),
        slowest: Vec::new(),
        is_whole: true,
    }
}
