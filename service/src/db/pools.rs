//! The pools of one server: one a row of the pool table, of the size that is set for it or by its
//! share of the process's connections, with all three of deadpool's timeouts set (none of them is
//! by default).
//!
//! Never here: which server (`router`).

use std::path::PathBuf;
use std::time::Duration;

use contract::Pool;
use contract::pool::Side;
use deadpool_postgres::{
    Hook, Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::conn::Conn;
use super::error::{DbError, describe};
use super::router::Routing;
use super::tls;
use crate::obs;
use crate::obs::holder::Holder;

/// How long opening a connection may take.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same where another server could be read instead.
const REPLICA_CREATE_TIMEOUT: Duration = Duration::from_secs(1);
/// How much longer than the server's statement timeout we wait for its answer.
const ANSWER_GRACE: Duration = Duration::from_secs(2);
/// Audits may run for long; everything else has the configured limit.
const REPORTING_STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);

/// What the pools need to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `postgres://…`; may carry a password and is never printed.
    pub(crate) url: String,
    /// The other servers of the same database.
    pub(crate) replica_urls: Vec<String>,
    /// Connections of the process to the primary, over all of its pools.
    pub(crate) connections: u32,
    /// Connections of the process to each replica.
    pub(crate) replica_connections: u32,
    /// What single pools have of them; the others split the rest.
    pub(crate) pool_sizes: [Option<u32>; Pool::COUNT],
    /// The server ends a statement after this.
    pub(crate) statement_timeout: Duration,
    /// The same on a replica, reports apart.
    pub(crate) replica_statement_timeout: Duration,
    /// Whom to trust for TLS; the system's roots without it.
    pub(crate) ca_file: Option<PathBuf>,
    /// How reads find their server.
    pub(crate) routing: Routing,
}

impl Settings {
    /// The same for one of the servers alone, by its place: the first one is the primary at first.
    pub(crate) fn of(&self, server: usize) -> Self {
        let others = std::iter::once(&self.url).chain(&self.replica_urls);
        let url = others.clone().nth(server).unwrap_or(&self.url).clone();
        Self { url, replica_urls: Vec::new(), ..self.clone() }
    }

    /// Of one server, with limits that are never reached: where nothing is connected to, for tests
    /// and benchmarks.
    pub(crate) fn of_url(url: String) -> Self {
        let long = Duration::from_secs(3_600);
        Self {
            url,
            replica_urls: Vec::new(),
            connections: 18,
            replica_connections: 8,
            pool_sizes: [None; Pool::COUNT],
            statement_timeout: long,
            replica_statement_timeout: long,
            ca_file: None,
            routing: Routing {
                interval: long,
                patience: long,
                fallback_reads: 1,
                fallback_reports: 1,
                foreign_tokens: 1,
                fallback_wait: long,
                check: long,
                failures: u64::MAX,
                pause: long,
                ahead: u64::MAX,
                tokens: usize::MAX,
            },
        }
    }

    /// How many servers there are.
    pub(crate) const fn servers(&self) -> usize {
        1 + self.replica_urls.len()
    }
}

/// All pools of the process to one server. Those of the side on which it doesn't stand are empty.
pub(super) struct ServerPools(Vec<OnePool>);

struct OnePool {
    pool: Pool,
    inner: deadpool_postgres::Pool,
    answer_deadline: Duration,
    /// None where its server is spoken to without TLS.
    tls: Option<MakeRustlsConnect>,
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fill {
    pub(super) idle: usize,
    pub(super) used: usize,
    pub(super) max: usize,
    pub(super) waiting: usize,
}

impl ServerPools {
    /// Makes the pools. Connects to nothing yet.
    ///
    /// # Errors
    /// One line that says which setting is wrong and how.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let Settings { connections, replica_connections, pool_sizes, .. } = settings;
        let sizes = sizes(*connections, *replica_connections, pool_sizes);
        let pools = Pool::ALL.iter().map(|&pool| OnePool::new(pool, sizes[pool.index()], settings));
        pools.collect::<Result<Vec<_>, _>>().map(Self)
    }

