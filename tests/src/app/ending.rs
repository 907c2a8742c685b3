//! What must hold at the end of every test, whatever it was about.
//!
//! Never here: what one test alone is about.

use std::collections::BTreeMap;

use contract::{Query, QueryOutcome};
use serde_json::Value;
use stack::provider::read_log;

use super::{SECRETS, Service, TestApp};
use crate::database::{Sql, TestDatabase};
use crate::practice::TEXT;
use crate::wait::soon;

/// What a test's end may look like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ending {
    /// Pieces of the lines at level ERROR that the test provoked; any other fails it.
    pub errors: &'static [&'static str],
    /// The test broke the database's rows on purpose: the laws need not hold.
    pub is_broken: bool,
}

impl TestApp {
    /// Checks that all is well and ends everything: budgets, laws, exit status, log.
    ///
    /// # Panics
    /// When something isn't.
    pub async fn finish(self) {
        self.finish_as(Ending::default()).await;
    }

    /// The same, with something that was to be expected.
    ///
    /// # Panics
    /// When something else isn't well.
    pub async fn finish_as(self, ending: Ending) {
        check_measures(&self.service).await;
        check_deadlocks(&self.database).await;
        if !ending.is_broken {
            self.audit().await;
        }
        let Self { service, simulator, database, environment: _, _permit } = self;
        service.finish(ending).await;
        let mut bodies = read_log(simulator.log_path()).unwrap();
        let all_ours = bodies.all(|entry| entry.unwrap().body.contains(TEXT));
        assert!(all_ours, "a text that the log was not searched for");
        simulator.stop().await;
        drop(database);
    }
}

impl Service {
    /// Ends it and checks its exit status and its log.
    ///
    /// # Panics
    /// When something isn't well.
    pub async fn finish(self, ending: Ending) {
        self.process.stop(super::service::STOP_WITHIN).await;
        self.finished(ending).await;
    }

    /// Waits for the end that somebody asked for, and checks the same.
    ///
    /// # Panics
    /// When something isn't well.
    pub async fn finished(mut self, ending: Ending) {
        self.is_over = true;
        let status = soon("the end of the process", self.process.wait()).await;
        let log = self.log();
        assert!(status.success(), "it ended with {status}");
        check_log(&log, ending);
    }
}

/// No endpoint over its budget, none with a statement in a loop, none with an answer that has no
/// series, no statement on a pool that its row doesn't name, nothing below a floor.
async fn check_measures(service: &Service) {
    let scrape = service.scrape().await;
    for family in ["endpoint_budget_exceeded_total", "endpoint_repeated_queries_total"] {
        let over: Vec<_> = scrape.all(family, &[]).filter(|sample| sample.value > 0.0).collect();
        assert!(over.is_empty(), "over budget: {over:?}");
    }
    assert_eq!(scrape.sum("stranded_rows", &[]), 0.0, "rows below a floor");
    let unforeseen = scrape.all("http_server_unforeseen_answers_total", &[]);
    let unforeseen: Vec<_> = unforeseen.filter(|sample| sample.value > 0.0).collect();
    assert!(unforeseen.is_empty(), "answers without a row in obs/status.rs: {unforeseen:?}");
    let ran = scrape.all("db_client_operation_duration_seconds_count", &[]);
    let undeclared: Vec<_> = ran.filter(|sample| !is_declared(&sample.labels)).collect();
    assert!(undeclared.is_empty(), "came with their first event: {undeclared:#?}");
}

/// Whether a statement can end so on this pool: then its series was there from the start.
fn is_declared(labels: &BTreeMap<String, String>) -> bool {
    let row = Query::ALL.iter().find(|row| row.name() == labels["db_query_name"]);
    let outcome = QueryOutcome::ALL.iter().find(|row| row.name() == labels["outcome"]);
    let (Some(query), Some(&outcome)) = (row, outcome) else { return false };
    query.pools().any(|pool| pool.name() == labels["pool"] && pool.can_see(outcome))
}

/// No two transactions waited for each other.
async fn check_deadlocks(database: &TestDatabase) {
    let counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    // A connection of its own: the server may have been restarted since.
    let deadlocks: i64 = Sql::connect(&database.url()).await.one(counted, &[]).await;
    assert_eq!(deadlocks, 0, "deadlocks; the server's log has both statements of each");
}

/// No error that wasn't expected, no panic, nothing of people and no secrets.
fn check_log(log: &str, ending: Ending) {
    for line in log.lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            panic!("a line that isn't JSON: {line}");
        };
        let is_expected = || ending.errors.iter().any(|piece| line.contains(piece));
        assert!(event["level"] != "ERROR" || is_expected(), "{line}");
        assert!(!line.contains("panic") || is_expected(), "{line}");
        assert_eq!(phones(line).next(), None, "a phone number: {line}");
        for secret in SECRETS.into_iter().chain(["Zuzanna", TEXT]) {
            assert!(!line.contains(secret), "{secret:?}: {line}");
        }
        assert!(!has_key(line), "an API key: {line}");
    }
}

/// Whether a practice's API key is in a line: its secret follows two numbers.
fn has_key(line: &str) -> bool {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    let mut keys = words.filter_map(|word| word.strip_prefix("pk_"));
    keys.any(|key| key.splitn(3, '_').count() == 3)
}

/// Made-up phone numbers in a line: words of digits that begin with the tests' country code.
/// Fractions and identifiers may hold such digits by chance; a word ends them.
fn phones(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
    words.filter(|word| {
        (11..=15).contains(&word.len())
            && word.starts_with("999")
            && word.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_declared_on_the_pools_of_its_row() {
        let check = |pool: &str, outcome: &str| {
            let labels = [("db_query_name", "claim_lanes"), ("pool", pool), ("outcome", outcome)];
            is_declared(&labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
        };
        assert!(check("pipeline", "ok"));
        assert!(!check("pipeline", "cancelled"), "stages wait for what they have begun");
        assert!(!check("upkeep", "ok"));
    }

    #[test]
    fn a_phone_is_found_and_a_fraction_is_none() {
        let found = |line| phones(line).count();
        assert_eq!(found(r#"{"to":"+99900000001"}"#), 1);
        assert_eq!(found(r#"{"phone":99900000001,"x":1}"#), 1);
        assert_eq!(found(r#"{"duration_ms":0.99900000001,"id":"a999000000012"}"#), 0);
        assert_eq!(found("+999······78"), 0);
    }

    #[test]
    fn a_clean_log_passes_and_each_kind_of_dirt_is_found() {
        let check = |line: &str, errors| {
            let ending = Ending { errors, is_broken: false };
            let line = line.to_owned();
            std::panic::catch_unwind(move || check_log(&line, ending)).is_ok()
        };
        assert!(check(r#"{"level":"INFO","message":"ready","caller":"pk_1_1"}"#, &[]));
        assert!(check(r#"{"level":"ERROR","cause":"gone"}"#, &["gone"]));
        for line in [
            r#"{"level":"ERROR","cause":"gone"}"#,
            r#"{"level":"INFO","cause":"panic at x.rs"}"#,
            r#"{"level":"INFO","to":"+99900000001"}"#,
            r#"{"level":"INFO","body":"Reminder from Practice 1"}"#,
            r#"{"level":"INFO","key":"pk_1_1_x"}"#,
            "thread 'main' has overflowed its stack",
        ] {
            assert!(!check(line, &[]), "{line}");
        }
    }
}
