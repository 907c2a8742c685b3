//! The Prometheus beside a stack, for whoever wants to ask more than the live page shows. It is no
//! part of what is tried out: where there is none, or it doesn't start, the demo goes on and says
//! so.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stack::prometheus::PrometheusConfig;
use stack::{Process, RunDir, StackError};

use super::StackArgs;
use super::stack_up::Service;

/// As in production: a scrape costs the service some milliseconds.
const SCRAPE_EVERY: Duration = Duration::from_secs(5);
/// Where the project keeps its alerts, from its root on.
pub(crate) const ALERTS: &str = "alerts";

/// Who watches the stack.
#[derive(Debug)]
pub(super) enum Watcher {
    /// A Prometheus.
    Prometheus {
        /// Its process.
        process: Arc<Process>,
        /// Where it listens.
        address: SocketAddr,
        /// Files of rules that it has.
        rules: usize,
    },
    /// Nobody, as was asked for.
    Unwanted,
    /// Nobody, and why.
    Absent(String),
}

impl Watcher {
    /// Starts it, if it can be.
    pub(super) async fn start(args: &StackArgs, services: &[Service], run: &RunDir) -> Self {
        if args.no_prometheus {
            return Self::Unwanted;
        }
        let targets = services.iter().filter_map(|service| service.admin.parse().ok()).collect();
        let rule_files = rule_files(Path::new(ALERTS));
        let rules = rule_files.len();
        let config = PrometheusConfig {
            program: args.prometheus.clone(),
            targets,
            machines: Vec::new(),
            rule_files,
            scrape_interval: SCRAPE_EVERY,
            evaluation_interval: 3 * SCRAPE_EVERY,
            alertmanager: None,
        };
        match config.start(run).await {
            Ok((address, process)) => {
                Self::Prometheus { process: Arc::new(process), address, rules }
            }
            Err(StackError::Missing { what, .. }) => Self::Absent(what),
            Err(error) => Self::Absent(error.to_string()),
        }
    }

    /// Its process, if there is one.
    pub(super) fn process(&self) -> Option<&Arc<Process>> {
        match self {
            Self::Prometheus { process, .. } => Some(process),
            Self::Unwanted | Self::Absent(_) => None,
        }
    }
}

impl fmt::Display for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prometheus { address, rules, .. } => {
                let every = SCRAPE_EVERY.as_secs();
                write!(f, "prometheus http://{address}/alerts, every {every} s, ")?;
                match rules {
                    0 => write!(f, "without rules (there is no {ALERTS}/ here)"),
                    n => write!(f, "{n} files of rules"),
                }
            }
            Self::Unwanted => write!(f, "prometheus: left out"),
            Self::Absent(why) => write!(
                f,
                "prometheus: none ({why}); the live page shows the same without it, \
                 `make setup-tests` installs it"
            ),
        }
    }
}

/// Files of rules, with their whole paths: Prometheus has another directory.
pub(crate) fn rule_files(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = files
        .map(|file| file.path())
        .filter(|path| path.to_string_lossy().ends_with(".rules.yaml"))
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_there_is_said_to_be_so() {
        let absent = Watcher::Absent("prometheus is not in PATH".to_owned()).to_string();
        assert!(absent.contains("none (prometheus is not in PATH)"), "{absent}");
        assert!(absent.contains("make setup-tests"), "{absent}");
    }

    #[test]
    fn the_projects_rules_are_found() {
        let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../alerts");
        let files = rule_files(&alerts);
        assert!(files.len() > 3 && files.iter().all(|file| file.is_absolute()), "{files:?}");
        assert!(rule_files(Path::new("/nonexistent")).is_empty());
    }
}
