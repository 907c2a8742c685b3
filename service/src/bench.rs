//! Benchmarks of what the database is asked: the statements of the five steps without HTTP and
//! without a provider (`sql`), what release and claim cost by the depth of the backlog (`depth`,
//! law 8), and what the group commit gains (`commit`).
//!
//! Belongs here: making up data, running the service's own functions over it, counting. Never
//! here: a statement that the service runs, or another way of running one; a benchmark that only
//! looks like the service measures itself.

mod args;
mod commit;
mod counters;
mod day;
mod depth;
mod door;
mod ground;
mod progress;
mod rounds;
mod sql;
pub(crate) mod table;

pub(crate) use args::{Bench, command, read};

use crate::cli::Exit;
use crate::config::Config;
use crate::db::DbError;

/// Why a benchmark has no result.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// It must not run here, or not like this.
    #[error("{0}")]
    Refused(String),
    /// The database did not do what it was asked.
    #[error("PUNCTUAL_DATABASE_URL: {0}")]
    Db(#[from] DbError),
    /// The service's functions did something else than a benchmark of them takes for granted.
    #[error("the benchmark went wrong: {0}")]
    Wrong(String),
}

/// Runs a benchmark and prints what it found.
pub(crate) async fn run(bench: Bench, config: &Config) -> Exit {
    let result = match bench {
        Bench::Sql(options) => Box::pin(sql::run(&options, config)).await,
        Bench::Depth(options) => Box::pin(depth::run(&options, config)).await,
        Bench::Commit(options) => Box::pin(commit::run(&options, config)).await,
    };
    match result {
        Ok(exit) => exit,
        Err(failed) => {
            complain!("punctual: {failed}");
            match failed {
                Failed::Refused(_) => Exit::Usage,
                Failed::Db(error) if error.is_unavailable() => Exit::Unavailable,
                Failed::Db(_) | Failed::Wrong(_) => Exit::Failed,
            }
        }
    }
}
