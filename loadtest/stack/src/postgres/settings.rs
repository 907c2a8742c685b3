//! The servers' configuration, whole: nothing of what initdb guessed about the machine stays.
//!
//! What belongs here: every setting with its reason, by profile. What never does: settings that
//! the service relies on for being right; those it sets in its own sessions.

use std::fmt::Write as _;

/// What the servers are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Many small databases, made and dropped. A killed server loses nothing that was
    /// committed (`synchronous_commit` stays on), but a crash of the *machine* may: no fsync.
    Test,
    /// A replayed day on a machine with 2 cores and 24 GB that also carries the service, the
    /// harness and the simulator. As durable as in production.
    Demo,
}

/// How to start a pair.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) profile: Profile,
    pub(super) base: Option<std::path::PathBuf>,
    pub(super) settings: Vec<(String, String)>,
}

impl Options {
    /// The profile's settings and the usual place.
    pub fn new(profile: Profile) -> Self {
        Self { profile, base: None, settings: Vec::new() }
    }

    /// Makes the run directory below this one (see `RunDir::create`).
    #[must_use]
    pub fn base(mut self, base: impl Into<std::path::PathBuf>) -> Self {
        self.base = Some(base.into());
        self
    }

    /// Overrides a setting of `postgresql.conf` on both servers.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

/// What holds for both profiles.
const COMMON: &[(&str, &str)] = &[
    // Reached over loopback with a password alone: other users of the machine stay out.
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("password_encryption", "scram-sha-256"),
    // The ten slowest statements are always in sight, and law 12 reads them here.
    ("shared_preload_libraries", "pg_stat_statements"),
    ("compute_query_id", "on"),
    // Room for each test database's copy of every statement: what is dropped can't be looked at.
    // 420 tests with some 100 each; 20 MB of shared memory.
    ("pg_stat_statements.max", "50000"),
    ("track_io_timing", "on"),
    // Compiling a plan costs more than any statement here takes.
    ("jit", "off"),
    ("wal_level", "replica"),
    ("max_wal_senders", "10"),
    ("max_replication_slots", "10"),
    // A replica that comes back asks again soon, not after 5 s.
    ("wal_retrieve_retry_interval", "200ms"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
    ("datestyle", "iso, mdy"),
    ("log_line_prefix", "%m [%p] %q%a@%d "),
    ("log_lock_waits", "on"),
    // Disks without moving parts.
    ("random_page_cost", "1.1"),
    // Tables of a queue change wholly within seconds; the default looks once a minute.
    ("autovacuum_naptime", "10s"),
];

const TEST: &[(&str, &str)] = &[
    ("fsync", "off"),
    // On, as what was acknowledged must survive kill -9 of the server in the tests of just that.
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("shared_buffers", "64MB"),
    ("max_wal_size", "1GB"),
    // A replica that a test paused must not fill the disk.
    ("max_slot_wal_keep_size", "2GB"),
    ("checkpoint_timeout", "30min"),
    // Several test applications side by side, each with its pools.
    ("max_connections", "200"),
    ("maintenance_work_mem", "32MB"),
];

const DEMO: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    // A day's hot tables and the indexes of a deep book fit; the page cache has the rest.
    ("shared_buffers", "1GB"),
    ("effective_cache_size", "8GB"),
    ("wal_buffers", "64MB"),
    // A checkpoint by time only: one that is forced by volume comes at the worst moment, and
    // each makes every page's next change a full-page image.
    ("max_wal_size", "8GB"),
    ("min_wal_size", "1GB"),
    ("checkpoint_timeout", "15min"),
    ("max_slot_wal_keep_size", "16GB"),
    ("max_connections", "100"),
    ("work_mem", "16MB"),
    ("maintenance_work_mem", "256MB"),
    // Until the first checkpoint every segment is a new one, and zeros written ahead of it double
    // what the primary and the replica write.
    ("wal_init_zero", "off"),
    // Two cores carry everything: one worker at a time leaves them to the statements.
    ("autovacuum_max_workers", "2"),
    // The service sees to statistics of what grows; each look at a day's largest tables costs
    // half a second of a core.
    ("autovacuum_analyze_scale_factor", "0.5"),
];

/// The text of `postgresql.conf` for one server of a pair.
pub(super) fn postgresql_conf(options: &Options, cluster_name: &str, port: u16) -> String {
    let profile = match options.profile {
        Profile::Test => TEST,
        Profile::Demo => DEMO,
    };
    let mut text = String::from("# Written by Punctual's stack; the last of equal names counts.\n");
    let mut put = |name: &str, value: &str| {
        // A quote inside is doubled, and everything is quoted: any setting may be.
        let value = value.replace('\'', "''");
        writeln!(text, "{name} = '{value}'").expect("writing to a String can't fail");
    };
    for (name, value) in COMMON.iter().chain(profile) {
        put(name, value);
    }
    put("cluster_name", cluster_name);
    put("port", &port.to_string());
    for (name, value) in &options.settings {
        put(name, value);
    }
    text
}

/// The text of `pg_hba.conf`: loopback with a password, nothing else.
pub(super) const PG_HBA_CONF: &str = "\
host all         all      127.0.0.1/32 scram-sha-256
host replication postgres 127.0.0.1/32 scram-sha-256
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_comes_last_and_quotes_are_doubled() {
        let options = Options::new(Profile::Demo).setting("work_mem", "it's");
        let text = postgresql_conf(&options, "primary", 20_001);
        assert!(text.contains("fsync = 'on'\n"), "{text}");
        assert!(text.contains("port = '20001'\n"), "{text}");
        assert!(text.ends_with("work_mem = 'it''s'\n"), "{text}");
    }

    #[test]
    fn no_profile_gives_up_what_a_commit_means() {
        for profile in [Profile::Test, Profile::Demo] {
            let text = postgresql_conf(&Options::new(profile), "x", 1);
            assert!(text.contains("synchronous_commit = 'on'\n"), "{text}");
            assert!(text.contains("full_page_writes = 'on'\n"), "{text}");
        }
    }
}
