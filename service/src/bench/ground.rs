//! What a benchmark stands on: an empty database with our schema, and a process on it that has no
//! listeners and no stages, and whose domain clock stands still.

use std::sync::Arc;

use contract::{Limit, Pool, Query};
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;

use super::Failed;
use super::door::{Door, Statement};
use crate::app::{App, db_settings};
use crate::clock::Pace;
use crate::config::{BaseUrl, Config};
use crate::db::{Db, DbError, Settings, migrate};
use crate::http::auth::Keys;
use crate::live::Live;
use crate::provider::Provider;
use crate::readiness::Readiness;

/// The process and the benchmarks' own connection.
pub(super) struct Ground {
    pub(super) app: Arc<App>,
    pub(super) door: Door,
    pub(super) settings: Settings,
}

impl Ground {
    /// Looks whether the database is empty, migrates it, and puts a process together at a domain
    /// instant.
    pub(super) async fn prepare(config: &Config, at: Timestamp) -> Result<Self, Failed> {
        if config.env.is_production() {
            return Err(Failed::Refused(
                "PUNCTUAL_ENV: a benchmark fills its database with made-up practices and does \
                 not run in production"
                    .into(),
            ));
        }
        let settings = db_settings(config);
        let door = Door::open(&settings).await?;
        if door.is(Statement::HasSchema).await? && door.is(Statement::HasPractices).await? {
            return Err(Failed::Refused(
                "PUNCTUAL_DATABASE_URL: this database has practices in it; a benchmark needs an \
                 empty one of its own: createdb bench"
                    .into(),
            ));
        }
        migrate::run(&settings).await?;
        hold_row(&settings, at).await?;

        let config = with_simulated_provider(config);
        let provider = Provider::new(&config).map_err(Failed::Refused)?;
        let (entries, lookups) = (Limit::ApiKeyCache, Limit::KeyLookups);
        let [entries, lookups] = [entries, lookups].map(|limit| config.limit_usize(limit));
        let keys = Keys::new(config.admin_key.expose(), entries, lookups);
        let readiness = Arc::new(Readiness::default());
        let live = Arc::new(Live::new(Arc::clone(&readiness)));
        let (config, keys, provider) = (Arc::new(config), Arc::new(keys), Arc::new(provider));
        let started = App::start(config, keys, readiness, provider, live);
        let app = Box::pin(started).await?;
        Ok(Self { app, door, settings })
    }

    /// Lets it be another domain instant, from now on.
    pub(super) async fn hold(&self, at: Timestamp) -> Result<(), DbError> {
        // The row as well, which the process reads again and again.
        write_row(&self.app.db, at).await?;
        self.app.clock.set(held(at));
        Ok(())
    }
}

/// Everybody may be texted, and nobody is.
fn with_simulated_provider(config: &Config) -> Config {
    let mut config = config.clone();
    config.provider_simulated = true;
    config.provider_url = BaseUrl::of_address(([127, 0, 0, 1], 9).into());
    config.twilio_account_sid = "AC00000000000000000000000000000000".to_owned();
    config.twilio_auth_token = Some(config.admin_key.clone());
    config.webhook_secret = Some(config.admin_key.clone());
    config
}

/// Before the process reads it, so that the days around it are attached and no others.
async fn hold_row(settings: &Settings, at: Timestamp) -> Result<(), DbError> {
    let db = Db::new(settings).map_err(DbError::Unavailable)?;
    write_row(&db, at).await?;
    db.close();
    Ok(())
}

async fn write_row(db: &Db, at: Timestamp) -> Result<(), DbError> {
    let Pace { real_origin, domain_origin, speed } = held(at);
    let conn = db.get(Pool::Upkeep).await?;
    conn.execute(Query::ClockWrite, &[&real_origin, &domain_origin, &speed]).await?;
    Ok(())
}

/// Domain time stands still until its origin, which is far away.
fn held(at: Timestamp) -> Pace {
    let far = date(2999, 1, 1).to_zoned(TimeZone::UTC).expect("UTC has every midnight");
    Pace { real_origin: far.timestamp(), domain_origin: at, speed: 1.0 }
}
