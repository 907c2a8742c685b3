//! `punctual bench sql`: the five steps of a message one after the other, by the functions that
//! the service runs, with batches of a stated size. What they take together is what PostgreSQL
//! alone needs for a day, and what the rate of a whole replay is measured against.
//!
//! Never here: what a step does (`desk`), how it is printed (`report`).

mod desk;
mod report;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::counters::{Count, Counters};
use super::day::{self, Day};
use super::ground::Ground;
use super::progress::Progress;
use super::{Failed, rounds};
use crate::cli::Exit;
use crate::config::Config;
use crate::obs;
use desk::{Desk, Turn};
use report::Report;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Texts that are sent.
    pub(super) messages: usize,
    /// Batches that run at a time.
    pub(super) runners: usize,
    /// Their sizes.
    pub(super) batches: Batches,
    /// Print JSON.
    pub(super) is_json: bool,
}

/// Items in a batch of each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batches {
    /// Appointments.
    pub(super) ingest: usize,
    /// Intents.
    pub(super) release: usize,
    /// Lanes.
    pub(super) claim: usize,
    /// Results.
    pub(super) settle: usize,
    /// Receipts.
    pub(super) receipts: usize,
}

/// What a step took.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    name: &'static str,
    rows: u64,
    batches: u64,
    elapsed: Duration,
    /// Of this program, all threads.
    cpu_seconds: f64,
    counted: Count,
    statements: Counters,
}

/// Runs it and prints the table.
pub(super) async fn run(options: &Options, config: &Config) -> Result<Exit, Failed> {
    let ground = Ground::prepare(config, day::booked_at()).await?;
    let the_day = Day::of_texts(options.messages);
    let desk = Arc::new(Desk::new(&ground.app, the_day, options.batches));
    let mut bench = Bench { ground: &ground, runners: options.runners, steps: Vec::new() };
    desk.put_practices(the_day).await?;

    let texts = the_day.texts_of_a_rule() as u64;
    bench.step("ingest", texts, &desk, Desk::ingest).await?;
    for at in day::due_by() {
        ground.hold(at).await?;
        bench.step("release", texts, &desk, Desk::release).await?;
        bench.step("claim", texts, &desk, Desk::claim).await?;
        bench.step("settle", texts, &desk, Desk::settle).await?;
        bench.step("receipts", texts, &desk, Desk::receipts).await?;
    }
    bench.step("fold", texts, &desk, Desk::fold).await?;
    desk.check(2 * texts)?;

    let report = Report::of(options, 2 * texts, &bench.steps);
    if options.is_json {
        println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    } else {
        print!("{}", report.text());
    }
    Ok(Exit::Done)
}

struct Bench<'a> {
    ground: &'a Ground,
    runners: usize,
    steps: Vec<Step>,
}

impl Bench<'_> {
    /// Runs a step over all shards and adds what it took.
    async fn step<F, T>(
        &mut self,
        name: &'static str,
        total: u64,
        desk: &Arc<Desk>,
        turn: F,
    ) -> Result<(), Failed>
    where
        F: Fn(Arc<Desk>, i16) -> T + Copy + Send + Sync + 'static,
        T: Future<Output = Result<Turn, Failed>> + Send + 'static,
    {
        let progress = Arc::new(Progress::begin(name, total));
        let batches = Arc::new(AtomicU64::new(0));
        let before = Counters::read(&self.ground.door).await?;
        let (started, cpu_before) = (Instant::now(), cpu_seconds());
        let (desk, rows_done, batches_done) =
            (Arc::clone(desk), Arc::clone(&progress), Arc::clone(&batches));
        let shard_count = self.ground.app.practices.shard_count();
        rounds::run(shard_count, self.runners, move |shard| {
            let (desk, rows, batches) =
                (Arc::clone(&desk), Arc::clone(&rows_done), Arc::clone(&batches_done));
            async move {
                let Turn { rows: done, has_more } = turn(desk, shard).await?;
                rows.add(done);
                batches.fetch_add(u64::from(done > 0), Ordering::Relaxed);
                Ok(has_more)
            }
        })
        .await?;
        let (elapsed, cpu_seconds) = (started.elapsed(), cpu_seconds() - cpu_before);
        let counted = Counters::read(&self.ground.door).await?.since(&before);
        self.add(Step {
            name,
            rows: progress.done(),
            batches: batches.load(Ordering::Relaxed),
            elapsed,
            cpu_seconds,
            counted: counted.total(),
            statements: counted,
        });
        Ok(())
    }

    /// The two rules' texts take every step once each.
    fn add(&mut self, step: Step) {
        match self.steps.iter_mut().find(|known| known.name == step.name) {
            Some(known) => {
                known.rows += step.rows;
                known.batches += step.batches;
                known.elapsed += step.elapsed;
                known.cpu_seconds += step.cpu_seconds;
                known.statements.add(&step.statements);
                known.counted = known.statements.total();
            }
            None => self.steps.push(step),
        }
    }
}

/// What this program has used of the processors so far.
fn cpu_seconds() -> f64 {
    obs::process::cpu_seconds().unwrap_or(0.0)
}
