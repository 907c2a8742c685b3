//! A Prometheus of one's own: its configuration, and starting it on a free port.
//!
//! What belongs here: what it scrapes and which rules it has. What never does: what the rules
//! say (the project's `alerts/`), and asking it anything.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Process, ProcessSpec, RunDir, StackError, ports};

/// What it logs once it answers.
const READY_LINE: &str = "Server is ready to receive web requests";
/// From its start to that line.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What a Prometheus is to do.
#[derive(Debug, Clone)]
pub struct PrometheusConfig {
    /// The program: a path, or a name to be looked for in `PATH`.
    pub program: PathBuf,
    /// Whose `/metrics` it scrapes, as job `punctual`.
    pub targets: Vec<SocketAddr>,
    /// Whose node_exporter it scrapes, as job `node`.
    pub machines: Vec<SocketAddr>,
    /// Files of rules that it evaluates.
    pub rule_files: Vec<PathBuf>,
    /// How often it scrapes.
    pub scrape_interval: Duration,
    /// How often it evaluates rules that have no interval of their own.
    pub evaluation_interval: Duration,
    /// Where it sends alerts that fire.
    pub alertmanager: Option<SocketAddr>,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self {
            program: "prometheus".into(),
            targets: Vec::new(),
            machines: Vec::new(),
            rule_files: Vec::new(),
            scrape_interval: Duration::from_secs(1),
            evaluation_interval: Duration::from_secs(1),
            alertmanager: None,
        }
    }
}

impl PrometheusConfig {
    /// Starts it with its files in the run directory, and waits until it answers.
    pub async fn start(&self, run: &RunDir) -> Result<(SocketAddr, Process), StackError> {
        let file = run.path().join("prometheus.json");
        let text = self.file().to_string();
        std::fs::write(&file, text).map_err(StackError::file("write", &file))?;
        ports::on_a_free_port(async |address| {
            let spec = ProcessSpec::new("prometheus", &self.program)
                .argument(format!("--config.file={}", file.display()))
                .argument(format!("--storage.tsdb.path={}", run.path().join("tsdb").display()))
                .argument(format!("--web.listen-address={address}"))
                // It learns of its Alertmanager some seconds after it started, and what fired
                // before is only sent again after this.
                .argument("--rules.alert.resend-delay=5s")
                .argument("--enable-feature=exemplar-storage");
            let process = Process::start(spec, run)?;
            process.ready_line(READY_LINE, READY_WITHIN).await?;
            Ok(process)
        })
        .await
    }

    /// The configuration file: JSON is YAML.
    fn file(&self) -> Value {
        let interval = |every: Duration| format!("{}ms", every.as_millis());
        let texts = |addresses: &[SocketAddr]| -> Vec<String> {
            addresses.iter().map(ToString::to_string).collect()
        };
        let job = |name: &str, addresses: &[SocketAddr]| {
            let targets = texts(addresses);
            json!({ "job_name": name, "static_configs": [{ "targets": targets }] })
        };
        json!({
            "global": {
                "scrape_interval": interval(self.scrape_interval),
                "scrape_timeout": interval(self.scrape_interval),
                "evaluation_interval": interval(self.evaluation_interval),
            },
            "rule_files": self.rule_files,
            "scrape_configs": [job("punctual", &self.targets), job("node", &self.machines)],
            "alerting": {
                "alertmanagers": [{
                    "static_configs": [{ "targets": texts(self.alertmanager.as_slice()) }],
                }],
            },
        })
    }
}