    /// A connection of a pool, waited for at most as long as its row says.
    pub(super) async fn get(&self, holder: Holder, pool: Pool) -> Result<Conn, DbError> {
        let this = &self.0[pool.index()];
        let waiting = obs::pool::Waiting::begin(pool);
        let result = this.inner.get().await;
        let wait = waiting.ended();
        match result {
            Ok(client) => {
                let taken = (holder, wait.next());
                Ok(Conn::new(client, pool, taken, this.answer_deadline, this.tls.clone()))
            }
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

    /// How full a pool is.
    pub(super) fn fill(&self, pool: Pool) -> Fill {
        let status = self.0[pool.index()].inner.status();
        let idle = status.available;
        let used = status.size.saturating_sub(idle);
        Fill { idle, used, max: status.max_size, waiting: status.waiting }
    }

    /// Closes the connections that nobody has, of the pools of a side.
    pub(super) fn drop_idle(&self, side: Side) {
        for this in self.0.iter().filter(|this| this.pool.spec().side == side) {
            let _dropped = this.inner.retain(|_, _| false);
        }
    }

    /// Closes all pools: connections end as they are given back.
    pub(super) fn close(&self) {
        for this in &self.0 {
            this.inner.close();
        }
    }
}

impl OnePool {
    fn new(pool: Pool, size: usize, settings: &Settings) -> Result<Self, String> {
        let statement_timeout = match pool {
            Pool::Reporting | Pool::ReplicaReporting => REPORTING_STATEMENT_TIMEOUT,
            Pool::Interactive | Pool::Pipeline | Pool::Upkeep => settings.statement_timeout,
            Pool::ReplicaInteractive => settings.replica_statement_timeout,
        };
        let create_timeout = match pool.spec().side {
            Side::Primary => CREATE_TIMEOUT,
            Side::Replica => REPLICA_CREATE_TIMEOUT,
        };
        let config = connection_config(settings, pool, statement_timeout)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let is_encrypted = config.get_ssl_mode() != SslMode::Disable;
        let connector = || tls::connector(settings.ca_file.as_deref());
        let tls = is_encrypted.then(connector).transpose()?;
        let manager = match &tls {
            None => Manager::from_config(config, tokio_postgres::NoTls, recycling),
            Some(tls) => Manager::from_config(config, tls.clone(), recycling),
        };
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(Duration::from_millis(u64::from(pool.spec().wait_ms_max))),
                create: Some(create_timeout),
                recycle: Some(CREATE_TIMEOUT),
            })
            .post_create(Hook::sync_fn(move |_, metrics| {
                obs::pool::created(pool, metrics.created.elapsed());
                Ok(())
            }))
            .build()
            .map_err(|error| format!("pool {}: {error}", pool.name()))?;
        Ok(Self { pool, inner, answer_deadline: statement_timeout + ANSWER_GRACE, tls })
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
    let reads_only = match pool.spec().side {
        Side::Primary => "",
        Side::Replica => " -c default_transaction_read_only=on",
    };
    config
        .application_name(format!("punctual {}", pool.name()))
        .connect_timeout(CREATE_TIMEOUT)
        .options(format!(
            "-c statement_timeout={millis} -c idle_in_transaction_session_timeout=10000 \
             -c timezone=UTC -c jit=off{reads_only}{}",
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
        Pool::Reporting | Pool::ReplicaReporting => " -c enable_nestloop=off",
        Pool::Interactive | Pool::Pipeline | Pool::Upkeep | Pool::ReplicaInteractive => {
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

/// Splits the connections of each side: what is given first, the rest by the rows' shares. Each
/// pool has at least one.
pub(crate) fn sizes(
    to_primary: u32,
    to_replica: u32,
    given: &[Option<u32>; Pool::COUNT],
) -> [usize; Pool::COUNT] {
    std::array::from_fn(|i| {
        let row = Pool::ALL[i].spec();
        let connections = match row.side {
            Side::Primary => to_primary,
            Side::Replica => to_replica,
        };
        let of_side = || Pool::ALL.iter().filter(|pool| pool.spec().side == row.side);
        let size = given[i].unwrap_or_else(|| {
            let taken: u32 = of_side().filter_map(|pool| given[pool.index()]).sum();
            let others = of_side().filter(|pool| given[pool.index()].is_none());
            let shares: u32 = others.map(|pool| pool.spec().share).sum();
            let left = u64::from(connections.saturating_sub(taken));
            u32::try_from(left * u64::from(row.share) / u64::from(shares)).unwrap_or(u32::MAX)
        });
        size.max(1) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_default() {
        let shared = |primary, replica| sizes(primary, replica, &[None; Pool::COUNT]);
        assert_eq!(shared(18, 8), [8, 6, 2, 2, 6, 2]);
        assert_eq!(shared(1, 1), [1, 1, 1, 1, 1, 1]);
        assert_eq!(shared(36, 4), [16, 12, 4, 4, 3, 1]);
    }

    #[test]
    fn what_is_given_comes_first_and_the_others_split_the_rest() {
        let mut given = [None; Pool::COUNT];
        given[Pool::Interactive.index()] = Some(4);
        assert_eq!(sizes(18, 8, &given), [4, 8, 2, 2, 6, 2]);
        given[Pool::Pipeline.index()] = Some(12);
        given[Pool::ReplicaReporting.index()] = Some(7);
        assert_eq!(sizes(18, 8, &given), [4, 12, 1, 1, 1, 7]);
    }

    #[test]
    fn what_replicas_answer_can_change_nothing_and_has_a_limit_of_its_own() {
        let settings = Settings::of_url("postgres://h/x".into());
        for &pool in Pool::ALL {
            let config = connection_config(&settings, pool, Duration::from_millis(1_234)).unwrap();
            let options = config.get_options().unwrap();
            let is_replicas = pool.spec().side == Side::Replica;
            assert_eq!(options.contains("default_transaction_read_only=on"), is_replicas);
            assert!(options.contains("statement_timeout=1234"), "{options}");
            let name = format!("punctual {}", pool.name());
            assert_eq!(config.get_application_name(), Some(name.as_str()));
        }
    }

    #[test]
    fn a_wrong_url_is_one_line_without_the_url() {
        let message = parse_url("postgres://u:hunter2@h:notaport/x").unwrap_err();
        assert!(!message.contains("hunter2") && !message.contains('\n'), "{message}");
    }
}
