//! `punctual reconcile`: what it needs of the process, without listening and without its stages.

use std::sync::Arc;

use contract::Pool;

use super::{Exit, unavailable};
use crate::app;
use crate::clock::{self, Clock, Pace};
use crate::config::Config;
use crate::db::router::Monitors;
use crate::db::{Db, DbError, deployment};
use crate::reconcile::repair::{self, Bench, Report};
use crate::wake::Wake;

/// Looks, mends if it is asked to, and prints what was found.
pub(super) async fn run(config: Config, is_json: bool, is_repair: bool) -> Exit {
    let report = match report(&config, is_repair).await {
        Ok(report) => report,
        Err(error) => return unavailable(&error),
    };
    if is_json {
        println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    } else {
        print!("{}", report.text());
    }
    if report.holds { Exit::Done } else { Exit::Failed }
}

async fn report(config: &Config, is_repair: bool) -> Result<Report, DbError> {
    let db = Db::new(&app::db_settings(config)).map_err(DbError::Unavailable)?;
    // They find the replica that is to be read.
    let _monitors = Monitors::start(&db).await;
    let conn = db.get(Pool::Upkeep).await?;
    let shard_count = deployment::shard_count(&conn).await?;
    let pace = if config.env.is_production() { Pace::REAL } else { clock::read(&conn).await? };
    drop(conn);
    let clock = Clock::new(pace);
    let bench = Bench { db: db.clone(), clock: Arc::clone(&clock), shard_count };
    let report = if is_repair {
        let practices = app::practices(config, &db, shard_count);
        let wake = Wake::start(&db, shard_count);
        let ingest = app::ingest(config, &db, &clock, &wake, shard_count);
        repair::repair(&bench, (&practices, &ingest)).await?
    } else {
        repair::look(&bench).await?
    };
    db.close();
    Ok(report)
}
