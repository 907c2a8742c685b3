//! One file an endpoint, named like its row in the contract: what it answers, every way in which it
//! refuses, what repeating it does, how many statements it runs, what it counts.
//!
//! Belongs here: single requests. Never here: what becomes of a message (`life`), what happens when
//! something is full or away as a whole (`full`, `database_away`).

mod cancel_appointment;
mod create_api_key;
mod debug_request;
mod debug_slow;
mod list_messages;
mod put_clock;
mod put_practice;
mod put_stage;
mod read_appointment;
mod read_backlog;
mod read_clock;
mod read_daily_counts;
mod read_delivery;
mod read_fleet;
mod read_health;
mod read_job_report;
mod read_live;
mod read_metrics;
mod read_openapi;
mod read_practice;
mod read_queries;
mod read_readiness;
mod read_residuals;
mod read_stages;
mod read_trend;
mod receive_reply;
mod receive_status;
mod revoke_api_key;
mod run_audit;
mod run_stage;
mod stream_live;
mod upsert_appointments;

mod away;
mod common;
mod reports;
mod unknown_parameters;

use std::collections::BTreeSet;
use std::path::Path;

use contract::Endpoint;

/// Files here that are no endpoint's.
const HELPERS: [&str; 4] = ["away", "common", "reports", "unknown_parameters"];

#[test]
fn every_endpoint_has_its_test_file_and_no_other_is_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/endpoints");
    let files: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !HELPERS.contains(&name.as_str()))
        .collect();
    let rows: BTreeSet<String> = Endpoint::ALL.iter().map(|row| row.name().to_owned()).collect();
    assert_eq!(files, rows);
    for &row in Endpoint::ALL {
        let text = std::fs::read_to_string(folder.join(format!("{}.rs", row.name()))).unwrap();
        let variant = format!("Endpoint::{row:?}");
        assert!(text.contains("#[tokio::test") && text.contains(&variant), "{}", row.name());
    }
}
