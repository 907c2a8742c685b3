//! The table of settings. A row's name is the field of [`Config`], the key in a file, the flag
//! (`--database-url`) and, in capitals after `PUNCTUAL_`, the name in the environment.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use contract::Limit;

use super::amounts::{PoolSizes, StageTasks};
use super::layers::Values;
use super::value::{
    BaseUrl, DatabaseUrl, Environment, LogFormat, ProviderKind, Secret, StageGates, Value as _,
};
use super::{LIMIT_PREFIX, Mistake};
use crate::phone::Phone;

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The one name.
    pub(crate) name: Cow<'static, str>,
    /// As it would be written; empty for none.
    pub(crate) default: Cow<'static, str>,
    /// What a number counts; empty where there is nothing to count.
    pub(crate) unit: &'static str,
    /// What it does, in words.
    pub(crate) help: Cow<'static, str>,
    /// What may be written, in words.
    pub(crate) form: &'static str,
    /// Never printed; may come from a file named by `<name>_file`; has no flag of its own.
    pub(crate) is_secret: bool,
    /// For numbers, the least and the most.
    pub(crate) within: Option<(u64, u64)>,
}

macro_rules! settings {
    ($(
        $(#[doc = $help:literal])+
        $name:ident: $Type:ty = $default:literal, $unit:literal
        $(, within $least:literal to $most:literal)? $(, is $secret:ident)?;
    )+) => {
        /// The settings of a process, checked.
        #[derive(Debug, Clone)]
        pub(crate) struct Config {
            $($(#[doc = $help])+ pub(crate) $name: $Type,)+
            pub(super) limits: [u64; Limit::COUNT],
        }

        /// The rows written here; [`all`] has the limits as well.
        fn rows() -> Vec<Setting> {
            vec![$(Setting {
                name: Cow::Borrowed(stringify!($name)),
                default: Cow::Borrowed($default),
                unit: $unit,
                help: Cow::Owned(one_line(concat!($($help),+))),
                form: <$Type>::FORM,
                is_secret: settings!(@secret $($secret)?),
                within: settings!(@within $($least $most)?),
            },)+]
        }

        impl Config {
            /// Reads every setting, noting all mistakes.
            pub(super) fn read(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Self> {
                $(let $name = values.read::<$Type>(stringify!($name), mistakes);)+
                let limits = read_limits(values, mistakes);
                Some(Self { $($name: $name?,)+ limits })
            }
        }

        /// Every setting as it is shown, secrets masked.
        pub(super) fn shown(config: &Config) -> Vec<(&'static str, String)> {
            vec![$((stringify!($name), config.$name.show()),)+]
        }
    };
    (@secret) => { false };
    (@secret secret) => { true };
    (@within) => { None };
    (@within $least:literal $most:literal) => { Some(($least, $most)) };
}

settings! {
    /// Where this runs: `production` refuses what is only good for trying out, and is the only
    /// place from which numbers off the allow-list are texted.
    env: Environment = "development", "";
    /// The PostgreSQL database. TLS by `sslmode`: `disable`, or `require` and up, which all verify
    /// the server's certificate; without it, TLS is off for loopback and on for everything else.
    database_url: DatabaseUrl = "", "", is secret;
    /// A file of CA certificates that the database's certificate must come from, instead of the
    /// system's.
    database_ca_file: Option<PathBuf> = "", "";
    /// The other servers of the same database, separated by commas: replicas that are read, any of
    /// which may be promoted. Which one leads is found out, also while the process runs.
    database_replica_urls: Vec<DatabaseUrl> = "", "", is secret;
    /// Connections to each replica, split over its pools by their shares.
    database_replica_connections: u32 = "8", "connections", within 2 to 500;
    /// A statement on a replica is given up after this, except reports.
    database_replica_statement_timeout_ms: Duration = "2000", "milliseconds", within 100 to 600_000;
    /// Between two looks at each server: what was seen holds for three of these.
    database_look_ms: Duration = "250", "milliseconds", within 20 to 10_000;
    /// How long a read waits for a replica that is about to have what the reader wrote, before it
    /// goes to the primary.
    database_catch_up_ms: Duration = "50", "milliseconds", within 0 to 10_000;
    /// Connections to the primary, split over its pools by their shares.
    database_connections: u32 = "18", "connections", within 4 to 500;
    /// Sizes of single pools, the replicas' too. The others split what these leave of the
    /// connections to their side by their shares. By Little's law a pool needs the rate of its
    /// checkouts times how long each is held, and some to spare: `loadtest capacity` says how many.
    database_pool_sizes: PoolSizes = "", "";
    /// How many tasks do a stage's work side by side in a process; 2 where nothing is said. Each
    /// holds at most one connection of the stage's pool (`plan` and `receive`: interactive; the
    /// others: pipeline). More tasks than connections wait for each other, and requests behind
    /// them; a shard is worked on by one of them at a time.
    stage_tasks: StageTasks = "", "";
    /// A statement is given up after this, except audits.
    database_statement_timeout_ms: Duration = "5000", "milliseconds", within 100 to 600_000;
    /// Promises are kept for this long after the week in which they were due; then that week is
    /// dropped, and audits look at what is younger. Counts and texts stay. What was out of order is
    /// kept for as long after it was closed, in real time.
    keep_intents_days: u32 = "400", "days", within 7 to 36_500;
    /// Tries at the provider, and what came of them, are kept for this long.
    keep_attempts_days: u32 = "120", "days", within 7 to 36_500;
    /// How many shards the data is split into. Fixed by the first migration of a database.
    shard_count: i16 = "16", "shards", within 1 to 1024;
    /// The key that may do everything. Needed in production; a random one is made in development.
    admin_key: Secret = "", "", is secret;
    /// Signs the callback URLs given to providers. Needed in production, the same in all processes
    /// of a database; a random one is made in development.
    signing_key: Secret = "", "", is secret;
    /// Where practices and providers reach the service. Port 0 takes a free one.
    public_addr: SocketAddr = "127.0.0.1:8080", "";
    /// Where operators and Prometheus reach the service. It asks for no key: keep it on loopback
    /// or behind a network that is closed.
    admin_addr: SocketAddr = "127.0.0.1:8081", "";
    /// A file to write both addresses to, as JSON, once both listen.
    address_file: Option<PathBuf> = "", "";
    /// The public base URL under which providers reach the callbacks. Needed in production; the
    /// public address without it.
    public_url: Option<BaseUrl> = "", "";
    /// Who sends the texts.
    provider: ProviderKind = "twilio", "";
    /// The provider's base URL. Its certificate must come from the system's authorities, or from
    /// those in the file that `SSL_CERT_FILE` names.
    provider_url: BaseUrl = "https://api.twilio.com", "";
    /// The provider is a simulator: the allow-list isn't applied. Only with a loopback URL.
    provider_simulated: bool = "false", "";
    /// Twilio's account.
    twilio_account_sid: String = "", "";
    /// Twilio's token: authenticates requests and checks the signatures of callbacks.
    twilio_auth_token: Option<Secret> = "", "", is secret;
    /// Signs the requests to a webhook provider and checks its callbacks.
    webhook_secret: Option<Secret> = "", "", is secret;
    /// How long connecting to the provider may take, TLS included.
    provider_connect_ms: Duration = "2000", "milliseconds", within 10 to 60_000;
    /// How long the provider may take until its answer begins, from the start. At most
    /// `provider_total_ms`.
    provider_first_byte_ms: Duration = "5000", "milliseconds", within 10 to 120_000;
    /// How long the provider may take until its answer ends, from the start.
    provider_total_ms: Duration = "8000", "milliseconds", within 10 to 240_000;
    /// After that a delivery that the provider doesn't know was never accepted. Until then a lost
    /// answer is asked about three times.
    provider_settling_ms: Duration = "6000", "milliseconds", within 30 to 600_000;
    /// How long a text that was claimed is its process's. If that dies, another one takes over
    /// after this; it is longer than any delivery.
    lease_ms: Duration = "30000", "milliseconds", within 5_010 to 600_000;
    /// How long a round of reconciliation takes, in which each promise is looked at once: so in the
    /// hour before it is due, in the quarter of an hour before, when it is, and when it can't leave
    /// any more. In a round of more than a quarter of an hour some would not have the second look,
    /// and the alert that nobody looks, which waits for a round, would come after they are due.
    reconcile_round_ms: Duration = "900000", "milliseconds", within 1_000 to 900_000;
    /// Whether operators can hold the stages of this process one by one, for tests and
    /// measurements: `open` until somebody holds one, or `held` from the start on. Not in
    /// production.
    stage_gates: StageGates = "off", "";
    /// Outside production, the only numbers that are texted, separated by commas.
    allow_list: Vec<Phone> = "", "";
    /// After a signal to stop: how long the process still accepts connections while it already
    /// says that it isn't ready, so that load balancers can look elsewhere.
    drain_grace_ms: Duration = "1000", "milliseconds", within 0 to 600_000;
    /// After that: how long requests and deliveries under way may take to end.
    drain_deadline_ms: Duration = "15000", "milliseconds", within 0 to 600_000;
    /// How log lines are written to standard error. What is logged is set by `RUST_LOG`.
    log_format: LogFormat = "text", "";
}

/// Every setting: the rows above, and one for each limit.
pub(crate) fn all() -> Vec<Setting> {
    let limits = Limit::ALL.iter().map(|limit| Setting {
        name: Cow::Owned(format!("{LIMIT_PREFIX}{}", limit.name())),
        default: Cow::Owned(limit.spec().default.to_string()),
        unit: limit.spec().unit,
        help: Cow::Owned(format!("{} Why: {}.", limit.help(), limit.spec().reason)),
        form: u64::FORM,
        is_secret: false,
        within: Some((limit.spec().least, limit.spec().most)),
    });
    rows().into_iter().chain(limits).collect()
}

/// A help text without the breaks that it has in the source.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read_limits(values: &Values, mistakes: &mut Vec<Mistake>) -> [u64; Limit::COUNT] {
    std::array::from_fn(|i| {
        let limit = Limit::ALL[i];
        let name = format!("{LIMIT_PREFIX}{}", limit.name());
        values.read::<u64>(&name, mistakes).unwrap_or(limit.spec().default)
    })
}

impl Setting {
    /// Its name in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("{}{}", super::ENVIRONMENT_PREFIX, self.name.to_uppercase())
    }

    /// What may be written, in words that follow "must be".
    pub(crate) fn must_be(&self) -> String {
        match self.within {
            Some((least, most)) => format!("{} from {least} to {most}", self.form),
            None => self.form.to_owned(),
        }
    }

    /// Its flag, without the dashes before it.
    pub(crate) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}
