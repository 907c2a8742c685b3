//! `punctual bench depth`: law 8. What a released and a claimed message costs in shared buffers
//! must not grow with the backlog: by at most half from the smallest depth to the largest, in each
//! of the shapes that a backlog can have. Counted by PostgreSQL around the service's own
//! transactions, once their plans are settled; no time is measured.

mod backlog;

use serde::Serialize;

use super::Failed;
use super::counters::Counters;
use super::ground::Ground;
use super::progress::Progress;
use super::table::{Table, grouped};
use crate::cli::Exit;
use crate::config::Config;
use crate::stages::alone::Alone;
use backlog::{BATCH, Backlog, MEASURED, NOW, SHARD, WARM_UP};

/// What law 8 allows from the smallest depth to the largest.
const GROWTH_MAX: f64 = 1.5;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// How much is pending.
    pub(super) depths: Vec<u32>,
    /// How many are completed behind an old snapshot.
    pub(super) completions: u32,
    /// Print JSON.
    pub(super) is_json: bool,
}

/// Whose cost is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Release,
    Claim,
}

/// How a backlog is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    /// Everybody has one.
    Uniform,
    /// Half of it waits behind one recipient.
    Busy,
    /// All but what is measured lies in the future.
    Future,
    /// Many were completed while an old snapshot keeps their remains from being cleaned up.
    Pinned,
}

const STEPS: [Step; 2] = [Step::Release, Step::Claim];
const SHAPES: [Shape; 4] = [Shape::Uniform, Shape::Busy, Shape::Future, Shape::Pinned];

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Claim => "claim",
        }
    }
}

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Busy => "half behind one",
            Self::Future => "nearly all ahead",
            Self::Pinned => "old snapshot",
        }
    }
}

/// All figures.
#[derive(Debug, Serialize)]
struct Report {
    depths: Vec<u32>,
    completions: u32,
    growth_max: f64,
    holds: bool,
    rows: Vec<Row>,
}

/// A step over a shape.
#[derive(Debug, Serialize)]
struct Row {
    step: Step,
    shape: Shape,
    /// By depth.
    buffers_per_message: Vec<f64>,
    /// From the smallest depth to the largest.
    growth: f64,
    holds: bool,
}

/// Runs it and prints the table; fails where the law is broken.
pub(super) async fn run(options: &Options, config: &Config) -> Result<Exit, Failed> {
    let mut options = options.clone();
    options.depths.sort_unstable();
    options.depths.dedup();
    let mut config = config.clone();
    config.shard_count = 1; // the seeds fill one
    let ground = Ground::prepare(&config, backlog::at(NOW)).await?;
    Counters::need(&ground.door).await?;
    if ground.app.practices.shard_count() != 1 {
        return Err(Failed::Refused(
            "PUNCTUAL_DATABASE_URL: this database's shard count is fixed already, and this \
             benchmark needs one shard: createdb bench"
                .into(),
        ));
    }
    let alone = Alone::new(ground.app.clone());
    let mut rows = Vec::new();
    for step in STEPS {
        for shape in SHAPES {
            let mut costs = Vec::new();
            for &depth in &options.depths {
                let name = format!("{}, {}, {}", step.name(), shape.name(), grouped(depth.into()));
                let progress = Progress::begin(name, u64::from(options.completions));
                let bench = Backlog { ground: &ground, alone: &alone, progress: &progress };
                costs.push(cost(&bench, step, shape, depth, options.completions).await?);
            }
            rows.push(Row::of(step, shape, costs));
        }
    }
    let report = Report {
        holds: rows.iter().all(|row| row.holds),
        depths: options.depths,
        completions: options.completions,
        growth_max: GROWTH_MAX,
        rows,
    };
    if options.is_json {
        println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    } else {
        print!("{}", report.text());
    }
    Ok(if report.holds { Exit::Done } else { Exit::Failed })
}

/// Buffers for each message of full batches, at a depth.
async fn cost(
    backlog: &Backlog<'_>,
    step: Step,
    shape: Shape,
    depth: u32,
    completions: u32,
) -> Result<f64, Failed> {
    // Holds the snapshot until the end.
    let _pinned = backlog.make(step, shape, depth, completions).await?;
    for _ in 0..WARM_UP {
        backlog.batch(step, BATCH).await?;
    }
    backlog.alone.raise_floors(SHARD).await?;
    let (mut buffers, mut messages) = (0, 0);
    for _ in 0..MEASURED {
        if step == Step::Claim && shape == Shape::Busy {
            backlog.let_the_busy_one_come_forward().await?;
        }
        let before = Counters::read(&backlog.ground.door).await?;
        let (done, rest) = backlog.begin(step, BATCH).await?;
        let counted = Counters::read(&backlog.ground.door).await?.since(&before);
        backlog.end(rest).await?;
        if done < BATCH {
            return Err(Failed::Wrong(format!("a batch of {done} where {BATCH} were due")));
        }
        buffers += counted.total().buffers;
        messages += done;
    }
    Ok(buffers as f64 / messages as f64)
}

impl Row {
    fn of(step: Step, shape: Shape, buffers_per_message: Vec<f64>) -> Self {
        let (first, last) = (buffers_per_message.first(), buffers_per_message.last());
        let growth = first.zip(last).map_or(1.0, |(first, last)| last / first);
        Self { step, shape, buffers_per_message, growth, holds: growth <= GROWTH_MAX }
    }
}

impl Report {
    fn text(&self) -> String {
        let depths: Vec<String> = self.depths.iter().map(|&n| grouped(n.into())).collect();
        let mut header = vec!["buffers for a message", "shape"];
        header.extend(depths.iter().map(String::as_str));
        header.extend(["growth", "law 8"]);
        let mut table = Table::new(&header);
        for row in &self.rows {
            let mut cells = vec![row.step.name().to_owned(), row.shape.name().to_owned()];
            cells.extend(row.buffers_per_message.iter().map(|cost| format!("{cost:.1}")));
            cells.push(format!("{:.2}", row.growth));
            cells.push(if row.holds { "PASS" } else { "FAIL" }.to_owned());
            table.row(cells);
        }
        format!(
            "{}\nBatches of {BATCH}; growth from the smallest depth to the largest, at most {}; \
             {} completed before the old snapshot is looked at.\n",
            table.text(),
            self.growth_max,
            grouped(self.completions.into()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_is_judged_from_the_smallest_depth_to_the_largest() {
        let flat = Row::of(Step::Claim, Shape::Uniform, vec![10.0, 30.0, 14.9]);
        assert!(flat.holds);
        let deep = Row::of(Step::Claim, Shape::Pinned, vec![10.0, 12.0, 15.1]);
        assert!(!deep.holds);
    }
}
