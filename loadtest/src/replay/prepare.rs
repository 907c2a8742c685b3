//! Before the day: practices with their rules, a key for each, and what was booked before.
//!
//! Never here: what happens during the day (`live`).

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use contract::Limit;
use http::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::jobs::{CONNECTIONS, Job, Worked, work_off};
use super::live::Keys;
use super::target::Target;
use crate::client::{Client, ClientError, NDJSON, bearer};
use crate::day::Plan;
use crate::day::request::{import_path, ndjson};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Step;
use crate::report::Import;
use crate::report::units::{count, latency, rate};

/// Puts every practice and makes a key for it.
pub(crate) async fn practices(
    plan: &Arc<Plan>,
    target: &Target,
    interrupt: &Interrupt,
) -> Result<Keys, Failure> {
    let job = Arc::new(PutPractices { plan: plan.clone(), keys: Mutex::default() });
    let total = plan.practices().len() as u64;
    let mut step = Step::begin("prepare", "practices", total);
    let key = Some(target.admin_key.as_str());
    let worked = Worked { addresses: &target.public, connections: CONNECTIONS, key };
    work_off(job.clone(), worked, &mut step, interrupt).await?;
    step.end(&format!("{} practices, each with its rules and key", count(total)));
    let keys = std::mem::take(&mut *job.keys.lock().unwrap_or_else(PoisonError::into_inner));
    keys.into_iter().map(|(practice_id, key)| Ok((practice_id, bearer(&key)?))).collect()
}

struct PutPractices {
    plan: Arc<Plan>,
    keys: Mutex<Vec<(i64, String)>>,
}

#[derive(Deserialize)]
struct NewKey {
    api_key: String,
}

impl Job for PutPractices {
    fn count(&self) -> usize {
        self.plan.practices().len()
    }

    async fn run(&self, client: &mut Client, index: usize) -> Result<u64, ClientError> {
        let practice = &self.plan.practices()[index];
        let key = put_practice(client, &practice.path(), practice.body()).await?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.push((practice.practice_id, key));
        Ok(1)
    }
}

/// Puts a practice and makes a key for it.
pub(crate) async fn put_practice(
    client: &mut Client,
    path: &str,
    body: Vec<u8>,
) -> Result<String, ClientError> {
    client.send(Method::PUT, path, body).await?;
    let path = format!("{path}/api-keys");
    let key: NewKey = client.send_for(Method::POST, &path, b"{}".to_vec()).await?;
    Ok(key.api_key)
}

/// Imports what was booked before the day. The domain clock must stand at the day's start.
pub(crate) async fn import(
    plan: &Arc<Plan>,
    keys: &Keys,
    target: &Target,
    interrupt: &Interrupt,
) -> Result<Import, Failure> {
    let largest = usize::try_from(target.limit(Limit::BatchItems)).unwrap_or(usize::MAX);
    let mut batches = Vec::new();
    let mut start = 0;
    for batch in plan.import_batches(largest) {
        batches.push(start..start + batch.len());
        start += batch.len();
    }
    let requests = batches.len() as u64;
    let job = Arc::new(Batches {
        plan: plan.clone(),
        keys: keys.clone(),
        batches,
        rejected: AtomicU64::new(0),
    });
    let mut step = Step::begin("import", "appointments", plan.import().len() as u64);
    let began = Instant::now();
    let worked = Worked { addresses: &target.public, connections: CONNECTIONS, key: None };
    let done = work_off(job.clone(), worked, &mut step, interrupt).await?;
    let seconds = began.elapsed().as_secs_f64();
    let rejected = job.rejected.load(Ordering::Relaxed);
    step.end(&format!(
        "{} appointments in {} ({}), {} refused",
        count(done.things),
        latency(seconds),
        rate(done.things as f64 / seconds.max(1e-9)),
        count(rejected)
    ));
    let appointments = done.things - rejected;
    Ok(Import { appointments, rejected, requests, again: done.again, seconds })
}

struct Batches {
    plan: Arc<Plan>,
    keys: Keys,
    batches: Vec<Range<usize>>,
    rejected: AtomicU64,
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: Vec<ItemResult<'a>>,
}

#[derive(Deserialize)]
struct ItemResult<'a> {
    outcome: &'a str,
}

impl Job for Batches {
    fn count(&self) -> usize {
        self.batches.len()
    }

    async fn run(&self, client: &mut Client, index: usize) -> Result<u64, ClientError> {
        let batch = &self.plan.import()[self.batches[index].clone()];
        let practice_id = batch[0].practice_id();
        client.present(self.keys.get(&practice_id).cloned());
        let path = import_path(practice_id);
        let answer = client.ask(Method::POST, &path, Some(NDJSON), ndjson(batch).into()).await?;
        let results: Results<'_> = client.read(&Method::POST, &path, &answer)?;
        let rejected = results.results.iter().filter(|item| item.outcome == "rejected").count();
        self.rejected.fetch_add(rejected as u64, Ordering::Relaxed);
        Ok(batch.len() as u64)
    }
}
