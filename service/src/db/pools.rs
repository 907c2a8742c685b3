//! The pools: one a row of the pool table, sized by its share of the process's connections, with
//! all three of deadpool's timeouts set (none of them is by default).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::{Pool, Stage};
use deadpool_postgres::{
    Hook, Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use tokio_postgres::config::SslMode;

use super::conn::Conn;
use super::error::{DbError, describe};
use super::tls;
use crate::obs::holder::Holder;
use crate::obs::{self, Stopwatch};

/// How long opening a connection may take.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// How much longer than the server's statement timeout we wait for its answer.
const ANSWER_GRACE: Duration = Duration::from_secs(2);
/// Audits may run for long; everything else has the configured limit.
const REPORTING_STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);

/// What the pools need to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `postgres://…`; may carry a password and is never printed.
    pub(crate) url: String,
    /// Connections of the process over all pools.
    pub(crate) connections: u32,
    /// The server ends a statement after this.
    pub(crate) statement_timeout: Duration,
    /// Whom to trust for TLS; the system's roots without it.
    pub(crate) ca_file: Option<PathBuf>,
}

/// All pools of the process.
#[derive(Clone)]
pub(crate) struct Db(Arc<[OnePool]>);

struct OnePool {
    pool: Pool,
    inner: deadpool_postgres::Pool,
    answer_deadline: Duration,
}

impl Db {
    /// Makes the pools. Connects to nothing yet.
    ///
    /// # Errors
    /// One line that says which setting is wrong and how.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let sizes = sizes(settings.connections);
        let pools = Pool::ALL
            .iter()
            .map(|&pool| OnePool::new(pool, sizes[pool.index()], settings))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self(pools.into()))
    }

    /// A connection of a pool, waited for at most as long as its row says, for the request whose
    /// task this is, or for the process.
    pub(crate) async fn get(&self, pool: Pool) -> Result<Conn, DbError> {
        self.get_by(Holder::current(), pool).await
    }

    /// The same for a stage.
    pub(crate) async fn get_for(&self, stage: Stage, pool: Pool) -> Result<Conn, DbError> {
        self.get_by(Holder::Stage(stage), pool).await
    }

    async fn get_by(&self, holder: Holder, pool: Pool) -> Result<Conn, DbError> {
        let this = &self.0[pool.index()];
        let started = Stopwatch::start();
        let result = this.inner.get().await;
        let wait = started.stop();
        obs::pool::waited(pool, wait);
        match result {
            Ok(client) => Ok(Conn::new(client, pool, (holder, wait.next()), this.answer_deadline)),
            Err(PoolError::Timeout(TimeoutType::Wait)) => {
                obs::pool::timed_out(pool);
                Err(DbError::PoolTimeout(pool.name()))
            }
            Err(PoolError::Timeout(TimeoutType::Create)) => {
                obs::pool::timed_out_at(pool, obs::pool::Timeout::Create);
                Err(DbError::Unavailable("opening a connection took too long".into()))
            }
            Err(PoolError::Timeout(TimeoutType::Recycle)) => {
                obs::pool::timed_out_at(pool, obs::pool::Timeout::Recycle);
                Err(DbError::Unavailable("a used connection did not answer in time".into()))
            }
            Err(PoolError::Backend(error)) => Err(DbError::Unavailable(describe(&error))),
            Err(
                error @ (PoolError::Closed
                | PoolError::NoRuntimeSpecified
                | PoolError::PostCreateHook(_)),
            ) => Err(DbError::Unavailable(error.to_string())),
        }
    }

    /// Publishes how full the pools are.
    pub(crate) fn observe(&self) {
        for this in self.0.iter() {
            let status = this.inner.status();
            let idle = status.available;
            let used = status.size.saturating_sub(idle);
            obs::pool::set(this.pool, idle, used, status.max_size, status.waiting);
        }
    }

    /// Closes all pools: connections end as they are given back.
    pub(crate) fn close(&self) {
        for this in self.0.iter() {
            this.inner.close();
        }
    }
}

