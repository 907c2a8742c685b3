//! `punctual reconcile`: what it needs of the process, without listening and without its stages.

use std::io::{IsTerminal as _, stderr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Limit, Pool, Stage};
use jiff::{SignedDuration, Timestamp};

use super::args::Asking;
use super::{Exit, unavailable};
use crate::app;
use crate::clock::{self, Clock, Pace};
use crate::config::{BaseUrl, Config};
use crate::db::router::Monitors;
use crate::db::{Db, DbError, deployment};
use crate::practice::Senders;
use crate::provider::{Provider, Span};
use crate::reconcile::accepted::{self, Sides};
use crate::reconcile::repair::{self, Bench, Report};
use crate::stages::gate::Gate;
use crate::wake::Wake;

/// What the provider took so lately may not be known to either side yet.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// A stretch without a wish.
const STRETCH: SignedDuration = SignedDuration::from_hours(24);
/// Between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Looks, mends if it is asked to, and prints what was found.
pub(super) async fn run(
    mut config: Config,
    is_json: bool,
    is_repair: bool,
    asking: Option<Asking>,
) -> Exit {
    let provider = match asking.map(|asking| provider(&mut config, asking)).transpose() {
        Ok(provider) => provider,
        Err(why) => {
            eprintln!("punctual: {why}");
            return Exit::Usage;
        }
    };
    let report = match report(&config, is_repair, provider.as_ref()).await {
        Ok(report) => report,
        Err(accepted::Error::Db(error)) => return unavailable(&error),
        Err(error) => {
            eprintln!("punctual: {error}");
            let is_usage = matches!(error, accepted::Error::NoList(_));
            return if is_usage { Exit::Usage } else { Exit::Unavailable };
        }
    };
    if is_json {
        println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    } else {
        print!("{}", report.text());
    }
    let is_accounted_for = report.provider.as_ref().is_none_or(|provider| provider.holds());
    if report.holds && is_accounted_for { Exit::Done } else { Exit::Failed }
}

/// The provider, and of which time it is asked.
fn provider(config: &mut Config, asking: Asking) -> Result<(Provider, Span), String> {
    let until = asking.until.unwrap_or_else(|| Timestamp::now() - SETTLED_AFTER);
    let span = Span { since: asking.since.unwrap_or(until - STRETCH), until };
    if span.since >= span.until {
        return Err(format!("--since {} is not before --until {}", span.since, span.until));
    }
    // Callbacks are no business of this process; nobody is told of this address.
    config.public_url.get_or_insert_with(|| BaseUrl::of_address(config.public_addr));
    Ok((Provider::new(config)?, span))
}

async fn report(
    config: &Config,
    is_repair: bool,
    provider: Option<&(Provider, Span)>,
) -> Result<Report, accepted::Error> {
    let db = Db::new(&app::db_settings(config)).map_err(DbError::Unavailable)?;
    // They find the replica that is to be read.
    let _monitors = Monitors::start(&db).await;
    let conn = db.get(Pool::Upkeep).await?;
    let shard_count = deployment::shard_count(&conn).await?;
    let pace = if config.env.is_production() { Pace::REAL } else { clock::read(&conn).await? };
    drop(conn);
    let clock = Clock::new(pace);
    let bench = Bench { db: db.clone(), clock: Arc::clone(&clock), shard_count };
    let mut report = if is_repair {
        let practices = app::practices(config, &db, shard_count);
        let wake = Wake::start(&db, shard_count);
        let gate = Gate::always_open(Stage::Plan);
        let ingest = app::ingest(config, &db, &clock, &wake, shard_count, &gate);
        repair::repair(&bench, (&practices, &ingest)).await?
    } else {
        repair::look(&bench).await?
    };
    if let Some((provider, span)) = provider {
        let senders = Senders::new(db.clone(), config.limit_usize(Limit::SenderCache));
        let (db, clock, senders) = (&db, &clock, &senders);
        let sides = Sides { db, clock, senders, provider, shard_count };
        report.provider = Some(accepted::compare(&sides, *span, progress()).await?);
    }
    db.close();
    Ok(report)
}

/// Tells a person from time to time how many texts have been listed.
fn progress() -> impl FnMut(u64) {
    let (is_watched, mut told) = (stderr().is_terminal(), Instant::now());
    move |listed| {
        if is_watched && told.elapsed() >= TELL_EVERY {
            eprintln!("punctual: the provider has listed {listed} texts so far");
            told = Instant::now();
        }
    }
}