impl OnePool {
    fn new(pool: Pool, size: usize, settings: &Settings) -> Result<Self, String> {
        let statement_timeout = match pool {
            Pool::Reporting => REPORTING_STATEMENT_TIMEOUT,
            Pool::Interactive | Pool::Pipeline | Pool::Upkeep => settings.statement_timeout,
        };
        let config = connection_config(settings, pool, statement_timeout)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if config.get_ssl_mode() == SslMode::Disable {
            Manager::from_config(config, tokio_postgres::NoTls, recycling)
        } else {
            Manager::from_config(config, tls::connector(settings.ca_file.as_deref())?, recycling)
        };
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(Duration::from_millis(u64::from(pool.spec().wait_ms_max))),
                create: Some(CREATE_TIMEOUT),
                recycle: Some(CREATE_TIMEOUT),
            })
            .post_create(Hook::sync_fn(move |_, metrics| {
                obs::pool::created(pool, metrics.created.elapsed());
                Ok(())
            }))
            .build()
            .map_err(|error| format!("pool {}: {error}", pool.name()))?;
        Ok(Self { pool, inner, answer_deadline: statement_timeout + ANSWER_GRACE })
    }
}

/// The URL with what every session of a pool has set from its start.
pub(crate) fn connection_config(
    settings: &Settings,
    pool: Pool,
    statement_timeout: Duration,
) -> Result<tokio_postgres::Config, String> {
    let mut config = parse_url(&settings.url)?;
    let millis = statement_timeout.as_millis();
    config
        .application_name(format!("punctual {}", pool.name()))
        .connect_timeout(CREATE_TIMEOUT)
        .options(format!(
            "-c statement_timeout={millis} -c idle_in_transaction_session_timeout=10000 \
             -c timezone=UTC -c jit=off{}",
            plans_of(pool)
        ));
    Ok(config)
}

/// Statements of the work take keys and go down an index for each. A plan is kept by its
/// connection; one made while the tables were empty would read them whole for ever after, so
/// whole reads are priced out of the question, and so is keeping what was read for the next key.
/// Audits read whole tables, once, and join them by hash: a nested loop, planned where statistics
/// are behind, compares every message with every try (ten minutes at half a million).
///
/// Every connection keeps one plan of a statement for all values, until statistics change: it opens
/// no more weeks than the statement names, and planning a batch anew costs more than that.
const fn plans_of(pool: Pool) -> &'static str {
    match pool {
        Pool::Reporting => " -c enable_nestloop=off",
        Pool::Interactive | Pool::Pipeline | Pool::Upkeep => {
            " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off \
             -c enable_bitmapscan=off -c enable_material=off -c enable_memoize=off \
             -c plan_cache_mode=force_generic_plan"
        }
    }
}

/// Reads a database URL; the message never repeats it, for the password in it.
pub(crate) fn parse_url(url: &str) -> Result<tokio_postgres::Config, String> {
    url.parse::<tokio_postgres::Config>().map_err(|error| {
        format!(
            "database_url is not a PostgreSQL URL ({}): postgres://user@host:5432/name is one",
            describe(&error)
        )
    })
}

/// Splits the connections by the rows' shares; each pool has at least one.
fn sizes(connections: u32) -> [usize; Pool::COUNT] {
    let shares: u32 = Pool::ALL.iter().map(|pool| pool.spec().share).sum();
    let mut sizes = [1; Pool::COUNT];
    for pool in Pool::ALL {
        let exact = u64::from(connections) * u64::from(pool.spec().share) / u64::from(shares);
        sizes[pool.index()] = usize::try_from(exact).unwrap_or(usize::MAX).max(1);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_default() {
        assert_eq!(sizes(18), [8, 6, 2, 2]);
        assert_eq!(sizes(1), [1, 1, 1, 1]);
        assert_eq!(sizes(36), [16, 12, 4, 4]);
    }

    #[test]
    fn a_wrong_url_is_one_line_without_the_url() {
        let message = parse_url("postgres://u:hunter2@h:notaport/x").unwrap_err();
        assert!(!message.contains("hunter2") && !message.contains('\n'), "{message}");
    }
}
